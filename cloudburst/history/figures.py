"""A run in the numbers that are told of it, counted while it goes on. There is no clock in here: times are told."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cloudburst import __version__
from cloudburst.history.record import (
    MachineRecord,
    RunRecord,
    RunState,
    SizeRecord,
    StageRecord,
    StageState,
    one_line,
)
from cloudburst.providers.base import Whereabouts
from cloudburst.report.tally import StageTally, Tally
from cloudburst.resources import Size
from cloudburst.runtime.events import Command, Ended, Event, Gone, Hello
from cloudburst.runtime.task import GIVEN, WHOLE, Artifact, Plan, Task, TaskId

_LEAST_REDACTED = 4
"""Characters: a shorter value of a variable is part of too many words."""


@dataclass(slots=True)
class _More:
    """Of the tasks of one stage and size: what a tally does not count."""

    size: SizeRecord
    attempts: int = 0
    given_up: int = 0
    waited_s: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    error: str = ""


class Figures:
    """The numbers of a run.

    Parameters
    ----------
    plan : Plan
        What is run.
    run : str
        Its id.
    where : Whereabouts
        Where its machines are.
    begun_s : float
        When it was begun, in seconds since 1970. So are all times that it is told.
    """

    def __init__(self, plan: Plan, run: str, where: Whereabouts, begun_s: float) -> None:
        self._plan, self._run, self._where, self._begun_s = plan, run, where, begun_s
        self._tally = Tally(plan, by=lambda task: (task.stage, task.size))
        self._more = {id(self._tally.of(task.index)): _More(self._size(task.size)) for task in plan.tasks}
        self._variables = {
            value for task in plan.tasks for _, value in task.environment if len(value) >= _LEAST_REDACTED
        }
        self._made: dict[tuple[int, int], int | dict[int, int]] = {}
        """Bytes of what was made and is read: by task and output, and of what a fan makes or reads, by item."""
        self._in_parts = {
            (one.task, one.output) for task in plan.tasks if task.fan is not None for one in (task.inputs[task.fan],)
        } | {(task.index, number) for task in plan.tasks if task.fan is not None for number in range(len(task.outputs))}
        self._made_s: dict[int, float] = {}
        self._again_s: dict[TaskId, float] = {}
        self._up: dict[str, tuple[SizeRecord, float, float | None]] = {}
        """By worker: its machine, when it said hello, and when it was gone."""
        self._error = ""

    def see(self, events: Sequence[Event], commands: Sequence[Command], now_s: float) -> None:
        """Count what has happened and what was decided on it."""
        self._tally.see(events, commands)
        for event in events:
            if isinstance(event, Ended):
                self._ended(event, now_s)
            elif isinstance(event, Gone):
                self._gone(event, now_s)
            elif isinstance(event, Hello) and event.shape is not None:
                self._up.setdefault(event.worker, (self._size(event.shape), now_s, None))

    def give_up(self, failed: Sequence[TaskId]) -> None:
        """These tasks gave no result in the end, and nothing is running any more."""
        self._tally.end()
        for task in failed:
            self._of(task.task).given_up += 1

    def record(self, now_s: float, state: RunState, error: str = "") -> RunRecord:
        """All of it, as it stands."""
        where, tally = self._where, self._tally
        is_over = state != "running"
        return RunRecord(
            run=self._run,
            name=self._plan.name,
            state=state,
            begun_s=self._begun_s,
            written_s=now_s,
            ended_s=now_s if is_over else None,
            user=where.user,
            pool=where.pool,
            cloudburst=__version__,
            python=f"{sys.version_info[0]}.{sys.version_info[1]}",
            region=where.region,
            cluster=where.cluster,
            log_group=where.log_group or "",
            definition=where.definition,
            lease_limit_s=where.lease_limit_s,
            tasks=tally.total,
            more=any(stage.unknown for stage in tally.stages),
            done=tally.done,
            attempts=sum(more.attempts for more in self._more.values()),
            error=self._told(error) or (self._error if state == "failed" else ""),
            stages=[self._stage(stage, is_over) for stage in tally.stages],
            machines=list(self._machines(now_s)),
            workers=list(self._up),
        )

    def stage_of(self, task: TaskId) -> str:
        """The name of the stage of a task."""
        return self._plan.tasks[task.task].stage

    def name_of(self, task: TaskId) -> str:
        """What a task is called, with the item where it is one of a fan."""
        name = self._plan.tasks[task.task].name
        return name if task.item == WHOLE else f"{name}[{task.item}]"

    # ------------------------------------------------------------ counting

    def _ended(self, event: Ended, now_s: float) -> None:
        task, more = self._plan.tasks[event.task.task], self._of(event.task.task)
        more.attempts += 1
        more.waited_s += max(0.0, now_s - event.seconds - self._could_begin_s(task, event.task))
        more.bytes_in += sum(self._bytes_in(task, event.task.item))
        if event.failure is not None:
            self._failed(event.task, event.failure.message, now_s)
            return
        more.bytes_out += sum(artifact.nbytes for artifact in event.artifacts)
        self._made_s[event.task.task] = now_s
        for number, artifact in enumerate(event.artifacts):
            self._keep(event.task, number, artifact)

    def _gone(self, event: Gone, now_s: float) -> None:
        if event.worker in self._up:
            size, since_s, _ = self._up[event.worker]
            self._up[event.worker] = size, since_s, now_s
        if event.task is not None and event.cause != "stopped":
            self._of(event.task.task).attempts += 1
            self._failed(event.task, event.detail, now_s)

    def _failed(self, task: TaskId, message: str, now_s: float) -> None:
        self._again_s[task] = now_s
        self._of(task.task).error = self._told(message)
        self._error = self._error or self._told(f"{self.stage_of(task)}: {message}")

    def _keep(self, task: TaskId, number: int, artifact: Artifact) -> None:
        place = task.task, number
        if place not in self._in_parts:
            self._made[place] = artifact.nbytes
        elif task.item != WHOLE:
            parts = self._made.setdefault(place, {})
            assert isinstance(parts, dict)
            parts[task.item] = artifact.nbytes
        else:
            self._made[place] = _parts_of(artifact)

    def _bytes_in(self, task: Task, item: int) -> Iterator[int]:
        for number, read in enumerate(task.inputs):
            if read.task == GIVEN:
                given = self._plan.given[read.output]
                made: int | dict[int, int] = _parts_of(given) if number == task.fan else given.nbytes
            else:
                made = self._made.get((read.task, read.output), 0)
            if isinstance(made, dict):
                yield made.get(item, 0) if number == task.fan else sum(made.values())
            else:
                yield made

    def _could_begin_s(self, task: Task, which: TaskId) -> float:
        made_s = [self._made_s.get(read.task, self._begun_s) for read in task.inputs if read.task != GIVEN]
        return max(self._begun_s, self._again_s.get(which, 0.0), *made_s)

    # ------------------------------------------------------------ telling

    def _stage(self, tally: StageTally, is_over: bool) -> StageRecord:
        more = self._more[id(tally)]
        return StageRecord(
            stage=tally.name,
            state=_state_of(tally, more, is_over),
            size=more.size,
            tasks=tally.total,
            done=tally.done,
            running=0 if is_over else max(0, tally.running),
            failed=more.given_up,
            attempts=more.attempts,
            seconds=round(tally.seconds, 3),
            waited_s=round(more.waited_s, 3),
            bytes_in=more.bytes_in,
            bytes_out=more.bytes_out,
            peak_mib=round(tally.peak_mib, 1),
            error=more.error,
        )

    def _machines(self, now_s: float) -> Iterator[MachineRecord]:
        by_size: dict[SizeRecord, list[float]] = {}
        for size, since_s, until_s in self._up.values():
            by_size.setdefault(size, []).append(round((now_s if until_s is None else until_s) - since_s, 1))
        for size, seconds in by_size.items():
            yield MachineRecord(size, seconds)

    def _told(self, message: str) -> str:
        """A message in one line, without the values of the variables that stages were given."""
        line = one_line(message)
        for value in self._variables:
            line = line.replace(value, "…")
        return line

    def _of(self, task: int) -> _More:
        return self._more[id(self._tally.of(task))]

    def _size(self, size: Size) -> SizeRecord:
        is_spot = self._where.spot if size.spot is None else size.spot
        return SizeRecord(size.cpu, size.memory, size.storage, is_spot, self._where.architecture)


def _parts_of(artifact: Artifact) -> dict[int, int]:
    """Bytes of a list in parts, by item."""
    return {n: part.nbytes for n, part in enumerate(artifact.body)} if isinstance(artifact.body, tuple) else {}


def _state_of(tally: StageTally, more: _More, is_over: bool) -> StageState:
    if more.given_up:
        return "failed"
    if tally.is_over:
        return "done"
    if not is_over:
        return "running" if tally.running > 0 or tally.done or more.attempts else "waiting"
    return "stopped" if tally.done or more.attempts else "skipped"
