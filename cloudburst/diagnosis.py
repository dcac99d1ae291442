"""From what became of a run's tasks to what the user is told: the exceptions, their causes, and the logs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from cloudburst.errors import (
    Cancelled,
    ComputeError,
    LaunchError,
    OutOfMemory,
    StageError,
    Tampered,
    TaskTimeout,
    WorkerLost,
)
from cloudburst.resources import Size, next_memory
from cloudburst.runtime import codecs
from cloudburst.runtime.events import Failure
from cloudburst.runtime.protocols import Backend
from cloudburst.runtime.task import WHOLE, Origin, Plan, Task, TaskId

if TYPE_CHECKING:
    from cloudburst.runtime.driver import Outcome

TAIL = 64 * 1024
"""Characters of a task's output that its error carries."""


def errors_of(plan: Plan, outcome: Outcome, backend: Backend) -> list[Exception]:
    """An exception for every task that failed for good, in plan order; the user's own where there is one."""
    return [_error(plan, failed, backend) for failed in outcome.failures]


def verdict(plan: Plan, outcome: Outcome, errors: tuple[Exception, ...], keep_going: bool) -> Exception:
    """The exception that a run without result raises."""
    if outcome.status == "cancelled":
        return Cancelled(f"the run {plan.name} was cancelled: {outcome.reason}.")
    if keep_going:
        skipped = tuple(task_name(plan, one) for one in outcome.skipped)
        also = f", and {len(skipped)} more did not run because of that" if skipped else ""
        count = "1 task" if len(errors) == 1 else f"{len(errors)} tasks"
        group = ComputeError(f"{count} of the run {plan.name} failed{also}", errors)
        group.skipped = skipped
        return group
    first, others = errors[0], errors[1:]
    if others:
        listed = "".join(f"\n  {type(error).__name__}: {_first_line(error)}" for error in others[:5])
        more = f"\n  … and {len(others) - 5} more, in Run.errors" if len(others) > 5 else ""
        count = "1 other task" if len(others) == 1 else f"{len(others)} other tasks"
        first.add_note(f"{count} of this run failed too:{listed}{more}")
    return first


def task_name(plan: Plan, which: TaskId) -> str:
    """A task's name, with the item where it is one of a fan."""
    name = plan.tasks[which.task].name
    return name if which.item == WHOLE else f"{name}[{which.item}]"


class TaskLog(NamedTuple):
    """What one attempt of a task printed."""

    stage: str
    task: str
    attempt: int
    text: str


def logs_of(plan: Plan, outcome: Outcome, backend: Backend) -> list[TaskLog]:
    """What the tasks of a run printed, read before the backend serves another run."""
    found = []
    for which, attempt, log in outcome.logs:
        if text := backend.logs(log):
            found.append(TaskLog(plan.tasks[which.task].stage, task_name(plan, which), attempt, text))
    return found


def place_of(origin: Origin) -> str:
    """``pipeline.py:12``, the line of the user's program that asked for a step; nothing where it is not known."""
    code, lasti = origin.code, origin.lasti
    if code is None:
        return ""
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= lasti < end and number is not None:
            line = number
            break
    return f"{os.path.basename(code.co_filename)}:{line}"


