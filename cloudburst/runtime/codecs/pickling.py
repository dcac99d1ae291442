"""Anything that can be pickled, with large buffers laid beside the pickle stream so that they are read in place.

A small value is its pickle and nothing else. Where buffers go out of band the layout is::

    magic, version | number of buffers | bytes of the stream     "<4sIQ"
    bytes of each buffer                                         "<Q" each
    the pickle stream
    each buffer, beginning at a multiple of 64

A pickle begins with the byte 0x80 and the magic does not, which tells the two apart. Read from a private copy-on-write
mapping, arrays are views of the mapping: nothing is copied, and writing to them changes nothing for anyone else.

Plain pickle goes first because it is quick. It names classes and functions by module, which only helps a reader who can
import that module and finds the same in it. Where one of the project's own is met, cloudpickle takes over and sends it
by value, as it does whatever plain pickle refuses.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Sequence
from types import FunctionType, SimpleNamespace
from typing import Any

from cloudburst.errors import CodecError
from cloudburst.runtime.codecs import reducers
from cloudburst.runtime.codecs.refusal import explain, unreadable
from cloudburst.runtime.narrowing import narrowed
from cloudburst.runtime.own_modules import is_own
from cloudburst.runtime.protocols import Buffer

ALIGNMENT = 64
"""Buffers begin at multiples of this: a cache line, and what Arrow recommends."""

IN_BAND = 512
"""Buffers smaller than this stay in the stream."""

_MAGIC = b"CBP\x01"
_HEAD = struct.Struct("<4sIQ")
_SCALARS = frozenset({type(None), bool, int, float, complex, str})
_CONTAINERS = frozenset({tuple, list, dict})
_FEW = 16


class PickleCodec:
    """Pickle protocol 5 with aligned out-of-band buffers, cloudpickle where that is needed."""

    name = "pickle"

    def takes(self, value: object) -> bool:  # noqa: ARG002 - the protocol's
        """Always: what cannot be pickled is only found out by trying."""
        return True

    def encode(self, value: object) -> list[Buffer]:
        """The pickle, followed by the value's own buffers where it has large ones."""
        kind = type(value)
        if kind in _SCALARS:
            return [pickle.dumps(value, 5)]
        if kind in _CONTAINERS and _is_small_and_plain(value):
            return [pickle.dumps(value, 5)]
        stream, buffers = dump(value)
        return _laid_out(stream, buffers) if buffers else list(stream)

    def decode(self, data: memoryview, columns: Sequence[str] | None = None) -> object:
        """The value again; arrays in it are views of ``data`` where that is writable, of a copy of it otherwise."""
        try:
            value = _load(data)
        except (MemoryError, CodecError):
            raise
        except Exception as error:
            raise CodecError(unreadable(error)) from error
        return value if columns is None else narrowed(value, columns)


CODEC = PickleCodec()


def _is_small_and_plain(container: Any) -> bool:
    if len(container) > _FEW or (type(container) is dict and not _is_small_and_plain(tuple(container.values()))):
        return False
    return _SCALARS.issuperset(map(type, container))


def dump(value: object) -> tuple[list[bytes], list[memoryview]]:
    """Pickle a value, by cloudpickle if need be.

    Returns
    -------
    stream : list of bytes
        The pickle, in pieces.
    buffers : list of memoryview
        The buffers that it leaves out.

    Raises
    ------
    CodecError
        If neither pickle nor cloudpickle can.
    """
    try:
        return _dump(value)
    except MemoryError:
        raise
    except Exception as error:
        raise CodecError(explain(value, error, _dump)) from error


def _dump(value: object) -> tuple[list[bytes], list[memoryview]]:
    try:
        return _dump_with(_ByName, value)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - cloudpickle takes more, and says better what it does not take
        from cloudburst.runtime.codecs.by_value import ByValuePickler

        return _dump_with(ByValuePickler, value)


def _dump_with(new_pickler: Callable[..., Any], value: object) -> tuple[list[bytes], list[memoryview]]:
    stream: list[bytes] = []
    buffers: list[memoryview] = []

    def stays_in_band(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < IN_BAND:
            return True
        buffers.append(raw)
        return False

    pickler = new_pickler(SimpleNamespace(write=stream.append), 5, buffer_callback=stays_in_band)
    pickler.dump(value)
    return stream, buffers


class _IsOwn(Exception):
    """A class or function of the project itself was met."""


class _ByName(pickle.Pickler):
    """Names classes and functions by their modules, and stops at one that a reader may not find there."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.dispatch_table = reducers.table()

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, (type, FunctionType)) and is_own(value.__module__):
            raise _IsOwn
        return NotImplemented


def _laid_out(stream: list[bytes], buffers: list[memoryview]) -> list[Buffer]:
    length = sum(map(len, stream))
    lengths = [buffer.nbytes for buffer in buffers]
    head = _HEAD.pack(_MAGIC, len(buffers), length) + struct.pack(f"<{len(buffers)}Q", *lengths)
    parts: list[Buffer] = [head, *stream]
    end = len(head) + length
    for buffer in buffers:
        if gap := -end % ALIGNMENT:
            parts.append(bytes(gap))
        parts.append(buffer)
        end += gap + buffer.nbytes
    return parts


def _load(data: memoryview) -> object:
    if data[:4] != _MAGIC:
        return pickle.loads(data)
    if data.readonly:
        data = memoryview(bytearray(data))
    _, count, length = _HEAD.unpack_from(data)
    lengths = struct.unpack_from(f"<{count}Q", data, _HEAD.size)
    start = _HEAD.size + 8 * count
    end = start + length
    stream = data[start:end]
    buffers = []
    for nbytes in lengths:
        end += -end % ALIGNMENT
        buffers.append(data[end : end + nbytes])
        end += nbytes
    if end > data.nbytes:
        raise CodecError(f"The encoded value is cut off: it should have {end} bytes and has {data.nbytes}.")
    return pickle.loads(stream, buffers=buffers)
