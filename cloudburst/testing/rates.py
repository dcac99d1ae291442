"""How often an account may call ECS: token buckets, in fake time."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from cloudburst.testing.answers import Refusal
from cloudburst.testing.clock import Clock

LIMITS = {
    "changes": (100, 40),
    "fargate": (20, 20),
    "launches": (100, 20),
    "spot launches": (100, 20),
    "reads": (100, 20),
    "definitions": (20, 1),
    "definition reads": (50, 20),
    "clusters": (20, 1),
}
"""Of each bucket how much it holds, and how much comes back a second."""

_BUCKETS = {
    "RunTask": ("changes", "fargate"),
    "StopTask": ("changes",),
    "ExecuteCommand": ("changes",),
    "DescribeTasks": ("reads",),
    "ListTasks": ("reads",),
    "RegisterTaskDefinition": ("definitions",),
    "DeregisterTaskDefinition": ("definitions",),
    "DescribeTaskDefinition": ("definition reads",),
    "CreateCluster": ("clusters",),
    "PutClusterCapacityProviders": ("clusters",),
}


@dataclass
class Rates:
    """The buckets of one account."""

    clock: Clock
    _levels: dict[str, tuple[float, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, operation: str) -> None:
        """Take a call from its buckets, or refuse it."""
        self._take(_BUCKETS.get(operation, ()), 1)

    def launch(self, number: int, is_spot: bool) -> None:
        """Take so many launches, or refuse them all."""
        self._take(("spot launches" if is_spot else "launches",), number)

    def _take(self, buckets: tuple[str, ...], number: int) -> None:
        with self._lock:
            levels = {name: self._level(name) for name in buckets}
            if any(level < number for level in levels.values()):
                raise Refusal("ThrottlingException", "Rate exceeded")
            for name, level in levels.items():
                self._levels[name] = (level - number, self.clock.now_s())

    def _level(self, name: str) -> float:
        size, per_s = LIMITS[name]
        level, at_s = self._levels.get(name, (size, self.clock.now_s()))
        return min(size, level + (self.clock.now_s() - at_s) * per_s)
