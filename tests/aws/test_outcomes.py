"""Every way in which a worker can end or fail to begin, as a user's program meets it: an error that says all, or none.

The rows are those of the table of how ECS behaves; what is not said there of a message is that it names the cause, what
AWS said of it, the setting and the mend.
"""

from __future__ import annotations

import os
import time

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
    QUOTA,
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
from tests.aws.runs import check_nothing_runs, listed, on_aws, sizes
from tests.testing.fargate import until

SMALL = "0.25 vCPU, 512 MB"


@cb.stage(cpu=256, memory=512)
def small(x=1):
    print("small was here")
    return x


@cb.stage(cpu=256, memory=512)
def patient(x=1):
    time.sleep(1.0)
    return x


def computed(deferred=None, **options):
    """The value or the error of a run, and its summary."""
    run = (small() if deferred is None else deferred).submit(**options)
    try:
        return run.result(), run
    except Exception as error:
        return error, run


# ---------------------------------------------------------------- the record is the truth


def test_a_record_holds_whatever_ecs_says():
    with on_aws(launches=[MEMORY_FLAG_STICKS], linger=0) as aws:
        assert computed()[0] == 1
        check_nothing_runs(aws)
        assert aws.met["MEMORY_FLAG_STICKS"] == 1
        assert sizes(aws) == [f"{SMALL}, on demand"]


def test_a_worker_that_ecs_forgets_at_once_has_left_its_record():
    with on_aws(launches=[AGED_OUT], linger=0) as aws:
        assert computed()[0] == 1
        check_nothing_runs(aws)
        assert len(aws.tasks()) == 1


# ---------------------------------------------------------------- capacity that is taken back, hosts that fail


@cb.stage(cpu=256, memory=512, spot=True)
def spot(x=1):
    return x


@cb.stage(cpu=256, memory=512, spot=True)
def spot_briefly(x=1):
    time.sleep(0.5)
    return x


@cb.stage(cpu=256, memory=512, spot=True)
def spot_for_long(x=1):
    time.sleep(4.0)
    return x


def test_lost_spot_capacity_is_tried_again_and_then_on_demand():
    with on_aws(stages={"spot": [SPOT_KILLED, SPOT_KILLED, SPOT_KILLED]}) as aws:
        value, run = computed(spot(7))
        assert value == 7
        check_nothing_runs(aws)
        assert aws.met["SPOT_KILLED"] == 3
        assert sizes(aws) == [f"{SMALL}, Spot"] * 3 + [f"{SMALL}, on demand"]
        assert run.summary.retries == 3
