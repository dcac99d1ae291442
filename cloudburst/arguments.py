"""Arguments as the graph keeps them: expressions, plain scalars, and snapshots that nobody writes to.

What the caller does to an argument after the call changes nothing: frames are kept as shallow copies (copy-on-write
keeps them), arrays are copied, other mutable values are kept as their encoded bytes. Deferreds may stand anywhere in
lists, tuples, dicts, sets, slices, dataclasses and named tuples; a Deferred where it would be lost, in a cell of a
frame or inside a value that has to be pickled, is refused.
"""

from __future__ import annotations

import dataclasses
import sys
import threading
from collections.abc import Callable, Iterable
from copy import copy
from itertools import chain
from types import FunctionType, MethodType
from typing import Any

from cloudburst.errors import CaptureError, CloudburstError, DeferredError, UsageError
from cloudburst.graph.expr import Expr, make
from cloudburst.graph.identity import identify, name_of
from cloudburst.graph.nodes import Build, FunctionValue, Literal
from cloudburst.keys import SCALARS, digest, encode
from cloudburst.plain_values import CONTAINERS, NOTHING, copied, is_moment, is_spelling

LONG = 32 * 1024
"""A text or bytes longer than this is a value of its own and no plain scalar in a node."""

_snapshotting = threading.local()


class Handle:
    """What carries an expression; ``Deferred`` is the one there is."""

    __slots__ = ("_expr",)

    _expr: Expr


put_expr: Callable[[Any, Expr], None] = Handle.__dict__["_expr"].__set__
"""Gives a new handle its expression, past the refusal to change it."""


def refuse_inside_snapshot(handle: Handle) -> None:
    """Raise if a Deferred is being pickled as part of an argument, where its value would never arrive."""
    inside = getattr(_snapshotting, "value", None)
    if inside is not None:
        raise DeferredError(_lost(handle, inside))


def to_argument(value: Any) -> Any:
    """A value as it stands in a node: a plain scalar as it is, everything else as an expression.

    Parameters
    ----------
    value : object
        Anything the caller gave.

    Returns
    -------
    scalar or Expr

    Raises
    ------
    DeferredError
        If a Deferred stands where its value could not be put in.
    CaptureError
        If the value can neither be copied nor pickled.
    UsageError
        If a container holds itself.
    """
    kind = type(value)
    if isinstance(value, Handle):
        return value._expr
    if kind in SCALARS and not ((kind is str or kind is bytes) and len(value) > LONG):
        return value
    try:
        return _convert(value, set())
    except RecursionError:
        raise UsageError(f"this {kind.__name__} is nested too deeply to be an argument: pass a flatter one.") from None


def literal(value: Any) -> Expr:
    """An expression whose value is a snapshot of this one."""
    argument = to_argument(value)
    return argument if type(argument) is Expr else _literal(argument)


def _convert(value: Any, path: set[int]) -> Any:
    kind = type(value)
    if isinstance(value, Handle):
        return value._expr
    if kind in SCALARS:
        return value if not (kind in (str, bytes) and len(value) > LONG) else _literal(value)
    if kind is slice or (_is_container(value) and _has_parts(value)):
        if id(value) in path:
            raise UsageError(f"a {kind.__name__} given as an argument holds itself: pass a value without such a loop.")
        path.add(id(value))
        try:
            return _container(value, path)
        finally:
            path.discard(id(value))
    if _is_function(value):
        return make(FunctionValue(value, name_of(value)[1], identify(value)))
    return _literal(value)


def _is_container(value: Any) -> bool:
    kind = type(value)
    return kind in CONTAINERS or is_record(kind)


def is_record(kind: type) -> bool:
    """Whether values of a class are dataclasses or named tuples."""
    return dataclasses.is_dataclass(kind) or (issubclass(kind, tuple) and hasattr(kind, "_fields"))


def fields(value: Any) -> dict[str, Any]:
    """The fields of a dataclass or named tuple that have a value, those included that its ``__init__`` works out."""
    kind: Any = type(value)
    names = kind._fields if issubclass(kind, tuple) else [field.name for field in dataclasses.fields(kind)]
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def _has_parts(container: Any) -> bool:
    """Whether something in a container, at any depth, is an expression or is kept better as one of its own."""
    todo, seen = [container], {id(container)}
    while todo:
        for member in _members(todo.pop()):
            if type(member) in SCALARS or id(member) in seen:
                continue
            if isinstance(member, Handle) or _is_function(member) or _is_data(member):
                return True
            if _is_container(member):
                seen.add(id(member))
                todo.append(member)
    return False


def _members(container: Any) -> Iterable[Any]:
    kind = type(container)
    if kind is dict:
        return chain(container, container.values())
    return container if kind in CONTAINERS else fields(container).values()


def _is_function(value: Any) -> bool:
    """Whether a value is code of the user's, which is captured when a run starts and not now."""
    if isinstance(value, type):
        from cloudburst.runtime.own_modules import is_own

        return "<locals>" in value.__qualname__ or is_own(value.__module__)
    return isinstance(value, FunctionType | MethodType)


def _is_data(value: Any) -> bool:
    """Whether a value is an array, a frame or a table, which is stored once and in its own format."""
    library = type(value).__module__.partition(".")[0]
    return library in ("numpy", "pandas", "polars", "pyarrow") and hasattr(value, "__len__")


