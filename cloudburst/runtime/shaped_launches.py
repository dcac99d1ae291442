"""Machines that are asked for, each of the shape that a task needs, and what if they do not come.

==================  ==========================================================================================
a launch failed     what is done
==================  ==========================================================================================
passing             asked for again after a while; ``MOST_FAILED`` times in a row, then never
quota, capacity     idle workers are stopped to make way; asked for again when a worker has gone, or after a
                    while; given up after ``Limits.quota_wait_s`` of waiting while no worker was busy
quota, but no       given up at once, for nothing that the run does can free any; after a worker has gone only
worker is there     when refused ``MOST_REFUSED`` times more, for what it had is not free at once
capacity, of Spot   after ``MOST_SHORT`` times asked for on demand
setup               given up, whatever the shape
never               given up
==================  ==========================================================================================

A while is ``Limits.launch_delay_s``, twice as long each time, up to ``LONGEST`` times that. There is no clock in here:
what was waited is the sum of the delays that were asked for. What is given up matters only to tasks that are taken by
no worker that is there or coming: the first of them in the plan fails, and with it the run.

Whatever answers a launch counts it down: a hello, a refusal, or the end of a worker that said no hello. They are
matched by shape and by token where they can be, and otherwise the first shape that is awaited is counted down, so that
the run never waits for a worker that has been answered for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cloudburst.resources import Size
from cloudburst.runtime.dispatch import Dispatch, Worker
from cloudburst.runtime.events import Command, Delay, Gone, Launch, LaunchCause, LaunchFailed, Stop
from cloudburst.runtime.launches import Launches
from cloudburst.runtime.limits import Limits
from cloudburst.runtime.shaped_dispatch import fits
from cloudburst.runtime.task import TaskId

MOST_FAILED = 5
MOST_REFUSED = 8
MOST_SHORT = 3
LONGEST = 60

_SCARCE = ("quota", "capacity")


@dataclass(slots=True)
class Shape:
    """What became of the launches of one shape."""

    cause: LaunchCause | None = None
    """Why none is asked for now, if so. What fails meanwhile is of the same wave, and counts no more."""
    detail: str = ""
    failed: int = 0
    """Waves of passing failures in a row."""
    refused: int = 0
    """Waves of refusals for want of quota or capacity in a row."""
    short: int = 0
    """Waves of refusals for want of capacity."""
    is_delayed: bool = False
    """Whether a delay is under way, after which it is asked for again."""
    waited_s: float = 0.0
    """Seconds of such delays, for want of quota or capacity, while no worker was busy."""


@dataclass(slots=True)
class ShapedLaunches(Launches):
    """What was asked for, by shape, and what became of it."""

    limits: Limits = field(kw_only=True)
    coming_shapes: dict[Size, int] = field(kw_only=True)
    """By shape: how many of ``coming`` have it."""
    shapes: dict[Size, Shape] = field(default_factory=dict)
    broken: str = ""
    """What is wrong with the settings, so that no machine can come."""
    prestarted: set[int] = field(default_factory=set)
    """Tasks whose machines were asked for before they were ready."""
    has_freed: bool = False
    """Whether a worker has gone, so that another may have its share of the quota."""

    # ------------------------------------------------------------ what happens

    def came(self, shape: Size | None) -> None:
        for one in self.shapes.values():
            one.waited_s = 0.0
        if self.coming:
            self._of(self._answered(shape)).refused = 0

    def refused(self, event: LaunchFailed) -> None:
        count = min(event.count, self.awaited.get(event.token, 0), self.coming)
        if count:
            self.awaited[event.token] -= count
            shape = self.asked[event.token]
            for _ in range(count):
                self._answered(shape)
            self._failed(shape, event.cause, event.detail)

    def lost(self, worker: Worker | None, event: Gone, *, is_its_own: bool) -> None:
        cause: LaunchCause = "capacity" if event.cause == "reclaimed" else "passing"
        if worker is not None:
            self._freed()
            if worker.is_proven:
                self.proved(worker.shape)
            elif is_its_own and event.cause != "stopped":
                self._failed(worker.shape, cause, event.detail)
        elif self.coming:
            self._failed(self._answered(None), cause, event.detail)

    def proved(self, shape: Size) -> None:
        one = self._of(shape)
        one.failed = 0
        if one.cause == "passing":
            one.cause = None

    def due(self, shape: Size) -> None:
        one = self.shapes[shape]
        one.is_delayed = False
        if one.cause in (*_SCARCE, "passing"):
            one.cause = None

    def ended(self, worker: str) -> None:
        if worker in self.going:
            self.going.remove(worker)
            self._freed()

    def _answered(self, shape: Size | None) -> Size:
        """Count down a launch of this shape, or else of the first that is awaited."""
        coming = self.coming_shapes
        if shape is None or not coming.get(shape):
            shape = next(shape for shape, count in coming.items() if count)
        coming[shape] -= 1
        self.coming -= 1
        return shape

    def _of(self, shape: Size) -> Shape:
        return self.shapes.setdefault(shape, Shape())

    def _failed(self, shape: Size, cause: LaunchCause, detail: str) -> None:
        one = self._of(shape)
        one.detail = detail
        if cause == "setup":
            self.broken = detail
        if one.cause is None or cause == "never":
            one.cause = cause
            one.failed += cause == "passing"
            one.refused += cause in _SCARCE
            one.short += cause == "capacity"
            if self._shape(shape) != shape:
                one.cause = None  # nobody waits for it any more

    def _freed(self) -> None:
        """A worker has gone: what there was no room for may be asked for again."""
        self.has_freed = True
        for one in self.shapes.values():
            if one.cause in _SCARCE:
                one.cause = None
                one.refused = 0

    # ------------------------------------------------------------ what is done

    def ask(self, dispatch: Dispatch) -> list[Command]:
        wanted, is_scarce = self._wanted(dispatch)
        needed = sum([number for _, number in wanted])
        room = self.limits.workers - len(dispatch.workers) - self.coming
        # What is idle now takes nothing that is ready.
        making_way = 0 if not needed else max(0, needed - room)
        misfits = list(dispatch.idle.values())
        commands: list[Command] = []
        if stopped := misfits if is_scarce else misfits[:making_way]:
            for worker in stopped:
                dispatch.gone(worker)
            names = tuple([worker.name for worker in stopped])
            self.sent_off(names)
            commands.append(Stop(names))
            room += len(stopped)
        if self.limits.prestart and not (needed or is_scarce):
            wanted = self._ahead_of_time(dispatch, room)
        for shape, number in wanted:
            if (count := min(number, room)) > 0:
                room -= count
                commands.append(self._launch(shape, count))
        return commands + self._delays(is_busy=not dispatch.is_idle)

    def stuck(self, dispatch: Dispatch) -> tuple[TaskId, str] | None:
        if not dispatch.is_idle:
            for one in self.shapes.values():
                one.waited_s = 0.0
        if not self.broken and not any(one.cause for one in self.shapes.values()):
            return None
        is_alone = not (dispatch.workers or self.coming or self.going)
        for line in dispatch.ready.in_order():
            why = self.broken or self._why_given_up(self._shape(line.size), is_alone)
            if why and not self._is_hope(line.size, dispatch):
                return line.heap[0], why
        return None

    @property
    def waiting_for(self) -> str:
        waits = [f"{shape}: {one.detail}" for shape, one in self.shapes.items() if one.cause in _SCARCE]
        return "; ".join(waits)

    def _wanted(self, dispatch: Dispatch) -> tuple[list[tuple[Size, int]], bool]:
        """Machines to ask for, and whether others are wanted that there is no room for."""
        lines = dispatch.ready.in_order()
        left = {shape: count for shape, count in self.coming_shapes.items() if count}
        own = {line.size: min(line.count, left.get(line.size, 0)) for line in lines}
        for size, number in own.items():
            left[size] = left.get(size, 0) - number
        wanted: list[tuple[Size, int]] = []
        is_scarce = False
        for line in lines:
            number = line.count - own[line.size]
            for shape, count in left.items():
                if number and fits(line.size, shape):
                    served = min(number, count)
                    left[shape] = count - served
                    number -= served
            if number and not self.broken:
                shape = self._shape(line.size)
                cause = self.shapes[shape].cause if shape in self.shapes else None
                is_scarce = is_scarce or cause in _SCARCE
                if cause is None:
                    wanted.append((shape, number))
        return wanted, is_scarce

    def _ahead_of_time(self, dispatch: Dispatch, room: int) -> list[tuple[Size, int]]:
        """Machines of tasks whose inputs are all being made, of sizes that no worker takes: they can start meanwhile.

        Each task has one so at most once, because one that has waited in vain ends.
        """
        wanted: dict[Size, int] = {}
        for worker in dispatch.workers.values() if room > 0 else ():
            for maker in worker.queue:
                for reader in dispatch.course.being_prepared(maker):
                    size = dispatch.course.plan.tasks[reader].size
                    if (
                        reader not in self.prestarted
                        and sum(wanted.values()) < room
                        and not self._is_hope(size, dispatch)
                    ):
                        self.prestarted.add(reader)
                        shape = self._shape(size)
                        wanted[shape] = wanted.get(shape, 0) + 1
        return [
            (shape, count)
            for shape, count in wanted.items()
            if shape not in self.shapes or not self.shapes[shape].cause
        ]

    def _launch(self, shape: Size, count: int) -> Launch:
        token = str(len(self.awaited) + 1)
        self.awaited[token] = count
        self.asked[token] = shape
        self.coming_shapes[shape] = self.coming_shapes.get(shape, 0) + count
        self.coming += count
        return Launch(shape, count, token)

    def _delays(self, *, is_busy: bool) -> list[Command]:
        delays: list[Command] = []
        for shape, one in self.shapes.items():
            if one.cause is None or one.cause not in (*_SCARCE, "passing") or one.is_delayed or self._is_over(one):
                continue
            waves = one.failed if one.cause == "passing" else one.refused
            seconds = self.limits.launch_delay_s * min(2 ** (waves - 1), LONGEST)
            one.is_delayed = True
            if one.cause in _SCARCE and not is_busy:
                one.waited_s += seconds
            delays.append(Delay(None, seconds, shape))
        return delays

    # ------------------------------------------------------------ what is given up

    def _shape(self, size: Size) -> Size:
        """The machine that tasks of a size are to have: no spare capacity where there was none too often."""
        if size.spot and size in self.shapes and self.shapes[size].short >= MOST_SHORT:
            return size._replace(spot=False)
        return size

    def _is_over(self, one: Shape) -> bool:
        """Whether it was waited for long enough, or tried often enough."""
        if one.cause == "passing":
            return one.failed >= MOST_FAILED
        return one.waited_s >= self.limits.quota_wait_s and not one.is_delayed

    def _why_given_up(self, shape: Size, is_alone: bool) -> str:
        """Why no machine of a shape will be asked for again; empty if one may."""
        one = self.shapes.get(shape)
        if one is None or one.cause is None:
            return ""
        if one.cause == "never":
            return one.detail
        if one.cause == "quota" and is_alone and (one.refused >= MOST_REFUSED or not self.has_freed):
            return one.detail
        if not self._is_over(one):
            return ""
        times = f"{one.failed} times in a row" if one.cause == "passing" else f"for {one.waited_s:.0f} s"
        return f"{one.detail} ({times})"

    def _is_hope(self, size: Size, dispatch: Dispatch) -> bool:
        """Whether a worker is there or coming that takes tasks of a size."""
        shapes = [shape for shape, count in self.coming_shapes.items() if count]
        return any(fits(size, shape) for shape in (*shapes, *[worker.shape for worker in dispatch.workers.values()]))
