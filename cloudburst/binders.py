"""Binders: a call's arguments, checked against a function's signature by the interpreter itself.

A binder is a small function with the same parameters, made once a stage, that gives back its arguments in their
canonical order: first the positional ones, then those that have to be named. Calling it costs a tenth of
``Signature.bind``, which is asked only to word the error.
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


def positional_names(signature: inspect.Signature) -> tuple[str, ...]:
    """The parameters that a binder gives by position, but for those of ``*args``."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(name for name, parameter in signature.parameters.items() if parameter.kind in kinds)


def without_gaps(positional: tuple[str, ...], values: tuple[Any, ...], names: tuple[str, ...]) -> Bound:
    """What a binder gave without the parameters left to their defaults: what comes after a gap goes by name.

    >>> without_gaps(("x", "y", "z"), (1, ABSENT, 3, 4), ("more",))
    ((1, 3, 4), ('z', 'more'))
    """
    if not any(value is ABSENT for value in values):
        return values, names
    count = len(values) - len(names)
    gap = next((place for place, value in enumerate(values[:count]) if value is ABSENT), count)
    after = (*positional[gap:count], *names)
    given = [(name, value) for name, value in zip(after, values[gap:], strict=True) if value is not ABSENT]
    return (*values[:gap], *[value for _, value in given]), tuple([name for name, _ in given])


def wording(name: str, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ArgumentError:
    """The error for a call that the signature does not take."""
    why = ""
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        why = f": {error}"
    return ArgumentError(f"{name}() cannot be called so{why}. Its signature is {name}{signature}.")
