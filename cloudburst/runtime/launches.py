"""Workers that are asked for: how many, and what if they do not come.

A launch has failed when it is refused, or when its worker is gone before it has ended anything. After ``MOST_FAILED``
in a row no more are asked for while another worker is up; if none is up or coming, the run cannot go on. A worker
that ends its first attempt, and the end of one that had done so, allow as many again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cloudburst.runtime.dispatch import Dispatch, Worker
from cloudburst.runtime.events import Launch

MOST_FAILED = 3


@dataclass(slots=True)
class Launches:
    """What was asked for, and what became of it."""

    coming: int = 0
    """Workers that were asked for and neither came nor failed."""
    awaited: dict[str, int] = field(default_factory=dict)
    """By token: workers that were asked for and not refused."""
    departed: set[str] = field(default_factory=set)
    """Workers that are no more."""
    failed: int = 0
    """In a row."""
    detail: str = ""
    """Why the last of them did."""

    def came(self) -> None:
        """A worker is up."""
        self.coming = max(0, self.coming - 1)

    def refused(self, token: str, count: int, detail: str) -> None:
        """Some that were asked for will not come. What is not awaited was told before."""
        count = min(count, self.awaited.get(token, 0), self.coming)
        if count:
            self.awaited[token] -= count
            self.coming -= count
            self._fail(detail)

    def lost(self, worker: Worker | None, detail: str, *, is_its_own: bool) -> None:
        """A worker is no more: ``None`` if it was not up, its own if no attempt is to blame."""
        if worker is None:
            if self.coming:
                self.coming -= 1
                self._fail(detail)
        elif worker.is_proven:
            self.failed = 0
        elif is_its_own:
            self._fail(detail)

    def _fail(self, detail: str) -> None:
        self.failed += 1
        self.detail = detail

    @property
    def is_hopeless(self) -> bool:
        """Whether no worker is coming and no more may be asked for."""
        return self.failed >= MOST_FAILED and not self.coming

    def ask(self, dispatch: Dispatch) -> list[Launch]:
        """Ask for the workers that ready tasks could use at once and that are neither up nor coming."""
        room = dispatch.limits.workers - len(dispatch.workers) - self.coming
        if room <= 0 or self.failed >= MOST_FAILED:
            return []
        cpu, memory = dispatch.free_cpu, dispatch.free_memory
        unused = self.coming + len(dispatch.idle)
        launches = []
        for line in dispatch.ready.in_order():
            fitting = line.count
            if line.cpu:
                fitting = min(fitting, cpu // line.cpu)
            if line.memory:
                fitting = min(fitting, memory // line.memory)
            cpu -= fitting * line.cpu
            memory -= fitting * line.memory
            served = min(fitting, unused)
            unused -= served
            count = min(fitting - served, room)
            if count:
                room -= count
                token = str(len(self.awaited) + 1)
                self.awaited[token] = count
                launches.append(Launch(line.size, count, token))
        self.coming += sum([launch.count for launch in launches])
        return launches
