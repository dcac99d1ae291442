"""Canonical bytes of any value, and digests of them: equal bytes only for equal values.

Every part is tagged with its type and carries its own length, so that no two values share an encoding: ``1``,
``True``, ``1.0``, ``Int8`` and ``Int16`` differ, ``-0.0`` differs from ``0.0``, and so do two dicts of another order.
Sets are written by their sorted members. Frames and arrays are written by dtype, shape, labels, attributes and content.
What has no rule here goes by its pickle. ``==`` and ``hash()`` of a user's object are never asked.

The same value gives the same bytes in every process and under every hash seed, as far as its pickle does. Where that
cannot be had, two encodings for one value are right and one for two values would be a bug.
"""

from __future__ import annotations

import pickle
import struct
import sys
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from cloudburst.errors import UsageError

Special = Callable[[object], bytes | None]

_LARGE = 4096
"""Buffers longer than this enter as their digest, so that an encoding stays small."""

_pack_double = struct.Struct("<d").pack


def digest(*parts: bytes) -> bytes:
    """The 128-bit blake2b of the concatenation of parts.

    >>> digest(b"a", b"b") == digest(b"ab")
    True
    """
    return blake2b(b"".join(parts), digest_size=16).digest()


def short(key: bytes) -> str:
    """Twelve digits of a key for people; never compared.

    >>> short(digest(b""))
    'cae66941d9ef'
    """
    return key.hex()[:12]


def _str(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"s%d:%b" % (len(data), data)


SCALARS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda value: b"N;",
    bool: lambda value: b"T;" if value else b"F;",
    int: lambda value: b"i%x;" % value,
    float: lambda value: b"f" + _pack_double(value),
    complex: lambda value: b"c" + _pack_double(value.real) + _pack_double(value.imag),
    str: _str,
    bytes: lambda value: b"b%d:%b" % (len(value), value),
    type(...): lambda value: b"E;",
}
"""The plain scalars, which sit in a node as they are, and how each is written."""


def encode(value: object, special: Special | None = None) -> bytes:
    """Canonical bytes of a value.

    Parameters
    ----------
    value : object
        Anything that is built of scalars, containers, arrays and frames, or can be pickled.
    special : callable, optional
        Asked first for everything that is no scalar and no plain container; gives the bytes, or ``None`` to leave it
        to the rules here. It may raise.

    Returns
    -------
    bytes
        Equal for equal values of equal types only.

    Raises
    ------
    UsageError
        If a container holds itself.
    Exception
        Whatever pickling a value without a rule raises.

    Examples
    --------
    >>> encode([1, True, "a"])
    b'l3:i1;T;s1:a'
    >>> encode({2, 1}) == encode({1, 2}), encode({"a": 1, "b": 2}) == encode({"b": 2, "a": 1})
    (True, False)
    """
    out: list[bytes] = []
    todo: list[object] = [value]
    open_ids: set[int] = set()
    while todo:
        one = todo.pop()
        kind = type(one)
        if (scalar := SCALARS.get(kind)) is not None:
            out.append(scalar(one))
        elif kind is _Left:
            open_ids.discard(id(one.container))  # type: ignore[attr-defined]
        elif kind is _Written:
            out.append(one.data)  # type: ignore[attr-defined]
        else:
            if id(one) in open_ids:
                raise UsageError(f"a {kind.__name__} holds itself: pass a value without such a loop.")
            members = _members(one, special, out)
            if members:
                open_ids.add(id(one))
                todo.append(_Left(one))
                members.reverse()
                todo.extend(members)
    return b"".join(out)


class _Left:
    """Marks that all members of a container are written; it holds the container so that its id stays its own."""

    __slots__ = ("container",)

    def __init__(self, container: object) -> None:
        self.container = container


