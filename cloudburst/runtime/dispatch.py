"""Which ready task goes to which worker.

A worker that is free takes from the line whose first task comes earliest in the plan, provided the machine has room
for its size; where it has none, a later line may pass, but not for ever.

A worker performs what it is given one after another, so it is charged one size from its first task to its last: all
that is queued on it comes from one line. Tasks that are known to be tiny are queued by the dozen, because a turn-
around costs more than they do; what is not known to be tiny is given one at a time, because nothing is ever taken
back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cloudburst.errors import InternalError
from cloudburst.resources import Size
from cloudburst.runtime.events import Assign
from cloudburst.runtime.ready import Line, Ready
from cloudburst.runtime.task import Plan, TaskId

QUEUED_S = 0.02
"""Seconds of work to have queued on a worker, where its tasks are known to be shorter than that."""

QUEUED = 256
"""Attempts to have queued on a worker at most."""

REMEMBERED = 16
"""Attempts over which the mean duration of a stage is taken: the older ones fade."""

PASSES = 8
"""How often, for each worker, later tasks may pass one that is too large for what is free."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may use, and how much failing it bears.

    Parameters
    ----------
    workers : int
        Workers at most.
    cpu, memory_mib : int or None
        What all tasks performed at one time may use: CPU units and MiB; ``None`` is without limit.
    keep_going : bool
        Perform what does not depend on a failed task.
    crash_retries : int
        How often a task is tried again after its worker went away.
    memory_steps : int
        How often a task is tried at a larger size after running out of memory.
    grace_s : float
        How long tasks that are being performed may go on after another has failed the run.
    """

    workers: int
    cpu: int | None
    memory_mib: int | None
    keep_going: bool = False
    crash_retries: int = 1
    memory_steps: int = 3
    grace_s: float = 1.0

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise InternalError(f"A run with {self.workers} workers would never end.")

    @property
    def machine(self) -> tuple[int, int]:
        """CPU units and MiB that there are; 0 where there is no limit, for nothing is charged there."""
        return self.cpu or 0, self.memory_mib or 0

    def charge(self, size: Size) -> tuple[int, int]:
        """CPU units and MiB that a task of a size takes up; what is larger than the machine takes all of it.

        >>> limits = Limits(workers=4, cpu=4096, memory_mib=8192)
        >>> limits.charge(Size(2048, 4096)), limits.charge(Size(2048, 16384)), limits.charge(Size())
        ((2048, 4096), (4096, 8192), (1024, 0))
        """
        all_cpu, all_memory = self.machine
        cpu = all_cpu // self.workers if size.cpu is None else size.cpu
        memory = size.memory or 0
        if 0 < all_cpu < cpu or 0 < all_memory < memory:
            return all_cpu, all_memory
        return min(cpu, all_cpu), min(memory, all_memory)


@dataclass(slots=True)
class Pace:
    """How long attempts of a stage take."""

    seen: int = 0
    seconds: float = QUEUED_S
    """Their mean. While none was seen it is long enough for the task to be given alone."""

    def add(self, seconds: float) -> None:
        """Take one more into the mean."""
        if self.seen < REMEMBERED:
            self.seen += 1
        self.seconds += (seconds - self.seconds) / self.seen


@dataclass(slots=True)
class Worker:
    """A worker that is up."""

    name: str
    queue: dict[TaskId, tuple[int, float]] = field(default_factory=dict)
    """What it was given and has not ended, the one being performed first: numbers of attempts and seconds expected."""
    line: Line | None = None
    """Where all of these come from."""
    load_s: float = 0.0
    """Seconds expected for all of them."""
    is_proven: bool = False
    """Whether it has ended something."""


@dataclass(slots=True)
class Dispatch:
    """Ready tasks, workers, and what of the machine is free."""

    limits: Limits
    paces: list[Pace]
    """By task."""
    ready: Ready
    free_cpu: int
    free_memory: int
    workers: dict[str, Worker] = field(default_factory=dict)
    idle: dict[str, Worker] = field(default_factory=dict)
    served: dict[str, Worker] = field(default_factory=dict)
    """Workers that have ended something since the last decision and have more to perform."""
    passes: int = 0
    """How often the first task was passed."""

    @classmethod
    def of(cls, plan: Plan, limits: Limits) -> Dispatch:
        """Begin with nothing ready and no worker."""
        paces: dict[str, Pace] = {}
        by_task = [paces.setdefault(task.stage, Pace()) for task in plan.tasks]
        return cls(limits, by_task, Ready(limits.charge), *limits.machine)

    # ------------------------------------------------------------ workers

    @property
    def is_idle(self) -> bool:
        """Whether no worker has anything to perform."""
        return len(self.idle) == len(self.workers)

    def hello(self, name: str) -> None:
        """A worker is up."""
        self.workers[name] = self.idle[name] = Worker(name)

    def ended(self, worker: Worker, task: TaskId, seconds: float) -> None:
        """A worker has ended an attempt."""
        worker.load_s -= worker.queue.pop(task)[1]
        worker.is_proven = True
        self.paces[task.task].add(seconds)
        if worker.queue:
            self.served[worker.name] = worker
        else:
            self._release(worker)
            self.idle[worker.name] = worker

    def gone(self, worker: Worker) -> None:
        """A worker is no more."""
        self._release(worker)
        self.idle.pop(worker.name, None)
        del self.workers[worker.name]

    def _release(self, worker: Worker) -> None:
        if worker.line is not None:
            self.free_cpu += worker.line.cpu
            self.free_memory += worker.line.memory
        worker.line = None
        worker.load_s = 0.0
        self.served.pop(worker.name, None)

    # ------------------------------------------------------------ decisions

    def assign(self, issue: Callable[[TaskId], int]) -> list[Assign]:
        """Give ready tasks to workers. ``issue`` is told each of them and gives the number of its attempt."""
        assigned = []
        while self.idle and self.ready.count and (line := self._choose()) is not None:
            _, worker = self.idle.popitem()
            worker.line = line
            self.free_cpu -= line.cpu
            self.free_memory -= line.memory
            assigned.append(self._fill(worker, line, issue))
        if self.served:
            # Only for the first line, so that in the end every worker runs dry for what comes before its own.
            for line in self.ready.in_order()[:1]:
                low = [one for one in self.served.values() if one.line is line and self._is_low(one, line)]
                assigned += [self._fill(worker, line, issue) for worker in low]
            self.served.clear()
        return [one for one in assigned if one.tasks]

    def fits(self, line: Line) -> bool:
        """Whether the machine has room for one more task of a line."""
        return line.cpu <= self.free_cpu and line.memory <= self.free_memory

    def _choose(self) -> Line | None:
        lines = self.ready.in_order()
        if self.fits(lines[0]):
            self.passes = 0
            return lines[0]
        if self.passes < PASSES * self.limits.workers:
            for line in lines:
                if self.fits(line):
                    self.passes += 1
                    return line
        return None

    def _is_low(self, worker: Worker, line: Line) -> bool:
        return worker.load_s <= QUEUED_S / 2 and len(worker.queue) <= self._depth(line) // 2

    def _depth(self, line: Line) -> int:
        """How many attempts a worker may have, so that there is some for every other one."""
        return min(QUEUED, -(-line.count // self.limits.workers))

    def _fill(self, worker: Worker, line: Line, issue: Callable[[TaskId], int]) -> Assign:
        queue, depth = worker.queue, self._depth(line)
        tasks = []
        while line.heap and len(queue) < depth:
            seconds = self.paces[line.heap[0].task].seconds
            if queue and worker.load_s + seconds > QUEUED_S:
                break
            task = self.ready.take(line)
            attempt = issue(task)
            queue[task] = attempt, seconds
            worker.load_s += seconds
            tasks.append((task, attempt))
        return Assign(worker.name, tuple(tasks))
