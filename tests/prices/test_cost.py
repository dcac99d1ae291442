"""What machines cost together, and each stage of it."""

from __future__ import annotations

import json
import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from cloudburst.prices import Machine, PriceList, cost_of
from cloudburst.prices.table import table_prices
from cloudburst.resources import Size
from tests.prices.test_tariff import PAIRS

SMALL, LARGE = Size(256, 512), Size(1024, 2048)
STAGES = st.dictionaries(st.sampled_from("abcd"), st.floats(0, 1e4), max_size=4)
MACHINES = st.builds(
    Machine,
    size=st.builds(lambda pair, spot: Size(*pair, spot=spot), st.sampled_from(PAIRS), st.booleans()),
    seconds=st.floats(0, 1e5),
    region=st.sampled_from(["us-east-1", "eu-west-1"]),
    architecture=st.sampled_from(["X86_64", "ARM64"]),
    stages=STAGES,
    before_s=st.just(0.0),
    is_over=st.just(True),
    is_known=st.just(True),
)


def cost(*machines, stages=()):
    return cost_of(machines, stages, table_prices)


def near(one, other):
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)


def test_one_machine_of_a_minute():
    one = cost(Machine(LARGE, 12.5, "us-east-1", stages={"fit": 3.0}))
    assert near(one.dollars, (0.04048 + 2 * 0.004445) / 60)
    assert (one.machines, one.seconds, one.up, one.idle) == (1, 60.0, 0, 0.0)
    assert one.is_complete
    assert not one.is_at_most
    assert [tuple(stage) for stage in one.by_stage] == [("fit", one.dollars, 60.0)]
    assert str(one) == "cost $0.0008 at list price (us-east-1, table of 2026-09-11), not the bill"


def test_stages_that_shared_a_machine_pay_by_their_time_on_it():
    one = cost(Machine(LARGE, 600, "us-east-1", stages={"load": 30.0, "fit": 90.0}), stages=["fit", "load"])
    [fit, load] = one.by_stage
    assert (fit.stage, load.stage) == ("fit", "load")
    assert near(fit.dollars, 3 * load.dollars)
    assert near(fit.dollars + load.dollars, one.dollars)
    assert (fit.seconds, load.seconds) == (450.0, 150.0)


def test_a_machine_that_no_stage_had_is_told_apart():
    one = cost(Machine(SMALL, 60, "us-east-1"), Machine(SMALL, 60, "us-east-1", stages={"a": 1.0}))
    assert near(one.idle, one.dollars / 2)
    assert near(one.by_stage[0].dollars, one.idle)


def test_shares_of_no_time_are_equal_ones():
    one = cost(Machine(LARGE, 60, "us-east-1", stages={"a": 0.0, "b": 0.0}))
    assert near(one.by_stage[0].dollars, one.by_stage[1].dollars)


def test_spare_capacity_has_its_own_price_and_date_where_there_is_one():
    one = cost(Machine(LARGE._replace(spot=True), 3600, "us-east-1"))
    assert near(one.dollars, 0.01288871 + 2 * 0.00141527)
    assert "(us-east-1, table of 2026-09-11, Spot of 2026-09-28)" in str(one)


def test_spare_capacity_without_a_price_costs_at_most_what_it_does_on_demand():
    one = cost(Machine(LARGE._replace(spot=True), 3600, "eu-central-1"))
    assert near(one.dollars, 0.04656 + 2 * 0.00511)
    assert one.is_at_most
    assert str(one) == (
        "cost at most $0.0568 at list price (eu-central-1, table of 2026-09-11; Spot is up to 70 % less), not the bill"
    )


