"""The state machine of a run: events in, commands out, and nothing else.

There is no clock in here, no thread, no network and no environment: what happens arrives as events, what is to be
done leaves as commands. The same events always give the same commands, so a run can be journaled, gone on with after
a crash, and tried against thousands of invented misfortunes.

Every task is in one phase, and ``LEGAL`` (see ``phases``) says which may follow which; any other move is an
InternalError. ``ready`` and ``dispatch`` decide who performs what, ``launches`` how many workers that takes,
``retry`` what a failed attempt leads to; what was made lies in ``results`` and ``fans``. Here these are put together.

Three rules keep it sound:

1. An attempt has a number that no other attempt of its task has. Only the worker that has it, and only that number,
   can end it: a record that comes twice or too late changes nothing.
2. A worker's queue holds what was given to it and has not ended. When it is gone, the attempt that it was at has
   failed, and those behind it are ready again as if nothing had been.
3. Everything is bounded: attempts by ``retry``, failed launches by ``launches``, the rest by the plan. So the run
   ends if every command is answered.

The first failure ends a run unless it was told to keep going: nothing new begins, and what is being performed has a
little time to end, so that of several failures the first in the plan is known. Nothing is dropped from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from cloudburst.errors import InternalError
from cloudburst.runtime.dispatch import Dispatch, Limits
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
from cloudburst.runtime.fans import Fan
from cloudburst.runtime.launches import Launches
from cloudburst.runtime.phases import LEGAL, Phase, Phases
from cloudburst.runtime.results import Results, output_count, stored
from cloudburst.runtime.retry import Attempts, Failed, Log
from cloudburst.runtime.task import WHOLE, Artifact, Input, Plan, TaskId

__all__ = ["LEGAL", "Failed", "Limits", "Phase", "State"]


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
    partial: dict[TaskId, tuple[Artifact, ...]] = field(default_factory=dict, init=False)
    """By failed task: the outputs that its last attempt stored before it failed."""
    done_count: int = field(default=0, init=False)
    """Tasks that are done, each item of a fan for itself."""
    total_count: int = field(default=0, init=False)
    """Tasks that there are; a fan counts as one until the number of its items is known."""
    _phases: Phases = field(init=False)
    _fans: dict[int, Fan] = field(default_factory=dict, init=False)
    _undecided: int = field(init=False)
    """Tasks of which it is not known what becomes of them."""
    _results: Results = field(init=False)
    _dispatch: Dispatch = field(init=False)
    _launches: Launches = field(default_factory=Launches, init=False)
    _attempts: Attempts = field(init=False)
    _failed: list[Failed] = field(default_factory=list, init=False)
    _is_ending: bool = field(default=False, init=False)
    """A task has failed the run, and those being performed are waited for."""
    _is_grace_over: bool = field(default=False, init=False)
    _is_cancelled: bool = field(default=False, init=False)
    _unread: list[Artifact] = field(default_factory=list, init=False)
    _commands: list[Command] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.total_count = self._undecided = len(self.plan.tasks)
        self._phases = Phases(bytearray([Phase.WAITING]) * len(self.plan.tasks))
        self._results = Results.of(self.plan)
        self._attempts = Attempts(self.limits)
        self._dispatch = Dispatch.of(self.plan, self.limits)

    # ------------------------------------------------------------ in and out

    def start(self, *events: Event) -> list[Command]:
        """Begin. The workers that are up already are to be told here, or others would be asked for in their place."""
        self._open([task for task, missing in enumerate(self._results.missing) if not missing])
        return self.on(*events)

    def on(self, *events: Event) -> list[Command]:
        """Take in what has happened, in order, and decide once what is to be done.

        Raises
        ------
        InternalError
            If something happened that cannot: a bug of ours, after which the run cannot go on.
        """
        if self.status != "running":
            return []
        for event in events:
            _HANDLERS[type(event)](self, event)
        self._decide()
        commands, self._commands = self._commands, []
        if self._unread:
            commands.insert(0, Drop(tuple(self._unread)))
            self._unread = []
        return commands

    def inputs(self, task: TaskId) -> tuple[Artifact, ...]:
        """What an assigned task reads: for an item of a fan its part stands for the list."""
        described = self.plan.tasks[task.task]
        results = self._results
        if described.fan is None:
            return tuple([results[read] for read in described.inputs])
        part = self._fans[task.task].parts[task.item]
        return tuple([part if slot == described.fan else results[read] for slot, read in enumerate(described.inputs)])

    def artifact(self, value: Input) -> Artifact | None:
        """Where a value is, ``None`` if it is not made yet or needed no more."""
        return self._results.made.get(value)

    def phase(self, task: TaskId) -> Phase:
        """Where a task stands."""
        return self._phases[task]

    def attempts(self, task: TaskId) -> int:
        """How many attempts a task has had, with the one it is at; those that never began do not count."""
        return self._attempts.count(task) + (self._phases[task] in {Phase.ASSIGNED, Phase.DONE})

    @property
    def failures(self) -> list[Failed]:
        """Tasks that gave no result in the end, in plan order."""
        return sorted(self._failed, key=lambda failed: failed.task)

    @property
    def skipped(self) -> list[TaskId]:
        """Tasks that were not performed because something before them failed, in plan order."""
        return [TaskId(task) for task, phase in enumerate(self._phases.tasks) if phase == Phase.SKIPPED]

    # ------------------------------------------------------------ deciding

    def _decide(self) -> None:
        dispatch = self._dispatch
        if not self._undecided:
            self._finish("failed" if self._failed else "done")
        elif self._is_cancelled:
            self._finish("cancelled")
        elif self._is_ending:
            if self._is_grace_over or dispatch.is_idle:
                self._finish("failed")
        else:
            self._commands += dispatch.assign(self._issue)
            self._commands += self._launches.ask(dispatch)
            if not dispatch.workers and self._launches.is_hopeless and dispatch.ready.count:
                self._give_up(dispatch.ready.in_order()[0].heap[0], Failure("launch", self._launches.detail), None)
                self._finish("failed")

    def _finish(self, status: Literal["done", "failed", "cancelled"]) -> None:
        self.status = status
        if status != "done":
            self._phases.end_early()
        if not self._dispatch.is_idle:
            self._commands.append(Stop(tuple([one.name for one in self._dispatch.workers.values() if one.queue])))
        self._commands.append(Finish(status))

    def _issue(self, task: TaskId) -> int:
        self._phases.move(task, Phase.ASSIGNED)
        return self._attempts.issue(task)

    # ------------------------------------------------------------ workers

    def _hello(self, event: Hello) -> None:
        if event.worker not in self._dispatch.workers and event.worker not in self._launches.departed:
            self._launches.came()
            self._dispatch.hello(event.worker)

    def _gone(self, event: Gone) -> None:
        name, cause, detail, at, log = event
        if name in self._launches.departed:
            return
        self._launches.departed.add(name)
        worker = self._dispatch.workers.get(name)
        queue = {} if worker is None else worker.queue
        if worker is not None:
            self._dispatch.gone(worker)
        if cause != "stopped":
            self._launches.lost(worker, detail, is_its_own=at not in queue)
        for task, (attempt, _) in queue.items():
            if cause != "stopped" and task == at:
                self._fail(task, attempt, Failure(cause, detail), log)
            else:
                self._attempts.undone(task, attempt, self.plan.tasks[task.task].size)
                self._make_ready(task)

    # ------------------------------------------------------------ attempts

    def _ended(self, event: Ended) -> None:
        worker = self._dispatch.workers.get(event.worker)
        if worker is None or worker.queue.get(event.task, (None,))[0] != event.attempt:
            return
        if not worker.is_proven:
            self._launches.failed = 0
        self._dispatch.ended(worker, event.task, event.seconds)
        if event.failure is None:
            self._succeed(event.task, event.artifacts)
            return
        if event.artifacts:
            self._drop(self.partial.get(event.task, ()))
            self.partial[event.task] = event.artifacts
        self._fail(event.task, event.attempt, event.failure, event.log)

    def _succeed(self, task: TaskId, artifacts: tuple[Artifact, ...]) -> None:
        number, item = task
        outputs = self.plan.tasks[number].outputs
        if len(artifacts) != output_count(outputs):
            raise InternalError(f"{task} succeeded with {len(artifacts)} results, not with one for each of {outputs}.")
        self.done_count += 1
        if task in self.partial:
            self._drop(self.partial.pop(task))
        if item == WHOLE:
            self._open(self._done(task, artifacts))
            return
        self._phases.move(task, Phase.DONE)
        self._fans[number].put(item, artifacts)
        self._item_decided(number)

    def _fail(self, task: TaskId, attempt: int, failure: Failure, log: Log) -> None:
        verdict = self._attempts.failed(task, attempt, self.plan.tasks[task.task], failure.cause)
        if not verdict.again:
            self._give_up(task, failure, log)
        elif self._is_ending:
            self._phases.move(task, Phase.CANCELLED)
        elif verdict.delay_s:
            self._phases.move(task, Phase.DELAYED)
            self._commands.append(Delay(task, verdict.delay_s))
        else:
            self._make_ready(task)

    def _due(self, event: Due) -> None:
        if event.task is None:
            self._is_grace_over = True
        elif self._phases[event.task] == Phase.DELAYED:
            self._make_ready(event.task)

    def _cancel(self, _: Cancelled) -> None:
        self._is_cancelled = True

    # ------------------------------------------------------------ tasks

    def _make_ready(self, task: TaskId) -> None:
        self._phases.move(task, Phase.READY)
        self._dispatch.ready.offer(task, self._attempts.size(task, self.plan.tasks[task.task].size))

    def _open(self, complete: list[int]) -> None:
        """All that these tasks read is made."""
        for number in complete:
            id_, task = TaskId(number), self.plan.tasks[number]
            if task.fan is None:
                self._phases.move(id_, Phase.READY)
                self._dispatch.ready.offer(id_, task.size)
                continue
            fan = self._fans[number] = Fan.of(task, self._results[task.inputs[task.fan]])
            count = len(fan.parts)
            self.total_count += count - 1
            self._phases.move(id_, Phase.FANNED)
            self._phases.items[number] = bytearray([Phase.READY]) * count
            if count:
                self._dispatch.ready.offer_items(number, count, task.size)
            else:
                complete += self._done(id_, fan.lists())  # which lengthens the walk

    def _done(self, task: TaskId, artifacts: tuple[Artifact, ...]) -> list[int]:
        """A task is done as a whole. Gives the tasks that waited for nothing else."""
        self._phases.move(task, Phase.DONE)
        self._undecided -= 1
        if not self._failed and (unread := self._results.release(self.plan.tasks[task.task].inputs)):
            self._drop(unread)
        return self._results.put(task.task, artifacts)

    def _item_decided(self, number: int) -> None:
        fan = self._fans[number]
        fan.undecided -= 1
        if fan.undecided:
            return
        if self._phases.tasks[number] == Phase.FANNED:
            self._open(self._done(TaskId(number), fan.lists()))
        else:
            self._undecided -= 1

    def _drop(self, artifacts: Iterable[Artifact]) -> None:
        if not self._failed:
            self._unread.extend(stored(artifacts))

    def _give_up(self, task: TaskId, failure: Failure, log: Log) -> None:
        """A task has failed for good."""
        number, item = task
        self._phases.move(task, Phase.FAILED)
        self._failed.append(Failed(task, self._attempts.count(task), failure, log))
        self._undecided -= self._phases.skip_consumers(number, self._results.consumers)
        if item == WHOLE:
            self._undecided -= 1
        else:
            if self._phases.tasks[number] == Phase.FANNED:
                self._phases.move(TaskId(number), Phase.FAILED)
            self._item_decided(number)
        if not self.limits.keep_going and not self._is_ending:
            self._is_ending = True
            if not self._dispatch.is_idle:
                self._commands.append(Delay(None, self.limits.grace_s))


_HANDLERS: dict[type[Event], Callable[[State, Any], None]] = {
    Hello: State._hello,
    Began: lambda state, event: None,
    Ended: State._ended,
    Gone: State._gone,
    LaunchFailed: lambda state, event: state._launches.refused(*event),
    Due: State._due,
    Cancelled: State._cancel,
}
