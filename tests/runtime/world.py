"""What is outside of the state machine: workers that only pretend, and books that tell when the machine breaks a rule.

A ``World`` carries out commands and offers what can happen; whoever drives it (chance, a script, hypothesis) decides
what does. Each thing that can happen gives the event to be told, so that several can be told at once.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

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
from cloudburst.runtime.retry import MOST_HOST, MOST_RECLAIMED
from cloudburst.runtime.state import LEGAL, Limits, Phase, State
from cloudburst.runtime.task import GIVEN, WHOLE, Artifact, Awaited, Input, Plan, TaskId
from tests.runtime.plans import SMALL

FAILURES = {
    "raised": Failure("raised", "ValueError: no", step=0),
    "refused": Failure("refused", "CodecError: no", step=1),
    "out of memory": Failure("memory", "MemoryError", step=0),
    "raised after its step": Failure("raised", "ValueError: no", step=1),
    "tampered": Failure("tampered", "Tampered: no"),
}
"""How an attempt can fail with a record."""

LOSSES = ("lost", "memory", "timeout", "reclaimed", "host")
"""How one can end without a record."""

REFUSALS = ("passing", "quota", "capacity", "setup", "never")
"""Why a machine may not come."""

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
    killed : Random, optional
        If given, the driver is killed at every batch, after so many of its commands as this says, and another takes the
        run up from the journal.
    """

    plan: Plan
    limits: Limits
    part_counts: Sequence[int] = (2,)
    killed: Random | None = None
    workers: dict[str, deque[Attempt]] = field(default_factory=dict)
    """Those that are up, with what each has to perform."""
    shapes: dict[str, Size] = field(default_factory=dict)
    """By worker, those that are no more too: its machine, if it has one of its own."""
    coming: dict[int, tuple[str, Size]] = field(default_factory=dict)
    """Workers that were asked for, by a number of ours: the token and the shape."""
    stopping: list[str] = field(default_factory=list)
    """Workers that were told to end while the run goes on, and have not."""
    awaits: dict[Attempt, set[Attempt]] = field(default_factory=dict)
    """By attempt that was sent ahead: those that make what it reads."""
    delays: dict[int, Delay] = field(default_factory=dict)
    """By a number of ours."""
    stragglers: list[tuple[str, Attempt]] = field(default_factory=list)
    """What workers that were given up were at: a record may come all the same."""
    seen: set[object] = field(default_factory=set)
    """Tokens, attempts with their workers, and workers that were stopped: what is commanded again changes nothing."""
    told: list[Event] = field(default_factory=list)
    journal: list[str] = field(default_factory=list)
    commanded: list[list[Command]] = field(default_factory=list)
    taken: dict[TaskId, tuple[Artifact, ...]] = field(default_factory=dict)
    """By task: the results that the machine must have taken."""
    issued: dict[TaskId, int] = field(default_factory=dict)
    failed: Counter[tuple[TaskId, str]] = field(default_factory=Counter)
    """By task and cause: attempts that failed."""
    dropped: set[object] = field(default_factory=set)
    met: Counter[str] = field(default_factory=Counter)
    """What has happened: a test that met nothing proves nothing."""

    def __post_init__(self) -> None:
        self.state = State(self.plan, self.limits)
        self.twin = State(self.plan, self.limits)
        """Gets what the journal says, a batch later."""
        self._current: list[Ended] = []
        self._count = self._delay_count = 0

    def _number(self) -> int:
        self._count += 1
        return self._count

    # ------------------------------------------------------------ what can happen

    def come(self, number: int | None = None, shape: Size = SMALL) -> Hello:
        """A worker is up: one that was asked for, or one from an earlier run."""
        if number is not None:
            shape = self.coming.pop(number)[1]
        name = f"w{self._number()}"
        self.workers[name] = deque()
        if not self.limits.shaped:
            return Hello(name)
        self.shapes[name] = shape
        return Hello(name, shape)

    def refuse(self, number: int, cause: str = "passing") -> LaunchFailed:
        """A worker that was asked for will not come."""
        self.met["launch refused"] += 1
        if self.limits.shaped:
            self.met[f"refused: {cause}"] += 1
        return LaunchFailed(self.coming.pop(number)[0], 1, f"no {cause}", cause)  # type: ignore[arg-type]

    def die_unseen(self, number: int, cause: str = "lost") -> Gone:
        """A worker dies before it is up."""
        self.met["died unseen"] += 1
        del self.coming[number]
        return Gone(f"w{self._number()}", cause, "exit code 1", None)  # type: ignore[arg-type]

    def fall(self, worker: str) -> Gone:
        """A worker that was told to end has ended."""
        self.stopping.remove(worker)
        return Gone(worker, "stopped", "", None)

    def leave(self, worker: str, cause: str) -> Gone:
        """A worker is no more, and it is no attempt's fault."""
        self.met[f"{cause} for no reason"] += 1
        self._strand(worker)
        return Gone(worker, cause, "killed by SIGKILL", None)  # type: ignore[arg-type]

    def lose(self, worker: str, cause: str) -> Gone:
        """A worker is no more, and the attempt that it was at is to blame."""
        self.met[cause] += 1
        at, *behind = self._strand(worker)
        self.failed[at[0], cause] += 1
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
        attempt = self.workers[worker].popleft()
        assert not self.awaits.get(attempt), "a worker performs what it has not the inputs of"
        event = self._record(worker, attempt, how, seconds)
        if how == "done":
            self._current.append(event)
            for awaited in self.awaits.values():
                awaited.discard(attempt)
        else:
            self.failed[event.task, event.failure.cause] += 1
            self._take_off(worker, attempt)
        return event

    def _take_off(self, worker: str, failed: Attempt) -> None:
        """What awaits an attempt that has failed goes without a word."""
        for attempt in list(self.workers[worker]):
            if failed in self.awaits.get(attempt, ()) and attempt in self.workers[worker]:
                self.met["withdrawn"] += 1
                self.workers[worker].remove(attempt)
                self._take_off(worker, attempt)

    def straggle(self) -> Ended:
        """A worker that was given up sends a record all the same."""
        self.met["straggler"] += 1
        return self._record(*self.stragglers.pop(), "done", 0.1)

    def due(self, number: int) -> Due:
        """A delay is over."""
        delay = self.delays.pop(number)
        return Due(delay.task, delay.shape)

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
        take, twin_takes = self.state.on, self.twin.on
        if not self.journal:
            take, twin_takes = self.state.start, self.twin.start
        self.journal.append(to_line(events))
        self.told += events
        self._note_taken(events, was_running)
        commands = take(*events)
        self.commanded.append(commands)
        assert was_running or not commands, "something is commanded after the end"
        assert not had_failed or not any(isinstance(one, Drop) for one in commands), "a failed run drops something"
        self._check_order(commands)
        if self.killed is not None:
            for command in commands[: self.killed.randrange(len(commands) + 1)]:
                self._carry_out(command, is_driver_killed=True)
            self.state, self.twin = self.twin, self.state
            assert twin_takes(*from_line(self.journal[-1])) == commands, "another driver decides otherwise"
        for command in commands:
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

    def _is_known(self, *deed: object) -> bool:
        """Whether something was commanded before."""
        is_known = deed in self.seen
        self.seen.add(deed)
        return is_known

    def _carry_out(self, command: Command, *, is_driver_killed: bool = False) -> None:
        match command:
            case Launch(shape, count, token):
                if self._is_known("launch", token):
                    return
                self._check_launch(shape, count)
                self.coming.update({self._number(): (token, shape) for _ in range(count)})
                assert len(self.workers) + len(self.coming) <= self.limits.workers
            case Assign(worker, tasks):
                assert tasks
                if self._is_known("assign", worker, tasks):
                    return
                assert self.limits.keep_going or not self.state.failures, "something begins after a failure"
                letter: list[Attempt] = []
                for attempt in tasks:
                    self._check_assigned(worker, attempt, letter)
                    letter.append(attempt)
                self.workers[worker] += tasks
                self.met["queued"] += len(self.workers[worker]) > 1
            case Stop(workers):
                assert workers
                for worker in workers:
                    if not self._is_known("stop", worker):
                        self._stop(worker)
            case Delay() if not is_driver_killed:
                self._delay_count += 1
                self.delays[self._delay_count] = command
                what = "for launches" if command.shape is not None else "grace" if command.task is None else "delayed"
                self.met[what] += 1
            case Drop(artifacts):
                if not self._is_known("drop", artifacts):
                    self._check_dropped(artifacts)
            case Finish(status):
                assert status == self.state.status
                self.met[f"run {status}"] += not is_driver_killed

    def _stop(self, worker: str) -> None:
        queue = self.workers.pop(worker)
        if self.state.status != "running" and queue:
            self.met["stopped"] += 1
            return
        assert self.limits.shaped, "an idle worker is stopped"
        assert not queue, "a worker that is busy is stopped"
        if self.limits.reuse:
            self.met["made way"] += 1
            assert not any(takes(self.shapes[worker], self.size(task)) for task in self.in_phase(Phase.READY))
            assert self.in_phase(Phase.READY), "a worker makes way for nothing"
        else:
            self.met["retired"] += 1
        self.stopping.append(worker)

    # ------------------------------------------------------------ what must hold

    def phases(self) -> Phases:
        """Where each task and each item stands."""
        tasks = [TaskId(number) for number in range(len(self.plan.tasks))]
        items = [
            TaskId(number, item) for number, fan in self.state._course.fans.items() for item in range(len(fan.parts))
        ]
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

    def in_phase(self, phase: Phase) -> list[TaskId]:
        """Tasks and items that stand there."""
        return [task for task, one in self.phases().items() if one is phase]

    def _check_order(self, commands: Sequence[Command]) -> None:
        """Room is made before it is used, and the end is last."""
        kinds = [type(command) for command in commands]
        assert Finish not in kinds[:-1]
        assert Stop not in kinds or Launch not in kinds or kinds.index(Stop) < kinds.index(Launch)

    def _check_launch(self, shape: Size, count: int) -> None:
        assert count > 0
        wanted = [self.size(task) for task in self.in_phase(Phase.READY)]
        if self.limits.shaped:
            is_ready = shape in wanted or (shape.spot is False and shape._replace(spot=True) in wanted)
            if self.limits.prestart and not is_ready:
                wanted = [self.size(task) for task in self.in_phase(Phase.WAITING) if self._is_being_prepared(task)]
                self.met["prestarted"] += 1
                assert not any(takes(self.shapes[name], shape) for name in self.workers), "one is there that takes it"
            on_demand = sum(size != shape and size._replace(spot=False) == shape for size in wanted)
            self.met["on demand for want of spare capacity"] += bool(on_demand and shape not in wanted)
            assert count <= on_demand + wanted.count(shape), "machines are asked for that no task needs"
        else:
            assert count <= wanted.count(shape)

    def _is_being_prepared(self, task: TaskId) -> bool:
        makers = [TaskId(read.task) for read in self.plan.tasks[task.task].inputs if read.task != GIVEN]
        return all(self.state.phase(maker) in {Phase.ASSIGNED, Phase.DONE} for maker in makers)

    def _check_assigned(self, worker: str, at: Attempt, letter: Sequence[Attempt]) -> None:
        task, attempt = at
        assert task not in self.taken, "a task that is done is assigned again"
        assert attempt > self.issued.get(task, 0), "a number is given twice"
        self.issued[task] = attempt
        described, limits = self.plan.tasks[task.task], self.limits
        failed = Counter({cause: self.failed[task, cause] for _, cause in self.failed})
        assert failed["raised"] + failed["refused"] + failed["timeout"] <= described.retries, "tried too often"
        assert failed["lost"] <= max(described.retries, limits.crash_retries), "tried too often"
        assert failed["memory"] <= limits.memory_steps, "tried too often"
        assert failed["host"] <= MOST_HOST, "tried too often"
        assert failed["reclaimed"] + failed["host"] <= MOST_RECLAIMED + MOST_HOST, "tried too often"
        assert not failed["tampered"], "what was tampered with is tried again"
        assert failed["reclaimed"] < MOST_RECLAIMED or self.size(task).spot is False, "spare capacity is relied on"
        if limits.shaped:
            assert takes(self.shapes[worker], self.size(task)), "a worker gets what does not fit its machine"
            assert limits.reuse or not (letter or self._is_known("has performed", worker)), "a worker is used again"
            self.met["on a machine of another size"] += self.shapes[worker] != self.size(task)
            self.met["on demand after losses"] += self.size(task).spot is not described.size.spot
        inputs = self.state.inputs(task)
        assert (described.fan is None) == (task.item == WHOLE)
        for slot, (read, artifact) in enumerate(zip(described.inputs, inputs, strict=True)):
            expected = self.expected(read)
            if isinstance(artifact, Awaited):
                assert limits.shaped
                assert expected is None
                assert (artifact.task, artifact.output) == (TaskId(read.task), read.output)
                assert artifact[:2] in letter, "what a task awaits does not stand before it in its letter"
                self.awaits.setdefault(at, set()).add(artifact[:2])
                self.met["sent ahead"] += 1
                continue
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
            assert task.item == WHOLE or phase not in {Phase.WAITING, Phase.FANNED, Phase.SKIPPED}
            first = Phase.WAITING if task.item == WHOLE else Phase.READY
            assert phase in REACHABLE[before.get(task, first)], f"{task}: {before.get(task)} -> {phase}"
        charges = [self._charge(queue) for queue in self.workers.values() if queue]
        for have, used in zip(self.limits.machine, map(sum, zip(*charges, strict=True)), strict=False):
            assert not have or used <= have, "more is given than the machine has"
        if self.state.status == "running":
            assigned = {task for queue in self.workers.values() for task, _ in queue}
            assert assigned == {task for task, phase in phases.items() if phase is Phase.ASSIGNED}
            if self.limits.shaped and not self.state._is_ending:
                idle = [self.shapes[worker] for worker, queue in self.workers.items() if not queue]
                ready = {self.size(task) for task, phase in phases.items() if phase is Phase.READY}
                assert not any(takes(shape, size) for shape in idle for size in ready), "a worker is left idle"
                assert not ready or assigned or self.coming or self.delays or self.stopping, "nothing will happen"
        assert self.state.done_count == len(self.taken), "a result is not taken, or taken twice"
        self.met["most queued"] = max([self.met["most queued"], *map(len, self.workers.values())])

    def _charge(self, queue: Sequence[Attempt]) -> tuple[int, int]:
        charges = [self.limits.charge(self.size(task)) for task, _ in queue]
        return max([cpu for cpu, _ in charges]), max([memory for _, memory in charges])

    def size(self, task: TaskId) -> Size:
        """The size that a task is tried at."""
        return self.state._attempts.size(task, self.plan.tasks[task.task].size)

    def _check_end(self, commands: Sequence[Command]) -> None:
        assert isinstance(commands[-1], Finish)
        assert not any(self.workers.values()), "something goes on after the end"
        phases = self.phases()
        undecided = {Phase.WAITING, Phase.FANNED, Phase.READY, Phase.ASSIGNED, Phase.DELAYED}
        assert not undecided & set(phases.values())
        assert self.state.skipped == [task for task, phase in phases.items() if phase is Phase.SKIPPED]
        failed = [task for task, phase in phases.items() if phase is Phase.FAILED]
        told = [failure.task for failure in self.state.failures]
        assert told == sorted(task for task in failed if task.item != WHOLE or task.task not in self.state._course.fans)
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


_RELIABLE = {(True, True), (True, None), (True, False), (None, None), (None, False), (False, False)}
"""Whether a task bears to be interrupted, and whether a machine may be: what goes together."""


def takes(shape: Size, size: Size) -> bool:
    """Whether a machine takes a task by our own books."""
    if shape == size:
        return True
    prices = [
        0.04048 * (one.cpu or 0) / 1024 + 0.004445 * (one.memory or 0) / 1024 + 0.000111 * ((one.storage or 20) - 20)
        for one in (shape, size)
    ]
    least = (0, 0, 20)
    is_large_enough = all(
        (one or few) >= (need or few) for one, need, few in zip(shape[:3], size[:3], least, strict=True)
    )
    return is_large_enough and (size.spot, shape.spot) in _RELIABLE and prices[0] <= 2 * prices[1]


def _reachable(phase: Phase) -> set[Phase]:
    found, waiting = {phase}, [phase]
    while waiting:
        after = LEGAL[waiting.pop()] - found
        found |= after
        waiting += after
    return found


REACHABLE = {phase: _reachable(phase) for phase in Phase}
