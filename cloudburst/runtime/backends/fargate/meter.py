"""How long each machine of a pool is paid for: from the start of its image pull to its end, as ECS tells it.

There is no clock and no client in here. The two ends of a life are moments of AWS's own clock, of which only the
difference is taken; where ECS has not told one of them yet, what has passed on this machine's clock stands in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloudburst.resources import FREE_STORAGE_GIB, Size
from cloudburst.runtime.backends.fargate.machines import worker_of
from cloudburst.runtime.protocols import Life


@dataclass(slots=True)
class _Metered:
    """One machine."""

    granted_at: float
    """On this machine's clock."""
    shape: Size = Size()
    created: float | None = None
    pull: float | None = None
    """Moments of AWS's clock: of its creation, and of the start of the image pull, from which on it is paid for."""
    end: float | None = None
    """When it stopped, or, until that is known, when it was told to."""
    ended_at: float | None = None
    """When its end was heard of, on this machine's clock."""
    is_known: bool = True
    told_s: float = 0.0


class Meter:
    """The machines of one pool, and how long they were paid for.

    Parameters
    ----------
    scale : float
        How much faster than AWS's this machine's clock is taken to go.

    Examples
    --------
    >>> from datetime import datetime, timedelta
    >>> meter, noon = Meter(), datetime(2026, 1, 1, 12)
    >>> meter.granted("0f1e", now=5.0)
    >>> pulled = {"createdAt": noon, "pullStartedAt": noon + timedelta(seconds=10)}
    >>> meter.take({"taskArn": "task/0f1e", "cpu": "256", "memory": "512", **pulled}, now=30.0)
    >>> [life.seconds for life in meter.lives(now=45.0)]
    [30.0]
    >>> meter.take({"taskArn": "task/0f1e", **pulled, "stoppedAt": noon + timedelta(seconds=95)}, now=100.0)
    >>> [life.seconds for life in meter.lives(now=200.0)]
    [85.0]
    """

    def __init__(self, scale: float = 1.0) -> None:
        self._scale = scale
        self._machines: dict[str, _Metered] = {}
        self._settled: set[str] = set()
        """Those that are over and were told of: what ECS still says of them concerns nobody."""

    def granted(self, worker: str, now: float) -> None:
        """A machine was granted."""
        if worker not in self._settled:
            self._machines.setdefault(worker, _Metered(now))

    def take(self, task: Mapping[str, Any], now: float) -> None:
        """What ECS says of a machine, whatever it was asked; one that nobody knew of is known from now on."""
        worker = worker_of(str(task.get("taskArn", "")))
        if not worker or worker in self._settled:
            return
        self.granted(worker, now)
        one = self._machines[worker]
        one.shape = _shape(task) or one.shape
        one.created = _moment(task, "createdAt") or one.created
        one.pull = _moment(task, "pullStartedAt") or one.pull
        if (end := _moment(task, "stoppedAt") or _moment(task, "stoppingAt")) is not None:
            one.end = end
            one.ended_at = now if one.ended_at is None else one.ended_at

    def stopped(self, worker: str, now: float) -> None:
        """ECS has accepted that it is to stop."""
        if (one := self._machines.get(worker)) is not None and one.ended_at is None:
            one.ended_at = now

    def lost(self, worker: str, now: float) -> None:
        """ECS does not know it any more: what became of it, nobody can tell."""
        if (one := self._machines.get(worker)) is not None and one.ended_at is None:
            one.ended_at, one.is_known = now, False

    def lives(self, now: float) -> list[Life]:
        """What each machine is paid for so far."""
        return [
            Life(worker, one.shape, self._seconds(one, now), one.told_s, one.ended_at is not None, one.is_known)
            for worker, one in self._machines.items()
        ]

    def cut(self, now: float) -> list[Life]:
        """The same, for a run that ends now: the next one is told of what comes after, and of machines that go on."""
        lives = self.lives(now)
        for life in lives:
            if life.is_over:
                del self._machines[life.worker]
                self._settled.add(life.worker)
            else:
                self._machines[life.worker].told_s = life.seconds
        return lives

    def _seconds(self, one: _Metered, now: float) -> float:
        if one.pull is None:
            return 0.0
        if one.end is not None:
            return max(one.told_s, one.end - one.pull)
        late_s = one.pull - one.created if one.created is not None else 0.0
        until = now if one.ended_at is None else one.ended_at
        return max(one.told_s, (until - one.granted_at) / self._scale - late_s)


def _shape(task: Mapping[str, Any]) -> Size | None:
    if not (task.get("cpu") and task.get("memory")):
        return None
    storage = int((task.get("ephemeralStorage") or {}).get("sizeInGiB") or FREE_STORAGE_GIB)
    return Size(
        int(task["cpu"]),
        int(task["memory"]),
        storage if storage > FREE_STORAGE_GIB else None,
        task.get("capacityProviderName") == "FARGATE_SPOT",
    )


def _moment(task: Mapping[str, Any], name: str) -> float | None:
    found = task.get(name)
    return found.timestamp() if isinstance(found, datetime) else None
