"""A store in memory that can be out of reach, and that tells what was asked of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from cloudburst.errors import StoreError
from cloudburst.runtime.stores.memory import MemoryStore


class Outages:
    """A store whose requests fail as long as ``refuse`` gives an error for them: it is given the method and the key."""

    def __init__(self, store: Any = None) -> None:
        self.inner = MemoryStore() if store is None else store
        self.refuse: Callable[[str, str], Exception | None] = lambda method, key: None
        self.calls: Counter[str] = Counter()
        self.asked: list[tuple[str, str]] = []

    def out_of_reach(self, *methods: str, error: type[Exception] = StoreError) -> None:
        """From now on these fail; without any all do."""
        self.refuse = lambda method, key: error("S3 cannot be reached") if method in methods or not methods else None

    def back(self) -> None:
        self.refuse = lambda method, key: None

    @property
    def url(self) -> str:
        return self.inner.url

    @property
    def is_shared(self) -> bool:
        return True

    def _ask(self, method: str, key: str) -> None:
        self.calls[method] += 1
        self.asked.append((method, key))
        if (error := self.refuse(method, key)) is not None:
            raise error

    def get(self, key: str, ranges: Any = None) -> memoryview:
        self._ask("get", key)
        return self.inner.get(key, ranges)

    def put(self, key: str, parts: Any, *, if_absent: bool = False) -> bool:
        self._ask("put", key)
        return self.inner.put(key, parts, if_absent=if_absent)

    def copy(self, key: str, to: str) -> None:
        self._ask("copy", key)
        self.inner.copy(key, to)

    def size(self, key: str) -> int:
        self._ask("size", key)
        return self.inner.size(key)

    def list(self, prefix: str, after: str = "") -> list[str]:
        self._ask("list", prefix)
        return self.inner.list(prefix, after)

    def sizes(self, prefix: str, after: str = "") -> dict[str, int]:
        self._ask("sizes", prefix)
        return self.inner.sizes(prefix, after)

    def delete(self, keys: Any) -> None:
        self._ask("delete", "")
        self.inner.delete(keys)

    def age_s(self, key: str) -> float:
        self._ask("age_s", key)
        return self.inner.age_s(key)
