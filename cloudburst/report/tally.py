"""A run in numbers, counted while it goes on.

The thread that drives the run counts; the one that draws reads the numbers as they are, without a lock: each of them is
right by itself, and the next picture comes soon.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from cloudburst.resources import Size
from cloudburst.runtime.events import Assign, Began, Command, Delay, Ended, Event, Gone, LaunchFailed
from cloudburst.runtime.task import GIVEN, WHOLE, Plan, Task, TaskId

_MOST_NOTICES = 1000
_NOTICE_S = 60.0


@dataclass(slots=True)
class StageTally:
    """The tasks of one stage, or of one kind of op where no stage is in them."""

    name: str
    total: int = 0
    """Tasks known of; the items of a fan count once it is known how many there are."""
    unknown: int = 0
    """Fans of which that is not known yet."""
    done: int = 0
    running: int = 0
    failed: int = 0
    """Attempts without result."""
    retries: int = 0
    """Attempts after the first."""
    seconds: float = 0.0
    """Of all attempts together."""
    peak_mib: float = 0.0

    @property
    def is_over(self) -> bool:
        """Whether every task of it is done."""
        return not self.unknown and self.done >= self.total


class Tally:
    """The numbers of a run.

    Parameters
    ----------
    plan : Plan
        What is run.
    by : callable, optional
        What the tasks have in common that are counted together: by default the name of their stage.

    Attributes
    ----------
    stages : list of StageTally
        In plan order.
    workers : set of str
        Workers that performed something.
    passed : int
        Bytes of the results that other tasks read.
    notices : deque of str
        Sentences about failures and retries, the latest; whoever tells them takes them out.
    """

    def __init__(self, plan: Plan, by: Callable[[Task], Hashable] = attrgetter("stage")) -> None:
        self._plan = plan
        found: dict[Hashable, StageTally] = {}
        self._stage_of = [found.setdefault(by(task), StageTally(task.stage)) for task in plan.tasks]
        self.stages = list(found.values())
        self.workers: set[str] = set()
        self.passed = 0
        self.notices: deque[str] = deque(maxlen=_MOST_NOTICES)
        self._at: dict[str, StageTally] = {}
        self._failed: set[TaskId] = set()
        """Tasks of which an attempt has failed; others have a second one because their first never began."""
        self._retried: set[tuple[TaskId, int]] = set()
        self._refused = ""
        """Why machines did not come, the last time."""
        self._waited: dict[Size, float] = {}
        """By shape: seconds of waiting for machines that nobody was told of yet."""
        self._read: list[tuple[int, ...]] = [()] * len(plan.tasks)
        self._fans_behind: dict[int, list[tuple[int, int]]] = {}
        for task, stage in zip(plan.tasks, self._stage_of, strict=True):
            for number, (maker, output, _) in enumerate(task.inputs):
                if maker != GIVEN:
                    if output not in self._read[maker]:
                        self._read[maker] += (output,)
                    if number == task.fan:
                        self._fans_behind.setdefault(maker, []).append((output, task.index))
            if task.fan is None:
                stage.total += 1
            else:
                stage.unknown += 1
        for task in plan.tasks:
            if task.fan is not None and task.inputs[task.fan].task == GIVEN:
                self._learn(task.index, len(plan.given[task.inputs[task.fan].output].body))

    def of(self, task: int) -> StageTally:
        """The numbers that a task is counted in."""
        return self._stage_of[task]

    @property
    def done(self) -> int:
        """Tasks that are done."""
        return sum(stage.done for stage in self.stages)

    @property
    def total(self) -> int:
        """Tasks known of."""
        return sum(stage.total for stage in self.stages)

    @property
    def retries(self) -> int:
        """Attempts after the first of a task."""
        return sum(stage.retries for stage in self.stages)

    def see(self, events: Sequence[Event], commands: Sequence[Command]) -> None:
        """Count what has happened and what was decided on it."""
        for event in events:
            if isinstance(event, Ended):
                self._ended(event)
            elif isinstance(event, Began):
                self._leave(event.worker)
                stage = self._at[event.worker] = self._stage_of[event.task.task]
                stage.running += 1
            elif isinstance(event, Gone):
                self._gone(event)
            elif isinstance(event, LaunchFailed):
                self._refused = event.detail.partition("\n")[0]
        for command in commands:
            if isinstance(command, Assign):
                for task, attempt in command.tasks:
                    if attempt > 1 and task in self._failed:
                        self._tried_again(task, attempt)
            elif isinstance(command, Delay) and command.shape is not None:
                self._waits(command.shape, command.seconds)

    def end(self) -> None:
        """Nothing is running any more, whether its end was seen or not."""
        self._at.clear()
        for stage in self.stages:
            stage.running = 0

    def _ended(self, event: Ended) -> None:
        worker, (task, item), attempt, artifacts, failure, seconds, peak_mib, _ = event
        stage = self._stage_of[task]
        self.workers.add(worker)
        if worker in self._at:
            self._leave(worker)
        stage.seconds += seconds
        if peak_mib > stage.peak_mib:
            stage.peak_mib = peak_mib
        if failure is not None:
            stage.failed += 1
            self._failed.add(event.task)
            message = failure.message.partition("\n")[0]
            self.notices.append(f"{self._named(event.task)} failed in attempt {attempt}: {message}")
            return
        stage.done += 1
        for output in self._read[task]:
            if output < len(artifacts):
                self.passed += artifacts[output].nbytes
        if task in self._fans_behind and item == WHOLE:
            for output, fan in self._fans_behind.pop(task):
                self._learn(fan, len(artifacts[output].body))

    def _gone(self, event: Gone) -> None:
        self._leave(event.worker)
        if event.task is not None and event.cause != "stopped":
            self._failed.add(event.task)
            self._stage_of[event.task.task].failed += 1
            self.notices.append(f"{self._named(event.task)} lost its worker: {event.detail}")

    def _tried_again(self, task: TaskId, attempt: int) -> None:
        if (task, attempt) not in self._retried:
            self._retried.add((task, attempt))
            self._stage_of[task.task].retries += 1
            self.notices.append(f"{self._named(task)} is tried again, attempt {attempt}")

    def _waits(self, shape: Size, seconds: float) -> None:
        """Machines did not come and are asked for again later: told the first time, and then once a minute."""
        waited = self._waited.get(shape)
        self._waited[shape] = (waited or 0.0) + seconds
        if waited is None or waited >= _NOTICE_S:
            self._waited[shape] = seconds
            self.notices.append(f"Waiting for a machine of {shape}: {self._refused}")

    def _leave(self, worker: str) -> None:
        stage = self._at.pop(worker, None)
        if stage is not None:
            stage.running -= 1

    def _learn(self, fan: int, items: int) -> None:
        """The number of items of a fan is known now, and so are those of the fans that read its list."""
        todo = [fan]
        while todo:
            fan = todo.pop()
            stage = self._stage_of[fan]
            stage.total += items
            stage.unknown -= 1
            todo += [behind for _, behind in self._fans_behind.pop(fan, ())]

    def _named(self, task: TaskId) -> str:
        stage = self._plan.tasks[task.task].stage
        return stage if task.item == WHOLE else f"{stage}[{task.item}]"
