"""The loop that acts: what the state machine commands is done here, and what happens is told to it.

The driver has the clock, the backend and the store; it decides nothing. Each batch of events is written to the journal
before it is acted on, so that another driver can go on from there. It always comes back: with an outcome, or with an
``InternalError`` once nothing of the run is running any more.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from time import monotonic
from typing import Literal, NamedTuple, TextIO, assert_never

from cloudburst.errors import InternalError, StoreError
from cloudburst.runtime import layout
from cloudburst.runtime.events import (
    Assign,
    Cancelled,
    Command,
    Delay,
    Drop,
    Due,
    Ended,
    Event,
    Finish,
    Gone,
    Hello,
    Launch,
    LaunchFailed,
    Stop,
)
from cloudburst.runtime.journal import to_line
from cloudburst.runtime.protocols import Assignment, Backend, Store
from cloudburst.runtime.state import Failed, Limits, State
from cloudburst.runtime.steps import kept_outputs
from cloudburst.runtime.task import WHOLE, Artifact, Input, Plan, TaskId

Observer = Callable[[Sequence[Event], Sequence[Command]], None]
"""Is shown each batch of events and what was decided on it."""

Log = tuple[str, int, int]
"""Where an attempt's output lies: name, first byte, end."""

_LONGEST_POLL_S = 150.0
_STOP_S = 10.0


class Outcome(NamedTuple):
    """What became of a run."""

    status: Literal["done", "failed", "cancelled"]
    reason: str
    """Why it was cancelled, if it was."""
    targets: tuple[Artifact | None, ...]
    """The plan's targets, ``None`` for those that there are not."""
    failures: tuple[Failed, ...]
    """In plan order."""
    skipped: tuple[TaskId, ...]
    """Tasks that did not run because something before them failed."""
    finished: tuple[tuple[bytes, Artifact], ...]
    """Of a run that is not done: what there is in the store all the same, with its identity across runs."""
    logs: tuple[tuple[TaskId, int, Log], ...]
    """Task, attempt and place of all that was printed, in the order of their ends."""
    tasks_done: int
    attempts: int
    """Attempts that ended, one way or another."""
    nbytes: int
    """Bytes of all results."""
    seconds: float
    workers_started: int
    warnings: tuple[str, ...]
    """What went wrong beside the run: an observer that raised, results that could not be deleted."""


