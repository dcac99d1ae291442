"""A store in this process's memory: for tests, and the model that other stores are held against."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import count
from time import monotonic
from weakref import WeakValueDictionary

from cloudburst.errors import NotFound, StoreError
from cloudburst.runtime.protocols import Buffer
from cloudburst.runtime.stores.checks import PAGE, checked, cut

_numbers = count(1)
_living: WeakValueDictionary[str, MemoryStore] = WeakValueDictionary()


class MemoryStore:
    """Objects in a dictionary.

    Parameters
    ----------
    shared : bool, default False
        Whether to pass for a store that others write to.

    Examples
    --------
    >>> store = MemoryStore()
    >>> store.put("a/0", [b"some ", b"bytes"])
    True
    >>> bytes(store.get("a/0"))
    b'some bytes'
    """

    def __init__(self, *, shared: bool = False) -> None:
        self._objects: dict[str, bytearray] = {}
        self._written_s: dict[str, float] = {}
        self.is_shared = shared
        self.url = f"memory:{os.getpid()}-{next(_numbers)}"
        _living[self.url] = self

    @staticmethod
    def open(url: str) -> MemoryStore:
        """The store of that url, while somebody in this process holds it."""
        store = _living.get(url)
        if store is None:
            raise StoreError(f"{url} is not in the memory of this process: processes share a store in a directory.")
        return store

    def get(self, key: str, ranges: Sequence[tuple[int, int]] | None = None) -> memoryview:
        """A private, writable copy of the object, or of its byte ranges one after another."""
        data = self._object(key)
        return memoryview(bytearray(data) if ranges is None else cut(data, ranges, key))

    def put(self, key: str, parts: Sequence[Buffer], *, if_absent: bool = False) -> bool:
        """Keep the concatenation of parts. False only if ``if_absent`` and the key is taken."""
        data = bytearray().join(parts)
        checked(key)
        if if_absent and self._objects.setdefault(key, data) is not data:
            return False
        self._objects[key] = data
        self._written_s[key] = monotonic()
        return True

    def copy(self, key: str, to: str) -> None:
        """Have the object lie under another key too."""
        checked(to)
        self.put(to, [self._object(key)])

    def size(self, key: str) -> int:
        """Bytes of the object."""
        return len(self._object(key))

    def list(self, prefix: str, after: str = "") -> list[str]:
        """Keys that begin with prefix and come after ``after``, sorted, at most 1,000."""
        return sorted(key for key in tuple(self._objects) if key.startswith(prefix) and key > after)[:PAGE]

    def sizes(self, prefix: str, after: str = "") -> dict[str, int]:
        """The same keys with the bytes of each object."""
        return {key: len(self._object(key)) for key in self.list(prefix, after)}

    def delete(self, keys: Iterable[str]) -> None:
        """Remove these; those that are not there are passed over."""
        for key in keys:
            self._objects.pop(checked(key), None)
            self._written_s.pop(key, None)

    def age_s(self, key: str) -> float:
        """Seconds since the object was written."""
        self._object(key)
        return monotonic() - self._written_s[key]

    def _object(self, key: str) -> bytearray:
        data = self._objects.get(checked(key))
        if data is None:
            raise NotFound(f"There is no {key} in {self.url}.")
        return data
