"""The loop that acts: what the state machine commands is done here, and what happens is told to it.

The driver has the clock, the backend and the store; it decides nothing. Each batch of events is written to the journal
before it is acted on, so that another driver can go on from there. It always comes back: with an outcome, or with an
error once nothing of the run is running any more.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from time import monotonic
from typing import Literal, assert_never

from cloudburst.errors import CloudburstError, InternalError, StoreError
from cloudburst.runtime import layout
from cloudburst.runtime.books import Books
from cloudburst.runtime.events import (
    Assign,
    Cancelled,
    Command,
    Delay,
    Drop,
    Due,
    Event,
    Finish,
    Gone,
    Hello,
    Launch,
    LaunchFailed,
    Stop,
)
from cloudburst.runtime.journal import Journal, read, to_line
from cloudburst.runtime.outcome import Log, Outcome, finished
from cloudburst.runtime.protocols import Assignment, Backend, Store
from cloudburst.runtime.state import Failed, Limits, Standing, State
from cloudburst.runtime.task import Artifact, Plan, TaskId

__all__ = ["Driver", "Failed", "Log", "Observer", "Outcome"]

Observer = Callable[[Sequence[Event], Sequence[Command]], None]
"""Is shown each batch of events and what was decided on it."""

_LONGEST_POLL_S = 150.0
_STOP_S = 10.0


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
    ::

        driver = Driver(plan, store, limits, prefix=layout.run_prefix("report", "x1"))
        driver.take_up(lines)  # only where a driver that had the run before was killed
        outcome = driver.drive(backend)
    """

    def __init__(self, plan: Plan, store: Store, limits: Limits, *, prefix: str) -> None:
        self._plan = plan
        self._store = store
        self._prefix = prefix
        self._state = State(plan, limits)
        self._past: list[tuple[Sequence[Event], Sequence[Command]]] = []
        """Of a run that was taken up: what had happened, and what was commanded on it."""
        self._books = Books()
        self._backend: Backend | None = None
        self._journal: Journal | None = None
        self._observers: list[Observer] = []
        self._wish_to_cancel: str | None = None
        self._timers: list[tuple[float, int, Due]] = []
        self._numbers = count()
        self._warnings: list[str] = []
        self._status: Literal["done", "failed", "cancelled"] | None = None
        self.waiting_for = ""
        """The machines that are waited for because there is no quota or no capacity, and why; any thread may look."""

    def cancel(self, reason: str = "cancelled") -> None:
        """Have the run end now, as cancelled. Any thread may call it, before and after too, and more than once."""
        self._wish_to_cancel = reason
        if (backend := self._backend) is not None:
            backend.wake()

    @property
    def standing(self) -> Standing:
        """The workers of a run that was taken up, for the backend that goes on with them."""
        return self._state.standing

    def take_up(self, lines: Iterable[str]) -> None:
        """Go on with a run whose driver was killed; :meth:`drive` then begins where that one ended.

        It is not known which of its last commands it had carried out, so they are carried out again. The backend knows
        them: a launch by its token, an assignment by the numbers of its attempts; to stop and to drop is the same once
        and twice. What was delayed is delayed from now on, because the clock that it went by is gone.

        Parameters
        ----------
        lines : iterable of str
            What it had written to its journal, for the same plan and limits. With none the run begins.

        Raises
        ------
        CodecError
            If that is no journal.
        """
        take = self._state.start
        for events in read(lines):
            if self._past:
                self._books.carried_out(self._past[-1][1])
            for event in events:
                self._note(event)
            self._past.append((events, self._decided(take, events)))
            take = self._state.on

    def drive(self, backend: Backend, observe: Iterable[Observer] = (), journal: Journal | None = None) -> Outcome:
        """Run the plan.

        Parameters
        ----------
        backend : Backend
            Where; its workers that are still up afterwards are idle.
        observe : iterable of callables, optional
            Shown each batch of events and commands. One that raises is not called again.
        journal : Journal, optional
            Gets each batch of events as a line before it is acted on, for :meth:`take_up`.

        Returns
        -------
        Outcome

        Raises
        ------
        CloudburstError
            What the backend or the store raised. Nothing of the run is running then, as far as it could be stopped.
        InternalError
            If we have a bug.
        """
        began = monotonic()
        self._backend, self._journal, self._observers = backend, journal, list(observe)
        try:
            self._loop(backend)
            self._stop_ours(backend)
        except BaseException as error:
            self._stop_after(error, backend)
            if isinstance(error, CloudburstError) or not isinstance(error, Exception):
                raise
            raise InternalError(f"The run broke off: {type(error).__name__}: {error}. Please report it.") from error
        return self._outcome(monotonic() - began)

    def _loop(self, backend: Backend) -> None:
        backend.equip(self._plan.functions)
        if self._past:
            self._go_on(backend)
        else:
            self._take(backend, [Hello(name, backend.shape(name)) for name in backend.workers()], self._state.start)
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
            self._journal.append(to_line(events))
        for event in events:
            self._note(event)
        self._act(backend, events, self._decided(decide, events))

    def _go_on(self, backend: Backend) -> None:
        """Carry out the last commands of a run that was taken up, again or for the first time."""
        *before, last = self._past
        for events, commands in before:
            self._observe(events, commands)
        for delay in self._books.delays.values():
            self._arm(delay)
        if not any(isinstance(command, Finish) for command in last[1]):
            self._command_again(backend, [commands for _, commands in before], last[1])
        self._past = []
        self._act(backend, *last)

    def _command_again(self, backend: Backend, before: Sequence[Sequence[Command]], last: Sequence[Command]) -> None:
        """Launch and assign again what was commanded before the last batch and has not been heard of.

        A backend returns at once: it may have been killed before it had done all that.
        """
        if self._books.launching:
            failed = {event.token for events, _ in self._past for event in events if isinstance(event, LaunchFailed)}
            launches = [command for commands in before for command in commands if isinstance(command, Launch)]
            for launch in launches:
                if launch.token not in failed:
                    backend.launch(*launch)
        coming = {(one.worker, attempt) for one in last if isinstance(one, Assign) for attempt in one.tasks}
        for worker, queue in self.standing.queues.items():
            if again := [self._assignment(*attempt) for attempt in queue if (worker, attempt) not in coming]:
                backend.assign(worker, again)

    def _decided(self, decide: Callable[..., list[Command]], events: Sequence[Event]) -> list[Command]:
        commands = decide(*events)
        for worker, _, _ in self._state.withdrawn:
            self._books.withdrawn(worker)
        self.waiting_for = self._state.waiting_for
        return commands

    def _note(self, event: Event) -> None:
        self._books.happened(event, self._state.attempts)
        if isinstance(event, Cancelled):
            self._wish_to_cancel = event.reason

    # ------------------------------------------------------------ acting

    def _act(self, backend: Backend, events: Sequence[Event], commands: Sequence[Command]) -> None:
        dropped: list[Artifact] = []
        for command in commands:
            match command:
                case Assign():
                    self._assign(backend, command)
                case Launch(shape, number, token):
                    self._books.launched(command)
                    backend.launch(shape, number, token)
                case Stop(workers):
                    backend.stop(workers)
                case Delay():
                    self._arm(command)
                case Drop(artifacts):
                    dropped += artifacts
                case Finish(status):
                    self._status = status
                case _:
                    assert_never(command)
        self._observe(events, commands)
        self._delete(dropped)  # last, while the workers are at work

    def _assign(self, backend: Backend, command: Assign) -> None:
        self._books.assigned(command)
        backend.assign(command.worker, [self._assignment(*attempt) for attempt in command.tasks])

    def _assignment(self, task_id: TaskId, attempt: int) -> Assignment:
        task = self._plan.tasks[task_id.task]
        return Assignment(
            task_id,
            attempt,
            task.steps,
            self._state.inputs(task_id),
            task.outputs,
            layout.attempt_prefix(self._prefix, task.name, task_id, attempt),
            task.timeout_s,
            task.stage_step,
            task.environment,
            task.secrets,
            task.stage,
            task.columns,
            task.reads,
        )

    def _delete(self, dropped: list[Artifact]) -> None:
        if dropped:
            try:
                self._store.delete([artifact.body for artifact in dropped if isinstance(artifact.body, str)])
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

    def _arm(self, delay: Delay) -> None:
        due = Due(delay.task, delay.shape)
        heapq.heappush(self._timers, (monotonic() + delay.seconds, next(self._numbers), due))

    def _due(self) -> list[Event]:
        due: list[Event] = []
        while self._timers and self._timers[0][0] <= monotonic():
            due.append(heapq.heappop(self._timers)[2])
        return due

    def _check_that_something_will_happen(self) -> None:
        if not (self._timers or self._books.is_waiting):
            raise InternalError("The run is not over, and there is nothing that it waits for. Please report it.")

    # ------------------------------------------------------------ the end

    def _stop_ours(self, backend: Backend) -> None:
        """Stop the workers that still have something of this run, and wait until they are gone."""
        ours = self._books.busy
        backend.stop(ours)
        left = set(ours)
        until = monotonic() + _STOP_S
        while left and monotonic() < until:
            left -= {event.worker for event in backend.poll(until - monotonic()) if isinstance(event, Gone)}

    def _stop_after(self, error: BaseException, backend: Backend) -> None:
        try:
            self._stop_ours(backend)
        except Exception as another:  # noqa: BLE001 - the first error is the one to be told
            error.add_note(f"What was running could not be stopped: {type(another).__name__}: {another}")

    def _outcome(self, seconds: float) -> Outcome:
        assert self._status is not None
        state, books = self._state, self._books
        return Outcome(
            status=self._status,
            reason=self._wish_to_cancel or "",
            targets=tuple([state.artifact(target) for target in self._plan.targets]),
            failures=tuple(state.failures),
            skipped=tuple(state.skipped),
            finished=() if self._status == "done" else tuple(finished(state)),
            logs=tuple(books.logs),
            tasks_done=state.done_count,
            attempts=books.attempts,
            nbytes=books.nbytes,
            seconds=seconds,
            workers_started=books.started,
            warnings=tuple(self._warnings),
            enlarged=tuple(state.enlarged),
        )
