"""What a process keeps of what it read: the latest of it, up to a weight."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Latest(Generic[_T]):
    """Values by key. Those that were not asked for the longest go first.

    Parameters
    ----------
    most : int
        The weight of all of them together.
    weigh : callable
        The weight of one; each is 1 by default.

    Examples
    --------
    >>> latest = Latest(2)
    >>> [latest.get(key, lambda: key.upper()) for key in "abac"], latest.keys()
    (['A', 'B', 'A', 'C'], ['a', 'c'])
    """

    def __init__(self, most: int, weigh: Callable[[_T], int] = lambda _value: 1) -> None:
        self._most = most
        self._weigh = weigh
        self._weight = 0
        self._values: OrderedDict[Hashable, tuple[_T, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """The value of that key, made if it is not there."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key][0]
        value = make()
        weight = self._weigh(value)
        with self._lock:
            if key not in self._values:
                self._values[key] = value, weight
                self._weight += weight
            while self._weight > self._most and self._values:
                self._weight -= self._values.popitem(last=False)[1][1]
        return value

    def keys(self) -> list[Hashable]:
        """What is kept, the oldest first."""
        return list(self._values)
