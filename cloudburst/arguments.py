"""Arguments as the graph keeps them: expressions, plain scalars, and snapshots that nobody writes to.

What the caller does to an argument after the call changes nothing: frames are kept as shallow copies (copy-on-write keeps
them), writable arrays are copied, other mutable values are kept as their encoded bytes. Deferreds may stand anywhere in
lists, tuples, dicts, sets, slices and dataclasses; a Deferred where it would be lost, in a cell of a frame or inside a value
that has to be pickled, is refused.
"""

from __future__ import annotations

import dataclasses
import sys
import threading
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from cloudburst.errors import CaptureError, CloudburstError, DeferredError, UsageError
from cloudburst.graph.expr import Expr, make
from cloudburst.graph.identity import identify, name_of
from cloudburst.graph.nodes import Build, FunctionValue, Literal
from cloudburst.keys import SCALARS, digest, encode

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
        raise UsageError(f"this {kind.__name__} is nested too deeply to be an argument: pass a flatter value.") from None


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
    if kind in _CONTAINERS or isinstance(value, tuple) or _is_record(value):
        if id(value) in path:
            raise UsageError(f"a {kind.__name__} given as an argument holds itself: pass a value without such a loop.")
        path.add(id(value))
        try:
            return _container(value, path)
        finally:
            path.discard(id(value))
    if isinstance(value, FunctionType | MethodType) or (isinstance(value, type) and _is_by_value(value)):
        return _function(value)
    return _literal(value)


_CONTAINERS = frozenset({list, tuple, dict, set, frozenset, slice})


def _is_record(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _is_by_value(kind: type) -> bool:
    module = sys.modules.get(kind.__module__)
    return module is None or kind.__module__ == "__main__" or "<locals>" in kind.__qualname__


def _function(value: Any) -> Expr:
    return make(FunctionValue(value, name_of(value)[1], identify(value)))


def _container(value: Any, path: set[int]) -> Any:
    kind = type(value)
    if kind is dict:
        members: list[Any] = []
        for key, one in value.items():
            if isinstance(key, Handle):
                raise DeferredError(f"a Deferred cannot be a key of a dict: {_NO_VALUE}")
            members += [_convert(key, path), _convert(one, path)]
        name = "dict"
    elif kind is slice:
        members = [_convert(one, path) for one in (value.start, value.stop, value.step)]
        return make(Build("slice"), tuple(members))
    elif kind in _CONTAINERS:
        members = [_convert(one, path) for one in value]
        name = kind.__name__
    else:
        return _record(value, path)
    if any(type(member) is Expr for member in members):
        return make(Build(name), tuple(members))
    return _literal(value)


def _record(value: Any, path: set[int]) -> Any:
    """A dataclass or named tuple: taken apart only where it holds something that is to be put in later."""
    if isinstance(value, tuple):
        names = getattr(type(value), "_fields", None)
        if names is None:
            return _literal(value)
    else:
        names = tuple(field.name for field in dataclasses.fields(value) if field.init)
    members = [_convert(getattr(value, name), path) for name in names]
    if not any(type(member) is Expr and not isinstance(member.what, Literal) for member in members):
        return _literal(value)
    kind = _convert(type(value), path)
    pairs = [part for name, member in zip(names, members, strict=True) for part in (name, member)]
    return make(Build("dataclass"), (kind, *pairs))


def _literal(value: Any) -> Expr:
    kind = type(value)
    portable = True
    kept, nbytes = _kept(value)
    pickled = False
    if kept is _NOTHING:
        kept = _encoded(value)
        nbytes = len(kept[1])
        pickled = True
    try:
        written = digest(encode(value, _no_handle))
    except CloudburstError:
        raise
    except Exception:  # no rule and no plain pickle: the encoded bytes name the value, in this process
        if not pickled:
            kept, pickled = _encoded(value), True
        written = digest(b"?", kept[1])
        portable = False
    return make(Literal(kept, pickled, written, portable, kind.__name__, nbytes))


_NOTHING = object()


def _kept(value: Any) -> tuple[Any, int]:
    """The value itself where a cheap snapshot can be kept alive, with its size; else nothing."""
    kind = type(value)
    if kind in SCALARS:
        return value, len(value) if kind in (str, bytes) else 32
    if kind in _CONTAINERS and _is_plain(value):
        return _copied(value), 32 * len(value)
    module = kind.__module__.partition(".")[0]
    if module == "pandas" and (pandas := sys.modules.get("pandas")) is not None:
        if isinstance(value, pandas.DataFrame | pandas.Series):
            dtypes = value.dtypes if value.ndim == 2 else [value.dtype]
            if not any(dtype == object for dtype in dtypes):
                return value.copy(deep=False), int(_nbytes(value))
    elif module == "numpy" and (numpy := sys.modules.get("numpy")) is not None:
        if kind is numpy.ndarray and not value.dtype.hasobject:
            copy = value.copy()
            copy.flags.writeable = False
            return copy, copy.nbytes
    elif module == "pyarrow" and hasattr(value, "nbytes"):
        return value, int(value.nbytes)
    return _NOTHING, 0


def _nbytes(frame: Any) -> int:
    return int(frame.memory_usage(index=True).sum() if frame.ndim == 2 else frame.memory_usage(index=True))


def _is_plain(value: Any) -> bool:
    members = [part for pair in value.items() for part in pair] if type(value) is dict else value
    return all(type(member) in SCALARS for member in members)


def _copied(value: Any) -> Any:
    return value if type(value) in (tuple, frozenset) else value.copy()


def _encoded(value: Any) -> tuple[str, bytes]:
    """The value as bytes that a worker reads, made now."""
    from cloudburst.runtime import codecs

    _snapshotting.value = type(value).__name__
    try:
        name, parts = codecs.encode(value)
        return name, b"".join(parts)
    except DeferredError:
        raise
    except Exception as error:
        for cause in (error, error.__cause__):
            if isinstance(cause, DeferredError):
                raise cause from None
        raise CaptureError(
            f"an argument of type {type(value).__module__}.{type(value).__qualname__} cannot travel to a worker: "
            f"{error}. Pass the data that it is made from, and make it inside the stage."
        ) from error
    finally:
        _snapshotting.value = None


def _no_handle(value: object) -> bytes | None:
    """For ``keys.encode``: refuse a Deferred in a cell, and name functions by what they are."""
    if isinstance(value, Handle):
        raise DeferredError(_lost(value, "cell of a frame or array"))
    if isinstance(value, FunctionType):
        return b"F" + identify(value)
    if isinstance(value, BuiltinFunctionType):
        return encode(("builtin", *name_of(value)))
    return None


_NO_VALUE = "a Deferred has no value yet. compute() it first."


def _lost(handle: Handle, inside: str) -> str:
    return (
        f"{handle._expr.name} is a Deferred inside a {inside}, where its value cannot be put in. "
        "Pass it as an argument of its own, or in a list, tuple, dict or dataclass."
    )
