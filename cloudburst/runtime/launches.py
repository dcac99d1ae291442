"""Workers that are asked for: how many, and what if they do not come.

A launch has failed when it is refused, or when its worker is gone before it has ended anything. After ``MOST_FAILED``
in a row no more are asked for while another worker is up; if none is up or coming, the run cannot go on. A worker
that ends its first attempt, and the end of one that had done so, allow as many again.

This is for workers that share a machine. Those with a machine each are asked for by ``shaped_launches``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cloudburst.resources import Size
from cloudburst.runtime.dispatch import Dispatch, Worker
from cloudburst.runtime.events import Command, Gone, Launch, LaunchFailed
from cloudburst.runtime.task import TaskId

MOST_FAILED = 3


@dataclass(slots=True)
class Launches:
    """What was asked for, and what became of it."""

    coming: int = 0
    """Workers that were asked for and neither came nor failed."""
    awaited: dict[str, int] = field(default_factory=dict)
    """By token: workers that were asked for and not refused."""
    asked: dict[str, Size] = field(default_factory=dict)
    """By token: the shape that was asked for."""
    departed: set[str] = field(default_factory=set)
    """Workers that are no more, or were told to end."""
    going: set[str] = field(default_factory=set)
    """Those of them that have not ended yet."""
    failed: int = 0
    """In a row."""
    detail: str = ""
    """Why the last of them did."""

    def came(self, shape: Size | None) -> None:  # noqa: ARG002 - any of them will do
        """A worker is up."""
        self.coming = max(0, self.coming - 1)

    def refused(self, event: LaunchFailed) -> None:
        """Some that were asked for will not come. What is not awaited was told before."""
        count = min(event.count, self.awaited.get(event.token, 0), self.coming)
        if count:
            self.awaited[event.token] -= count
            self.coming -= count
            self._fail(event.detail)

    def lost(self, worker: Worker | None, event: Gone, *, is_its_own: bool) -> None:
        """A worker is no more: ``None`` if it was not up, its own if no attempt is to blame."""
        if event.cause == "stopped":
            return
        if worker is None:
            if self.coming:
                self.coming -= 1
                self._fail(event.detail)
        elif worker.is_proven:
            self.failed = 0
        elif is_its_own:
            self._fail(event.detail)

    def proved(self, shape: Size) -> None:  # noqa: ARG002 - so will any here
        """A worker has ended its first attempt."""
        self.failed = 0

    def due(self, shape: Size) -> None:
        """A delay of launches is over; there is none here."""

    def sent_off(self, workers: Sequence[str]) -> None:
        """Idle workers, which are off the dispatch, are told to end."""
        self.departed.update(workers)
        self.going.update(workers)

    def ended(self, worker: str) -> None:
        """A worker that had departed has ended."""
        self.going.discard(worker)

    def _fail(self, detail: str) -> None:
        self.failed += 1
        self.detail = detail

    @property
    def waiting_for(self) -> str:
        """What the run waits for because it was refused; empty where it does not wait."""
        return ""

    @property
    def is_hopeless(self) -> bool:
        """Whether no worker is coming and no more may be asked for."""
        return self.failed >= MOST_FAILED and not self.coming

    def stuck(self, dispatch: Dispatch) -> tuple[TaskId, str] | None:
        """The first task that waits for a worker in vain, and why."""
        if dispatch.workers or not self.is_hopeless or not dispatch.ready.count:
            return None
        return dispatch.ready.in_order()[0].heap[0], self.detail

    def ask(self, dispatch: Dispatch) -> list[Command]:
        """Ask for the workers that ready tasks could use at once and that are neither up nor coming."""
        room = dispatch.limits.workers - len(dispatch.workers) - self.coming
        if room <= 0 or self.failed >= MOST_FAILED:
            return []
        cpu, memory = dispatch.free_cpu, dispatch.free_memory
        unused = self.coming + len(dispatch.idle)
        launches: list[Command] = []
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
                self.asked[token] = line.size
                launches.append(Launch(line.size, count, token))
                self.coming += count
        return launches
