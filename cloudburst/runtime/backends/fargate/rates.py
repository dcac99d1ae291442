"""How often ECS may be asked: the published limits of an account in a region, as token buckets.

Whoever stays within them is not throttled by its own doing; others in the account may still use them up, for which
there are retries. The figures are those of the ECS API reference, "Request throttling for the Amazon ECS API", and of
the Fargate service quotas.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

LIMITS: dict[str, tuple[float, float]] = {
    "run and stop": (100, 40),
    "Fargate runs": (20, 20),
    "launches on demand": (100, 20),
    "launches on Spot": (100, 20),
    "describe and list": (100, 20),
    "looks": (1, 2),
}
"""Burst and calls a second of each bucket. ``looks`` is a limit of our own: two DescribeTasks a second are enough."""

RUN = {"run and stop": 1, "Fargate runs": 1}
STOP = {"run and stop": 1}
LOOK = {"describe and list": 1, "looks": 1}
LIST = {"describe and list": 1}


class TokenBucket:
    """So many tokens at most, refilled at a steady rate.

    Parameters
    ----------
    burst : float
        How many there are at first, and at most.
    per_s : float
        How many come back each second.

    Examples
    --------
    >>> bucket = TokenBucket(burst=2, per_s=4)
    >>> [bucket.wait_s(now=0.0) or bucket.take(now=0.0) for _ in range(2)], bucket.wait_s(now=0.0)
    ([None, None], 0.25)
    """

    def __init__(self, burst: float, per_s: float) -> None:
        self._burst = burst
        self._per_s = per_s
        self._tokens = burst
        self._at: float | None = None

    def wait_s(self, now: float, count: float = 1) -> float:
        """How long until there are so many; 0 if there are."""
        self._fill(now)
        missing = count - self._tokens
        return max(0.0, missing / self._per_s) if missing > _ROUNDING else 0.0

    def take(self, now: float, count: float = 1) -> None:
        """Take so many; ask for ``wait_s`` first."""
        self._fill(now)
        self._tokens -= count

    def _fill(self, now: float) -> None:
        if self._at is not None and now > self._at:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s)
        self._at = now if self._at is None else max(self._at, now)


_ROUNDING = 1e-9
"""Who waited exactly as long as was said must not be sent away again for the last bit of a float."""


class Rates:
    """All buckets together; any thread may take from them.

    Parameters
    ----------
    scale : float
        How much longer a second takes here: below 1 where AWS is played faster than it is.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self._buckets = {name: TokenBucket(burst, per_s / scale) for name, (burst, per_s) in LIMITS.items()}
        self._lock = Lock()

    def take(self, wanted: Mapping[str, float], now: float) -> float:
        """Take from several buckets, from all or from none.

        Parameters
        ----------
        wanted : mapping of str to float
            How many from which bucket.
        now : float
            Seconds on a clock that only goes forward.

        Returns
        -------
        float
            0 if they were taken, else after how many seconds to ask again.
        """
        with self._lock:
            wait_s = max(self._buckets[name].wait_s(now, count) for name, count in wanted.items())
            if wait_s == 0:
                for name, count in wanted.items():
                    self._buckets[name].take(now, count)
            return wait_s


def run(count: int, *, spot: bool) -> dict[str, float]:
    """What a RunTask call for so many tasks takes.

    >>> run(10, spot=True)
    {'run and stop': 1, 'Fargate runs': 1, 'launches on Spot': 10}
    """
    return {**RUN, "launches on Spot" if spot else "launches on demand": count}
