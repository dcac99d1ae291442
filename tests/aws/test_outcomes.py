"""Every way in which a worker can end, or fail to begin, as a user's program meets it: a value, or an error.

The rows are those of the table of how ECS behaves. A run costs seconds and a row nothing, so most rows share a run, in
which each stage has its own misfortune; every attempt has a machine of its own there (``linger=0``).
"""

from __future__ import annotations

import os
import re
import sys
import time

import boto3
import pytest

import cloudburst as cb
from cloudburst.errors import Cancelled, ComputeError, LaunchError, OutOfMemory, StageError, TaskTimeout, WorkerLost
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
from tests.aws.runs import listed, on_aws, ran
from tests.testing.fargate import until

pytestmark = pytest.mark.no_cover


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


@cb.stage(cpu=16384, memory=32768, spot=True)
def reclaimed_thrice():
    time.sleep(3)  # as long as it takes to be killed, on a busy machine too
    return "on demand"


@cb.stage(cpu=4096, memory=8192, spot=True)
def done_within_the_notice():
    time.sleep(0.5)
    return "in time"


@cb.stage(cpu=1024, memory=2048, spot=True)
def too_long_for_the_notice(place):
    if times_called(place) == 1:
        time.sleep(60)
    return "elsewhere"


@cb.stage(cpu=256, memory=512)
def on_bad_hosts():
    time.sleep(3)
    return "on the third host"


@cb.stage(cpu=256, memory=512)
def on_a_host_that_retires(place):
    if times_called(place) == 1:
        time.sleep(60)
    return "on another host"


@cb.stage(cpu=256, memory=512)
def crashes_once():
    time.sleep(3)
    return "at the second try"


@cb.stage(cpu=256, memory=512)
def hungry():
    kept = bytearray(700 << 20)
    kept[:: 1 << 12] = bytes(len(kept) >> 12)
    time.sleep(1)  # the fake looks at memory now and then
    return len(kept)


@pytest.fixture(scope="module")
def well(tmp_path_factory):
    """A run of which no task is done without trouble, and each in the end. Spot machines fit no stage but their own."""
    places = tmp_path_factory.mktemp("calls")
    stages = {
        "reclaimed_thrice": [SPOT_KILLED, SPOT_KILLED, SPOT_KILLED],
        "done_within_the_notice": [SPOT_LOSS],
        "too_long_for_the_notice": [SPOT_LOSS],
        "on_bad_hosts": [HOST_FAULT, HOST_FAULT],
        "on_a_host_that_retires": [TERMINATION_NOTICE],
        "crashes_once": [KILLED],
    }
    deferreds = [
        reclaimed_thrice(),
        done_within_the_notice(),
        too_long_for_the_notice(str(places / "notice")),
        on_bad_hosts(),
        on_a_host_that_retires(str(places / "hosts")),
        crashes_once(),
        hungry(),
    ]
    with on_aws(stages=stages, linger=0) as aws:
        return ran(aws, cb.defer(deferreds))


def test_all_that_can_be_tried_again_is(well):
    assert well.error is None
    hosts = ["on the third host", "on another host"]
    assert well.value == ["on demand", "in time", "elsewhere", *hosts, "at the second try", 700 << 20]
    assert well.listed == []


def test_lost_spot_capacity_is_tried_again_and_then_on_demand(well):
    assert well.met["SPOT_KILLED"] == 3
    assert [machine.size.spot for machine in well.of("reclaimed_thrice")] == [True, True, True, False]
    assert well.retries("reclaimed_thrice") == 3


def test_a_task_that_ends_within_the_notice_is_not_done_again(well):
    [machine] = well.of("done_within_the_notice")
    assert (machine.stop_code, machine.exit_code) == ("SpotInterruption", 143)
    assert well.retries("done_within_the_notice") == 0


def test_what_the_notice_is_too_short_for_is_done_again_elsewhere(well):
    first, second = well.of("too_long_for_the_notice")
    assert first.stop_code == "SpotInterruption"
    assert first.exit_code in (143, 137)  # the notice is short here, and a busy machine may be late to go
    assert second.stop_code == "UserInitiated"
    assert (well.met["SPOT_LOSS"], well.retries("too_long_for_the_notice")) == (2, 1)