def _container(value: Any, path: set[int]) -> Expr:
    """A container as an expression that builds it."""
    kind = type(value)
    if kind is slice:
        values: list[Any] = [value.start, value.stop, value.step]
    elif kind is dict:
        for key in value:
            if any(isinstance(one, Handle) for one in (key if isinstance(key, tuple) else [key])):
                raise DeferredError(f"a Deferred cannot be a key of a dict: {_NO_VALUE}")
        values = [part for pair in value.items() for part in pair]
    elif kind in CONTAINERS:
        values = list(value)
    else:
        values = [kind, *(part for pair in fields(value).items() for part in pair)]
    name = kind.__name__ if kind is slice or kind in CONTAINERS else "dataclass"
    return make(Build(name), tuple([_convert(one, path) for one in values]))


def _literal(value: Any) -> Expr:
    """A snapshot: the value itself where it can be kept so that nobody writes to it, else as bytes made now."""
    kind = type(value)
    naming = _Naming()
    before = getattr(_snapshotting, "value", None)
    _snapshotting.value = kind.__name__
    try:
        try:
            written = digest(encode(value, naming))
        except CloudburstError:
            raise
        except Exception:  # noqa: BLE001 - no rule and no plain pickle: its encoded bytes name it, in this process
            kept: Any = _encoded(value)
            return make(Literal(kept, True, digest(b"?", kept[1]), False, kind.__name__, len(kept[1])))
        kept, nbytes = _kept(value)
        pickled = kept is NOTHING
        if pickled:
            kept = _encoded(value)
            nbytes = len(kept[1])
    finally:
        _snapshotting.value = before
    return make(Literal(kept, pickled, written, naming.portable, kind.__name__, nbytes))


def _kept(value: Any) -> tuple[Any, int]:
    """The value itself where a cheap snapshot can be kept alive, with its size; else nothing."""
    kind = type(value)
    if kind in SCALARS:
        return value, len(value) if kind in (str, bytes) else 32
    if is_moment(value):
        return value, 32
    if kind in CONTAINERS and (own := copied(value)) is not NOTHING:
        return own, 32 * len(value)
    if is_spelling(value):
        return copy(value), 32
    module = kind.__module__.partition(".")[0]
    if module == "pandas" and (pandas := sys.modules.get("pandas")) is not None:
        if isinstance(value, pandas.DataFrame | pandas.Series):
            dtypes = value.dtypes if value.ndim == 2 else [value.dtype]
            if not any(getattr(dtype, "hasobject", False) for dtype in dtypes):
                return value.copy(deep=False), int(_nbytes(value))
    elif module == "numpy" and (numpy := sys.modules.get("numpy")) is not None:
        if kind is numpy.ndarray and not value.dtype.hasobject:
            snapshot = value.copy("K")
            snapshot.flags.writeable = False
            return snapshot, snapshot.nbytes
    elif module == "pyarrow" and hasattr(value, "nbytes"):
        return value, int(value.nbytes)
    return NOTHING, 0


def _nbytes(frame: Any) -> int:
    return int(frame.memory_usage(index=True).sum() if frame.ndim == 2 else frame.memory_usage(index=True))


def _encoded(value: Any) -> tuple[str, bytes]:
    """The value as bytes that a worker reads, made now."""
    from cloudburst.runtime import codecs

    try:
        name, parts = codecs.encode(value)
        return name, b"".join(parts)
    except Exception as error:
        _refuse_hidden(value)
        reason = str(error).rstrip(".")
        raise CaptureError(
            f"an argument of type {type(value).__module__}.{type(value).__qualname__} cannot travel to a worker: "
            f"{reason}. Pass the data that it is made from, and make it inside the stage."
        ) from error


def _refuse_hidden(value: Any) -> None:
    """Raise if what cannot be pickled holds a Deferred: that is what the caller is to be told."""
    import cloudpickle

    try:
        cloudpickle.dumps(value)
    except DeferredError:
        raise
    except Exception:  # noqa: BLE001 - that it cannot be pickled is told already
        return


class _Naming:
    """What ``keys.encode`` asks: refuses a Deferred in a cell, and sees to code, whose name is not what it does."""

    __slots__ = ("_own", "portable")

    def __init__(self) -> None:
        self.portable = True
        self._own: dict[str, bool] = {}

    def __call__(self, value: object) -> bytes | None:
        if isinstance(value, Handle):
            raise DeferredError(_lost(value, "cell of a frame or array"))
        if isinstance(value, FunctionType):
            self.portable = False
            return b"G" + identify(value)
        module = (value if isinstance(value, type) else type(value)).__module__
        own = self._own.get(module)
        if own is None:
            from cloudburst.runtime.own_modules import is_own

            own = self._own[module] = is_own(module)
        if own:
            self.portable = False
        return None


_NO_VALUE = "a Deferred has no value yet. compute() it first."


def _lost(handle: Handle, inside: str) -> str:
    return (
        f"{handle._expr.name} is a Deferred inside a {inside}, where its value cannot be put in. "
        "Pass it as an argument of its own, or in a list, tuple, dict or dataclass."
    )
