"""A stored value of which only some bytes are read: a file for Arrow that fetches what it is asked for."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

TOLD = 40
"""Bytes that tell what stands at the end of a value that is read in parts: its SHA-256 and, in eight, its length."""


class Gets(Protocol):
    """What is needed of a store."""

    def get(self, key: str, ranges: Sequence[tuple[int, int]] | None = None) -> memoryview:
        """Byte ranges of an object, one after another."""
        ...


class NotAsWritten(Exception):
    """Bytes of a stored value are not what was written."""


class RangeReader:
    """Reads an object of a store here and there.

    Parameters
    ----------
    store : Store
        Where it is.
    key : str
        Its key.
    size : int
        Its bytes.

    Examples
    --------
    >>> from cloudburst.runtime.stores.memory import MemoryStore
    >>> store = MemoryStore()
    >>> stored = store.put("digits", [b"0123456789"])
    >>> reader = RangeReader(store, "digits", 10)
    >>> reader.fetch([(2, 4), (8, 10)])
    >>> reader.seek(8), bytes(reader.read(2))
    (8, b'89')
    """

    closed = False

    def __init__(self, store: Gets, key: str, size: int) -> None:
        self._store = store
        self._key = key
        self._size = size
        self._place = 0
        self._starts: list[int] = []
        self._pieces: list[memoryview] = []
        self._is_sealed = False

    def file(self) -> Any:
        """The reader as a file of Arrow's."""
        import pyarrow as pa

        return pa.PythonFile(self, mode="r")

    def fetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Read these now, in as few requests as the store makes of them, for reads that lie within one of them."""
        wanted = [one for one in sorted(set(ranges)) if self._held(*one) is None]
        if not wanted:
            return
        if self._is_sealed:
            raise OSError(f"bytes of {self._key} are asked for that were not fetched")
        data = self._store.get(self._key, wanted)
        place = 0
        for start, end in wanted:
            number = bisect_right(self._starts, start)
            self._starts.insert(number, start)
            self._pieces.insert(number, data[place : place + end - start])
            place += end - start

    def read(self, nbytes: int = -1) -> memoryview | bytes:
        """The next bytes, from what was fetched or else from the store."""
        end = self._size if nbytes < 0 else min(self._place + nbytes, self._size)
        start, self._place = self._place, max(self._place, end)
        if start >= end:
            return b""
        return self.at(start, end)

    def at(self, start: int, end: int) -> memoryview:
        """These bytes, wherever the place is."""
        self.fetch([(start, end)])
        held = self._held(start, end)
        assert held is not None
        return held

    def forget(self) -> None:
        """Let go of what was fetched so far."""
        self._starts, self._pieces = [], []

    def seal(self) -> None:
        """Fetch nothing more: what was fetched has been checked, and that is all there is to read."""
        self._is_sealed = True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = base + offset
        return self._place

    def tell(self) -> int:
        """The place."""
        return self._place

    def size(self) -> int:
        """Bytes of the object."""
        return self._size

    def close(self) -> None:
        """Let go of what was fetched."""
        self.closed = True
        self.forget()

    def _held(self, start: int, end: int) -> memoryview | None:
        """These bytes, if a piece that was fetched has them all."""
        for number in range(bisect_right(self._starts, start) - 1, -1, -1):
            piece, first = self._pieces[number], self._starts[number]
            if end <= first + len(piece):
                return piece[start - first : end - first]
        return None
