"""The fleet on an AWS that is played: its rules, its rates, its faults, and workers that are real processes."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest

from cloudburst.errors import LaunchError
from cloudburst.prices import Asking
from cloudburst.resources import Size
from cloudburst.runtime.backends.fargate.fleet import FargateFleet
from cloudburst.runtime.backends.fargate.place import Clients, FargatePlace
from cloudburst.runtime.backends.fargate.preflight import preflight, problems
from cloudburst.runtime.backends.fargate.stopping import stop_leftovers
from cloudburst.runtime.events import LaunchFailed
from cloudburst.runtime.protocols import Fell, Started
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
    QUOTA,
    RESOURCE_INITIALIZATION,
    SEGFAULT,
    SERVER_ERROR,
    SPOT_KILLED,
    START_ERROR,
    STORAGE_TIMEOUT,
    TERMINATION_NOTICE,
    THROTTLED,
    FakeAWS,
    Faults,
)
from tests.runtime.backends.fargate.ecs import until

SHAPE = Size(256, 512)
SCALE = 0.02
SLEEPS = "import os, time; print('pool', os.environ['CLOUDBURST_POOL'][:4], flush=True); time.sleep(600)"
IAM = Path(__file__).parents[4] / "docs" / "iam"


def place_of(aws, **changes):
    return FargatePlace(
        **{
            name.removeprefix("compute_"): _frozen(value)
            for name, value in aws.settings.items()
            if "storage" not in name
        }
        | changes
    )


def _frozen(value):
    return tuple(value) if isinstance(value, list) else value


@contextmanager
def fake(program=SLEEPS, **settings):
    settings = {"time_scale": SCALE} | settings
    with FakeAWS(_program=[sys.executable, "-c", program], **settings) as aws:
        yield aws


@contextmanager
def pool_on(aws, launch_limit_s=600.0, **changes):
    fleet = FargateFleet(place_of(aws, **changes), "p1", "s3://b/p#key", scale=SCALE, launch_limit_s=launch_limit_s)
    try:
        yield fleet
    finally:
        fleet.close()


def seen(fleet, kind, count=1, sights=None):
    """Wait for so many sights of a kind; all that was seen by the way goes to ``sights``."""
    sights = [] if sights is None else sights

    def found():
        sights.extend(fleet.look())
        of_kind = [one for one in sights if isinstance(one, kind)]
        return of_kind if len(of_kind) >= count else None

    return until(found, 60)


def test_a_hundred_machines_take_ten_calls_and_the_next_run_registers_nothing():
    # Not one of them is to start: what counts is what is asked.
    with fake(time_scale=1.0, faults=Faults(launches=[NEVER_STARTS] * 100)) as aws:
        place = place_of(aws)
        began = time.monotonic()
        fleet = FargateFleet(place, "p1", "v")
        fleet.launch(SHAPE, 100, "1")
        seen(fleet, Started, 100)
        until(lambda: aws.calls["DescribeTasks"] >= 2)
        looks, took = aws.calls["DescribeTasks"], time.monotonic() - began
        assert looks <= 1 + 2 * took
        fleet.close()
        assert aws.calls["RunTask"] == 10
        assert aws.calls["RegisterTaskDefinition"] == 1
        assert aws.calls["StopTask"] == 100
        assert aws.calls["ListTasks"] <= 2
        again = FargateFleet(place, "p2", "v")
        again.launch(SHAPE, 1, "1")
        seen(again, Started)
        again.close()
        assert aws.calls["RegisterTaskDefinition"] == 1
        until(lambda: not aws.running())


def test_a_worker_runs_in_its_size_under_its_tasks_name_and_is_stopped():
    with fake() as aws, pool_on(aws) as fleet:
        fleet.launch(Size(1024, 3072, 50), 1, "1")
        [started] = seen(fleet, Started)
        [task] = aws.tasks()
        assert task.id == started.worker
        assert (task.size.cpu, task.size.memory) == (1024, 3072)
        until(lambda: "pool s3:/" in fleet.tail(started.worker))
        described = boto3.client("ecs").describe_tasks(
            cluster=aws.settings["compute_cluster"], tasks=[task.id], include=["TAGS"]
        )["tasks"][0]
        assert described["startedBy"] == "cb-p1"
        assert {tag["key"]: tag["value"] for tag in described["tags"]}["cloudburst:shape"] == "1024/3072/50"
        fleet.stop([started.worker])
        [fell] = seen(fleet, Fell)
        assert fell == Fell(started.worker, "stopped", "it was stopped", None)
        assert aws.running() == []


def test_spot_goes_through_its_provider():
    with fake() as aws, pool_on(aws) as fleet:
        fleet.launch(SHAPE._replace(spot=True), 1, "1")
        seen(fleet, Started)
        [described] = boto3.client("ecs").describe_tasks(
            cluster=aws.settings["compute_cluster"], tasks=[aws.tasks()[0].id]
        )["tasks"]
        assert described["capacityProviderName"] == "FARGATE_SPOT"


FALLS = {
    "never starts": (NEVER_STARTS, "lost", "setup", "has been in"),
    "network interface": (ENI_TIMEOUT, "lost", "passing", "network interface"),
    "disk": (STORAGE_TIMEOUT, "lost", "passing", "EphemeralStorage"),
    "start error": (START_ERROR, "lost", "passing", "InternalError"),
    "pull timed out": (PULL_TIMEOUT, "lost", "passing", "compute_assign_public_ip"),
    "no image": (PULL_NOT_FOUND, "lost", "setup", "compute_image"),
    "pull denied": (PULL_DENIED, "lost", "setup", "compute_execution_role"),
    "no route": (RESOURCE_INITIALIZATION, "lost", "passing", "compute_subnets"),
    "no log group": (NO_LOG_GROUP, "lost", "passing", "log_group"),
    "other CPU": (EXEC_FORMAT, "lost", "setup", "architecture"),
    "Spot": (SPOT_KILLED, "reclaimed", None, "Spot"),
    "retired": (TERMINATION_NOTICE.after(0.1), "reclaimed", None, "retired"),
    "host": (HOST_FAULT, "host", None, "infrastructure failure"),
    "memory": (OUT_OF_MEMORY, "memory", None, "OutOfMemoryError"),
    "crash": (SEGFAULT, "lost", None, "SIGSEGV"),
    "killed": (KILLED, "lost", None, "SIGKILL"),
}


def test_every_way_to_fall_is_told_with_its_cause_and_mend():
    with fake(faults=Faults(launches=[fault for fault, *_ in FALLS.values()])) as aws, pool_on(aws, 100) as fleet:
        sights = []
        for number, _ in enumerate(FALLS):
            fleet.launch(SHAPE, 1, str(number))
            seen(fleet, Started, number + 1, sights)
        falls = {fell.worker: fell for fell in seen(fleet, Fell, len(FALLS), sights)}
        for started, (name, (_, cause, launch, words)) in zip(
            [one for one in sights if isinstance(one, Started)], FALLS.items(), strict=True
        ):
            fell = falls[started.worker]
            assert (name, fell.cause, fell.launch) == (name, cause, launch)
            assert words in fell.detail
        assert set(aws.met) == {fault.name for fault, *_ in FALLS.values()}


def test_what_passed_once_is_explained_at_the_second_launch():
    with fake(faults=Faults(launches=[RESOURCE_INITIALIZATION] * 2)) as aws, pool_on(aws) as fleet:
        for token in "12":
            fleet.launch(SHAPE, 1, token)
            [fell] = seen(fleet, Fell)
            assert fell.launch == {"1": "passing", "2": "setup"}[token]


def test_a_memory_flag_that_sticks_does_not_make_an_end_out_of_memory():
    with fake("", faults=Faults(launches=[MEMORY_FLAG_STICKS])) as aws, pool_on(aws) as fleet:
        fleet.launch(SHAPE, 1, "1")
        [fell] = seen(fleet, Fell)
        assert (fell.cause, fell.launch) == ("lost", None)
        assert "exit code 0" in fell.detail


def test_missing_at_first_is_nothing_and_missing_for_good_is_lost():
    with fake(faults=Faults(launches=[MISSING, AGED_OUT])) as aws, pool_on(aws) as fleet:
        sights = []
        fleet.launch(SHAPE, 2, "1")
        started = seen(fleet, Started, 2, sights)
        until(lambda: aws.met["MISSING"] and "pool" in fleet.tail(started[1].worker))
        aws.kill(started[1].worker)
        [fell] = seen(fleet, Fell, 1, sights)
        assert (fell.worker, fell.cause) == (started[1].worker, "lost")
        assert {"MISSING", "AGED_OUT"} <= set(aws.met)


@pytest.mark.parametrize(
    ("fault", "cause"), [(CAPACITY, "capacity"), (QUOTA, "quota"), (ABOVE_LIMIT, "never")], ids=lambda one: str(one)
)
def test_a_launch_that_is_refused_is_told_with_its_cause(fault, cause):
    with fake(faults=Faults(launches=[fault])) as aws, pool_on(aws) as fleet:
        fleet.launch(SHAPE, 1, "1")
        [failed] = seen(fleet, LaunchFailed)
        assert (failed.token, failed.count, failed.cause) == ("1", 1, cause)


def test_a_quota_that_is_full_is_told_for_those_that_found_no_room():
    with fake(vcpu_quota=1) as aws, pool_on(aws) as fleet:
        sights = []
        fleet.launch(SHAPE, 4, "1")
        seen(fleet, Started, 4, sights)
        fleet.launch(SHAPE, 2, "2")
        failed = seen(fleet, LaunchFailed, 1, sights)
        assert sum(one.count for one in failed) == 2
        assert {one.cause for one in failed} == {"quota"}


def test_answers_that_are_lost_start_nothing_twice_and_leave_nothing():
    faults = Faults(api={"RunTask": [LOST_ANSWER] * 6 + [SERVER_ERROR], "StopTask": [THROTTLED, LOST_ANSWER]})
    with fake(faults=faults) as aws:
        with pool_on(aws) as fleet:
            fleet.launch(SHAPE, 3, "1")
            seen(fleet, Started, 3)
        assert len(aws.tasks()) == 3
        until(lambda: not aws.running())
        assert aws.met["LOST_ANSWER"] >= 6


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"cluster": "none"}, "compute_cluster"),
        ({"subnets": ("subnet-none",)}, "compute_subnets"),
        ({"architecture": "ARM64", "image": "nowhere/image:v1", "execution_role": None}, ""),
    ],
)
def test_a_wrong_setting_is_named_by_the_launch(change, named):
    with fake() as aws, pool_on(aws, **change) as fleet:
        fleet.launch(SHAPE, 1, "1")
        sight = until(lambda: next((one for one in fleet.look() if not isinstance(one, Started)), None), 60)
        detail = sight.detail
        assert named in detail
        assert "AWS says" in detail


def test_preflight_finds_nothing_wrong_here_and_names_what_is_wrong():
    with fake() as aws:
        clients = Clients(place_of(aws))
        preflight(place_of(aws), spot_wanted=True, clients=clients)
        image = place_of(aws).image
        other = "ARM64" if place_of(aws).architecture != "ARM64" else "X86_64"
        wrong = {
            "compute_cluster": {"cluster": "none"},
            "log_group": {"log_group": "/none"},
            "compute_image": {"image": image.replace(":latest", ":none")},
            "architecture": {"architecture": other},
        }
        for setting, change in wrong.items():
            assert [one.setting for one in problems(place_of(aws, **change), clients=clients)] == [setting]
        [problem] = problems(place_of(aws, image=image.replace("/", "/no/")), clients=clients)
        assert problem.setting == "compute_image"
        aws.expire_credentials()
        with pytest.raises(LaunchError, match="credentials: your AWS credentials have expired"):
            preflight(place_of(aws), clients=clients)


def test_what_a_program_left_is_stopped_by_the_next():
    with fake() as aws:
        fleet = FargateFleet(place_of(aws), "left", "v", scale=SCALE)
        fleet.launch(SHAPE, 3, "1")
        seen(fleet, Started, 3)
        assert stop_leftovers(place_of(aws), ["left", "other"], scale=SCALE) == 3
        until(lambda: not aws.running())
        fleet.close()


def test_credentials_that_expire_under_a_fleet_are_told_and_close_says_what_may_still_run():
    with fake() as aws:
        fleet = FargateFleet(place_of(aws), "p1", "v", scale=SCALE)
        fleet.launch(SHAPE, 1, "1")
        [started] = seen(fleet, Started)
        aws.expire_credentials()
        with pytest.raises(LaunchError, match="expired"):
            until(lambda: fleet.look() and False)
        with pytest.raises(LaunchError, match=f"(?s){started.worker}.*end by themselves"):
            fleet.close()


def policy(name):
    return json.loads((IAM / f"{name}.json").read_text(encoding="utf-8"))


ASKED_BY_THE_DOCTOR = ("CheckTheRoles", "CheckWhatYouMay", "CheckTheNetwork", "CheckTheQuota")
"""Statements that runs take no part of; see tests/doctor/test_permissions.py."""


def test_the_callers_policy_is_enough_and_each_of_its_permissions_is_used():
    with fake(iam=True, caller_policy=policy("caller"), task_policy=policy("task-role")) as aws:
        place = place_of(aws)
        preflight(place, spot_wanted=True)
        with pool_on(aws) as fleet:
            fleet.launch(SHAPE, 1, "1")
            [started] = seen(fleet, Started)
            until(lambda: "pool s3:/" in fleet.tail(started.worker))
            until(lambda: aws.calls["DescribeTasks"])
            fleet.stop([started.worker])
            seen(fleet, Fell)
        assert stop_leftovers(place, ["p1"], scale=SCALE) == 0
        asking = Asking(place.region, place.endpoint_url)
        asking.begin()
        assert asking.prices(wait_s=30.0).source == "live"
        used = {f"{service}:{name}" for name in aws.calls for service in ("ecs", "logs", "ecr", "pricing")}
        allowed = {
            action
            for statement in policy("caller")["Statement"]
            if statement["Sid"] not in ASKED_BY_THE_DOCTOR
            for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        }
        implied = {"ecs:TagResource", "iam:PassRole"}  # part of RunTask
        assert {action for action in allowed if not action.startswith("s3:")} - implied <= used


@pytest.mark.parametrize(
    ("without", "named"),
    [
        ("HandRolesToWorkers", "iam:PassRole on compute_execution_role"),
        ("TagThemAsTheyStart", "ecs:TagResource"),
        ("StartWorkers", "ecs:RunTask"),
        ("TaskDefinitionsHaveNoArnOfTheirOwnHere", "ecs:DescribeTaskDefinition"),
    ],
)
def test_a_permission_that_is_missing_is_named(without, named):
    caller = policy("caller")
    caller["Statement"] = [one for one in caller["Statement"] if one["Sid"] != without]
    with fake(iam=True, caller_policy=caller) as aws, pool_on(aws) as fleet:
        fleet.launch(SHAPE, 1, "1")
        [failed] = seen(fleet, LaunchFailed)
        assert failed.cause == "setup"
        assert named in failed.detail


def test_checks_that_the_policy_does_not_allow_are_left_out():
    caller = policy("caller")
    caller["Statement"] = [one for one in caller["Statement"] if not one["Sid"].startswith(("Check", "Read"))]
    with fake(iam=True, caller_policy=caller) as aws:
        assert problems(place_of(aws, cluster="none", log_group="/none")) == []
        with pool_on(aws) as fleet:
            assert fleet.tail("none") == ""
