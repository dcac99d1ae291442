"""What machines will cost, in the words of an explanation."""

from __future__ import annotations

from dataclasses import replace

import cloudburst as cb
from cloudburst import session
from cloudburst.prices import Tariff
from cloudburst.prices.table import table_prices
from cloudburst.report.explain import Explanation
from cloudburst.report.outline import outline
from cloudburst.report.rates import rates_of, total_rates
from cloudburst.resources import Size
from tests.report.plans import parts, plan, task

SMALL, LARGE = Size(256, 512), Size(1024, 2048)


def tariff(region="us-east-1", architecture="X86_64", most=100):
    return Tariff(table_prices(region), architecture, most)


def told(a_plan, a_tariff=None):
    a_tariff = a_tariff or tariff()
    rows = outline(a_plan)
    return rates_of(rows, a_tariff), total_rates(a_plan, rows, a_tariff)


def test_each_row_has_its_rate_and_its_least():
    rates, _ = told(plan(task(0, "load", size=SMALL), task(1, "fit", 0, size=LARGE)))
    assert rates == ("$0.0123 an hour, $0.0002 at least", "$0.0494 an hour, $0.0008 at least")


def test_the_widest_and_dearest_moment_is_told():
    wide = plan(
        *[task(n, "load", size=SMALL) for n in range(10)],
        task(10, "fit", *range(10), size=SMALL),
        targets=[10],
    )
    _, costs = told(wide)
    assert costs == (
        "by the second, a minute at least, at list price (us-east-1, table of 2026-09-11), not the bill",
        "at its dearest, with 10 machines at once: $0.1234 an hour",
    )
    _, costs = told(wide, tariff(most=4))
    assert costs[1] == "at its dearest, with 4 machines at once: $0.0494 an hour"


def test_a_fan_whose_list_is_there_is_as_wide_as_that():
    _, costs = told(plan(task(0, "each", -1, fan=0, size=LARGE), given=[parts(7)]))
    assert costs[1] == "at its dearest, with 7 machines at once: $0.3456 an hour"
    _, costs = told(plan(task(0, "each", -1, fan=0, size=LARGE), given=[parts(0)]))
    assert costs[1] == "at its dearest, with 0 machines at once: $0 an hour"


def test_a_fan_whose_list_is_made_in_the_run_is_told_by_the_item():
    _, costs = told(plan(task(0, "parts", size=SMALL), task(1, "each", 0, fan=0, size=LARGE)))
    assert costs[1:] == (
        "at its dearest, with 1 machine at once: $0.0494 an hour",
        "more with each item of each, as many at once as there are, and 100 machines at most",
    )


def test_spare_capacity_is_at_its_own_price_or_at_most_at_that_on_demand():
    spare = plan(task(0, "fit", size=LARGE._replace(spot=True)))
    rates, costs = told(spare)
    assert rates == ("$0.0157 an hour, $0.0003 at least",)
    assert costs[-1] == "Spot at its price of 2026-09-28, which AWS moves"
    rates, costs = told(spare, tariff("eu-central-1"))
    assert rates == ("at most $0.0568 an hour, $0.0009 at least",)
    assert costs[1] == "at its dearest, with 1 machine at once: at most $0.0568 an hour"
    assert costs[-1] == ("Spot is told at the price on demand: it is up to 70 % less, its own is not known here")


def test_what_has_no_price_is_told_and_not_counted():
    mixed = plan(task(0, "load", size=LARGE), task(1, "sort", size=replace_storage(LARGE)), targets=[0, 1])
    rates, costs = told(mixed, tariff("us-west-2"))
    assert rates[1].startswith("no list price known for storage above 20 GB in us-west-2")
    assert costs[1:] == (
        "at its dearest, with 1 machine at once: $0.0494 an hour",
        "without sort, of which no list price is known",
    )


def replace_storage(size):
    return size._replace(storage=100)


def test_where_nothing_has_a_price_there_is_no_figure():
    one = plan(task(0, "load", size=LARGE))
    for where, why in (
        (tariff("xx-east-9"), "no list price known for xx-east-9"),
        (tariff("us-west-2", "ARM64"), "no list price known for ARM64 in us-west-2"),
    ):
        assert told(one, where) == ((why,), (f"{why}: what a run costs is not told",))


def test_nothing_to_run_costs_nothing():
    assert total_rates(plan(targets=[]), (), tariff()) == ()


@cb.stage(cpu=1024, memory="2 GB", timeout=60)
def load(name):
    return [name]


def test_an_explanation_shows_rates_where_somebody_is_paid():
    prepared = session.prepare([load("a")._expr])
    made = (prepared.plan, prepared.graph, prepared.grouping, {})
    paid, free = Explanation.of(*made, tariff()), Explanation.of(*made)
    assert str(paid).splitlines()[2:6] == [
        "  1  load  1 vCPU, 2 GB",
        "       timeout 60 s",
        "       $0.0494 an hour, $0.0008 at least",
        "",
    ]
    assert "What machines cost" in str(paid)
    assert "$0.0494 an hour" in paid._repr_html_()
    assert (free.rates, free.costs) == ((), ())
    assert "$" not in str(free)
    assert replace(paid, rates=(), costs=()).rows == free.rows