def test_hosts_that_fail_or_retire_do_not_use_up_retries(well):
    # Which machine is there first is not the order in which they were asked for.
    failed = [machine.stop_code for machine in well.of("on_bad_hosts")]
    assert sorted(failed) == ["InfrastructureHealth", "InfrastructureHealth", "UserInitiated"]
    retired = [machine.stop_code for machine in well.of("on_a_host_that_retires")]
    assert sorted(retired) == ["TerminationNotice", "UserInitiated"]
    assert (well.retries("on_bad_hosts"), well.retries("on_a_host_that_retires")) == (2, 1)


def test_a_crash_is_tried_once_more(well):
    assert well.met["KILLED"] == 1
    assert sorted(machine.exit_code for machine in well.of("crashes_once")) == [137, 143]


def test_out_of_memory_is_tried_again_at_the_next_size_and_said(well):
    assert well.met["OUT_OF_MEMORY"] == 1
    assert [machine.size.memory for machine in well.of("hungry")] == [512, 1024]
    assert "hungry ran out of memory at 0.25 vCPU, 512 MB, and was done at 0.25 vCPU, 1 GB" in str(well.summary)
    assert "memory=1024" in str(well.summary)


# ---------------------------------------------------------------- what fails for good


@cb.stage(cpu=256, memory=512)
def always_crashes():
    print("before the crash")
    time.sleep(60)


@cb.stage(cpu=4096, memory=8192)
def never_enough():
    print("eating")
    time.sleep(60)


class Odd(ValueError):
    pass


@cb.stage(cpu=256, memory=512, retries=1)
def raises(place):
    print("looking at it")
    raise Odd(f"it is odd, said {times_called(place)} times")


@cb.stage(cpu=256, memory=512)
def exits():
    print("leaving")
    sys.exit(3)


@cb.stage(cpu=256, memory=512)
def exits_at_once():
    os.write(1, b"leaving at once\n")
    os._exit(7)


@cb.stage(cpu=256, memory=512, timeout=2)
def sleeps_in_c():
    print("going to sleep")
    time.sleep(60)


@cb.stage(cpu=256, memory=512, timeout=2)
def searches_in_c():
    print("going to search")
    re.match(r"(a+)+$", "a" * 64 + "b")  # holds the interpreter for years


@pytest.fixture(scope="module")
def badly(tmp_path_factory):
    """A run of which each task fails for good."""
    stages = {
        "always_crashes": [SEGFAULT, SEGFAULT.after(20)],
        "never_enough": [OUT_OF_MEMORY] * 3 + [OUT_OF_MEMORY.after(20)],
    }
    deferreds = [
        always_crashes(),
        never_enough(),
        raises(str(tmp_path_factory.mktemp("calls") / "raises")),
        exits(),
        exits_at_once(),
        sleeps_in_c(),
        searches_in_c(),
    ]
    with on_aws(stages=stages, max_workers=4) as aws:
        return ran(aws, cb.defer(deferreds), keep_going=True)


def error_of(badly, stage):
    """The error of one stage."""
    for error in badly.run.errors:
        told = error if hasattr(error, "stage") else error.__cause__
        if told.stage == stage:
            return error
    raise AssertionError(f"{stage} did not fail")


def test_each_failure_is_told_once_and_nothing_is_left(badly):
    assert isinstance(badly.error, ComputeError)
    assert len(badly.run.errors) == 7
    assert badly.listed == []


def test_a_crash_without_a_record_is_told_with_the_tail_from_cloudwatch(badly):
    error = error_of(badly, "always_crashes")
    assert isinstance(error, WorkerLost)
    assert (error.attempt, badly.met["SEGFAULT"]) == (2, 2)
    for words in (
        "stage always_crashes",
        "after 2 attempts",
        "exit code 139 (SIGSEGV)",
        "retries=",
        "before the crash",
    ):
        assert words in str(error)
    assert "before the crash" in error.log_tail