def _error(plan: Plan, failed: Any, backend: Backend) -> Exception:
    which, attempt, failure, log, size = failed
    task = plan.tasks[which.task]
    tail = backend.logs(log)[-TAIL:] if log is not None else ""
    place = {"stage": task.stage, "task": task_name(plan, which), "attempt": attempt, "log_tail": tail}
    what = _what(task, which, failure)
    if failure.cause in ("raised", "refused"):
        return _raised(what, failure, place)
    if failure.cause == "tampered":
        return Tampered(f"{what} was not performed. {failure.message}")
    tries = f" after {attempt} attempts" if attempt > 1 else ""
    printed = f"\nThe last lines that it printed:\n{_last_lines(tail)}" if tail.strip() else ""
    if failure.cause == "memory":
        had = size if size is not None and task.size.memory is not None else task.size
        return _out_of_memory(had, what, failure, tries, printed, place)
    if failure.cause == "timeout":
        return TaskTimeout(
            f"{what} took longer than its timeout={task.timeout_s:g} s{tries} and was stopped. "
            f"Give it more time with timeout=, or more CPU.{printed}",
            **place,
        )
    if failure.cause == "launch":
        return LaunchError(f"{what} could not be started: {failure.message.rstrip('.')}.{printed}")
    if failure.cause in ("reclaimed", "host"):
        why = _WITHOUT_FAULT[failure.cause]
        return WorkerLost(f"{what} lost its worker{tries}: {failure.message}. {why}{printed}", **place)
    return WorkerLost(
        f"{what} lost its worker{tries}: {failure.message}. A crash in native code, os._exit or kill does this; "
        f"retries= tries it again more often.{printed}",
        **place,
    )


_WITHOUT_FAULT = {
    "reclaimed": "AWS took spare capacity back, and on demand it went no better; run it again, or with spot=False.",
    "host": "The machine under it failed, again and again: look at the AWS Health Dashboard, and run it again.",
}


def _what(task: Task, which: TaskId, failure: Failure) -> str:
    item = "" if which.item == WHOLE else f", item {which.item}"
    step = failure.step
    if step is None and task.stage_step is not None:
        step = task.stage_step
    if step is None:
        return f"{task.stage}{item}"
    origin = task.origins[step]
    place = place_of(origin)
    at = f" ({place})" if place else ""
    if task.stage_step is None or step == task.stage_step:
        kind = "stage" if task.stage_step is not None else "op"
        return f"{kind} {origin.label}{item}{at}"
    return f"op {origin.label}{at}, which rides with stage {task.stage}{item},"


def _raised(what: str, failure: Failure, place: dict[str, Any]) -> Exception:
    attempt, tail = place["attempt"], place["log_tail"]
    tries = f" in attempt {attempt}" if attempt > 1 else ""
    printed = f"\nThe last lines that it printed:\n{_last_lines(tail)}" if tail.strip() else ""
    trace = f"\n{failure.traceback.rstrip()}" if failure.traceback else ""
    verb = "failed" if failure.cause == "raised" else "returned what cannot be taken"
    has_no_secret = failure.message.startswith(("its secret", "The secret"))
    if failure.cause == "refused" and (failure.step is None or has_no_secret):
        verb = "could not begin"
    message = f"{what} {verb}{tries}: {failure.message}{trace}{printed}"
    stage_error = StageError(message, remote_traceback=failure.traceback, **place)
    if failure.exception is None:
        return stage_error
    try:
        error = codecs.decode("pickle", memoryview(failure.exception))
    except Exception as lost:  # noqa: BLE001 - what cannot be built here is told as text
        stage_error.add_note(f"Its exception object could not be brought back: {type(lost).__name__}: {lost}")
        return stage_error
    if not isinstance(error, Exception):
        return stage_error
    stage_error.__cause__ = error.__cause__
    error.__cause__ = stage_error
    return error


def _out_of_memory(
    had: Size, what: str, failure: Failure, tries: str, printed: str, place: dict[str, Any]
) -> OutOfMemory:
    peak = f" at {failure.peak_mib:.0f} MiB" if failure.peak_mib else ""
    larger = next_memory(had)
    mend = f"Ask for more: memory={larger.memory}" if larger is not None else "Work on less at once"
    if larger is not None and larger.cpu != had.cpu:
        mend += f", cpu={larger.cpu}"
    return OutOfMemory(
        f"{what} ran out of memory{peak}{tries}. {mend}.{printed}",
        peak_mib=failure.peak_mib,
        limit_mib=had.memory,
        **place,
    )


def _last_lines(text: str, most: int = 20) -> str:
    lines = text.rstrip().splitlines()
    return "\n".join(f"  | {line}" for line in lines[-most:])


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
