"""Where each task stands, and the moves that are legal.

A task WAITS until what it reads is made, is then READY, and is ASSIGNED while it is queued on a worker or being
performed by it. One that is sent ahead is ASSIGNED while it would WAIT, and WAITS again if what it awaits fails. An
attempt that fails makes it FAILED or, where another is allowed, READY again, DELAYED before. What depends on a failed
task is SKIPPED. A fanned task has no attempts of its own: it is FANNED while its items, which begin as READY, are
performed, and DONE when all of them are. What a run that ends early leaves undecided is CANCELLED.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from cloudburst.errors import InternalError
from cloudburst.runtime.task import WHOLE, TaskId


class Phase(IntEnum):
    """Where a task stands."""

    WAITING = 0
    FANNED = 1
    READY = 2
    ASSIGNED = 3
    DELAYED = 4
    DONE = 5
    FAILED = 6
    SKIPPED = 7
    CANCELLED = 8


WAITING, FANNED, READY, ASSIGNED, DELAYED, DONE, FAILED, SKIPPED, CANCELLED = Phase

LEGAL: dict[Phase, frozenset[Phase]] = {
    WAITING: frozenset({READY, FANNED, ASSIGNED, SKIPPED, CANCELLED}),
    FANNED: frozenset({DONE, FAILED, CANCELLED}),
    READY: frozenset({ASSIGNED, FAILED, CANCELLED}),
    ASSIGNED: frozenset({DONE, READY, WAITING, DELAYED, FAILED, CANCELLED}),
    DELAYED: frozenset({READY, CANCELLED}),
    DONE: frozenset(),
    FAILED: frozenset(),
    SKIPPED: frozenset(),
    CANCELLED: frozenset(),
}
"""By phase: those that may come next. An item of a fan is never WAITING, FANNED or SKIPPED."""

_IS_LEGAL = tuple([tuple([after in LEGAL[before] for after in Phase]) for before in Phase])
_WHEN_ENDED_EARLY = bytes([CANCELLED if CANCELLED in LEGAL[phase] else phase for phase in Phase]).ljust(256)


@dataclass(slots=True)
class Phases:
    """The phase of every task, a byte each.

    Parameters
    ----------
    tasks : bytearray
        By task.
    items : dict of int to bytearray
        By fanned task, once the number of its items is known.
    """

    tasks: bytearray
    items: dict[int, bytearray] = field(default_factory=dict)

    def __getitem__(self, task: TaskId) -> Phase:
        number, item = task
        return Phase(self.tasks[number] if item == WHOLE else self.items[number][item])

    def move(self, task: TaskId, after: Phase) -> None:
        """Change the phase of a task.

        Raises
        ------
        InternalError
            If that is not a legal move.
        """
        number, item = task
        row, place = (self.tasks, number) if item == WHOLE else (self.items[number], item)
        if not _IS_LEGAL[row[place]][after]:
            raise InternalError(f"{task} cannot go from {Phase(row[place]).name} to {after.name}.")
        row[place] = after

    def skip_consumers(self, task: int, consumers: Sequence[Sequence[int]]) -> int:
        """Skip all that depends on a task: how many that are. ``consumers`` has by task the tasks that read it."""
        skipped = [task]
        for each in skipped:
            for consumer in consumers[each]:
                if self.tasks[consumer] == WAITING:
                    self.move(TaskId(consumer), SKIPPED)
                    skipped.append(consumer)  # which lengthens the walk
        return len(skipped) - 1

    def end_early(self) -> None:
        """Cancel all that is undecided."""
        self.tasks = self.tasks.translate(_WHEN_ENDED_EARLY)
        self.items = {number: row.translate(_WHEN_ENDED_EARLY) for number, row in self.items.items()}