class _Written:
    """Bytes that stand between members."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


def _members(value: Any, special: Special | None, out: list[bytes]) -> list[object]:
    """Write the head of a value and give what is to be written after it."""
    kind = type(value)
    if kind is list or kind is tuple:
        out.append(b"%b%d:" % (b"l" if kind is list else b"t", len(value)))
        return list(value)
    if kind is dict:
        out.append(b"d%d:" % len(value))
        return [part for pair in value.items() for part in pair]
    if kind is set or kind is frozenset:
        members = sorted(encode(member, special) for member in value)
        out.append(b"%b%d:%b" % (b"S" if kind is set else b"Z", len(members), b"".join(members)))
        return []
    if special is not None and (written := special(value)) is not None:
        out.append(written)
        return []
    if kind is slice:
        out.append(b"L")
        return [value.start, value.stop, value.step]
    if kind is range:
        out.append(b"R")
        return [value.start, value.stop, value.step]
    if kind is bytearray:
        out.append(b"B%d:%b" % (len(value), bytes(value)))
        return []
    module = kind.__module__
    if module.startswith("numpy") and (numpy := sys.modules.get("numpy")) is not None:
        return _numpy_members(value, numpy, out)
    if module.startswith("pandas") and "pandas" in sys.modules:
        return _pandas_members(value, sys.modules["pandas"], out)
    return _pickled(value, out)


def _numpy_members(value: Any, numpy: Any, out: list[bytes]) -> list[object]:
    kind = type(value)
    if isinstance(value, numpy.generic) and kind is not numpy.void and kind is not numpy.object_:
        text = value.dtype.str.encode()
        out.append(b"g%d:%b%d:%b" % (len(text), text, value.nbytes, value.tobytes()))
        return []
    if kind is not numpy.ndarray or value.dtype.names is not None:
        return _pickled(value, out)
    # a dtype of variable-width strings says only in its repr what stands for a missing one
    text = (repr(value.dtype) if value.dtype.kind == "T" else value.dtype.str).encode()
    out.append(b"A%d:%b" % (len(text), text))
    shape = tuple(value.shape)
    if value.dtype.kind in "OT":
        return [shape, *value.ravel().tolist()]
    return [shape, _buffer(numpy.ascontiguousarray(value).reshape(-1).view(numpy.uint8).data if value.nbytes else b"")]


def _pandas_members(value: Any, pandas: Any, out: list[bytes]) -> list[object]:
    kind = type(value)
    if kind is pandas.DataFrame:
        out.append(b"DF")
        columns = [value.iloc[:, number].array for number in range(value.shape[1])]
        flags = value.flags.allows_duplicate_labels
        return [value.shape, dict(value.attrs), flags, value.index, value.columns, *map(_column, columns)]
    if kind is pandas.Series:
        out.append(b"SE")
        flags = value.flags.allows_duplicate_labels
        return [dict(value.attrs), flags, value.name, value.index, _column(value.array)]
    if kind is pandas.RangeIndex:
        out.append(b"RI")
        return [value.start, value.stop, value.step, value.name]
    if kind is pandas.MultiIndex:
        out.append(b"MI%d:" % value.nlevels)
        return [*value.names, *value.levels, *value.codes]
    if issubclass(kind, pandas.Index) and getattr(pandas, kind.__name__, None) is kind:
        out.append(b"IX" + _str(kind.__name__))
        return [value.name, getattr(value, "freq", None), _column(value.array)]
    return _array_members(value, kind.__name__, out)


def _array_members(array: Any, kind: str, out: list[bytes]) -> list[object]:
    """Pandas' own arrays by what they hold: their pickles change when they are looked at, and hold what is masked."""
    if kind in ("DatetimeArray", "TimedeltaArray", "PeriodArray"):
        zone = type(getattr(array, "tz", None))
        out.append(b"TA" + _str(f"{array.dtype} {zone.__module__}.{zone.__qualname__}"))
        return [getattr(array, "freq", None), array.asi8]
    if kind in ("IntegerArray", "FloatingArray", "BooleanArray"):
        out.append(b"MA")
        return [array.isna(), array.to_numpy(array.dtype.numpy_dtype, na_value=0)]
    if kind == "Categorical":
        out.append(b"CA")
        return [array.ordered, array.categories, array.codes]
    if kind == "IntervalArray":
        out.append(b"VA" + _str(array.closed))
        return [array.left, array.right]
    if kind in ("ArrowStringArray", "ArrowExtensionArray"):
        out.append(b"RA")
        return [array.dtype, array.__arrow_array__()]
    if kind == "StringArray":
        out.append(b"UA")
        return [array.dtype, array.to_numpy(object)]
    if kind == "SparseArray":
        out.append(b"QA")
        return [array.dtype, array.sp_values, array.sp_index]
    return _pickled(array, out)


def _column(array: Any) -> object:
    """A column as something with a rule: its numpy array where it is nothing else, with the dtype's name before it."""
    if type(array).__name__ == "NumpyExtensionArray":
        return array.to_numpy()
    return array


def _buffer(data: Any) -> _Written:
    view = memoryview(data).cast("B") if len(data) else memoryview(b"")
    if view.nbytes > _LARGE:
        return _Written(b"H%d:%b" % (view.nbytes, blake2b(view, digest_size=16).digest()))
    return _Written(b"h%d:%b" % (view.nbytes, bytes(view)))


def _pickled(value: object, out: list[bytes]) -> list[object]:
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    out.append(b"P%d:" % len(buffers))
    out.append(_buffer(data).data)
    out.extend(_buffer(buffer.raw()).data for buffer in buffers)
    return []
