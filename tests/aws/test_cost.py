"""What runs on AWS cost: by the lives of the machines that the fake AWS had, at its list prices."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

import cloudburst as cb
from cloudburst.prices import Machine, billed_s, cost_of, known_prices
from cloudburst.testing import CAPACITY, DENIED, ENI_TIMEOUT, KILLED, PULL_TIMEOUT, SPOT_KILLED, FakeAWS, Task
from tests.aws.runs import Ran, on_aws, ran

SLOW_START = {"startup_s": 10.0}
TODAY = datetime.now(UTC).date()

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]


@cb.stage(cpu=256, memory=512)
def small(x: Any, *more: Any) -> Any:
    return x


@cb.stage(cpu=1024, memory=2048)
def large(x: Any, *more: Any) -> Any:
    return x


@cb.stage(cpu=256, memory=512)
def slow(x: Any) -> Any:
    time.sleep(0.3)
    return x


@cb.stage(cpu=256, memory=512)
def breaks(x: Any) -> Any:
    raise ValueError("no")


def life_s(task: Task, end: float | None) -> float:
    return 0.0 if task.pull_started_s is None or end is None else end - task.pull_started_s


def bounds(aws: FakeAWS, tasks: list[Task], **more: Any) -> tuple[float, float]:
    """What tasks cost if they had ended when they were told to, and when they did."""

    def total(end: Callable[[Task], float | None]) -> float:
        machines = [
            Machine(task.size, life_s(task, end(task)), aws.settings["region"], task.architecture, **more)
            for task in tasks
        ]
        dollars = cost_of(machines, prices=lambda region: known_prices(region, aws.settings["endpoint_url"])).dollars
        assert dollars is not None
        return dollars

    return total(lambda task: task.stopping_s), total(lambda task: task.stopped_s)


def check(aws: FakeAWS, one: Ran) -> Any:
    """A run's cost is that of its machines, and it is told."""
    cost = one.run.cost
    least, most = bounds(aws, one.tasks)
    assert least - 1e-9 <= cost.dollars <= most + 1e-9
    assert cost.machines == sum(task.pull_started_s is not None for task in one.tasks)
    assert cost.is_complete
    assert sum(stage.dollars for stage in cost.by_stage) + cost.idle == pytest.approx(cost.dollars)
    if one.run.summary is not None:
        assert one.run.summary.cost is cost
        assert f"\n  {cost}" in str(one.run.summary)
    return cost


def by_stage(cost: Any) -> dict[str, float]:
    return {one.stage: one.dollars for one in cost.by_stage}


# ---------------------------------------------------------------- machines


def test_two_shapes_are_each_paid_for():
    with on_aws(fake=SLOW_START) as aws:
        one = ran(aws, large(small(1)))
        cost = check(aws, one)
        assert cost.machines == 2
        assert by_stage(cost)["large"] > by_stage(cost)["small"] > 0
        assert cost.prices == f"us-east-1, AWS price list of {TODAY}"
        assert str(cost).endswith(f"at list price (us-east-1, AWS price list of {TODAY}), not the bill")


def test_a_short_machine_costs_a_minute():
    with on_aws(time_scale=1.0) as aws:
        cost = check(aws, ran(aws, small(1), progress=False))
        assert cost.seconds == 60.0
        assert cost.dollars == pytest.approx((0.25 * 0.04048 + 0.5 * 0.004445) / 60)


def test_a_warm_machine_is_shared_by_its_stages():
    with on_aws(fake=SLOW_START) as aws:
        one = ran(aws, slow(slow(small(1))))
        cost = check(aws, one)
        assert cost.machines == 1
        shares = by_stage(cost)
        assert shares["slow"] > shares["small"] > 0
        assert cost.idle == 0.0