def test_too_little_memory_at_each_size_is_told_with_the_next(badly):
    error = error_of(badly, "never_enough")
    assert isinstance(error, OutOfMemory)
    assert badly.met["OUT_OF_MEMORY"] == 4
    assert [machine.size[:2] for machine in badly.of("never_enough")] == [
        (4096, 8192),
        (4096, 12288),
        (4096, 18432),
        (4096, 27648),
    ]
    for words in ("stage never_enough", "after 4 attempts", "ran out of memory", "memory=45056, cpu=8192"):
        assert words in str(error)
    assert error.limit_mib == 27648
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
    assert "leaving" in str(error)


def test_a_performer_that_is_gone_is_told_by_its_supervisor(badly):
    error = error_of(badly, "exits_at_once")
    assert isinstance(error, WorkerLost)
    assert "exit code 7" in str(error)
    assert "leaving at once" in error.log_tail


@pytest.mark.parametrize(("stage", "printed"), [("sleeps_in_c", "to sleep"), ("searches_in_c", "to search")])
def test_time_outs_hold_inside_c_code(badly, stage, printed):
    error = error_of(badly, stage)
    assert isinstance(error, TaskTimeout)
    assert "timeout=2" in str(error)
    assert printed in error.log_tail


# ---------------------------------------------------------------- machines that do not come to run

PASSING = {
    "network and disk": [ENI_TIMEOUT, STORAGE_TIMEOUT, START_ERROR],
    "pull": [PULL_TIMEOUT, PULL_TIMEOUT],
    "initialization": [RESOURCE_INITIALIZATION],
    "capacity": [CAPACITY, CAPACITY],
    "slow": [SLOW_START.after(30)],
    "missing": [MISSING],
}
STARTS = {"SLOW_START", "MISSING"}
FINAL = {
    "pull timeout": ([PULL_TIMEOUT] * 4, ["i/o timeout", "compute_assign_public_ip=True", "compute_subnets"]),
    "no image": ([PULL_NOT_FOUND], ["CannotPullContainerError", "not found", "compute_image", "push the image"]),
    "pull denied": ([PULL_DENIED], ["403 Forbidden", "compute_execution_role", "ecr:BatchGetImage"]),
    "no route": ([RESOURCE_INITIALIZATION] * 2, ["ResourceInitializationError", "compute_assign_public_ip=True"]),
    "no log group": ([NO_LOG_GROUP] * 2, ["log group does not exist", "log_group", "logs:CreateLogStream"]),
    "architecture": ([EXEC_FORMAT], ["another kind of CPU", "exec format error", "architecture=", "compute_image"]),
    "above the limit": ([ABOVE_LIMIT], ["above your limit", "smaller cpu=", "quota"]),
    "start": ([START_ERROR] * 5, ["unable to create container", "5 times in a row"]),
}


@pytest.fixture(scope="module")
def launched():
    """One run after another, by what it meets when it asks for its machine."""
    rows = {name: row if row[-1].name in STARTS else [*row, None] for name, row in PASSING.items()}
    rows |= {name: row for name, (row, _) in FINAL.items()}
    with on_aws(launches=[fault for row in rows.values() for fault in row]) as aws:
        return {name: ran(aws, small(name)) for name in rows}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_asked_for_again(launched, name):
    one = launched[name]
    assert (one.value, one.error) == (name, None)
    assert one.listed == []
    for fault in PASSING[name]:
        assert one.met[fault.name] >= PASSING[name].count(fault)
    assert len(one.of("small")) == 1
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


def test_a_machine_that_never_starts_ends_the_run_within_its_limit():
    with on_aws(time_scale=0.004, launches=[NEVER_STARTS]) as aws:
        one = ran(aws, small())
        assert isinstance(one.error, LaunchError)
        assert one.met == {"NEVER_STARTS": 1}
        [machine] = one.tasks
        assert machine.stopping_s - machine.created_s >= 600
        for words in ("stage small", "10 minutes", "PROVISIONING", "did not start", "compute_subnets"):
            assert words in str(one.error)
        assert one.listed == []


# ---------------------------------------------------------------- what ECS says, and what is so


@cb.stage(cpu=256, memory=512)
def long(seconds):
    time.sleep(seconds)
    return seconds


