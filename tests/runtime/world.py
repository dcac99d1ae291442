"""What is outside of the state machine: workers that only pretend, and books that tell when the machine breaks a rule.

A ``World`` carries out commands and offers what can happen; whoever drives it (chance, a script, hypothesis) decides
what does. Each thing that can happen gives the event to be told, so that several can be told at once.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cloudburst.resources import Size
from cloudburst.runtime.events import (
    Assign,
    Began,
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
    Launch,
    LaunchFailed,
    Stop,
)
from cloudburst.runtime.journal import from_line, replay, to_line
from cloudburst.runtime.results import stored
from cloudburst.runtime.state import LEGAL, Limits, Phase, State
from cloudburst.runtime.task import GIVEN, WHOLE, Artifact, Input, Plan, TaskId

FAILURES = {
    "raised": Failure("raised", "ValueError: no", step=0),
    "refused": Failure("refused", "CodecError: no", step=1),
    "out of memory": Failure("memory", "MemoryError", step=0),
    "raised after its step": Failure("raised", "ValueError: no", step=1),
}
"""How an attempt can fail with a record."""

LOSSES = ("lost", "memory", "timeout")
"""How one can end without a record."""

Attempt = tuple[TaskId, int]
Phases = dict[TaskId, Phase]


@dataclass
class World:
    """Carries out what the machine commands.

    Parameters
    ----------
    plan, limits : Plan, Limits
        What is run.
    part_counts : sequence of int
        How many parts the lists have that tasks make, in turn.
    """

    plan: Plan
    limits: Limits
    part_counts: Sequence[int] = (2,)
    workers: dict[str, deque[Attempt]] = field(default_factory=dict)
    """Those that are up, with what each has to perform."""
    coming: dict[int, str] = field(default_factory=dict)
    """Workers that were asked for, by a number of ours: the token."""
    delays: dict[int, Delay] = field(default_factory=dict)
    """By a number of ours."""
    stragglers: list[tuple[str, Attempt]] = field(default_factory=list)
    """What workers that were given up were at: a record may come all the same."""
    told: list[Event] = field(default_factory=list)
    journal: list[str] = field(default_factory=list)
    commanded: list[list[Command]] = field(default_factory=list)
    taken: dict[TaskId, tuple[Artifact, ...]] = field(default_factory=dict)
    """By task: the results that the machine must have taken."""
    issued: dict[TaskId, int] = field(default_factory=dict)
    failed: Counter[TaskId] = field(default_factory=Counter)
    """By task: attempts that failed."""
    dropped: set[object] = field(default_factory=set)
    met: Counter[str] = field(default_factory=Counter)
    """What has happened: a test that met nothing proves nothing."""

    def __post_init__(self) -> None:
        self.state = State(self.plan, self.limits)
        self._current: list[Ended] = []
        self._count = 0

    def _number(self) -> int:
        self._count += 1
        return self._count

    # ------------------------------------------------------------ what can happen

    def come(self, number: int | None = None) -> Hello:
        """A worker is up: one that was asked for, or one from an earlier run."""
        if number is not None:
            del self.coming[number]
        name = f"w{self._number()}"
        self.workers[name] = deque()
        return Hello(name)

    def refuse(self, number: int) -> LaunchFailed:
        """A worker that was asked for will not come."""
        self.met["launch refused"] += 1
        return LaunchFailed(self.coming.pop(number), 1, "no capacity")

    def die_unseen(self, number: int) -> Gone:
        """A worker dies before it is up."""
        self.met["died unseen"] += 1
        del self.coming[number]
        return Gone(f"w{self._number()}", "lost", "exit code 1", None)

    def leave(self, worker: str, cause: str) -> Gone:
        """A worker is no more, and it is no attempt's fault."""
        self.met[f"{cause} for no reason"] += 1
        self._strand(worker)
        return Gone(worker, cause, "killed by SIGKILL", None)  # type: ignore[arg-type]

    def lose(self, worker: str, cause: str) -> Gone:
        """A worker is no more, and the attempt that it was at is to blame."""
        self.met[cause] += 1
        at, *behind = self._strand(worker)
        self.failed[at[0]] += 1
        self.met["lost with a queue"] += bool(behind)
        return Gone(worker, cause, f"{cause}: {worker}", at[0], (worker, 0, 1))  # type: ignore[arg-type]

    def _strand(self, worker: str) -> deque[Attempt]:
        queue = self.workers.pop(worker)
        self.stragglers += [(worker, attempt) for attempt in queue]
        return queue

    def begin(self, worker: str) -> Began:
        """A worker has begun an attempt."""
        return Began(worker, *self.workers[worker][0])

    def end(self, worker: str, how: str, seconds: float = 0.0001) -> Ended:
        """The attempt that a worker is at ends: ``"done"`` or one of ``FAILURES``."""
        self.met[how] += 1
        event = self._record(worker, self.workers[worker].popleft(), how, seconds)
        if how == "done":
            self._current.append(event)
        else:
            self.failed[event.task] += 1
        return event

    def straggle(self) -> Ended:
        """A worker that was given up sends a record all the same."""
        self.met["straggler"] += 1
        return self._record(*self.stragglers.pop(), "done", 0.1)

    def due(self, number: int) -> Due:
        """A delay is over."""
        return Due(self.delays.pop(number).task)

    def can_come_again(self) -> list[Event]:
        """What may be told twice: not a refused launch or the end of a delay, which do not say which one they mean."""
        return [event for event in self.told if isinstance(event, (Hello, Began, Ended, Gone))]

    def _record(self, worker: str, attempt: Attempt, how: str, seconds: float) -> Ended:
        task, number = attempt
        outputs = self.plan.tasks[task.task].outputs
        kept = [not one.rescue if how == "done" else one.rescue and how == "raised after its step" for one in outputs]
        made = [self._make(attempt, slot, one.parts) for slot, one in enumerate(outputs) if kept[slot]]
        return Ended(worker, task, number, tuple(made), FAILURES.get(how), seconds, 80.0, (worker, 0, 1))

    def _make(self, attempt: Attempt, output: int, in_parts: bool) -> Artifact:
        (task, item), number = attempt
        key = f"{task}.{item}-{number}/{output}"
        if in_parts:
            count = self.part_counts[self._number() % len(self.part_counts)]
            self.met["empty list"] += not count
            return Artifact(
                "parts", tuple([Artifact("pickle", f"{key}/{part}", 10) for part in range(count)]), 10 * count
            )
        return Artifact("pickle", key if self._number() % 3 else key.encode(), 10)

    # ------------------------------------------------------------ telling the machine

    def tell(self, *events: Event) -> None:
        """Give events to the machine, and carry out what it commands."""
        before, was_running, had_failed = self.phases(), self.state.status == "running", bool(self.state.failures)
        take = self.state.on if self.journal else self.state.start
        self.journal.append(to_line(events))
        self.told += events
        self._note_taken(events, was_running)
        commands = take(*events)
        self.commanded.append(commands)
        assert was_running or not commands, "something is commanded after the end"
        for command in commands:
            assert not had_failed or not isinstance(command, Drop), "a failed run drops something"
            self._carry_out(command)
        self._check(before)
        if was_running and self.state.status != "running":
            self._check_end(commands)

    def _note_taken(self, events: Sequence[Event], is_running: bool) -> None:
        for event in events:
            if is_running and isinstance(event, Ended) and any(event is one for one in self._current):
                assert event.task not in self.taken
                self.taken[event.task] = event.artifacts
                self._current = [one for one in self._current if one is not event]

    def _carry_out(self, command: Command) -> None:
        match command:
            case Launch(_, count, token):
                assert count > 0
                assert token not in self.coming.values()
                self.coming.update({self._number(): token for _ in range(count)})
                assert len(self.workers) + len(self.coming) <= self.limits.workers
            case Assign(worker, tasks):
                assert tasks
                assert self.limits.keep_going or not self.state.failures, "something begins after a failure"
                for attempt in tasks:
                    self._check_assigned(*attempt)
                self.workers[worker] += tasks
                self.met["queued"] += len(self.workers[worker]) > 1
            case Stop(workers):
                assert workers
                for worker in workers:
                    assert self.workers.pop(worker), "an idle worker is stopped"
                self.met["stopped"] += 1
            case Delay(task):
                self.delays[self._number()] = command
                self.met["grace" if task is None else "delayed"] += 1
            case Drop(artifacts):
                self._check_dropped(artifacts)
            case Finish(status):
                assert status == self.state.status
                self.met[f"run {status}"] += 1

    # ------------------------------------------------------------ what must hold

    def phases(self) -> Phases:
        """Where each task and each item stands."""
        tasks = [TaskId(number) for number in range(len(self.plan.tasks))]
        items = [TaskId(number, item) for number, fan in self.state._fans.items() for item in range(len(fan.parts))]
        return {task: self.state.phase(task) for task in tasks + items}

    def expected(self, read: Input) -> Artifact | None:
        """The artifact that belongs in an input by our own books, ``None`` if it is not made."""
        if read.task == GIVEN:
            return self.plan.given[read.output]
        task = self.plan.tasks[read.task]
        if task.fan is None:
            made = self.taken.get(TaskId(read.task))
            return None if made is None else made[read.output]
        over = self.expected(task.inputs[task.fan])
        if over is None:
            return None
        items = [self.taken.get(TaskId(read.task, item)) for item in range(len(over.body))]
        made_parts = tuple([item[read.output] for item in items if item is not None])
        if len(made_parts) < len(items):
            return None
        return Artifact("parts", made_parts, sum([part.nbytes for part in made_parts]))

    def _check_assigned(self, task: TaskId, attempt: int) -> None:
        assert task not in self.taken, "a task that is done is assigned again"
        assert attempt > self.issued.get(task, 0), "a number is given twice"
        self.issued[task] = attempt
        described, limits = self.plan.tasks[task.task], self.limits
        most = 1 + described.retries + max(described.retries, limits.crash_retries) + limits.memory_steps
        assert self.failed[task] < most, "a task is tried too often"
        inputs = self.state.inputs(task)
        assert (described.fan is None) == (task.item == WHOLE)
        for slot, (read, artifact) in enumerate(zip(described.inputs, inputs, strict=True)):
            expected = self.expected(read)
            assert expected is not None, "a task is assigned before what it reads is made"
            assert artifact == (expected.body[task.item] if slot == described.fan else expected)
            assert not self.dropped & {one.body for one in stored([artifact])}, "what is dropped is read"

    def _check_dropped(self, artifacts: Sequence[Artifact]) -> None:
        assert artifacts
        self.met["dropped"] += 1
        waiting = [task for task in self.plan.tasks if self.state.phase(TaskId(task.index)) is not Phase.DONE]
        needed = [*self.plan.targets, *[read for task in waiting for read in task.inputs]]
        values = [*self.plan.given, *[value for read in needed if (value := self.expected(read)) is not None]]
        never = {one.body for one in stored(values)}
        for artifact in artifacts:
            assert isinstance(artifact.body, str)
            assert artifact.body not in never, "what is still needed is dropped"
            assert artifact.body not in self.dropped, "what is dropped already is dropped again"
            self.dropped.add(artifact.body)

    def _check(self, before: Mapping[TaskId, Phase]) -> None:
        phases = self.phases()
        for task, phase in phases.items():
            first = Phase.WAITING if task.item == WHOLE else Phase.READY
            assert phase in REACHABLE[before.get(task, first)], f"{task}: {before.get(task)} -> {phase}"
        charges = [self._charge(queue) for queue in self.workers.values() if queue]
        for have, used in zip(self.limits.machine, map(sum, zip(*charges, strict=True)), strict=False):
            assert not have or used <= have, "more is given than the machine has"
        if self.state.status == "running":
            assigned = {task for queue in self.workers.values() for task, _ in queue}
            assert assigned == {task for task, phase in phases.items() if phase is Phase.ASSIGNED}
        assert self.state.done_count == len(self.taken), "a result is not taken, or taken twice"
        self.met["most queued"] = max([self.met["most queued"], *map(len, self.workers.values())])

    def _charge(self, queue: Sequence[Attempt]) -> tuple[int, int]:
        charges = [self.limits.charge(self.size(task)) for task, _ in queue]
        return max([cpu for cpu, _ in charges]), max([memory for _, memory in charges])

    def size(self, task: TaskId) -> Size:
        """The size that a task is tried at."""
        return self.state._attempts.size(task, self.plan.tasks[task.task].size)

    def _check_end(self, commands: Sequence[Command]) -> None:
        assert [command for command in commands if isinstance(command, Finish)] == commands[-1:]
        assert not any(self.workers.values()), "something goes on after the end"
        phases = self.phases()
        undecided = {Phase.WAITING, Phase.FANNED, Phase.READY, Phase.ASSIGNED, Phase.DELAYED}
        assert not undecided & set(phases.values())
        assert self.state.skipped == [task for task, phase in phases.items() if phase is Phase.SKIPPED]
        failed = [task for task, phase in phases.items() if phase is Phase.FAILED]
        told = [failure.task for failure in self.state.failures]
        assert told == sorted(task for task in failed if task.item != WHOLE or task.task not in self.state._fans)
        if self.state.status == "done":
            assert set(phases.values()) <= {Phase.DONE}
            assert [self.state.artifact(one) for one in self.plan.targets] == [*map(self.expected, self.plan.targets)]
            assert self.state.done_count == self.state.total_count
        assert (self.state.status == "failed") <= bool(told)
        self.met["skipped"] += bool(self.state.skipped)
        self.met["cause launch"] += any(failure.failure.cause == "launch" for failure in self.state.failures)

    def check_replay(self, kill_after: int) -> None:
        """Kill the driver after a batch, and see that another one gets to the same end."""
        batches = [from_line(line) for line in self.journal]
        again = replay(self.plan, self.limits, batches[:kill_after])
        for batch, commands in zip(batches[kill_after:], self.commanded[kill_after:], strict=True):
            take = again.on if kill_after else again.start
            kill_after += 1
            assert take(*batch) == commands
        assert again == self.state


def _reachable(phase: Phase) -> set[Phase]:
    found, waiting = {phase}, [phase]
    while waiting:
        after = LEGAL[waiting.pop()] - found
        found |= after
        waiting += after
    return found


REACHABLE = {phase: _reachable(phase) for phase in Phase}
