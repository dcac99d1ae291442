"""What is to be said to AWS next: the most urgent of what is due, for the threads that say it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from enum import IntEnum
from itertools import count
from time import monotonic
from typing import NamedTuple


class Urgency(IntEnum):
    """What comes first. Stopping does: it saves money, and people wait for it."""

    STOP = 0
    LAUNCH = 1
    LOOK = 2


class _Entry(NamedTuple):
    urgency: Urgency
    number: int
    at: float
    act: Callable[[], None]


class Agenda:
    """Calls that wait for their turn. Any thread may add some, and any may take the next.

    Parameters
    ----------
    clock : callable
        Gives seconds; it only goes forward.

    Examples
    --------
    >>> agenda = Agenda()
    >>> agenda.add(Urgency.LAUNCH, lambda: print("launch"))
    >>> agenda.add(Urgency.STOP, lambda: print("stop"))
    >>> for _, act in zip(range(2), agenda):
    ...     act()
    stop
    launch
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._entries: list[_Entry] = []
        self._changed = threading.Condition()
        self._numbers = count()
        self._is_closed = False

    def add(self, urgency: Urgency, act: Callable[[], None], delay_s: float = 0.0) -> None:
        """Have something done, not before so many seconds from now."""
        with self._changed:
            self._entries.append(_Entry(urgency, next(self._numbers), self._clock() + delay_s, act))
            self._changed.notify()

    def drop(self, urgency: Urgency) -> None:
        """Forget all of that urgency."""
        with self._changed:
            self._entries = [one for one in self._entries if one.urgency != urgency]

    def close(self) -> None:
        """Let the threads that wait here go."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Callable[[], None]]:
        """What is due, one after another, waiting for it; ends when this is closed."""
        while (act := self._next()) is not None:
            yield act

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while not self._is_closed:
                now = self._clock()
                due = [one for one in self._entries if one.at <= now]
                if due:
                    first = min(due, key=lambda one: (one.urgency, one.number))
                    self._entries.remove(first)
                    return first.act
                soonest = min((one.at for one in self._entries), default=None)
                self._changed.wait(None if soonest is None else soonest - now)
            return None
