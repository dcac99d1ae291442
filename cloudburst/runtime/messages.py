"""What a client and its performer say to each other, besides the frames that carry it: tasks down, records up.

They cross the pipe as plain tuples, at a third of what named ones cost; both directions of each stand here together.
"""

from __future__ import annotations

from typing import Any

from cloudburst.runtime.events import Ended, Failure
from cloudburst.runtime.protocols import Assignment
from cloudburst.runtime.steps import Record
from cloudburst.runtime.task import Artifact, Output, Step, TaskId

TaskMessage = tuple[Any, ...]
RecordMessage = tuple[Any, ...]


def task_message(one: Assignment) -> TaskMessage:
    """An assignment as it goes down; its time-out is the client's to keep."""
    return (
        *one.id,
        one.attempt,
        [tuple(step) for step in one.steps],
        [tuple(artifact) for artifact in one.inputs],
        [tuple(output) for output in one.outputs],
        one.prefix,
        one.stage_step,
        one.environment,
        one.secrets,
        one.stage,
        one.columns,
        one.reads,
    )


def assignment_of(message: TaskMessage) -> Assignment:
    """The assignment again."""
    task, item, attempt, steps, inputs, outputs, prefix, stage_step, environment, secrets, *reading = message
    stage, columns, reads = reading
    return Assignment(
        TaskId(task, item),
        attempt,
        tuple([Step(*step) for step in steps]),
        tuple([Artifact(*artifact) for artifact in inputs]),
        tuple([Output(*output) for output in outputs]),
        prefix,
        stage_step=stage_step,
        environment=environment,
        secrets=secrets,
        stage=stage,
        columns=columns,
        reads=reads,
    )


def record_message(assignment: Assignment, record: Record, peak_mib: float, log_end: int) -> RecordMessage:
    """What became of an assignment as it goes up."""
    failure = None if record.failure is None else tuple(record.failure)
    artifacts = [tuple(artifact) for artifact in record.artifacts]
    return "ended", *assignment.id, assignment.attempt, artifacts, failure, record.seconds, peak_mib, log_end


def ended_of(message: RecordMessage, worker: str, log_start: int) -> Ended:
    """The event that a record is to the client."""
    _, task, item, attempt, artifacts, failure, seconds, peak_mib, log_end = message
    return Ended(
        worker,
        TaskId(task, item),
        attempt,
        tuple([Artifact(*artifact) for artifact in artifacts]),
        None if failure is None else Failure(*failure),
        seconds,
        peak_mib,
        (worker, log_start, log_end),
    )
