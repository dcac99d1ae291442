"""Every way in which a worker can end, or fail to begin, as a user's program meets it: a value, or an error that says all.

The rows are those of the table of how ECS behaves. A run costs seconds and a row nothing, so most rows share a run, in
which each stage has its own misfortune; every attempt has a machine of its own there (``linger=0``).
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import boto3
import pytest

import cloudburst as cb
from cloudburst.errors import Cancelled, LaunchError, OutOfMemory, StageError, TaskTimeout, WorkerLost
from cloudburst.testing import (
    ABOVE_LIMIT,
    AGED_OUT,
    CAPACITY,
    ENI_TIMEOUT,
    EXEC_FORMAT,
    HOST_FAULT,
    KILLED,
    LOST_ANSWER,
    MEMORY_FLAG_STICKS,
    MISSING,
    NEVER_STARTS,
    NO_LOG_GROUP,
    OUT_OF_MEMORY,
    PULL_DENIED,
    PULL_NOT_FOUND,
    PULL_TIMEOUT,
    RESOURCE_INITIALIZATION,
    SEGFAULT,
    SERVER_ERROR,
    SLOW_DOWN,
    SLOW_START,
    SPOT_KILLED,
    SPOT_LOSS,
    START_ERROR,
    STORAGE_TIMEOUT,
    TERMINATION_NOTICE,
    THROTTLED,
)
from tests.aws.runs import QUICK, listed, on_aws, ran
from tests.testing.fargate import until


@cb.stage(cpu=256, memory=512)
def small(x=1):
    print("small was here")
    return x


def times_called(place: str) -> int:
    """How often this was called with that place, this time included."""
    with open(place, "a") as file:
        file.write("x")
        return file.tell()


# ---------------------------------------------------------------- what is tried again, and then goes well


@cb.stage(cpu=256, memory=512, spot=True)
def reclaimed_thrice():
    return "on demand"


@cb.stage(cpu=256, memory=1024, spot=True)
def done_within_the_notice():
    time.sleep(0.5)
    return "in time"


@cb.stage(cpu=512, memory=1024, spot=True)
def too_long_for_the_notice(place):
    if times_called(place) == 1:
        time.sleep(60)
    return "elsewhere"


@cb.stage(cpu=512, memory=2048)
def on_bad_hosts(place):
    if times_called(place) < 3:
        time.sleep(60)
    return "on the third host"


@cb.stage(cpu=1024, memory=2048)
def out_of_memory_twice():
    return "with more"


@cb.stage(cpu=2048, memory=4096)
def crashes_once():
    return "at the second try"


@cb.stage(cpu=256, memory=2048)
def really_hungry():
    kept = bytearray(2200 << 20)
    kept[:: 1 << 12] = bytes(len(kept) >> 12)
    time.sleep(1)  # the fake looks at memory now and then
    return len(kept)


@pytest.fixture(scope="module")
def well(tmp_path_factory):
    places = tmp_path_factory.mktemp("calls")
    stages = {
        "reclaimed_thrice": [SPOT_KILLED, SPOT_KILLED, SPOT_KILLED],
        "done_within_the_notice": [SPOT_LOSS],
        "too_long_for_the_notice": [SPOT_LOSS],
        "on_bad_hosts": [HOST_FAULT, TERMINATION_NOTICE],
        "out_of_memory_twice": [OUT_OF_MEMORY, OUT_OF_MEMORY],
        "crashes_once": [SEGFAULT],
    }
    deferreds = [
        reclaimed_thrice(),
        done_within_the_notice(),
        too_long_for_the_notice(str(places / "notice")),
        on_bad_hosts(str(places / "hosts")),
        out_of_memory_twice(),
        crashes_once(),
        really_hungry(),
    ]
    with on_aws(stages=stages, linger=0) as aws:
        return ran(aws, cb.defer(deferreds))


def of(well, cpu, memory, spot=False):
    """The machines of one size of a run."""
    return [task for task in well.tasks if task.size[:2] == (cpu, memory) and task.size.spot == spot]


def retries(well):
    return {one.stage: one.retries for one in well.summary.by_stage}


def test_all_that_can_be_tried_again_is(well):
    assert well.error is None
    words = ["on demand", "in time", "elsewhere", "on the third host", "with more", "at the second try"]
    assert well.value == [*words, 2200 << 20]
    assert well.listed == []
    assert len(well.tasks) == 4 + 1 + 2 + 3 + 3 + 2 + 2


def test_lost_spot_capacity_is_tried_again_and_then_on_demand(well):
    assert well.met["SPOT_KILLED"] == 3
    assert (len(of(well, 256, 512, spot=True)), len(of(well, 256, 512))) == (3, 1)
    assert retries(well)["reclaimed_thrice"] == 3


def test_a_task_that_ends_within_the_notice_is_not_done_again(well):
    [machine] = of(well, 256, 1024, spot=True)
    assert (machine.stop_code, machine.exit_code) == ("SpotInterruption", 143)
    assert retries(well)["done_within_the_notice"] == 0


def test_what_the_notice_is_too_short_for_is_done_again_elsewhere(well):
    first, second = of(well, 512, 1024, spot=True)
    assert (first.stop_code, first.exit_code) == ("SpotInterruption", 143)
    assert second.stop_code == "UserInitiated"
    assert well.met["SPOT_LOSS"] == 2


def test_hosts_that_fail_or_retire_do_not_use_up_retries(well):
    codes = [machine.stop_code for machine in of(well, 512, 2048)]
    assert codes == ["InfrastructureHealth", "TerminationNotice", "UserInitiated"]
    assert retries(well)["on_bad_hosts"] == 2


def test_out_of_memory_is_tried_again_at_the_next_size_and_said(well):
    assert well.met["OUT_OF_MEMORY"] == 3
    assert [len(of(well, 1024, memory)) for memory in (2048, 3072, 4096)] == [1, 1, 1]
    assert "out_of_memory_twice ran out of memory at 1 vCPU, 2 GB, and was done at 1 vCPU, 4 GB" in str(well.summary)
    assert "memory=4096" in str(well.summary)


def test_memory_that_is_really_used_up_is_seen(well):
    assert [len(of(well, cpu, memory)) for cpu, memory in ((256, 2048), (512, 3072))] == [1, 1]
    assert "really_hungry ran out of memory at 0.25 vCPU, 2 GB, and was done at 0.5 vCPU, 3 GB" in str(well.summary)
    assert "cpu=512, memory=3072" in str(well.summary)


def test_a_crash_is_tried_once_more(well):
    assert [machine.exit_code for machine in of(well, 2048, 4096)][0] == 139
    assert retries(well)["crashes_once"] == 1


# ---------------------------------------------------------------- what fails for good


@cb.stage(cpu=256, memory=512)
def hosts_always_fail():
    print("on the host")


@cb.stage(cpu=256, memory=1024)
def always_crashes():
    print("before the crash")


@cb.stage(cpu=256, memory=2048, retries=2)
def killed_thrice():
    print("before the kill")


@cb.stage(cpu=1024, memory=2048)
def never_enough():
    print("eating")


class Odd(ValueError):
    pass


@cb.stage(cpu=512, memory=1024, retries=1)
def raises(place):
    print("looking at it")
    raise Odd(f"it is odd, said {times_called(place)} times")


@cb.stage(cpu=512, memory=2048)
def exits():
    print("leaving")
    sys.exit(3)


@cb.stage(cpu=512, memory=3072)
def exits_at_once():
    os.write(1, b"leaving at once\n")
    os._exit(7)


@cb.stage(cpu=512, memory=4096, timeout=0.5)
def sleeps_in_c():
    print("going to sleep")
    time.sleep(60)


@cb.stage(cpu=1024, memory=3072, timeout=0.5)
def searches_in_c():
    print("going to search")
    re.match(r"(a+)+$", "a" * 64 + "b")  # holds the interpreter for years


@pytest.fixture(scope="module")
def badly(tmp_path_factory):
    stages = {
        "hosts_always_fail": [HOST_FAULT] * 6,
        "always_crashes": [SEGFAULT] * 2,
        "killed_thrice": [KILLED] * 3,
        "never_enough": [OUT_OF_MEMORY] * 4,
    }
    deferreds = [
        hosts_always_fail(),
        always_crashes(),
        killed_thrice(),
        never_enough(),
        raises(str(tmp_path_factory.mktemp("calls") / "raises")),
        exits(),
        exits_at_once(),
        sleeps_in_c(),
        searches_in_c(),
    ]
    with on_aws(stages=stages, linger=0) as aws:
        return ran(aws, cb.defer(deferreds), keep_going=True)


def error_of(badly, stage):
    """The error of one stage, and the one that tells of it."""
    for error in badly.run.errors:
        told = error if hasattr(error, "stage") else error.__cause__
        if told.stage == stage:
            return error
    raise AssertionError(f"{stage} did not fail")


def test_each_failure_is_told_once_and_nothing_is_left(badly):
    assert len(badly.run.errors) == 9
    assert badly.listed == []
    assert len(badly.tasks) == 6 + 2 + 3 + 4 + 2 + 1 + 2 + 1 + 1


def test_a_host_that_always_fails_is_named_as_the_cause(badly):
    error = error_of(badly, "hosts_always_fail")
    assert isinstance(error, WorkerLost)
    assert badly.met["HOST_FAULT"] == 6
    for words in ("stage hosts_always_fail", "after 6 attempts", "underlying infrastructure failure", "Health Dashboard"):
        assert words in str(error)


@pytest.mark.parametrize(
    ("stage", "attempts", "code", "printed"),
    [
        ("always_crashes", 2, "exit code 139 (SIGSEGV)", "before the crash"),
        ("killed_thrice", 3, "exit code 137 (SIGKILL)", "before the kill"),
    ],
)
def test_a_crash_without_a_record_is_told_with_the_tail_from_cloudwatch(badly, stage, attempts, code, printed):
    error = error_of(badly, stage)
    assert isinstance(error, WorkerLost)
    assert (error.attempt, badly.met["SEGFAULT"], badly.met["KILLED"]) == (attempts, 2, 3)
    assert f"stage {stage}" in str(error)
    assert f"after {attempts} attempts" in str(error)
    assert code in str(error)
    assert "retries=" in str(error)
    assert printed in error.log_tail
    assert printed in str(error)


def test_too_little_memory_at_each_size_is_told_with_the_next(badly):
    error = error_of(badly, "never_enough")
    assert isinstance(error, OutOfMemory)
    assert badly.met["OUT_OF_MEMORY"] == 4
    assert [len(of(badly, 1024, memory)) for memory in (2048, 3072, 4096, 5120)] == [1, 2, 1, 1]  # with searches_in_c
    assert "after 4 attempts" in str(error)
    assert error.limit_mib == 5120
    assert "memory=6144" in str(error)
    assert "eating" in error.log_tail


def test_the_users_own_exception_comes_after_its_retries(badly):
    error = error_of(badly, "raises")
    assert type(error).__name__ == "Odd"
    assert isinstance(error, ValueError)
    assert str(error) == "it is odd, said 2 times"
    told = error.__cause__
    assert isinstance(told, StageError)
    assert (told.stage, told.attempt) == ("raises", 2)
    assert "raise Odd" in told.remote_traceback
    assert "looking at it" in told.log_tail
    assert "looking at it" in str(told)


def test_sys_exit_ends_the_task_and_not_the_worker(badly):
    error = error_of(badly, "exits")
    assert "SystemExit" in str(error)
    assert "leaving" in error.log_tail


def test_a_performer_that_is_gone_is_told_by_its_supervisor(badly):
    error = error_of(badly, "exits_at_once")
    assert isinstance(error, WorkerLost)
    assert "exit code 7" in str(error)
    assert "leaving at once" in error.log_tail


@pytest.mark.parametrize(("stage", "printed"), [("sleeps_in_c", "to sleep"), ("searches_in_c", "to search")])
def test_time_outs_hold_inside_c_code(badly, stage, printed):
    error = error_of(badly, stage)
    assert isinstance(error, TaskTimeout)
    assert "timeout=0.5" in str(error)
    assert printed in error.log_tail


# ---------------------------------------------------------------- machines that do not come to run

PASSING = {
    "network and disk": [ENI_TIMEOUT, STORAGE_TIMEOUT, START_ERROR],
    "pull": [PULL_TIMEOUT, PULL_TIMEOUT],
    "initialization": [RESOURCE_INITIALIZATION],
    "slow": [SLOW_START],
    "capacity": [CAPACITY, CAPACITY],
    "missing": [MISSING],
    "memory flag": [MEMORY_FLAG_STICKS],
    "aged out": [AGED_OUT],
}
FINAL = {
    "pull timeout": ([PULL_TIMEOUT] * 4, ["i/o timeout", "compute_assign_public_ip=True", "compute_subnets"]),
    "no image": ([PULL_NOT_FOUND], ["CannotPullContainerError", "not found", "compute_image", "push the image"]),
    "pull denied": ([PULL_DENIED], ["403 Forbidden", "compute_execution_role", "ecr:BatchGetImage"]),
    "no route": ([RESOURCE_INITIALIZATION] * 2, ["ResourceInitializationError", "compute_assign_public_ip=True"]),
    "no log group": ([NO_LOG_GROUP] * 2, ["log group does not exist", "log_group", "logs:CreateLogStream"]),
    "architecture": ([EXEC_FORMAT], ["another kind of CPU", "exec format error", "architecture=", "compute_image"]),
    "above the limit": ([ABOVE_LIMIT], ["above your limit", "smaller cpu=", "quota"]),
    "never starts": ([NEVER_STARTS], ["10 minutes", "did not start", "compute_subnets"]),
    "start": ([START_ERROR] * 5, ["unable to create container", "5 times in a row"]),
}


@pytest.fixture(scope="module")
def launched():
    """One run after another, by what it meets when it asks for its machine."""
    rows = {**PASSING, **{name: row for name, (row, _) in FINAL.items()}}
    with on_aws(launches=[fault for row in rows.values() for fault in row], linger=0) as aws:
        return {name: ran(aws, small(name)) for name in rows}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_asked_for_again(launched, name):
    one = launched[name]
    assert (one.value, one.error) == (name, None)
    assert one.listed == []
    for fault in PASSING[name]:
        assert one.met[fault.name] >= PASSING[name].count(fault)
    granted = [fault for fault in PASSING[name] if fault.when == "starting" and fault is not SLOW_START]
    assert len(one.tasks) == len(granted) + 1
    assert one.summary.retries == 0


@pytest.mark.parametrize("name", FINAL)
def test_what_does_not_pass_ends_the_run_with_the_cause_and_the_mend(launched, name):
    one = launched[name]
    faults, words = FINAL[name]
    assert isinstance(one.error, LaunchError), one.error
    assert one.met == {faults[0].name: len(faults)}
    assert one.listed == []
    assert "stage small" in str(one.error)
    for word in words:
        assert word in str(one.error)
