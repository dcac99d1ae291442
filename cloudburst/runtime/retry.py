"""What a failed attempt leads to: another one, now or later or at a larger size, or the end of the task.

=================  ==============================================  ==========================
cause              tried again                                     and when
=================  ==============================================  ==========================
raised, refused,   ``Task.retries`` times together                 after 0.5 s, 1 s, 2 s, ...
timeout
lost               ``Limits.crash_retries`` times, or              at once
                   ``Task.retries`` times if that is more
memory             ``Limits.memory_steps`` times, each at the      at once
                   next larger size that there is
reclaimed          ``MOST_RECLAIMED`` times, after the last of     at once
                   them on demand; then as if of the host
host               ``MOST_HOST`` times                             at once
tampered, launch   never
=================  ==============================================  ==========================

Each row has its own count, so that a worker that was killed does not use up a retry of the user's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from cloudburst.resources import Size, next_memory
from cloudburst.runtime.events import Cause, Failure
from cloudburst.runtime.limits import Limits
from cloudburst.runtime.task import Task, TaskId

Log = tuple[str, int, int] | None
"""Where the output of an attempt lies: (log name, first byte, end byte)."""

MOST_RECLAIMED = 3
"""How often spare capacity may be taken back before a task is performed on demand."""

MOST_HOST = 5

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 60.0


class Tries(NamedTuple):
    """How often a task has failed, and the size that it is tried at next."""

    size: Size
    issued: int
    """The number of its last attempt. Those that never began have numbers too, but do not count as failed."""
    own: int = 0
    """Failed by the doing of its code: raised, refused, timeout."""
    lost: int = 0
    memory: int = 0
    reclaimed: int = 0
    host: int = 0

    @property
    def failed(self) -> int:
        """Attempts that have failed."""
        return self.own + self.lost + self.memory + self.reclaimed + self.host


class Verdict(NamedTuple):
    """What comes of a failed attempt."""

    tries: Tries
    """The count with this one in it, at the size of the next attempt."""
    again: bool
    delay_s: float = 0.0


def judge(cause: Cause, tries: Tries, task: Task, limits: Limits) -> Verdict:
    """Decide whether a failed attempt is followed by another.

    Parameters
    ----------
    cause : Cause
        Why it failed.
    tries : Tries
        How often the task has failed before.
    task : Task
        What was tried.
    limits : Limits
        How much failing the run bears, and what the machine has.

    Returns
    -------
    Verdict

    Examples
    --------
    >>> task = Task(0, "f", "f", (), (), (), (), Size(1024, 2048), retries=2)
    >>> limits = Limits(workers=2, cpu=2048, memory_mib=8192)
    >>> first = judge("raised", Tries(task.size, 1), task, limits)
    >>> first.again, first.delay_s, judge("raised", first.tries, task, limits).delay_s
    (True, 0.5, 1.0)
    >>> judge("memory", Tries(task.size, 1), task, limits).tries.size
    Size(cpu=1024, memory=3072)
    """
    if cause == "launch":
        return Verdict(tries, again=False)
    if cause == "tampered":
        return Verdict(tries._replace(own=tries.own + 1), again=False)
    if cause == "reclaimed" and tries.size.spot is not False:
        size = tries.size._replace(spot=False) if tries.reclaimed + 1 >= MOST_RECLAIMED else tries.size
        return Verdict(tries._replace(reclaimed=tries.reclaimed + 1, size=size), again=True)
    if cause in ("reclaimed", "host"):
        tries = tries._replace(host=tries.host + 1)
        return Verdict(tries, tries.host <= MOST_HOST)
    if cause == "lost":
        tries = tries._replace(lost=tries.lost + 1)
        return Verdict(tries, tries.lost <= max(limits.crash_retries, task.retries))
    if cause == "memory":
        larger = _larger(tries.size, limits)
        tries = tries._replace(memory=tries.memory + 1)
        if larger is None or tries.memory > limits.memory_steps:
            return Verdict(tries, again=False)
        return Verdict(tries._replace(size=larger), again=True)
    delay_s = min(FIRST_DELAY_S * 2 ** min(tries.own, 10), LONGEST_DELAY_S)
    tries = tries._replace(own=tries.own + 1)
    return Verdict(tries, tries.own <= task.retries, delay_s)


def _larger(size: Size, limits: Limits) -> Size | None:
    """The next size that there is; the whole machine for a task of the default size, where all share one."""
    if limits.shaped or limits.memory_mib is None:
        return next_memory(size)
    if size.memory is not None and size.memory >= limits.memory_mib:
        return None
    larger = next_memory(size)
    if larger is None or larger.memory is None:
        return size._replace(cpu=limits.cpu, memory=limits.memory_mib)
    return larger._replace(memory=min(larger.memory, limits.memory_mib))


class Failed(NamedTuple):
    """A task that gave no result in the end."""

    task: TaskId
    attempt: int
    """How many attempts it had; those that never began do not count."""
    failure: Failure
    """That of the last one."""
    log: Log
    size: Size | None = None
    """At which the last one was made."""


@dataclass(slots=True)
class Attempts:
    """The attempts of tasks that did not succeed with their first."""

    limits: Limits
    tries: dict[TaskId, Tries] = field(default_factory=dict)

    def issue(self, task: TaskId) -> int:
        """The number of the next attempt."""
        tries = self.tries.get(task)
        if tries is None:
            return 1
        self.tries[task] = tries._replace(issued=tries.issued + 1)
        return tries.issued + 1

    def current(self, task: TaskId) -> int:
        """The number of the attempt that a task is at."""
        tries = self.tries.get(task)
        return tries.issued if tries else 1

    def undone(self, task: TaskId, attempt: int, size: Size) -> None:
        """An attempt never began."""
        self.tries.setdefault(task, Tries(size, attempt))

    def failed(self, task: TaskId, attempt: int, described: Task, cause: Cause) -> Verdict:
        """An attempt has failed. Gives what comes of it."""
        tries = self.tries.get(task) or Tries(described.size, attempt)
        verdict = judge(cause, tries, described, self.limits)
        self.tries[task] = verdict.tries
        return verdict

    def count(self, task: TaskId) -> int:
        """How many have failed."""
        tries = self.tries.get(task)
        return tries.failed if tries else 0

    def enlarged(self) -> list[tuple[TaskId, Size]]:
        """Those that have run out of memory, and the size that each was tried at last, in plan order."""
        return sorted([(task, tries.size) for task, tries in self.tries.items() if tries.memory])

    def size(self, task: TaskId, first: Size) -> Size:
        """The size that a task is tried at next, if it was tried at ``first`` in the beginning."""
        tries = self.tries.get(task)
        return tries.size if tries else first
