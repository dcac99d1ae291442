"""The state machine of a run: events in, commands out, and nothing else.

There is no clock in here, no thread, no network and no environment: what happens arrives as events, what is to be
done leaves as commands. The same events always give the same commands, so a run can be journaled, gone on with after
a crash, and tried against thousands of invented misfortunes.

Every task is in one phase, and ``LEGAL`` (see ``phases``) says which may follow which; any other move is an
InternalError. ``course`` knows how far the plan has come; ``dispatch`` decides who performs what, ``launches`` how many
workers that takes, ``retry`` what a failed attempt leads to. Here these are put together. Where each worker has a
machine of its own, ``shaped_dispatch`` and ``shaped_launches`` decide instead.

Three rules keep it sound:

1. An attempt has a number that no other attempt of its task has. Only the worker that has it, and only that number,
   can end it: a record that comes twice or too late changes nothing.
2. A worker's queue holds what was given to it and has not ended. When it is gone, the attempt that it was at has
   failed, and those behind it are ready again as if nothing had been. What was sent ahead waits again when the attempt
   that it awaits has failed or is gone (see ``ahead``).
3. Everything is bounded: attempts by ``retry``, failed launches by ``launches``, the rest by the plan. So the run
   ends if every command is answered.

The first failure ends a run unless it was told to keep going: nothing new begins, and what is being performed has a
little time to end, so that of several failures the first in the plan is known. Nothing is dropped from then on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from cloudburst.resources import Size
from cloudburst.runtime.ahead import awaiting
from cloudburst.runtime.course import Course
from cloudburst.runtime.dispatch import Dispatch, Standing, Worker
from cloudburst.runtime.events import (
    Began,
    Cancelled,
    Command,
    Delay,
    Drop,
    Due,
    Ended,
    Event,
    Failure,
    Finish,
    Gone,
    Hello,
    LaunchFailed,
    Stop,
)
from cloudburst.runtime.launches import Launches
from cloudburst.runtime.limits import Limits
from cloudburst.runtime.phases import LEGAL, Phase
from cloudburst.runtime.retry import Attempts, Failed, Log
from cloudburst.runtime.shaped_dispatch import ShapedDispatch
from cloudburst.runtime.shaped_launches import ShapedLaunches
from cloudburst.runtime.task import Artifact, Awaited, Input, Plan, TaskId

__all__ = ["LEGAL", "Failed", "Limits", "Phase", "Standing", "State"]


@dataclass(slots=True)
class State:
    """A run, from its plan to its end.

    Parameters
    ----------
    plan : Plan
        What is to be run.
    limits : Limits
        How much at a time, and how often again.

    Examples
    --------
    ::

        state = State(plan, limits)
        commands = state.start(*[Hello(worker) for worker in those_already_up])
        while state.status == "running":
            commands = state.on(*perform(commands))
    """

    plan: Plan
    limits: Limits
    status: Literal["running", "done", "failed", "cancelled"] = field(default="running", init=False)
    withdrawn: list[tuple[str, TaskId, int]] = field(default_factory=list, init=False)
    """Since the last events: attempts that were taken off a worker's queue, because what they awaited will not come."""
    _course: Course = field(init=False)
    _dispatch: Dispatch = field(init=False)
    _launches: Launches = field(init=False)
    _attempts: Attempts = field(init=False)
    _early: dict[str, list[Ended]] = field(default_factory=dict, init=False)
    """By worker: records of what was sent ahead that came before those of what it awaits."""
    _is_ending: bool = field(default=False, init=False)
    """A task has failed the run, and those being performed are waited for."""
    _is_grace_over: bool = field(default=False, init=False)
    _is_cancelled: bool = field(default=False, init=False)
    _commands: list[Command] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._attempts = Attempts(self.limits)
        self._course = Course.of(self.plan, self.limits.charge)
        if self.limits.shaped:
            self._dispatch = shaped = ShapedDispatch.of(self._course, self.limits)
            self._launches = ShapedLaunches(limits=self.limits, coming_shapes=shaped.coming)
        else:
            self._dispatch = Dispatch.of(self._course, self.limits)
            self._launches = Launches()

    # ------------------------------------------------------------ in and out

    def start(self, *events: Event) -> list[Command]:
        """Begin. The workers that are up already are to be told here, or others would be asked for in their place."""
        self._course.begin()
        return self.on(*events)

    def on(self, *events: Event) -> list[Command]:
        """Take in what has happened, in order, and decide once what is to be done.

        Raises
        ------
        InternalError
            If something happened that cannot: a bug of ours, after which the run cannot go on.
        """
        if self.withdrawn:
            self.withdrawn = []
        if self.status != "running":
            return []
        for event in events:
            _HANDLERS[type(event)](self, event)
        self._decide()
        commands, self._commands = self._commands, []
        if unread := self._course.unread:
            commands.insert(0, Drop(tuple(unread)))
            self._dispatch.forget(unread)
            self._course.unread = []
        return commands

    def inputs(self, task: TaskId) -> tuple[Artifact | Awaited, ...]:
        """What an assigned task reads: for an item of a fan its part stands for the list.

        What was sent ahead awaits what an attempt before it, in the same ``Assign``, is to make.
        """
        return self._course.inputs(task, self._attempts.current)

    def artifact(self, value: Input) -> Artifact | None:
        """Where a value is, ``None`` if it is not made yet or needed no more."""
        return self._course.results.made.get(value)

    def phase(self, task: TaskId) -> Phase:
        """Where a task stands."""
        return self._course.phases[task]

    def attempts(self, task: TaskId) -> int:
        """How many attempts a task has had, with the one it is at; those that never began do not count."""
        return self._attempts.count(task) + (self._course.phases[task] in {Phase.ASSIGNED, Phase.DONE})

    @property
    def done_count(self) -> int:
        """Tasks that are done, each item of a fan for itself."""
        return self._course.done_count

    @property
    def total_count(self) -> int:
        """Tasks that there are; a fan counts as one until the number of its items is known."""
        return self._course.total_count

    @property
    def partial(self) -> dict[TaskId, tuple[Artifact, ...]]:
        """By failed task: the outputs that its last attempt stored before it failed."""
        return self._course.partial

    @property
    def waiting_for(self) -> str:
        """The machines that the run waits for because there is no quota or no capacity, and why; or empty."""
        return self._launches.waiting_for

    @property
    def standing(self) -> Standing:
        """The workers, and what was asked for."""
        return self._dispatch.standing(self._launches.asked)

    @property
    def failures(self) -> list[Failed]:
        """Tasks that gave no result in the end, in plan order."""
        return sorted(self._course.failed, key=lambda failed: failed.task)

    @property
    def enlarged(self) -> list[tuple[TaskId, Size]]:
        """Tasks that ran out of memory, and the size at which they were done, in plan order."""
        return [(task, size) for task, size in self._attempts.enlarged() if self._course.phases[task] == Phase.DONE]

    @property
    def skipped(self) -> list[TaskId]:
        """Tasks that were not performed because something before them failed, in plan order."""
        return [TaskId(task) for task, phase in enumerate(self._course.phases.tasks) if phase == Phase.SKIPPED]

    # ------------------------------------------------------------ deciding

    def _decide(self) -> None:
        dispatch, course = self._dispatch, self._course
        if dispatch.retired:
            self._commands.append(Stop(tuple(dispatch.retired)))
            dispatch.retired = []
        if not course.undecided:
            self._finish("failed" if course.failed else "done")
        elif self._is_cancelled:
            self._finish("cancelled")
        elif self._is_ending:
            if self._is_grace_over or dispatch.is_idle:
                self._finish("failed")
        elif stuck := self._launches.stuck(dispatch):
            task, detail = stuck
            self._give_up(task, Failure("launch", detail), None)
            if dispatch.is_idle:
                self._finish("failed")
            else:
                self._end_early()
        else:
            self._commands += dispatch.assign(self._issue)
            self._commands += self._launches.ask(dispatch)

    def _finish(self, status: Literal["done", "failed", "cancelled"]) -> None:
        self.status = status
        if status != "done":
            self._course.phases.end_early()
        if not self._dispatch.is_idle:
            self._commands.append(Stop(tuple([one.name for one in self._dispatch.workers.values() if one.queue])))
        self._commands.append(Finish(status))

    def _issue(self, task: TaskId) -> int:
        self._course.phases.move(task, Phase.ASSIGNED)
        return self._attempts.issue(task)

    # ------------------------------------------------------------ workers

    def _hello(self, event: Hello) -> None:
        if event.worker not in self._dispatch.workers and event.worker not in self._launches.departed:
            self._launches.came(event.shape)
            self._dispatch.hello(event.worker, event.shape)

    def _gone(self, event: Gone) -> None:
        name, cause, detail, at, log = event
        if name in self._launches.departed:
            if name in self._dispatch.retired:
                self._dispatch.retired.remove(name)
            self._launches.ended(name)
            return
        self._launches.departed.add(name)
        self._early.pop(name, None)
        worker = self._dispatch.workers.get(name)
        queue = {} if worker is None else worker.queue
        if worker is not None:
            self._dispatch.gone(worker)
        self._launches.lost(worker, event, is_its_own=at not in queue)
        for task, (attempt, _) in queue.items():
            if task != at or cause == "stopped":
                self._undo(task, attempt)
        if cause != "stopped" and at is not None and at in queue:  # last: what awaits it may have to be skipped
            self._fail(at, queue[at][0], Failure(cause, detail), log)

    # ------------------------------------------------------------ attempts

    def _ended(self, event: Ended) -> None:
        worker = self._dispatch.workers.get(event.worker)
        if worker is None or worker.queue.get(event.task, (None,))[0] != event.attempt:
            return
        if self._course.results.missing[event.task.task]:  # the record of what it awaits is yet to be heard
            self._early.setdefault(event.worker, []).append(event)
            return
        if not worker.is_proven:
            self._launches.proved(worker.shape)
        if event.failure is not None and self.limits.shaped:
            self._withdraw(worker, event.task)
        self._dispatch.ended(worker, event.task, event.seconds)
        if self._dispatch.retired:
            self._launches.sent_off([worker.name])
        if event.failure is None:
            self._dispatch.made(worker, event.artifacts)
            self._course.succeed(event.task, event.artifacts)
            for early in self._early.pop(event.worker, ()):
                self._ended(early)
            return
        if event.artifacts:
            self._course.keep_partial(event.task, event.artifacts)
        self._fail(event.task, event.attempt, event.failure, event.log)

    def _withdraw(self, worker: Worker, failed: TaskId) -> None:
        """What awaits a failed attempt is off the worker's queue, and the worker knows it."""
        for task in awaiting(self.plan, worker.queue, failed):
            attempt = self._dispatch.withdraw(worker, task)
            self.withdrawn.append((worker.name, task, attempt))
            self._undo(task, attempt)

    def _undo(self, task: TaskId, attempt: int) -> None:
        """An attempt never began."""
        self._attempts.undone(task, attempt, self.plan.tasks[task.task].size)
        self._course.put_back(task, self._size(task))

    def _fail(self, task: TaskId, attempt: int, failure: Failure, log: Log) -> None:
        verdict = self._attempts.failed(task, attempt, self.plan.tasks[task.task], failure.cause)
        if not verdict.again:
            self._give_up(task, failure, log)
        elif self._is_ending:
            self._course.phases.move(task, Phase.CANCELLED)
        elif verdict.delay_s:
            self._course.phases.move(task, Phase.DELAYED)
            self._commands.append(Delay(task, verdict.delay_s))
        else:
            self._course.make_ready(task, self._size(task))

    def _give_up(self, task: TaskId, failure: Failure, log: Log) -> None:
        self._course.give_up(Failed(task, self._attempts.count(task), failure, log, self._size(task)))
        if not self.limits.keep_going:
            self._end_early()

    def _end_early(self) -> None:
        if not self._is_ending:
            self._is_ending = True
            if not self._dispatch.is_idle:
                self._commands.append(Delay(None, self.limits.grace_s))

    def _size(self, task: TaskId) -> Size:
        """The size that a task is tried at next."""
        return self._attempts.size(task, self.plan.tasks[task.task].size)

    # ------------------------------------------------------------ delays and wishes

    def _due(self, event: Due) -> None:
        if event.shape is not None:
            self._launches.due(event.shape)
        elif event.task is None:
            self._is_grace_over = True
        elif self._course.phases[event.task] == Phase.DELAYED:
            self._course.make_ready(event.task, self._size(event.task))

    def _cancel(self, _: Cancelled) -> None:
        self._is_cancelled = True


_HANDLERS: dict[type[Event], Callable[[State, Any], None]] = {
    Hello: State._hello,
    Began: lambda state, event: None,
    Ended: State._ended,
    Gone: State._gone,
    LaunchFailed: lambda state, event: state._launches.refused(event),
    Due: State._due,
    Cancelled: State._cancel,
}
