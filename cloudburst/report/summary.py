"""What a run came to: one look back at its stages, its time, and what was saved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from cloudburst.graph.facts import Merged
from cloudburst.report.amounts import counted, duration, volume
from cloudburst.report.tally import Tally
from cloudburst.resources import Size
from cloudburst.runtime.task import Plan

if TYPE_CHECKING:
    from cloudburst.prices import Cost
    from cloudburst.runtime.driver import Outcome

_TOLD = ("call", "method", "attribute", "item", "operator")


class StageFigures(NamedTuple):
    """What one stage came to."""

    stage: str
    tasks: int
    """Done, each item of a fan for itself."""
    retries: int
    seconds: float
    """Of all its attempts together."""
    peak_mib: float
    """The highest memory of any attempt."""


@dataclass(frozen=True, slots=True, repr=False)
class Summary:
    """What a run came to. It prints itself; its attributes are the same as data."""

    name: str
    status: Literal["done", "failed", "cancelled"]
    seconds: float
    stages: int
    """Distinct stages of the plan."""
    tasks: int
    """Tasks done, each item of a fan for itself."""
    failed: int
    """Tasks that failed for good."""
    skipped: int
    """Tasks that did not run because something before them failed."""
    retries: int
    """Attempts after the first of a task."""
    workers: int
    """Workers that performed something."""
    passed: int
    """Bytes of the results that other tasks read."""
    calls: int
    """Calls of stages in the plan."""
    calls_saved: int
    """Calls of stages that were equal to others and need not run."""
    ops_saved: int
    """Ops that were equal to others and need not run."""
    by_stage: tuple[StageFigures, ...]
    """In plan order."""
    warnings: tuple[str, ...] = ()
    """What went wrong beside the run, and which stages were short of memory."""
    cost: Cost | None = None
    """Of its machines at list price; ``None`` where nobody is paid."""

    def __str__(self) -> str:
        verb = {"done": "done in", "failed": "failed after", "cancelled": "cancelled after"}[self.status]
        done = "" if self.status == "done" else " done"
        workers = f" on {counted(self.workers, 'worker')}" if self.workers else ""
        lines = [f"{counted(self.stages, 'stage')}, {counted(self.tasks, 'task')}{done}{workers}"]
        lines += [f"{volume(self.passed)} passed between tasks"] if self.passed else []
        if self.calls_saved:
            written = self.calls + self.calls_saved
            lines.append(f"{counted(written, 'call')} of stages written, {self.calls:,} run: equal ones are one")
        if self.ops_saved:
            lines.append(f"{counted(self.ops_saved, 'equal op')} saved")
        troubles = (
            f"{counted(self.failed, 'task')} failed" if self.failed else "",
            f"{counted(self.skipped, 'task')} skipped" if self.skipped else "",
            counted(self.retries, "retry") if self.retries else "",
        )
        lines += [", ".join(filter(None, troubles))] if any(troubles) else []
        lines += [str(self.cost)] if self.cost is not None else []
        lines += self.warnings
        return "\n  ".join([f"{self.name}: {verb} {duration(self.seconds)}", *lines])

    __repr__ = __str__


def summarize(
    plan: Plan, merged: Iterable[Merged], outcome: Outcome, seconds: float, tally: Tally, cost: Cost | None = None
) -> Summary:
    """The summary of a run.

    Parameters
    ----------
    plan : Plan
        What was run.
    merged : iterable of Merged
        What the optimizer found to be equal.
    outcome : Outcome
        What became of it.
    seconds : float
        How long the user waited.
    tally : Tally
        What was counted on the way.
    cost : Cost, optional
        Of its machines.

    Returns
    -------
    Summary
    """
    saved = [one for one in merged if one.times > 1]
    ops = [one for one in saved if not one.is_stage]
    told = _labels_of_ops(plan) if ops else frozenset()
    figures = [StageFigures(one.name, one.done, one.retries, one.seconds, one.peak_mib) for one in tally.stages]
    return Summary(
        name=plan.name,
        status=outcome.status,
        seconds=seconds,
        stages=len({task.stage for task in plan.tasks if task.stage_step is not None}),
        tasks=outcome.tasks_done,
        failed=len(outcome.failures),
        skipped=len(outcome.skipped),
        retries=tally.retries,
        workers=len(tally.workers),
        passed=tally.passed,
        calls=sum(task.stage_step is not None for task in plan.tasks),
        calls_saved=sum(one.times - 1 for one in saved if one.is_stage),
        ops_saved=sum(one.times - 1 for one in ops if one.label in told),
        by_stage=tuple(figures),
        warnings=(*outcome.warnings, *_short_of_memory(plan, outcome)),
        cost=cost,
    )


def _short_of_memory(plan: Plan, outcome: Outcome) -> Iterator[str]:
    """Of each stage that ran out of memory and was done all the same: what to ask for at once."""
    largest: dict[str, tuple[Size, Size]] = {}
    for (number, _), size in outcome.enlarged:
        task = plan.tasks[number]
        _, so_far = largest.setdefault(task.stage, (task.size, size))
        largest[task.stage] = task.size, max(so_far, size, key=lambda one: one.memory or 0)
    for stage, (asked, had) in largest.items():
        cpu = f"cpu={had.cpu}, " if had.cpu != asked.cpu else ""
        yield (
            f"{stage} ran out of memory at {asked}, and was done at {had}: ask for that at once, with "
            f"{cpu}memory={had.memory}."
        )


def _labels_of_ops(plan: Plan) -> frozenset[str]:
    """What the ops of a plan are called: values that were given several times are merged too, but no steps."""
    return frozenset(
        origin.label
        for task in plan.tasks
        for step, origin in zip(task.steps, task.origins, strict=True)
        if step.kind in _TOLD
    )
