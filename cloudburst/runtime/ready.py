"""Tasks that could be performed now, in lines: one for each size, the first in the plan first.

The untouched items of a fan stand in their line as one entry, the next of them, so that a million cost what one does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush, heapreplace

from cloudburst.resources import Size
from cloudburst.runtime.task import WHOLE, TaskId


@dataclass(slots=True)
class Line:
    """Ready tasks of one size."""

    size: Size
    cpu: int
    """What one of them is charged: CPU units."""
    memory: int
    """And MiB."""
    heap: list[TaskId] = field(default_factory=list)
    count: int = 0


@dataclass(slots=True)
class Ready:
    """All ready tasks.

    Parameters
    ----------
    charge : callable
        Says how many CPU units and MiB a task of a size is charged.
    """

    charge: Callable[[Size], tuple[int, int]]
    lines: dict[Size, Line] = field(default_factory=dict)
    count: int = 0
    untouched: dict[int, tuple[int, int]] = field(default_factory=dict)
    """By fan: its first item that nobody was given yet, and the number of its items."""

    def offer(self, task: TaskId, size: Size) -> None:
        """Take a task in."""
        line = self._line(size)
        heappush(line.heap, task)
        line.count += 1
        self.count += 1

    def offer_items(self, fan: int, count: int, size: Size) -> None:
        """Take in all items of a fan, of which there is one at least."""
        self.untouched[fan] = 0, count
        line = self._line(size)
        heappush(line.heap, TaskId(fan, 0))
        line.count += count
        self.count += count

    def in_order(self) -> list[Line]:
        """The lines that are not empty, by their first tasks."""
        lines = [line for line in self.lines.values() if line.heap]
        if len(lines) > 1:
            lines.sort(key=_first)
        return lines

    def take(self, line: Line) -> TaskId:
        """Remove the first task of a line, and give it."""
        line.count -= 1
        self.count -= 1
        task = line.heap[0]
        number, item = task
        if item != WHOLE:
            untouched, count = self.untouched[number]
            # Items that were tried before come before the untouched ones, so this tells the entry that stands for many.
            if item == untouched:
                self.untouched[number] = item + 1, count
                if item + 1 < count:
                    heapreplace(line.heap, TaskId(number, item + 1))
                    return task
        heappop(line.heap)
        return task

    def _line(self, size: Size) -> Line:
        line = self.lines.get(size)
        if line is None:
            line = self.lines[size] = Line(size, *self.charge(size))
        return line


def _first(line: Line) -> TaskId:
    return line.heap[0]