class Driver:
    """Runs a plan, once.

    Parameters
    ----------
    plan : Plan
        What to run.
    store : Store
        Where results lie.
    limits : Limits
        How much at a time, and how often again.
    prefix : str
        What the keys of this run begin with: no other run has it.

    Examples
    --------
    ``outcome = Driver(plan, store, limits, prefix=layout.run_prefix("report", "x1")).drive(backend)``
    """

    def __init__(self, plan: Plan, store: Store, limits: Limits, *, prefix: str) -> None:
        self._plan = plan
        self._store = store
        self._prefix = prefix
        self._state = State(plan, limits)
        self._backend: Backend | None = None
        self._journal: TextIO | None = None
        self._observers: list[Observer] = []
        self._wish_to_cancel: str | None = None
        self._timers: list[tuple[float, int, TaskId | None]] = []
        self._numbers = count()
        self._queued: Counter[str] = Counter()
        self._launching = 0
        self._logs: list[tuple[TaskId, int, Log]] = []
        self._attempts = self._nbytes = self._started = 0
        self._warnings: list[str] = []
        self._status: Literal["done", "failed", "cancelled"] | None = None

    def cancel(self, reason: str = "cancelled") -> None:
        """Have the run end now, as cancelled. Any thread may call it, before and after too, and more than once."""
        self._wish_to_cancel = reason
        if (backend := self._backend) is not None:
            backend.wake()

    def drive(self, backend: Backend, observe: Iterable[Observer] = (), journal: TextIO | None = None) -> Outcome:
        """Run the plan.

        Parameters
        ----------
        backend : Backend
            Where; its workers that are still up afterwards are idle.
        observe : iterable of callables, optional
            Shown each batch of events and commands. One that raises is not called again.
        journal : text file, optional
            Gets each batch of events as a line before it is acted on, for :func:`.journal.replay`.

        Returns
        -------
        Outcome

        Raises
        ------
        InternalError
            If we have a bug. Nothing of the run is running then.
        """
        began = monotonic()
        self._backend, self._journal, self._observers = backend, journal, list(observe)
        try:
            self._loop(backend)
        except InternalError:
            raise
        except Exception as error:
            raise InternalError(f"The run broke off: {type(error).__name__}: {error}. Please report it.") from error
        finally:
            self._stop_ours(backend)
        return self._outcome(monotonic() - began)

    def _loop(self, backend: Backend) -> None:
        backend.equip(self._plan.functions)
        self._take(backend, [Hello(worker) for worker in backend.workers()], self._state.start)
        is_cancelled = False
        while self._status is None:
            is_to_cancel = self._wish_to_cancel is not None and not is_cancelled
            events = backend.poll(0.0 if is_to_cancel else self._wait_s())
            events += self._due()
            if self._wish_to_cancel is not None and not is_cancelled:
                is_cancelled = True
                events.append(Cancelled(self._wish_to_cancel))
            if events:
                self._take(backend, events, self._state.on)
            else:
                self._check_that_something_will_happen()

    def _take(self, backend: Backend, events: Sequence[Event], decide: Callable[..., list[Command]]) -> None:
        if self._journal is not None:
            self._journal.write(to_line(events))
            self._journal.flush()
        for event in events:
            self._note(event)
        self._act(backend, events, decide(*events))

    def _note(self, event: Event) -> None:
        if isinstance(event, Ended):
            self._queued[event.worker] -= 1
            self._attempts += 1
            self._nbytes += sum([artifact.nbytes for artifact in event.artifacts])
            self._note_log(event.task, event.attempt, event.log)
        elif isinstance(event, Gone):
            del self._queued[event.worker]
            if event.task is not None:
                self._attempts += 1
                self._note_log(event.task, self._state.attempts(event.task), event.log)
        elif isinstance(event, Hello):
            self._launching = max(0, self._launching - 1)
        elif isinstance(event, LaunchFailed):
            self._launching = max(0, self._launching - event.count)

    def _note_log(self, task: TaskId, attempt: int, log: Log | None) -> None:
        if log is not None and log[1] < log[2]:
            self._logs.append((task, attempt, log))

    # ------------------------------------------------------------ acting

    def _act(self, backend: Backend, events: Sequence[Event], commands: Sequence[Command]) -> None:
        dropped: list[Artifact] = []
        for command in commands:
            match command:
                case Assign():
                    self._assign(backend, command)
                case Launch(shape, number, token):
                    self._started += number
                    self._launching += number
                    backend.launch(shape, number, token)
                case Stop(workers):
                    backend.stop(workers)
                case Delay(task, seconds):
                    heapq.heappush(self._timers, (monotonic() + seconds, next(self._numbers), task))
                case Drop(artifacts):
                    dropped += artifacts
                case Finish(status):
                    self._status = status
                case _:
                    assert_never(command)
        self._observe(events, commands)
        self._delete(dropped)  # last, while the workers are at work

    def _assign(self, backend: Backend, command: Assign) -> None:
        assignments = []
        for task_id, attempt in command.tasks:
            task = self._plan.tasks[task_id.task]
            assignments.append(
                Assignment(
                    task_id,
                    attempt,
                    task.steps,
                    self._state.inputs(task_id),
                    task.outputs,
                    layout.attempt_prefix(self._prefix, task.name, task_id, attempt),
                    task.timeout_s,
                    task.stage_step,
                )
            )
        self._queued[command.worker] += len(assignments)
        backend.assign(command.worker, assignments)

    def _delete(self, dropped: list[Artifact]) -> None:
        keys = []
        for artifact in dropped:  # grows while it is walked
            if isinstance(artifact.body, str):
                keys.append(artifact.body)
            elif isinstance(artifact.body, tuple):
                dropped.extend(artifact.body)
        if keys:
            try:
                self._store.delete(keys)
            except StoreError as error:
                self._warnings.append(f"Results that are needed no more could not be deleted: {error}")

    def _observe(self, events: Sequence[Event], commands: Sequence[Command]) -> None:
        for observer in tuple(self._observers):
            try:
                observer(events, commands)
            except Exception as error:  # noqa: BLE001 - what looks on must not break the run
                self._observers.remove(observer)
                self._warnings.append(f"An observer of the run failed: {type(error).__name__}: {error}")

    # ------------------------------------------------------------ time

    def _wait_s(self) -> float:
        return max(0.0, self._timers[0][0] - monotonic()) if self._timers else _LONGEST_POLL_S

    def _due(self) -> list[Event]:
        due: list[Event] = []
        while self._timers and self._timers[0][0] <= monotonic():
            due.append(Due(heapq.heappop(self._timers)[2]))
        return due

    def _check_that_something_will_happen(self) -> None:
        if not (self._launching or self._timers or any(self._queued.values())):
            raise InternalError("The run is not over, and there is nothing that it waits for. Please report it.")

    # ------------------------------------------------------------ the end

    def _stop_ours(self, backend: Backend) -> None:
        """Stop the workers that still have something of this run, and wait until they are gone."""
        ours = [worker for worker, queued in self._queued.items() if queued > 0]
        backend.stop(ours)
        left = set(ours)
        until = monotonic() + _STOP_S
        while left and monotonic() < until:
            left -= {event.worker for event in backend.poll(until - monotonic()) if isinstance(event, Gone)}

    def _outcome(self, seconds: float) -> Outcome:
        assert self._status is not None
        state = self._state
        return Outcome(
            status=self._status,
            reason=self._wish_to_cancel or "",
            targets=tuple([state.artifact(target) for target in self._plan.targets]),
            failures=tuple(state.failures),
            skipped=tuple(state.skipped),
            finished=() if self._status == "done" else tuple(self._finished()),
            logs=tuple(self._logs),
            tasks_done=state.done_count,
            attempts=self._attempts,
            nbytes=self._nbytes,
            seconds=seconds,
            workers_started=self._started,
            warnings=tuple(self._warnings),
        )

    def _finished(self) -> Iterator[tuple[bytes, Artifact]]:
        for task in self._plan.tasks:
            for number, output in enumerate(task.outputs):
                if output.digest is not None and not output.rescue:
                    artifact = self._state.artifact(Input(task.index, number))
                    if artifact is not None:
                        yield output.digest, artifact
        for (number, item), artifacts in self._state.partial.items():
            task = self._plan.tasks[number]
            if item != WHOLE:  # a part of a value that has an identity as a whole only
                continue
            for kept, artifact in zip(
                kept_outputs(task.outputs, len(task.inputs), task.stage_step), artifacts, strict=True
            ):
                if (digest := task.outputs[kept].digest) is not None:
                    yield digest, artifact
