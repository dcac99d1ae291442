"""How often AWS is asked: by the driver, and by each worker. Time is not scaled here, so these are the real rates."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

import pytest

import cloudburst as cb
from tests.aws.runs import Ran, on_aws, ran

pytestmark = pytest.mark.no_cover

AT_ITS_ENDS = 12
"""Calls of a kind that a run makes beside the regular ones: what it looks at first, and what it removes last."""


@cb.stage(cpu=256, memory=512)
def work(i):
    time.sleep(0.1)
    return i


@dataclass
class Counted:
    """A run, and the calls that were made meanwhile."""

    run: Ran
    calls: Counter[str]
    worker_calls: Counter[str]
    seconds: float
    worker_seconds: float


def counted(aws, stages: int) -> Counted:
    calls, workers, paid_s, began = Counter(aws.calls), Counter(aws.worker_calls), aws.worker_seconds, time.monotonic()
    one = ran(aws, cb.defer([work(i) for i in range(stages)]))
    assert one.error is None
    assert one.value == list(range(stages))
    return Counted(
        one,
        aws.calls - calls,
        aws.worker_calls - workers,
        time.monotonic() - began,
        aws.worker_seconds - paid_s,
    )


def check_rates(one: Counted, stages: int) -> None:
    machines = len(one.run.tasks)
    assert one.calls["DescribeTasks"] <= 2 * one.seconds + AT_ITS_ENDS
    assert one.calls["ListObjectsV2"] <= 2 * one.seconds + AT_ITS_ENDS
    assert one.worker_calls["ListObjectsV2"] == 0
    # Each looks 4 to 5 times a second, and reads the pool's terms, the function, and letters of which it gets no more
    # than it has tasks.
    assert one.worker_calls["GetObject"] <= 5 * one.worker_seconds + 4 * machines + stages
    # A record for each task and the hello and the goodbye of each machine, as far as they could still be said.
    assert one.worker_calls["PutObject"] <= stages + 2 * machines
    assert one.calls["StopTask"] <= machines
    assert one.calls["ListTasks"] <= 3


def check(workers: int, stages: int) -> None:
    # Where two hundred programs start on two cores, one may wait longer for its first task than machines linger.
    with on_aws(time_scale=1.0, max_workers=workers, linger=120) as aws:
        one = counted(aws, stages)
        assert len(one.run.tasks) == workers
        assert one.calls["RunTask"] == -(-workers // 10)
        assert one.calls["RegisterTaskDefinition"] == 1
        check_rates(one, stages)
        again = counted(aws, 2)
        assert again.calls["RegisterTaskDefinition"] == 0
        assert again.calls["RunTask"] == 1
        check_rates(again, 2)


def test_a_run_of_a_hundred_stages_asks_little():
    check(workers=20, stages=100)


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_a_run_of_a_thousand_stages_asks_little():
    check(workers=100, stages=1000)
