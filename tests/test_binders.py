"""Binders agree with ``Signature.bind``, which is slower by far."""

from __future__ import annotations

import inspect
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import assume, given, settings

from cloudburst.binders import ABSENT, make_binder, positional_names, without_gaps, wording
from cloudburst.errors import ArgumentError

Parameter = inspect.Parameter
NAMES = ["a", "b", "c", "d", "e", "self", "cls", "_absent", "args", "kwargs", "é"]


@st.composite
def signatures(draw: st.DrawFn) -> inspect.Signature:
    names = draw(st.permutations(NAMES))[: draw(st.integers(0, 7))]
    positional, either, named, star, stars = [], [], [], [], []
    for name in names:
        kind = draw(st.sampled_from([positional, either, either, named, star, stars]))
        if (kind is star or kind is stars) and kind:
            kind = named
        kind.append(name)
    parameters, defaulted = [], False
    for name, kind in [(n, Parameter.POSITIONAL_ONLY) for n in positional] + [
        (n, Parameter.POSITIONAL_OR_KEYWORD) for n in either
    ]:
        defaulted = defaulted or draw(st.booleans())
        parameters.append(Parameter(name, kind, default=f"default {name}" if defaulted else Parameter.empty))
    parameters += [Parameter(name, Parameter.VAR_POSITIONAL) for name in star]
    parameters += [
        Parameter(name, Parameter.KEYWORD_ONLY, default=f"default {name}" if draw(st.booleans()) else Parameter.empty)
        for name in named
    ]
    parameters += [Parameter(name, Parameter.VAR_KEYWORD) for name in stars]
    return inspect.Signature(parameters)


def names_only_by_position(signature: inspect.Signature) -> set[str]:
    """Names that versions of Python bind in different ways when they are given as keywords."""
    return {name for name, one in signature.parameters.items() if one.kind is Parameter.POSITIONAL_ONLY}


calls = st.tuples(
    st.lists(st.integers(0, 9), max_size=4),
    st.dictionaries(st.sampled_from([*NAMES, "other", "not a name"]), st.integers(0, 9), max_size=4),
)


@given(signatures(), calls)
@settings(max_examples=1500, deadline=None)
def test_a_binder_agrees_with_the_signature(signature: inspect.Signature, call: Any) -> None:
    args, kwargs = call
    assume(not names_only_by_position(signature) & set(kwargs))
    binder = make_binder(signature)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        with pytest.raises(TypeError):
            binder(*args, **kwargs)
        error = wording("stage", signature, tuple(args), kwargs)
        assert isinstance(error, ArgumentError)
        assert str(error).startswith("stage() cannot be called so: ")
        return
    values, names = without_gaps(positional_names(signature), *binder(*args, **kwargs))
    assert values == (*bound.args, *bound.kwargs.values())
    assert names == tuple(bound.kwargs)
    again = signature.bind(
        *values[: len(values) - len(names)], **dict(zip(names, values[len(values) - len(names) :], strict=True))
    )
    assert again.arguments == bound.arguments


@given(signatures(), calls)
@settings(max_examples=300, deadline=None)
def test_calls_that_leave_parameters_out_are_told_by_absent_ones(signature: inspect.Signature, call: Any) -> None:
    args, kwargs = call
    assume(not names_only_by_position(signature) & set(kwargs))
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        return
    values, _ = make_binder(signature)(*args, **kwargs)
    left_out = [
        name
        for name, parameter in signature.parameters.items()
        if name not in bound.arguments and parameter.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    ]
    assert sum(value is ABSENT for value in values) == len(left_out)


def test_order_of_keywords_is_that_of_the_signature() -> None:
    def function(x: int, *, y: int, z: int) -> None: ...

    binder = make_binder(inspect.signature(function))
    assert binder(z=3, y=2, x=1) == binder(1, y=2, z=3) == ((1, 2, 3), ("y", "z"))


def test_what_is_positional_only_may_not_be_named() -> None:
    def function(x: int, /) -> None: ...

    signature = inspect.signature(function)
    with pytest.raises(TypeError):
        make_binder(signature)(x=1)
    assert "positional" in str(wording("f", signature, (), {"x": 1}))


def test_a_name_that_is_positional_only_may_be_one_of_the_keywords() -> None:
    def function(x: int = 1, /, **more: int) -> None: ...

    signature = inspect.signature(function)
    bound = without_gaps(positional_names(signature), *make_binder(signature)(x=5))
    assert bound == ((5,), ("x",))


def test_a_call_that_the_signature_takes_after_all_is_worded_too() -> None:
    signature = inspect.signature(lambda x: None)
    assert str(wording("f", signature, (1,), {})) == "f() cannot be called so. Its signature is f(x)."
