"""Binders: a call's arguments, checked against a function's signature by the interpreter itself.

A binder is a small function with the same parameters, made once a stage, that gives back its arguments in their
canonical order: first the positional ones, then those that have to be named. Calling it costs a tenth of
``Signature.bind``, which is asked only to word the error and for calls that leave parameters to their defaults.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from cloudburst.errors import ArgumentError

Bound = tuple[tuple[Any, ...], tuple[str, ...]]


class Absent:
    """Stands for a parameter that the call left to its default."""

    __slots__ = ()


ABSENT = Absent()


def make_binder(signature: inspect.Signature) -> Callable[..., Bound]:
    """A function that takes what the signature takes and gives (values, names of the last values).

    >>> binder = make_binder(inspect.signature(lambda x, y=1, *, z=2: None))
    >>> values, names = binder(1, z=3)
    >>> names, values[0], values[1] is ABSENT, values[2]
    (('z',), 1, True, 3)
    """
    written: list[str] = []
    values: list[str] = []
    names: list[str] = []
    extra = ""
    kinds = inspect.Parameter
    starred = False
    parameters = list(signature.parameters.values())
    for number, parameter in enumerate(parameters):
        default = "" if parameter.default is kinds.empty else "=_absent"
        name = parameter.name
        if parameter.kind is kinds.VAR_POSITIONAL:
            written.append(f"*{name}")
            values.append(f"*{name}")
            starred = True
        elif parameter.kind is kinds.VAR_KEYWORD:
            written.append(f"**{name}")
            values.append(f"*{name}.values()")
            extra = f" + (*{name},)"
        else:
            if parameter.kind is kinds.KEYWORD_ONLY:
                if not starred:
                    written.append("*")
                    starred = True
                names.append(name)
            written.append(name + default)
            values.append(name)
            following = parameters[number + 1].kind if number + 1 < len(parameters) else None
            if parameter.kind is kinds.POSITIONAL_ONLY and following is not kinds.POSITIONAL_ONLY:
                written.append("/")
    inner = "".join(f"{value}, " for value in values)
    source = f"lambda {', '.join(written)}: (({inner}), {tuple(names)!r}{extra})"
    binder: Callable[..., Bound] = eval(source, {"_absent": ABSENT})
    return binder


def bind_with_gaps(signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Bound:
    """The same for a call that leaves parameters to their defaults."""
    bound = signature.bind(*args, **kwargs)
    return (*bound.args, *bound.kwargs.values()), tuple(bound.kwargs)


def wording(name: str, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ArgumentError:
    """The error for a call that the signature does not take."""
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        return ArgumentError(f"{name}() cannot be called so: {error}. Its signature is {name}{signature}.")
    return ArgumentError(f"{name}() cannot be called so. Its signature is {name}{signature}.")
