"""The threads that speak to AWS: the most urgent call first, and none sooner than the rates allow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from time import monotonic

from cloudburst.runtime.backends.fargate.agenda import Agenda, Urgency
from cloudburst.runtime.backends.fargate.rates import Rates

THREADS = 4
"""RunTask takes about a second: so many make a launch of a hundred machines quick, and are well within the rates."""

LONGEST_DELAY_S = 30.0
_SHORTEST_S = 0.02
"""However fast AWS is played, this machine has other things to do."""
_JOIN_S = 5.0


class Callers:
    """Threads that do what is asked of them, in order of urgency.

    Parameters
    ----------
    scale : float
        What all delays here are multiplied by.
    clock : callable
        Gives seconds; it only goes forward.
    """

    def __init__(self, scale: float = 1.0, clock: Callable[[], float] = monotonic) -> None:
        self.scale = scale
        self.now = clock
        self.errors: list[Exception] = []
        """What came of calls that cannot be made again: for the owner to raise."""
        self.rates = Rates(scale)
        self._agenda = Agenda(clock)
        self._threads: list[threading.Thread] = []

    @property
    def have_begun(self) -> bool:
        """Whether there are threads."""
        return bool(self._threads)

    def begin(self) -> None:
        """Start the threads, if they are not there. They never keep a program from ending."""
        while len(self._threads) < THREADS:
            name = f"cloudburst Fargate {len(self._threads) + 1}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def add(self, urgency: Urgency, act: Callable[[], None], after_s: float = 0.0) -> None:
        """Have something done after so many seconds."""
        self._agenda.add(urgency, act, max(_SHORTEST_S, after_s * self.scale) if after_s else 0.0)

    def paced(
        self, urgency: Urgency, wanted: Mapping[str, float], act: Callable[[], None], after_s: float = 0.0
    ) -> None:
        """Have a call made as soon as the rates have room for it; the threads do other things meanwhile."""

        def attempt() -> None:
            wait_s = self.rates.take(wanted, self.now())
            if wait_s:
                self._agenda.add(urgency, attempt, wait_s)
            else:
                act()

        self.add(urgency, attempt, after_s)

    def drop(self, urgency: Urgency) -> None:
        """Forget all of that urgency that has not begun."""
        self._agenda.drop(urgency)

    def close(self) -> None:
        """Let the threads end, and wait a little for them."""
        self._agenda.close()
        for thread in self._threads:
            thread.join(_JOIN_S)

    def _work(self) -> None:
        for act in self._agenda:
            try:
                act()
            except Exception as error:  # noqa: BLE001  # whatever it is, it is the owner's to raise
                self.errors.append(error)


def delay_s(tries: int) -> float:
    """How long to wait before a call is made again that has failed so often.

    >>> [delay_s(tries) for tries in range(7)]
    [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    """
    return min(2.0**tries, LONGEST_DELAY_S)
