"""Codecs: values to bytes and back. What a codec takes it gives back equal: values, dtypes, index, freq, attrs.

A codec is a module of this package, loaded when first needed. None imports pandas or pyarrow before a value of theirs
comes by. Which codecs are asked, and in which order, is the choice of whoever writes: ``LOCAL`` where both ends are
processes of one machine, ``SHARED`` where others may read what is written and should not have to unpickle it.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from cloudburst.errors import CodecError
from cloudburst.runtime.codecs.ranged import TOLD, RangeReader
from cloudburst.runtime.protocols import Buffer, Codec

MODULES = {
    "pickle": "cloudburst.runtime.codecs.pickling",
    "arrow": "cloudburst.runtime.codecs.arrow",
    "parquet": "cloudburst.runtime.codecs.parquet",
    "plain": "cloudburst.runtime.codecs.plain",
}
"""Where each codec lives; every one of these modules has a ``CODEC``."""

LOCAL = ("arrow", "pickle")
"""For stores of this machine: exact, mapped without copying, writable."""

SHARED = ("plain", "arrow", "parquet", "pickle")
"""For stores that others read too: data goes in formats that need no unpickling."""

UNPICKLING = frozenset({"pickle"})
"""Those whose bytes can make a reader run anything: nothing of theirs is read unless it is what was written."""

RANGED = frozenset({"parquet"})
"""Those that read some columns and rows without the others: they have ``with_sums`` and ``decode_from``, too."""

__all__ = [
    "LOCAL",
    "MODULES",
    "RANGED",
    "SHARED",
    "TOLD",
    "UNPICKLING",
    "codec",
    "decode",
    "decode_part",
    "encode",
    "with_sums",
]

_loaded: dict[str, Codec] = {}


def codec(name: str) -> Codec:
    """The codec of that name.

    Raises
    ------
    CodecError
        If there is none.

    Examples
    --------
    >>> codec("pickle").name
    'pickle'
    """
    found = _loaded.get(name)
    if found is None:
        if name not in MODULES:
            raise CodecError(f"There is no codec {name!r}: it was written by another version, or is misspelt.")
        found = _loaded[name] = import_module(MODULES[name]).CODEC
    return found


def encode(value: object, among: Sequence[str] = LOCAL) -> tuple[str, list[Buffer]]:
    """Write a value with the first codec that takes it.

    Parameters
    ----------
    value : object
        Any value.
    among : sequence of str, default LOCAL
        Names of the codecs to ask, in order.

    Returns
    -------
    codec : str
        Name of the one that took it, for :func:`decode`.
    parts : list of buffers
        The encoded value is their concatenation. They may share memory with the value.

    Raises
    ------
    CodecError
        If the value would not come back equal; the message names what in it is to blame and the mend.

    Examples
    --------
    >>> name, parts = encode({"a": [1, 2]})
    >>> decode(name, memoryview(b"".join(parts)))
    {'a': [1, 2]}
    """
    for name in among:
        one = _loaded.get(name) or codec(name)
        if one.takes(value):
            return name, one.encode(value)
    raise CodecError(f"None of the codecs {', '.join(among)} takes a {type(value).__qualname__}.")


def decode(
    name: str, data: memoryview, columns: Sequence[str] | None = None, groups: Sequence[int] | None = None
) -> object:
    """Read a value again, in place where that can be.

    Parameters
    ----------
    name : str
        The codec that wrote it.
    data : memoryview
        The encoded value. What is read may go on using this memory; where it is writable, so is what is read.
    columns : sequence of str, optional
        Read only these columns of a pandas frame, those that it has, in its own order. What is no plain frame, or
        has labels that are not distinct texts, comes whole.
    groups : sequence of int, optional
        Read only the rows of these row groups, with the labels that they have among all; for codecs in ``RANGED``.

    Returns
    -------
    object
        A value equal to the one written, and writable.

    Raises
    ------
    CodecError
        If the bytes hold no such value, or what it is made of is not installed here.
    """
    one: Any = _loaded.get(name) or codec(name)
    return one.decode(data, columns) if groups is None else one.decode(data, columns, groups)


def with_sums(name: str, parts: Sequence[Buffer]) -> tuple[Sequence[Buffer], bytes]:
    """An encoded value with what its parts can be checked by one by one, and what has to be known of it for that.

    >>> with_sums("plain", [b"[1,2]"])
    ([b'[1,2]'], b'')
    """
    if name not in RANGED:
        return parts, b""
    one: Any = codec(name)
    more, told = one.with_sums(parts)
    return more, told


def decode_part(
    name: str, reader: RangeReader, columns: Sequence[str] | None, groups: Sequence[int] | None, told: bytes
) -> object:
    """Read columns and rows of a frame without reading the others.

    Parameters
    ----------
    name : str
        The codec that wrote it, one of ``RANGED``.
    reader : RangeReader
        For the encoded value.
    columns : sequence of str or None
        Which; those that it lacks are passed over, ``None`` is all.
    groups : sequence of int or None
        The row groups whose rows are read, in order; ``None`` is all.
    told : bytes
        What :func:`with_sums` told of it.

    Returns
    -------
    object
        The frame of these columns and rows.

    Raises
    ------
    NotAsWritten
        If what is read of it is not what was written.
    CodecError
        If the bytes hold no such frame.
    """
    one: Any = codec(name)
    return one.decode_from(reader, columns, groups, told)
