"""How long machines are paid for, by what ECS says of them and by this machine's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cloudburst.resources import Size
from cloudburst.runtime.backends.fargate.meter import Meter

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def task(worker="w1", *, spot=False, storage=20, **moments):
    """What ECS says: moments as seconds after noon."""
    stamps = {name: NOON + timedelta(seconds=after) for name, after in moments.items()}
    size = {"cpu": "1024", "memory": "2048", "ephemeralStorage": {"sizeInGiB": storage}}
    provider = {"capacityProviderName": "FARGATE_SPOT"} if spot else {}
    return {"taskArn": f"arn:aws:ecs:us-east-1:1:task/data/{worker}", **size, **provider, **stamps}


@pytest.fixture
def meter():
    meter = Meter()
    meter.granted("w1", 100.0)
    return meter


def only(lives):
    [life] = lives
    return life


def test_a_machine_is_paid_for_from_its_pull_to_its_end(meter):
    meter.take(task(createdAt=0, pullStartedAt=12), 115.0)
    meter.take(task(createdAt=0, pullStartedAt=12, startedAt=40, stoppingAt=95, stoppedAt=110.5), 230.0)
    life = only(meter.lives(1000.0))
    assert (life.worker, life.seconds, life.is_over, life.is_known) == ("w1", 98.5, True, True)
    assert life.shape == Size(1024, 2048, None, False)


def test_until_its_pull_nothing_is_paid(meter):
    assert only(meter.lives(160.0)).seconds == 0.0
    meter.take(task(createdAt=0), 150.0)
    life = only(meter.lives(160.0))
    assert (life.seconds, life.is_over) == (0.0, False)
    meter.take(task(createdAt=0, stoppedAt=60), 160.0)  # its network interface did not come up
    life = only(meter.lives(160.0))
    assert (life.seconds, life.is_over, life.is_known) == (0.0, True, True)


def test_one_that_goes_on_is_paid_for_by_this_machines_clock(meter):
    meter.take(task(createdAt=0, pullStartedAt=12), 115.0)
    assert only(meter.lives(142.0)).seconds == 30.0
    assert not only(meter.lives(142.0)).is_over


def test_one_that_was_told_to_stop_is_paid_for_until_then_as_long_as_its_end_is_not_known(meter):
    meter.take(task(createdAt=0, pullStartedAt=10, stoppingAt=50), 160.0)
    assert only(meter.lives(999.0)).seconds == 40.0
    meter.take(task(createdAt=0, pullStartedAt=10, stoppingAt=50, stoppedAt=58), 170.0)
    assert only(meter.lives(999.0)).seconds == 48.0


def test_where_ecs_accepts_a_stop_and_says_no_moment_this_clock_does(meter):
    meter.take(task(createdAt=0, pullStartedAt=10), 115.0)
    meter.stopped("w1", 130.0)
    life = only(meter.lives(999.0))
    assert (life.seconds, life.is_over, life.is_known) == (20.0, True, True)


def test_one_that_ecs_knows_no_more_was_paid_for_until_that_was_heard_of(meter):
    meter.take(task(createdAt=0, pullStartedAt=10), 115.0)
    meter.lost("w1", 170.0)
    meter.lost("w1", 190.0)
    life = only(meter.lives(999.0))
    assert (life.seconds, life.is_over, life.is_known) == (60.0, True, False)


def test_storage_and_spare_capacity_are_as_ecs_says(meter):
    meter.take(task(spot=True, storage=100), 101.0)
    assert only(meter.lives(101.0)).shape == Size(1024, 2048, 100, True)
    meter.take({"taskArn": "task/w1"}, 102.0)  # what says less takes nothing away
    assert only(meter.lives(102.0)).shape == Size(1024, 2048, 100, True)


def test_one_that_only_ecs_knew_of_is_paid_for_too():
    meter = Meter()
    meter.take(task("w7", createdAt=0, pullStartedAt=5, stoppingAt=25), 10.0)
    meter.take({}, 10.0)
    life = only(meter.lives(10.0))
    assert (life.worker, life.seconds) == ("w7", 20.0)


def test_a_clock_that_goes_faster_is_slowed_down():
    meter = Meter(scale=0.1)
    meter.granted("w1", 100.0)
    meter.take(task(createdAt=0, pullStartedAt=10), 101.5)
    assert only(meter.lives(104.0)).seconds == pytest.approx(30.0)


def test_two_runs_of_a_pool_pay_for_a_machine_one_after_the_other(meter):
    meter.take(task(createdAt=0, pullStartedAt=10), 115.0)
    first = only(meter.cut(150.0))
    assert (first.before_s, first.seconds, first.is_over) == (0.0, 40.0, False)
    meter.take(task(createdAt=0, pullStartedAt=10, stoppedAt=100), 200.0)
    then = only(meter.cut(300.0))
    assert (then.before_s, then.seconds, then.is_over) == (40.0, 90.0, True)
    assert meter.cut(400.0) == []


def test_what_ecs_says_of_a_machine_that_was_settled_concerns_nobody(meter):
    meter.take(task(createdAt=0, pullStartedAt=10, stoppingAt=50), 160.0)
    assert only(meter.cut(160.0)).is_over
    meter.take(task(createdAt=0, pullStartedAt=10, stoppingAt=50, stoppedAt=58), 170.0)
    meter.granted("w1", 170.0)
    meter.stopped("w1", 170.0)
    meter.lost("w1", 170.0)
    assert meter.cut(180.0) == []


def test_no_life_becomes_shorter_than_what_was_told(meter):
    meter.take(task(createdAt=0, pullStartedAt=10), 115.0)
    assert only(meter.cut(150.0)).seconds == 40.0
    meter.take(task(createdAt=0, pullStartedAt=10, stoppedAt=45), 160.0)  # it had ended before that was heard of
    life = only(meter.cut(170.0))
    assert (life.before_s, life.seconds) == (40.0, 40.0)
