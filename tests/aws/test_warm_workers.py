"""Machines that perform one task after another: how many there are, which task goes where, and when they make way."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

import cloudburst as cb
from tests.aws.runs import on_aws, ran

pytestmark = pytest.mark.no_cover

PATIENT = 1000
"""A machine that lingers for so long is there for the next task, however busy this one is."""


@cb.stage(cpu=512, memory=1024)
def add(x, y=1):
    return x + y


def test_a_chain_of_equal_stages_is_performed_by_one_machine():
    with on_aws(linger=PATIENT) as aws:
        value = add(0)
        for _ in range(4):
            value = add(value)
        one = ran(aws, value)
        assert (one.value, len(one.tasks)) == (5, 1)


def test_a_diamond_is_performed_by_two_machines_at_most():
    with on_aws() as aws:
        top = add(0)
        one = ran(aws, add(add(top, 10), add(top, 100)))
        assert one.value == 112
        assert 1 <= len(one.tasks) <= 2


@cb.stage(cpu=256, memory=512)
def small(x):
    return x


@cb.stage(cpu=4096, memory=8192)
def large(x):
    return x


@cb.stage(cpu=1024, memory=2048)
def twice_as_large_as_add(x):
    return x


def test_a_machine_takes_smaller_stages_up_to_twice_their_price():
    with on_aws(linger=PATIENT) as aws:
        cheap = ran(aws, add(twice_as_large_as_add(1)))
        assert (cheap.value, len(cheap.tasks)) == (2, 1)
        dear = ran(aws, small(large(1)))
        assert dear.value == 1
        assert [task.size.cpu for task in dear.tasks] == [4096, 256]


@cb.stage(cpu=256, memory=512)
def made_at(i):
    return np.full(1 << 20, os.getpid() + 0 * i)


@cb.stage(cpu=256, memory=512)
def gate():
    time.sleep(3)  # until then nobody can begin with what was made, and all other machines are idle
    return 0


@cb.stage(cpu=256, memory=512)
def where(made, _):
    return int(made[0]), os.getpid()


def test_what_reads_a_value_goes_to_the_machine_that_holds_it():
    with on_aws(time_scale=0.2, linger=PATIENT) as aws:
        opened = gate()
        one = ran(aws, cb.defer([where(made_at(i), opened) for i in range(2)]))
        made, read = zip(*one.value, strict=True)
        assert made == read
        assert len(set(made)) == 2
        assert len(one.tasks) == 3


@cb.stage(cpu=2048, memory=4096)
def half(x):
    time.sleep(1)  # so that one machine does not take both
    return x


def test_idle_machines_make_way_when_the_quota_is_short():
    with on_aws(fake={"vcpu_quota": 4}, time_scale=0.2) as aws:
        one = ran(aws, large(add_all(half(1), half(2))))
        assert (one.value, one.error) == (3, None)
        assert one.met["QUOTA"] >= 1
        assert [task.size.cpu for task in one.tasks] == [2048, 2048, 4096]
        way_made = [task for task in one.tasks if task.stopped_s < one.tasks[2].created_s]
        assert [task.stop_code for task in way_made] == ["UserInitiated", "UserInitiated"]


@cb.stage(cpu=2048, memory=4096)
def add_all(*values):
    return sum(values)


@pytest.mark.heavy
@pytest.mark.timeout(600)
def test_a_fan_out_of_a_thousand_uses_as_many_machines_as_it_may():
    with on_aws(time_scale=1.0, max_workers=20) as aws:
        one = ran(aws, cb.defer([small(i) for i in range(1000)]))
        assert one.value == list(range(1000))
        assert len(one.tasks) == 20
        assert one.summary.retries == 0
