"""Which ready task goes to which worker, where each worker has a machine of its own.

The lines of ready tasks are gone through by their first tasks, in plan order. Among the idle workers that take its
size a task goes to the one that has most bytes of its inputs on its disk; else to one of the very size, else to the
cheapest; of several to the one that was used last, so that the others end. A worker may take smaller tasks, but not at
more than ``DEARER`` times the price of a machine of their own size.

A worker whose own line has tasks leaves those of another size to the machines that are coming for them.

Behind a task goes its successor, if the worker itself makes what is missing (see ``ahead``); and behind tasks that are
known to be short others of a size that fits, so that a letter is worth its way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar

from cloudburst.resources import FREE_STORAGE_GIB, Size, rate
from cloudburst.runtime.ahead import DEEPEST, successor
from cloudburst.runtime.dispatch import Dispatch, Worker
from cloudburst.runtime.events import Assign
from cloudburst.runtime.holdings import Holdings
from cloudburst.runtime.ready import Line
from cloudburst.runtime.task import WHOLE, Artifact, TaskId

LETTER_S = 1.0
"""Seconds of work to have queued on a worker, where its tasks are known to be shorter than that: it gets a letter
through the store, which takes about half as long."""

DEARER = 2.0

_SPARE = {False: 0, None: 1, True: 2}


@lru_cache(maxsize=4096)
def fits(size: Size, shape: Size) -> bool:
    """Whether a machine of a shape takes tasks of a size.

    >>> fits(Size(1024, 2048), Size(2048, 4096)), fits(Size(1024, 2048), Size(4096, 8192))
    (True, False)
    >>> fits(Size(1024, 2048, spot=True), Size(1024, 2048)), fits(Size(1024, 2048), Size(1024, 2048, spot=True))
    (True, False)
    """
    if shape == size:
        return True
    return (
        (size.cpu or 0) <= (shape.cpu or 0)
        and (size.memory or 0) <= (shape.memory or 0)
        and (size.storage or FREE_STORAGE_GIB) <= (shape.storage or FREE_STORAGE_GIB)
        and _SPARE[size.spot] >= _SPARE[shape.spot]
        and rate(shape) <= DEARER * rate(size)
    )


@dataclass(slots=True)
class ShapedDispatch(Dispatch):
    """Ready tasks, and workers with a machine each."""

    queued_s: ClassVar[float] = LETTER_S
    free: dict[Size, dict[str, Worker]] = field(default_factory=dict)
    """By shape: the idle workers, the one used last at the end."""
    coming: dict[Size, int] = field(default_factory=dict)
    """By shape: the workers that were asked for."""
    holdings: Holdings = field(default_factory=Holdings)

    # ------------------------------------------------------------ workers

    def hello(self, name: str, shape: Size | None = None) -> None:
        Dispatch.hello(self, name, shape)
        worker = self.workers[name]
        self.free.setdefault(worker.shape, {})[name] = worker

    def ended(self, worker: Worker, task: TaskId, seconds: float) -> None:
        Dispatch.ended(self, worker, task, seconds)
        if worker.queue:
            return
        self.free[worker.shape][worker.name] = worker
        if not self.limits.reuse:
            self.gone(worker)
            self.retired.append(worker.name)

    def made(self, worker: Worker, artifacts: Sequence[Artifact]) -> None:
        self.holdings.note(worker.name, artifacts)

    def forget(self, artifacts: Sequence[Artifact]) -> None:
        self.holdings.forget(artifacts)

    def gone(self, worker: Worker) -> None:
        Dispatch.gone(self, worker)
        self.free[worker.shape].pop(worker.name, None)

    # ------------------------------------------------------------ decisions

    def assign(self, issue: Callable[[TaskId], int]) -> list[Assign]:
        assigned = []
        lines = self.ready.in_order() if self.idle else []
        while self.idle and lines:
            line = min(lines, key=_first)
            worker = self._best(line)
            if worker is None:
                lines.remove(line)
                continue
            del self.idle[worker.name], self.free[worker.shape][worker.name]
            assigned.append(self._fill(worker, line, issue))
            if not line.heap:
                lines = self.ready.in_order()  # those who left others to what is coming may take them now
        for worker in self.served.values():
            for line in self.ready.in_order():
                if fits(line.size, worker.shape):
                    if self._is_low(worker, line):
                        assigned.append(self._fill(worker, line, issue))
                    break
        self.served.clear()
        return [one for one in assigned if one.tasks]

    def _best(self, line: Line) -> Worker | None:
        """The idle worker that is to take the first task of a line, if one can."""
        shapes = [shape for shape, workers in self.free.items() if workers and self._takes(shape, line)]
        if not shapes:
            return None
        if len(self.idle) > 1 and (held := self.holdings.nbytes(self.course.present(line.heap[0]))):
            holders = [name for name in held if name in self.idle and self.idle[name].shape in shapes]
            if holders:
                return self.idle[max(holders, key=held.__getitem__)]
        shape = line.size if line.size in shapes else min(shapes, key=rate)
        return self.free[shape][next(reversed(self.free[shape]))]

    def _takes(self, shape: Size, line: Line) -> bool:
        if shape == line.size or not fits(line.size, shape):
            return shape == line.size
        own = self.ready.lines.get(shape)
        return not (own is not None and own.heap and self.coming.get(line.size))

    def _fill(self, worker: Worker, line: Line, issue: Callable[[TaskId], int]) -> Assign:
        queue, depth = worker.queue, self._depth(line) if self.limits.reuse else 1
        letter: dict[TaskId, int] = {}
        while line.heap and len(queue) < depth:
            if queue and worker.load_s + self.paces[line.heap[0].task].seconds > self.queued_s:
                break
            task: TaskId | None = self.ready.take(line)
            for _ in range(1 + DEEPEST):
                if task is None:
                    break
                letter[task] = attempt = issue(task)
                seconds = self.paces[task.task].seconds
                queue[task] = attempt, seconds
                worker.load_s += seconds
                self.holdings.note(worker.name, self.course.present(task))
                task = self._next(worker, task, letter)
        return Assign(worker.name, tuple(letter.items()))

    def _next(self, worker: Worker, maker: TaskId, letter: dict[TaskId, int]) -> TaskId | None:
        """What goes along behind a task in a letter."""
        if maker.item != WHOLE or not self.limits.reuse:
            return None
        return successor(self.course, maker.task, letter, lambda size: fits(size, worker.shape))


def _first(line: Line) -> TaskId:
    return line.heap[0]