def test_spare_capacity_is_paid_at_its_own_price():
    with on_aws() as aws:
        on_demand = check(aws, ran(aws, small(1)))
    with on_aws(spot=True) as aws:
        one = ran(aws, small(1))
        spare = check(aws, one)
        assert [task.provider for task in one.tasks] == ["FARGATE_SPOT"]
    assert spare.dollars / spare.seconds < 0.4 * on_demand.dollars / on_demand.seconds
    assert not spare.is_at_most
    assert "Spot of 2026-09-28" in str(spare)


def test_where_spare_capacity_has_no_price_it_is_at_most_what_it_costs_on_demand():
    with on_aws(spot=True, fake={"region": "eu-central-1"}) as aws:
        cost = check(aws, ran(aws, small(1)))
        assert cost.is_at_most
        assert str(cost).startswith("cost at most $0.00")
        assert "Spot is up to 70 % less" in str(cost)


def test_arm_has_its_own_price():
    with FakeAWS(time_scale=0.05) as aws:
        labels = {"org.cloudburst.version": cb.__version__}
        image = aws._account.push("cloudburst", "arm", "arm64", labels)
        with cb.using(cb.init_aws(**{**aws.settings, "compute_image": image}, architecture="ARM64")):
            assert "$0.0099 an hour, $0.0002 at least" in str(small(1).explain())
            run = small(1).submit()
            assert run.result() == 1
        [task] = aws.tasks()
        assert task.architecture == "ARM64"
        assert run.cost.dollars / run.cost.seconds == pytest.approx((0.25 * 0.03238 + 0.5 * 0.00356) / 3600)
        cb.init_local()


def test_storage_above_what_is_free_is_paid_for():
    with on_aws() as aws:
        one = ran(aws, small.options(ephemeral_storage="100 GB")(1))
        cost = check(aws, one)
        assert [task.size.storage for task in one.tasks] == [100]
        hourly = 0.25 * 0.04048 + 0.5 * 0.004445 + 80 * 0.000111
        assert cost.dollars / cost.seconds == pytest.approx(hourly / 3600)


# ---------------------------------------------------------------- misfortunes


def test_a_machine_that_was_lost_is_paid_for_as_well_as_the_one_in_its_place():
    with on_aws(fake=SLOW_START, stages={"slow": [KILLED]}) as aws:
        one = ran(aws, slow(1))
        assert (one.value, one.met["KILLED"]) == (1, 1)
        cost = check(aws, one)
        assert cost.machines == 2
        assert by_stage(cost) == {"slow": pytest.approx(cost.dollars)}


def test_spare_capacity_that_was_taken_back_is_paid_for_until_then():
    with on_aws(spot=True, fake=SLOW_START, stages={"slow": [SPOT_KILLED]}) as aws:
        one = ran(aws, slow(1))
        assert one.met["SPOT_KILLED"] == 1
        assert check(aws, one).machines == 2


def test_machines_that_never_came_to_pull_cost_nothing():
    with on_aws(launches=[CAPACITY, ENI_TIMEOUT]) as aws:
        one = ran(aws, small(1))
        assert one.value == 1
        cost = check(aws, one)
        assert cost.machines == len(one.tasks) <= 2  # the fake pulls before it finds that there is no network


def test_a_pull_that_failed_is_paid_for():
    with on_aws(fake=SLOW_START, launches=[PULL_TIMEOUT]) as aws:
        one = ran(aws, small(1))
        assert one.value == 1
        cost = check(aws, one)
        assert cost.machines == 2
        assert cost.idle > 0


def test_a_run_that_failed_has_its_cost():
    with on_aws(fake=SLOW_START) as aws:
        one = ran(aws, breaks(small(1)))
        assert isinstance(one.error, ValueError)
        cost = check(aws, one)
        assert cost.dollars > 0
        assert by_stage(cost)["breaks"] > 0
        assert "failed after" in str(one.summary)


def test_a_run_that_was_cancelled_has_its_cost():
    with on_aws(fake=SLOW_START) as aws:
        run = slow(slow.map(list(range(3)))).submit()
        while not aws.tasks() or not any(task.started_s for task in aws.tasks()):
            time.sleep(0.01)
        run.cancel()
        with pytest.raises(cb.Cancelled):
            run.result()
        assert run.cost.dollars > 0
        assert "cancelled after" in str(run.summary)


