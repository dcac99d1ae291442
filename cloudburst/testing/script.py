"""Which faults are to happen, and the one place that says which is next."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cloudburst.errors import UsageError
from cloudburst.testing import faults as known
from cloudburst.testing.faults import Fault

_OF_LAUNCHES = ("asked", "starting", "running", "seen")
_PASSING_LAUNCHES = (
    known.CAPACITY, known.SLOW_START, known.ENI_TIMEOUT, known.PULL_TIMEOUT, known.START_ERROR, known.MISSING,
    known.SPOT_LOSS, known.HOST_FAULT, known.KILLED,
)  # fmt: skip
_PASSING_CALLS = {
    "ecs": (known.THROTTLED, known.SERVER_ERROR, known.LOST_ANSWER),
    "s3": (known.SLOW_DOWN, known.SERVER_ERROR),
}
_RANDOM_AFTER_S = 20.0


@dataclass(frozen=True)
class Faults:
    """The faults of one ``FakeAWS``.

    Parameters
    ----------
    launches : sequence of Fault or None
        For the first machine that is asked for, the second, …; ``None`` lets one be. Faults that end a program do so
        when it has begun.
    stages : mapping of str to sequence
        By name of a stage, or of one of its tasks: what meets the first attempt, the second, … while it is performed.
    api : mapping of str to sequence
        By operation (``RunTask``, ``PutObject``): what meets its first call, its second, …
    rate : float
        The share of launches that meet a fault at random, of those that pass.
    api_rate : float
        The share of API calls of ECS and S3 that do.

    Examples
    --------
    The first machine is never granted, the second is slow; ``fit`` loses its Spot capacity at its first attempt; the
    second RunTask is throttled:

    >>> from cloudburst.testing import NEVER_STARTS, SLOW_START, SPOT_LOSS, THROTTLED
    >>> faults = Faults(
    ...     launches=[NEVER_STARTS, SLOW_START],
    ...     stages={"fit": [SPOT_LOSS]},
    ...     api={"RunTask": [None, THROTTLED]},
    ... )
    >>> faults.api
    {'RunTask': (None, THROTTLED)}
    """

    launches: Sequence[Fault | None] = ()
    stages: Mapping[str, Sequence[Fault | None]] = field(default_factory=dict)
    api: Mapping[str, Sequence[Fault | None]] = field(default_factory=dict)
    rate: float = 0.0
    api_rate: float = 0.0

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "launches", _checked("launches", self.launches, _OF_LAUNCHES))
        put(
            self,
            "stages",
            {name: _checked(f"stages[{name!r}]", row, ("running",)) for name, row in self.stages.items()},
        )
        put(self, "api", {name: _checked(f"api[{name!r}]", row, ("called",)) for name, row in self.api.items()})
        for name in ("rate", "api_rate"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise UsageError(f"{name}={getattr(self, name)!r} cannot be: it is a share, from 0 to less than 1.")


def _checked(where: str, row: Sequence[Fault | None], fitting: tuple[str, ...]) -> tuple[Fault | None, ...]:
    for fault in row:
        if fault is not None and not isinstance(fault, Fault):
            raise UsageError(f"{where} holds {fault!r}: it takes faults of cloudburst.testing, such as SPOT_LOSS.")
        if fault is not None and fault.when not in fitting:
            allowed = ", ".join(name for name, one in known.ALL.items() if one.when in fitting)
            raise UsageError(f"{where} cannot hold {fault!r}: it takes {allowed}.")
    return tuple(row)


class Script:
    """Gives out the faults of a ``Faults`` one by one, and counts those that happened.

    Random ones depend on the seed and on the number of the launch or call, not on which thread asks.
    """

    def __init__(self, faults: Faults, seed: int, met: Counter[str]) -> None:
        self.faults = faults
        self._seed = seed
        self._met = met
        self._drawn: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def met(self, fault: Fault) -> None:
        """Count a fault that has happened."""
        with self._lock:
            self._met[fault.name] += 1

    def launch(self, is_spot: bool) -> Fault | None:
        """What meets the next machine that is asked for."""
        number, fault = self._next("launch", "", self.faults.launches)
        if fault is not None or not self.faults.rate:
            return fault
        draw = random.Random(f"{self._seed} launch {number}")
        if draw.random() >= self.faults.rate:
            return None
        fault = draw.choice([one for one in _PASSING_LAUNCHES if is_spot or one is not known.SPOT_LOSS])
        return fault.after(draw.uniform(0, _RANDOM_AFTER_S)) if fault.when == "running" else fault

    def attempt(self, stage: str, task: str, attempt: int) -> Fault | None:
        """What meets an attempt that begins now; a row for its task goes before one for its stage."""
        row = self.faults.stages.get(task.removesuffix(f"-{attempt}"), self.faults.stages.get(stage, ()))
        return row[attempt - 1] if 1 <= attempt <= len(row) else None

    def call(self, service: str, operation: str) -> Fault | None:
        """What meets this call."""
        number, fault = self._next("call", operation, self.faults.api.get(operation, ()))
        if fault is not None or not self.faults.api_rate or service not in _PASSING_CALLS:
            return fault
        draw = random.Random(f"{self._seed} {operation} {number}")
        return draw.choice(_PASSING_CALLS[service]) if draw.random() < self.faults.api_rate else None

    def _next(self, kind: str, name: str, row: Sequence[Fault | None]) -> tuple[int, Fault | None]:
        with self._lock:
            number = self._drawn[kind, name]
            self._drawn[kind, name] += 1
        return number, row[number] if number < len(row) else None
