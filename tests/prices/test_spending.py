"""Which stage has which machine for how long."""

from __future__ import annotations

import pytest

from cloudburst.prices import Spending, Tariff
from cloudburst.prices.table import table_prices
from cloudburst.resources import Size
from cloudburst.runtime.events import Assign, Gone
from cloudburst.runtime.protocols import Life
from cloudburst.runtime.task import TaskId
from tests.report.plans import ended, plan, task

SHAPE = Size(1024, 2048, spot=False)


class Asked:
    """Prices of the table, and whether they were asked for."""

    def __init__(self):
        self.begun = 0

    def begin(self):
        self.begun += 1

    def prices(self):
        return table_prices("us-east-1")


class Watched:
    """A run that is watched, on a clock of its own."""

    def __init__(self):
        self.now = 0.0
        self.asked = Asked()
        self.spending = Spending(
            plan(task(0, "load"), task(1, "fit", 0), task(2, "rest", 1)),
            "us-east-1",
            "X86_64",
            self.asked,
            clock=lambda: self.now,
        )

    def at(self, now, *events, give=None):
        self.now = now
        commands = [
            Assign(worker, tuple((TaskId(one, -1), 1) for one in tasks)) for worker, tasks in (give or {}).items()
        ]
        self.spending.see(events, commands)

    def cost(self, *lives):
        return self.spending.cost(lives)


@pytest.fixture
def run():
    return Watched()


def seconds(cost):
    return {one.stage: one.seconds for one in cost.by_stage}


def took(seconds, index, worker="w1"):
    """The record of an attempt."""
    return ended(index, worker=worker)._replace(seconds=seconds)


def life(worker, seconds=300.0, **more):
    return Life(worker, SHAPE, seconds, **more)


def test_a_worker_performs_in_order_and_its_waiting_counts_for_all(run):
    run.at(10, give={"w1": [0, 1]})
    run.at(40, took(10, 0), took(20, 1))  # both are heard of at once
    cost = run.cost(life("w1"))
    assert seconds(cost) == {"load": 100.0, "fit": 200.0, "rest": 0.0}
    assert run.asked.begun == 1


def test_time_between_tasks_is_nobodys_share(run):
    run.at(0, give={"w1": [0]})
    run.at(10, took(9, 0))
    run.at(100, give={"w1": [1]})
    run.at(110, took(9, 1))
    assert seconds(run.cost(life("w1"))) == {"load": 150.0, "fit": 150.0, "rest": 0.0}


def test_what_was_lost_is_paid_by_the_stage_that_was_at_it(run):
    run.at(0, give={"w1": [0, 1, 2]})
    run.at(30, took(20, 0))
    run.at(50, Gone("w1", "lost", "exit code 1", TaskId(1, -1)), give={"w2": [1]})
    run.at(60, took(5, 1, worker="w2"))
    cost = run.cost(life("w1", 80.0), life("w2", 60.0))
    assert seconds(cost) == {"load": 40.0, "fit": 100.0, "rest": 0.0}
    assert cost.machines == 2


def test_what_still_runs_when_the_run_is_over_had_its_machine_until_then(run):
    run.at(0, give={"w1": [1], "w2": [0]})
    run.at(10, took(10, 0, worker="w2"))
    run.now = 50
    cost = run.cost(life("w1"), life("w2"))
    assert seconds(cost) == {"load": 300.0, "fit": 300.0, "rest": 0.0}


def test_a_machine_that_was_never_used_is_idle(run):
    cost = run.cost(life("w9", 30.0))
    assert cost.idle == cost.dollars > 0


def test_records_of_workers_that_nobody_knows_change_nothing(run):
    run.at(0, took(1, 0, worker="stranger"), Gone("stranger", "lost", "", None))
    assert run.cost().machines == 0


def test_a_life_that_goes_on_or_is_not_known_is_passed_on(run):
    cost = run.cost(life("w1", is_over=False), life("w2", is_known=False), life("w3", 200.0, before_s=100.0))
    assert (cost.up, cost.unknown, cost.seconds) == (1, 1, 700.0)


def test_a_tariff_tells_a_machine_of_its_architecture():
    prices = table_prices("us-east-1")
    assert Tariff(prices, "ARM64", 100).hourly(SHAPE) == prices.hourly(SHAPE, "ARM64")
