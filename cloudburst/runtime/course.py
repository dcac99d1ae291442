"""How far a run has come: what is made, what could be performed next, and what became of the rest.

This is the plan with everything that has happened to it, and knows no worker. A task whose inputs are all made is
*opened*: it becomes ready, or, where it is fanned out, its items do. What a task made opens those that waited for
nothing else, and what nobody will read any more is noted to be dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Self

from cloudburst.errors import InternalError
from cloudburst.resources import Size
from cloudburst.runtime.fans import Fan
from cloudburst.runtime.phases import Phase, Phases
from cloudburst.runtime.ready import Ready
from cloudburst.runtime.results import Results, output_count, stored
from cloudburst.runtime.retry import Failed
from cloudburst.runtime.task import WHOLE, Artifact, Awaited, Plan, TaskId

MOST_READERS = 64
"""Readers of a task, and missing inputs of one of them, that are looked at to see what is being prepared."""


@dataclass(slots=True)
class Course:
    """A plan and what has become of it so far."""

    plan: Plan
    ready: Ready
    phases: Phases
    results: Results
    undecided: int
    """Tasks of which it is not known what becomes of them."""
    total_count: int
    """Tasks that there are; a fan counts as one until the number of its items is known."""
    done_count: int = 0
    """Tasks that are done, each item of a fan for itself."""
    fans: dict[int, Fan] = field(default_factory=dict)
    partial: dict[TaskId, tuple[Artifact, ...]] = field(default_factory=dict)
    """By failed task: the outputs that its last attempt stored before it failed."""
    failed: list[Failed] = field(default_factory=list)
    """From the first of them on nothing is dropped."""
    unread: list[Artifact] = field(default_factory=list)
    """What is to be dropped."""

    @classmethod
    def of(cls, plan: Plan, charge: Callable[[Size], tuple[int, int]]) -> Self:
        """Begin. ``charge`` is that of ``Ready``."""
        count = len(plan.tasks)
        return cls(plan, Ready(charge), Phases(bytearray([Phase.WAITING]) * count), Results.of(plan), count, count)

    def begin(self) -> None:
        """Open what waits for nothing."""
        self._open([task for task, missing in enumerate(self.results.missing) if not missing])

    def inputs(self, task: TaskId, attempt_of: Callable[[TaskId], int]) -> tuple[Artifact | Awaited, ...]:
        """What an assigned task reads: for an item of a fan its part stands for the list.

        What is not made yet is awaited from the attempt that its maker is at, which ``attempt_of`` tells.

        Raises
        ------
        InternalError
            If something is neither made nor in the making.
        """
        described = self.plan.tasks[task.task]
        results = self.results
        if described.fan is not None:
            part = self.fans[task.task].parts[task.item]
            reads = enumerate(described.inputs)
            return tuple([part if slot == described.fan else results[read] for slot, read in reads])
        if not results.missing[task.task]:
            return tuple([results[read] for read in described.inputs])
        inputs: list[Artifact | Awaited] = []
        for read in described.inputs:
            maker = TaskId(read.task)
            if read in results or self.phases[maker] != Phase.ASSIGNED:
                inputs.append(results[read])
            else:
                inputs.append(Awaited(maker, attempt_of(maker), read.output))
        return tuple(inputs)

    def present(self, task: TaskId) -> list[Artifact]:
        """What of that is made already."""
        described, results = self.plan.tasks[task.task], self.results
        reads = enumerate(described.inputs)
        found = [results[read] for slot, read in reads if slot != described.fan and read in results]
        return found if described.fan is None else [self.fans[task.task].parts[task.item], *found]

    def being_prepared(self, maker: TaskId) -> list[int]:
        """Of the first tasks that read what this one makes: those whose inputs are all there or being made."""
        tasks, phases, results = self.plan.tasks, self.phases.tasks, self.results
        return [
            reader
            for reader in results.consumers[maker.task][:MOST_READERS]
            if phases[reader] == Phase.WAITING
            and tasks[reader].fan is None
            and results.missing[reader] <= MOST_READERS
            and all(read in results or phases[read.task] == Phase.ASSIGNED for read in tasks[reader].inputs)
        ]

    # ------------------------------------------------------------ tasks that come to be performed

    def make_ready(self, task: TaskId, size: Size) -> None:
        """A task is to be performed, or performed again."""
        self.phases.move(task, Phase.READY)
        self.ready.offer(task, size)

    def put_back(self, task: TaskId, size: Size) -> None:
        """An attempt that was assigned never began: its task is ready again, or waits for what it awaited."""
        if task.item == WHOLE and self.results.missing[task.task]:
            self.phases.move(task, Phase.WAITING)
        else:
            self.make_ready(task, size)

    def _open(self, complete: list[int]) -> None:
        """All that these tasks read is made. One that was sent ahead has a worker already."""
        for number in complete:
            if self.phases.tasks[number] == Phase.ASSIGNED:
                continue
            id_, task = TaskId(number), self.plan.tasks[number]
            if task.fan is None:
                self.make_ready(id_, task.size)
                continue
            fan = self.fans[number] = Fan.of(task, self.results[task.inputs[task.fan]])
            count = len(fan.parts)
            self.total_count += count - 1
            self.phases.move(id_, Phase.FANNED)
            self.phases.items[number] = bytearray([Phase.READY]) * count
            if count:
                self.ready.offer_items(number, count, task.size)
            else:
                complete += self._done(id_, fan.lists())  # which lengthens the walk

    # ------------------------------------------------------------ what becomes of them

    def succeed(self, task: TaskId, artifacts: tuple[Artifact, ...]) -> None:
        """A task, or an item, is done.

        Raises
        ------
        InternalError
            If it did not make what it should.
        """
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
        self.phases.move(task, Phase.DONE)
        self.fans[number].put(item, artifacts)
        self._item_decided(number)

    def keep_partial(self, task: TaskId, artifacts: tuple[Artifact, ...]) -> None:
        """What a failed attempt had stored takes the place of what an earlier one had."""
        self._drop(self.partial.get(task, ()))
        self.partial[task] = artifacts

    def give_up(self, failed: Failed) -> None:
        """A task has failed for good, and what depends on it is skipped."""
        number, item = failed.task
        self.phases.move(failed.task, Phase.FAILED)
        self.failed.append(failed)
        self.undecided -= self.phases.skip_consumers(number, self.results.consumers)
        if item == WHOLE:
            self.undecided -= 1
            return
        if self.phases.tasks[number] == Phase.FANNED:
            self.phases.move(TaskId(number), Phase.FAILED)
        self._item_decided(number)

    def _done(self, task: TaskId, artifacts: tuple[Artifact, ...]) -> list[int]:
        """A task is done as a whole. Gives the tasks that waited for nothing else."""
        self.phases.move(task, Phase.DONE)
        self.undecided -= 1
        if not self.failed and (unread := self.results.release(self.plan.tasks[task.task].inputs)):
            self._drop(unread)
        return self.results.put(task.task, artifacts)

    def _item_decided(self, number: int) -> None:
        fan = self.fans[number]
        fan.undecided -= 1
        if fan.undecided:
            return
        if self.phases.tasks[number] == Phase.FANNED:
            self._open(self._done(TaskId(number), fan.lists()))
        else:
            self.undecided -= 1

    def _drop(self, artifacts: Iterable[Artifact]) -> None:
        if not self.failed:
            self.unread.extend(stored(artifacts))