@cb.stage(cpu=256, memory=512)
def noted(place, seconds):
    time.sleep(seconds)
    return times_called(place)


def test_a_record_holds_whatever_ecs_says_of_its_machine(tmp_path):
    # Two machines end by themselves, unneeded, while a third is at work: then ECS is asked about them. Whichever the
    # third is, one that ECS forgets is among the two.
    with on_aws(time_scale=0.02, launches=[MEMORY_FLAG_STICKS, AGED_OUT, AGED_OUT]) as aws:
        stages = {name: noted(str(tmp_path / name), seconds) for name, seconds in (("a", 0), ("b", 0.1), ("c", 9))}
        one = ran(aws, cb.defer(stages))
        assert (one.value, one.error) == ({"a": 1, "b": 1, "c": 1}, None)
        assert one.met["MEMORY_FLAG_STICKS"] == 1
        assert one.met["AGED_OUT"] >= 1
        assert one.listed == []


# ---------------------------------------------------------------- quotas


@cb.stage(cpu=1024, memory=2048)
def one_vcpu(x):
    time.sleep(0.2)
    return x


def test_a_full_quota_is_waited_for_until_the_runs_own_tasks_end():
    with on_aws(fake={"vcpu_quota": 2}, linger=0) as aws:
        one = ran(aws, cb.defer([one_vcpu(x) for x in range(4)]))
        assert (one.value, one.error) == ([0, 1, 2, 3], None)
        assert one.met["QUOTA"] >= 1
        assert one.listed == []
        assert len(one.tasks) == 4


def test_a_run_says_that_it_waits_for_quota(capsys):
    with on_aws(fake={"vcpu_quota": 1}) as aws:
        one = ran(aws, cb.defer([one_vcpu(0), small(1), one_vcpu(2)]), progress=True)
        assert one.value == [0, 1, 2]
        told = capsys.readouterr().err
        assert "quota is used up" in told


def test_a_size_beyond_the_quota_ends_the_run():
    with on_aws(fake={"vcpu_quota": 0.5}) as aws:
        one = ran(aws, one_vcpu(1))
        assert isinstance(one.error, LaunchError)
        assert one.met == {"ABOVE_LIMIT": 1}
        assert one.listed == []


# ---------------------------------------------------------------- calls that go wrong


def test_calls_that_are_throttled_fail_or_are_never_answered_are_made_again():
    api = {
        "RunTask": [THROTTLED, SERVER_ERROR, LOST_ANSWER],
        "DescribeTasks": [THROTTLED, SERVER_ERROR],
        "StopTask": [THROTTLED, SERVER_ERROR],
        "ListTasks": [THROTTLED],
        "RegisterTaskDefinition": [THROTTLED],
        "PutObject": [SLOW_DOWN, None, SERVER_ERROR],
        "GetObject": [None, SLOW_DOWN, None, SERVER_ERROR],
        "ListObjectsV2": [None, SLOW_DOWN],
        "DeleteObjects": [SLOW_DOWN],
    }
    with on_aws(api=api) as aws:
        one = ran(aws, small(small(5)))
        assert (one.value, one.error) == (5, None)
        assert one.met["LOST_ANSWER"] == 1
        assert one.met["THROTTLED"] == 5
        assert one.met["SLOW_DOWN"] == 4
        assert one.met["SERVER_ERROR"] == 5
        assert one.listed == []
        assert len(one.tasks) == 1


# ---------------------------------------------------------------- stopped by somebody


def test_a_machine_that_somebody_stops_ends_the_run():
    with on_aws(time_scale=0.02) as aws:
        run = long(60).submit()
        until(lambda: any("begins long" in aws.logs(task) for task in aws.tasks()), "the task")
        [arn] = listed(aws)
        boto3.client("ecs").stop_task(cluster=aws.settings["compute_cluster"], task=arn, reason="too dear")
        with pytest.raises(Cancelled, match=r"stopped by somebody else: .*too dear"):
            run.result()
        assert (run.status, listed(aws)) == ("cancelled", [])
        assert len(aws.tasks()) == 1
        until(lambda: not aws.running(), "the end of all tasks")