def test_a_run_that_broke_off_has_its_cost():
    with on_aws(api={"DescribeTasks": [None, None, DENIED]}) as aws:
        one = ran(aws, slow(1))
        assert isinstance(one.error, cb.LaunchError)
        assert one.run.summary is None
        assert one.run.cost is not None
        assert one.run.cost.machines == 1


# ---------------------------------------------------------------- prices


def test_prices_are_asked_for_once_and_the_text_says_which_were_used():
    with on_aws() as aws:
        aws.prices["USE1-Fargate-vCPU-Hours:perCPU"] = "0.1000000000"
        first, second = ran(aws, small(1)), ran(aws, small(2))
        assert aws.calls["GetProducts"] == 1
        hourly = (0.25 * 0.1 + 0.5 * 0.004445) / 3600
        for one in (first, second):
            assert one.run.cost.dollars / one.run.cost.seconds == pytest.approx(hourly)
        assert "AWS price list of" in str(small(3).explain())


def test_where_prices_are_denied_those_of_the_table_are_used():
    with on_aws(api={"GetProducts": [DENIED]}) as aws:
        one = ran(aws, small(1))
        assert one.value == 1
        assert "(us-east-1, table of 2026-09-11), not the bill" in str(one.summary)
        ran(aws, small(2))
        assert aws.calls["GetProducts"] == 1


def test_a_region_without_a_price_has_no_figure():
    with on_aws(fake={"region": "mx-central-1"}) as aws:
        told = str(small(1).explain())
        assert "no list price known for mx-central-1" in told
        assert "$" not in told
        one = ran(aws, small(1))
        assert one.value == 1
        assert one.run.cost.dollars is None
        assert one.run.cost.seconds >= 60
        assert "cost not known: no list price known for mx-central-1" in str(one.summary)


def test_nobody_is_asked_where_nobody_is_paid():
    with on_aws() as aws:
        with cb.using(cb.init_local(workers=1)):
            run = small(1).submit()
            assert run.result() == 1
            assert run.cost is None
            assert "cost" not in str(run.summary)
            assert "$" not in str(small(1).explain())
        assert aws.calls["GetProducts"] == 0
    assert "AWS_ENDPOINT_URL" not in os.environ


# ---------------------------------------------------------------- pools


def test_runs_of_a_pool_pay_for_its_machine_one_after_the_other():
    with on_aws(fake=SLOW_START, keep_warm=600) as aws:
        first, second = small(1).submit(), small(2).submit
        assert first.result() == 1
        then = second()
        assert then.result() == 2
        [task] = aws.tasks()
        for cost, summary in ((first.cost, first.summary), (then.cost, then.summary)):
            assert (cost.up, cost.machines, cost.is_complete) == (1, 1, False)
            assert "1 still up" in str(summary)
        assert first.cost.seconds >= 60
        paid_s = first.cost.seconds + then.cost.seconds
        assert paid_s <= billed_s(task.billed_s(aws._clock.now_s()))


def test_a_result_that_is_there_already_costs_nothing():
    with on_aws() as aws:
        kept = small(1).persist()
        run = kept.submit()
        assert run.result() == 1
        assert run.cost is None or run.cost.dollars == 0.0
        assert len(aws.tasks()) == 1


def test_explain_tells_rates_before_anything_is_asked_or_spent():
    with on_aws(max_workers=3) as aws:
        told = str(large(*[small(n) for n in range(5)]).explain())
        assert "$0.0123 an hour, $0.0002 at least" in told
        assert "$0.0494 an hour, $0.0008 at least" in told
        assert "at list price (us-east-1, table of 2026-09-11), not the bill" in told
        assert "at its dearest, with 1 machine at once: $0.0494 an hour" in told
        assert aws.calls["GetProducts"] == 0
        assert aws.calls["RunTask"] == 0