def test_where_no_list_price_is_known_there_is_no_figure():
    one = cost(
        Machine(LARGE, 60, "xx-east-9", stages={"a": 1.0}),
        Machine(LARGE, 60, "us-east-1", stages={"b": 1.0}),
    )
    assert one.dollars is None
    assert [stage.dollars is None for stage in one.by_stage] == [True, False]
    assert not one.is_complete
    assert one.idle == 0.0
    assert str(one) == "cost not known: no list price known for xx-east-9"
    assert cost(Machine(LARGE, 60, "xx-east-9")).idle is None


def test_a_machine_that_goes_on_is_told():
    one = cost(Machine(LARGE, 90, "us-east-1", is_over=False))
    assert (one.up, one.is_complete) == (1, False)
    assert str(one).endswith("so far at list price (us-east-1, table of 2026-09-11; 1 still up), not the bill")


def test_a_machine_of_which_nobody_knows_the_end_is_told():
    one = cost(Machine(LARGE, 90, "us-east-1", is_known=False))
    assert (one.unknown, one.is_complete) == (1, False)
    assert "end of 1 not known" in str(one)


def test_a_machine_that_was_never_paid_for_is_none():
    one = cost(Machine(LARGE, 0.0, "us-east-1"), Machine(LARGE, 60.0, "us-east-1", before_s=60.0))
    assert (one.machines, one.dollars) == (0, 0.0)
    assert str(one) == "cost nothing: no machine was needed"


def test_a_machine_that_served_an_earlier_run_is_paid_from_there_on():
    first = Machine(LARGE, 40.0, "us-east-1", is_over=False)
    then = Machine(LARGE, 100.0, "us-east-1", before_s=40.0)
    assert cost(first).seconds == 60.0
    assert cost(then).seconds == 40.0
    assert near(cost(first).dollars + cost(then).dollars, cost(Machine(LARGE, 100.0, "us-east-1")).dollars)


def test_it_is_plain_data():
    one = cost(Machine(LARGE, 90, "us-east-1", stages={"a": 1.0}))
    again = json.loads(json.dumps(one.as_dict()))
    assert again["dollars"] == one.dollars
    assert again["by_stage"] == [{"stage": "a", "dollars": one.dollars, "seconds": 90.0}]
    assert again["is_complete"] is True


def test_prices_are_asked_for_once_a_region():
    asked = []

    def prices(region: str) -> PriceList:
        asked.append(region)
        return table_prices(region)

    cost_of([Machine(LARGE, 1, "us-east-1")] * 3 + [Machine(LARGE, 1, "eu-west-1")], prices=prices)
    assert asked == ["us-east-1", "eu-west-1"]


@given(st.lists(MACHINES, max_size=6))
def test_the_parts_make_the_whole(machines):
    one = cost(*machines)
    assert near(sum(stage.dollars for stage in one.by_stage) + one.idle, one.dollars)
    assert all(stage.dollars >= -1e-15 for stage in one.by_stage)


@given(st.lists(MACHINES, max_size=4), st.lists(MACHINES, max_size=4))
def test_it_adds_up_over_machines(some, others):
    assert near(cost(*some).dollars + cost(*others).dollars, cost(*some, *others).dollars)
    assert cost(*some).seconds + cost(*others).seconds == cost(*some, *others).seconds


@given(MACHINES, st.floats(0, 1e5))
def test_a_longer_life_never_costs_less(machine, more_s):
    assert cost(machine).dollars <= cost(machine._replace(seconds=machine.seconds + more_s)).dollars


@given(MACHINES)
def test_a_minute_is_the_least(machine):
    one, minute = cost(machine), cost(machine._replace(seconds=60.0))
    assert one.dollars == 0 or one.dollars >= minute.dollars
    if 0 < machine.seconds <= 60:
        assert one.dollars == minute.dollars


@pytest.mark.parametrize(("dollars", "told"), [(1234.5, "$1,234.50"), (0.99999, "$1.0000"), (0.00005, "$0.0001")])
def test_amounts_are_told_as_exactly_as_they_deserve(dollars, told):
    from cloudburst.prices import money

    assert money(dollars) == told
