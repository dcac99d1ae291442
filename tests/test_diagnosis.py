"""What the user is told of tasks that failed: which, where, why, and what to do."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

import cloudburst as cb
from cloudburst.diagnosis import errors_of, place_of, task_name, verdict
from cloudburst.resources import Size
from cloudburst.runtime.driver import Outcome
from cloudburst.runtime.events import Failure
from cloudburst.runtime.retry import Failed
from cloudburst.runtime.task import Origin, Output, Plan, Step, Task, TaskId


class Printed:
    """A backend of which only the logs are asked."""

    def __init__(self, text: str = "") -> None:
        self.text = text

    def logs(self, log: tuple[str, int, int]) -> str:
        return self.text


def plan(size: Size = Size(1024, 2048), *, stage_step: int | None = 0) -> Plan:
    steps = (Step("call", "f", ()), Step("method", "query", (None,), ((0, 0),)))
    code = plan.__code__
    origins = (Origin("load", code, 0), Origin(".query()", code, 0))
    task = Task(0, "load-123", "load", steps, (), (Output(1),), origins, size, 9.0, 0, None, stage_step)
    return Plan("daily", (task,), {}, (), ())


def outcome(*failed: Failed, status: Any = "failed", skipped: tuple[TaskId, ...] = ()) -> Outcome:
    return Outcome(status, "no longer wanted", (), failed, skipped, (), (), 0, 1, 0, 0.1, 1, ())


def told(failure: Failure, *, attempt: int = 1, item: int = -1, printed: str = "", **made: Any) -> Exception:
    log = ("w1", 0, len(printed)) if printed else None
    failed = Failed(TaskId(0, item), attempt, failure, log)
    [error] = errors_of(plan(**made), outcome(failed), Printed(printed))  # type: ignore[arg-type]
    return error


def test_a_lost_worker_is_told_with_how_often_and_what_it_printed() -> None:
    error = told(Failure("lost", "killed by SIGKILL"), attempt=2, printed="line 1\nline 2\n")
    assert isinstance(error, cb.WorkerLost)
    text = str(error)
    assert text.startswith("stage load (test_diagnosis.py:")
    assert "lost its worker after 2 attempts: killed by SIGKILL" in text
    assert text.endswith("  | line 1\n  | line 2")
    assert (error.stage, error.task, error.attempt, error.log_tail) == ("load", "load-123", 2, "line 1\nline 2\n")


def test_out_of_memory_at_larger_sizes_too_names_the_one_beyond_them() -> None:
    made = plan()
    failed = Failed(TaskId(0), 4, Failure("memory", ""), None, Size(1024, 7168))
    [error] = errors_of(made, outcome(failed), Printed(""))  # type: ignore[arg-type]
    assert isinstance(error, cb.OutOfMemory)
    assert "after 4 attempts. Ask for more: memory=11264, cpu=2048." in str(error)
    assert error.limit_mib == 7168


def test_out_of_memory_names_peak_limit_and_the_next_size() -> None:
    error = told(Failure("memory", "", peak_mib=2047.6))
    assert isinstance(error, cb.OutOfMemory)
    assert "ran out of memory at 2048 MiB. Ask for more: memory=3072." in str(error)
    assert (error.peak_mib, error.limit_mib) == (2047.6, 2048)
    assert "memory=12288, cpu=2048" in str(told(Failure("memory", ""), size=Size(1024, 8192)))
    assert "Work on less at once" in str(told(Failure("memory", ""), size=Size(16384, 122880)))


def test_a_timeout_names_the_limit() -> None:
    error = told(Failure("timeout", ""))
    assert isinstance(error, cb.TaskTimeout)
    assert "took longer than its timeout=9 s and was stopped" in str(error)


def test_workers_that_would_not_start_are_told_with_the_cause() -> None:
    error = told(Failure("launch", "no such interpreter"))
    assert isinstance(error, cb.LaunchError)
    assert "could not be started: no such interpreter" in str(error)


def test_the_users_exception_keeps_its_own_cause_behind_ours() -> None:
    theirs = ValueError("bad")
    theirs.__cause__ = KeyError("deeper")
    data = pickle.dumps(theirs)
    error = told(Failure("raised", "ValueError: bad", 0, data, "Traceback ..."))
    assert type(error) is ValueError
    assert isinstance(error.__cause__, cb.StageError)
    assert error.__cause__.remote_traceback == "Traceback ..."


def test_an_exception_that_cannot_be_built_here_is_told_as_text() -> None:
    error = told(Failure("raised", "Odd: text", 0, b"no pickle"))
    assert isinstance(error, cb.StageError)
    assert "could not be brought back" in error.__notes__[0]
    other = told(Failure("raised", "SystemExit: 3", 0, pickle.dumps(SystemExit(3))))
    assert isinstance(other, cb.StageError)


def test_an_op_that_rides_is_named_beside_its_stage() -> None:
    assert "op .query() (test_diagnosis.py:" in str(told(Failure("raised", "KeyError: 'x'", 1)))
    assert "which rides with stage load, item 7," in str(told(Failure("raised", "KeyError: 'x'", 1), item=7))
    assert str(told(Failure("raised", "E", 1), stage_step=None)).startswith("op .query() (test_diagnosis")
    assert str(told(Failure("lost", "gone"), stage_step=None)).startswith("load lost its worker")


def test_verdicts() -> None:
    errors: tuple[Exception, ...] = tuple(ValueError(n) for n in range(8))
    cancelled = verdict(plan(), outcome(status="cancelled"), (), False)
    assert str(cancelled) == "the run daily was cancelled: no longer wanted."
    first = verdict(plan(), outcome(), errors, False)
    assert first is errors[0]
    [note] = first.__notes__
    assert "7 other tasks" in note
    assert "and 2 more, in Run.errors" in note
    both = verdict(plan(), outcome(), errors[:2], False)
    assert "1 other task of this run failed too:\n  ValueError: 1" in both.__notes__[-1]
    group = verdict(plan(), outcome(skipped=(TaskId(0, 3),)), errors[:1], True)
    assert isinstance(group, cb.ComputeError)
    assert group.skipped == ("load-123[3]",)
    assert "1 task of the run daily failed, and 1 more did not run" in str(group)


def test_places_and_names() -> None:
    assert place_of(Origin("f", None, -1)) == ""
    assert place_of(Origin("f", plan.__code__, 10_000)).startswith("test_diagnosis.py:")
    assert task_name(plan(), TaskId(0)) == "load-123"


@pytest.mark.parametrize("text", ["", "   \n"])
def test_nothing_printed_is_not_told(text: str) -> None:
    assert "printed" not in str(told(Failure("lost", "gone"), printed=text))


def test_machines_that_were_taken_back_or_failed_are_nobodys_fault() -> None:
    text = str(told(Failure("reclaimed", "its machine was taken back"), attempt=5))
    assert "lost its worker after 5 attempts: its machine was taken back. AWS took spare capacity back" in text
    assert "spot=False" in text
    text = str(told(Failure("host", "the host failed"), attempt=6))
    assert "after 6 attempts: the host failed. The machine under it failed" in text
    assert "Health Dashboard" in text


def test_what_was_tampered_with_is_told_as_such() -> None:
    error = told(Failure("tampered", "runs/x/a/0 is not what was written there."))
    assert isinstance(error, cb.Tampered)
    assert "stage load (test_diagnosis.py:" in str(error)
    assert "was not performed. runs/x/a/0 is not what was written there." in str(error)


@pytest.mark.parametrize(
    "message", ["its secret TOKEN is not there: set it.", "The secret arn:x for TOKEN cannot be read"]
)
def test_a_stage_without_its_secret_could_not_begin(message: str) -> None:
    assert f"could not begin: {message}" in str(told(Failure("refused", message, 0)))


def test_a_value_that_cannot_be_taken_is_not_told_as_a_failure_of_the_code() -> None:
    assert "returned what cannot be taken: a lock" in str(told(Failure("refused", "a lock cannot travel", 0)))


def test_a_mend_that_ends_a_sentence_is_given_no_second_stop() -> None:
    assert str(told(Failure("launch", "there is no image. Push it."))).endswith(
        "could not be started: there is no image. Push it."
    )
