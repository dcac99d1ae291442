"""Which ready task goes to which worker.

A worker that is free takes from the line whose first task comes earliest in the plan, provided the machine has room
for its size; where it has none, a later line may pass, but not for ever.

A worker performs what it is given one after another, so it is charged one size from its first task to its last: all
that is queued on it comes from one line. Tasks that are known to be tiny are queued by the dozen, because a turn-
around costs more than they do; what is not known to be tiny is given one at a time, because nothing is ever taken
back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, Self

from cloudburst.resources import Size
from cloudburst.runtime.course import Course
from cloudburst.runtime.events import Assign
from cloudburst.runtime.limits import Limits
from cloudburst.runtime.ready import Line, Ready
from cloudburst.runtime.task import Artifact, TaskId

QUEUED_S = 0.02
"""Seconds of work to have queued on a worker, where its tasks are known to be shorter than that."""

QUEUED = 256
"""Attempts to have queued on a worker at most."""

REMEMBERED = 16
"""Attempts over which the mean duration of a stage is taken: the older ones fade."""

PASSES = 8
"""How often, for each worker, later tasks may pass one that is too large for what is free."""


@dataclass(slots=True)
class Pace:
    """How long attempts of a stage take."""

    seconds: float
    """Their mean. While none was seen it is long enough for the task to be given alone."""
    seen: int = 0

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
    shape: Size = Size()
    """The machine that it has to itself, where workers do not share one."""


class Standing(NamedTuple):
    """What a driver that takes a run up has to know of its workers."""

    shapes: dict[str, Size]
    """By worker that is up: its machine."""
    queues: dict[str, tuple[tuple[TaskId, int], ...]]
    """By worker that is up: the attempts that it has and has not ended, as far as is known."""
    launches: dict[str, Size]
    """By token of each launch so far: the shape."""


@dataclass(slots=True)
class Dispatch:
    """Ready tasks, workers, and what of the machine is free."""

    queued_s: ClassVar[float] = QUEUED_S
    limits: Limits
    paces: list[Pace]
    """By task."""
    course: Course = field(repr=False, compare=False)
    """What the tasks come from."""
    ready: Ready
    free_cpu: int
    free_memory: int
    workers: dict[str, Worker] = field(default_factory=dict)
    idle: dict[str, Worker] = field(default_factory=dict)
    served: dict[str, Worker] = field(default_factory=dict)
    """Workers that have ended something since the last decision and have more to perform."""
    passes: int = 0
    """How often the first task was passed."""
    retired: list[str] = field(default_factory=list)
    """Workers that are to be stopped because they have performed what they were for."""

    @classmethod
    def of(cls, course: Course, limits: Limits) -> Self:
        """Begin with nothing ready and no worker."""
        paces: dict[str, Pace] = {}
        by_task = [paces.setdefault(task.stage, Pace(seconds=cls.queued_s)) for task in course.plan.tasks]
        return cls(limits, by_task, course, course.ready, *limits.machine)

    # ------------------------------------------------------------ workers

    @property
    def is_idle(self) -> bool:
        """Whether no worker has anything to perform."""
        return len(self.idle) == len(self.workers)

    def hello(self, name: str, shape: Size | None = None) -> None:
        """A worker is up."""
        self.workers[name] = self.idle[name] = Worker(name) if shape is None else Worker(name, shape=shape)

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

    def withdraw(self, worker: Worker, task: TaskId) -> int:
        """Take an attempt that will not begin off a worker's queue, on which another stands. Gives its number."""
        attempt, seconds = worker.queue.pop(task)
        worker.load_s -= seconds
        return attempt

    def made(self, worker: Worker, artifacts: Sequence[Artifact]) -> None:
        """A worker has made these; where a machine is shared it is all the same who."""

    def forget(self, artifacts: Sequence[Artifact]) -> None:
        """These are no more; where a machine is shared nobody was said to have them."""

    def _release(self, worker: Worker) -> None:
        if worker.line is not None:
            self.free_cpu += worker.line.cpu
            self.free_memory += worker.line.memory
        worker.line = None
        worker.load_s = 0.0
        self.served.pop(worker.name, None)

    def standing(self, launches: Mapping[str, Size]) -> Standing:
        """Who is up, with what; ``launches`` are the shapes by token."""
        workers = self.workers.values()
        return Standing(
            {one.name: one.shape for one in workers},
            {one.name: tuple([(task, attempt) for task, (attempt, _) in one.queue.items()]) for one in workers},
            dict(launches),
        )

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
        return worker.load_s <= self.queued_s / 2 and len(worker.queue) <= self._depth(line) // 2

    def _depth(self, line: Line) -> int:
        """How many attempts a worker may have, so that there is some for every other one."""
        return min(QUEUED, -(-line.count // self.limits.workers))

    def _fill(self, worker: Worker, line: Line, issue: Callable[[TaskId], int]) -> Assign:
        queue, depth = worker.queue, self._depth(line)
        tasks = []
        while line.heap and len(queue) < depth:
            seconds = self.paces[line.heap[0].task].seconds
            if queue and worker.load_s + seconds > self.queued_s:
                break
            task = self.ready.take(line)
            attempt = issue(task)
            queue[task] = attempt, seconds
            worker.load_s += seconds
            tasks.append((task, attempt))
        return Assign(worker.name, tuple(tasks))
