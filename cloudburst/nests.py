"""``cb.compute``: several Deferreds, or nests of them, worked out in one run."""

from __future__ import annotations

import dataclasses
from typing import Any

from cloudburst.arguments import Handle, fields, is_record
from cloudburst.errors import DeferredError, UsageError
from cloudburst.graph.expr import Expr


def compute(*nests: Any, name: str | None = None, keep_going: bool = False, progress: bool | None = None) -> Any:
    """Work out all Deferreds in some lists, tuples, sets, dicts and dataclasses in one run.

    Parameters
    ----------
    *nests : object
        Deferreds, containers of them at any depth, and values, which stay as they are.
    name : str, optional
        What to call the run.
    keep_going : bool
        Go on with what does not depend on a failed task, and raise all errors together at the end.
    progress : bool, optional
        Show progress, or be silent.

    Returns
    -------
    object
        For one nest the same nest of values, for several a tuple.

    Raises
    ------
    Exception
        As ``Deferred.compute``.

    Examples
    --------
    >>> import cloudburst as cb
    >>> @cb.stage
    ... def double(x: int) -> int:
    ...     return 2 * x
    >>> cb.compute({"a": double(1), "b": [double(2), 5]})
    {'a': 2, 'b': [4, 5]}
    """
    from cloudburst import session

    found: list[Expr] = []
    try:
        shapes = [_shape(nest, found, set()) for nest in nests]
    except RecursionError:
        raise UsageError("a nest given to cb.compute is nested too deeply: compute what is in it.") from None
    if not nests:
        raise UsageError("cb.compute() needs something to work out, as in cb.compute(a, b).")
    if not found:
        return nests[0] if len(nests) == 1 else nests
    run = session.submit(*found, name=name, keep_going=keep_going, progress=progress, whole=False)
    values = run.result_or_cancel()
    filled = tuple(_filled(shape, values) for shape in shapes)
    return filled[0] if len(nests) == 1 else filled


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """Where a Deferred stood: the number of its value."""

    number: int


def _shape(nest: Any, found: list[Expr], path: set[int]) -> Any:
    """The nest with places where its Deferreds were."""
    if isinstance(nest, Handle):
        found.append(nest._expr)
        return _Place(len(found) - 1)
    kind = type(nest)
    is_plain = kind in (list, tuple, set, frozenset)
    if not is_plain and kind is not dict and not is_record(kind):
        return nest
    if id(nest) in path:
        raise UsageError(f"a {kind.__name__} given to cb.compute holds itself.")
    path.add(id(nest))
    before = len(found)
    if kind is dict:
        if any(isinstance(key, Handle) for key in nest):
            raise DeferredError(
                "a Deferred cannot be a key of a dict: compute() it first, and make the dict of its value."
            )
        shaped: Any = {key: _shape(value, found, path) for key, value in nest.items()}
    elif is_plain or isinstance(nest, tuple):
        make = kind if is_plain else kind._make
        shaped = _Members(make, [_shape(member, found, path) for member in nest])
    else:
        shaped = _Record(kind, {name: _shape(value, found, path) for name, value in fields(nest).items()})
    path.discard(id(nest))
    return shaped if len(found) > before else nest


@dataclasses.dataclass(frozen=True, slots=True)
class _Members:
    make: Any
    members: list[Any]


@dataclasses.dataclass(frozen=True, slots=True)
class _Record:
    kind: type
    fields: dict[str, Any]


def _filled(shape: Any, values: list[Any]) -> Any:
    kind = type(shape)
    if kind is _Place:
        return values[shape.number]
    if kind is _Members:
        return shape.make([_filled(member, values) for member in shape.members])
    if kind is _Record:
        record = object.__new__(shape.kind)  # as it was, and not through an __init__ that would run twice
        for name, member in shape.fields.items():
            object.__setattr__(record, name, _filled(member, values))
        return record
    if kind is dict:
        return {key: _filled(member, values) for key, member in shape.items()}
    return shape
