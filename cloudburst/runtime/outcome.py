"""What became of a run, once it is over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from cloudburst.resources import Size
from cloudburst.runtime.retry import Failed
from cloudburst.runtime.state import State
from cloudburst.runtime.steps import kept_outputs
from cloudburst.runtime.task import WHOLE, Artifact, Input, TaskId

Log = tuple[str, int, int]
"""Where an attempt's output lies: name, first byte, end."""


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
    enlarged: tuple[tuple[TaskId, Size], ...] = ()
    """Tasks that ran out of memory, and the size at which they were done."""


def finished(state: State) -> Iterator[tuple[bytes, Artifact]]:
    """What a run that is not done has in the store all the same, with its identity across runs."""
    tasks = state.plan.tasks
    for task in tasks:
        for number, output in enumerate(task.outputs):
            if output.digest is not None and not output.rescue:
                artifact = state.artifact(Input(task.index, number))
                if artifact is not None:
                    yield output.digest, artifact
    for (number, item), artifacts in state.partial.items():
        task = tasks[number]
        if item != WHOLE:  # a part of a value that has an identity as a whole only
            continue
        kept = kept_outputs(task.outputs, len(task.inputs), task.stage_step)
        for output_number, artifact in zip(kept, artifacts, strict=True):
            if (digest := task.outputs[output_number].digest) is not None:
                yield digest, artifact
