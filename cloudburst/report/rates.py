"""What machines will cost, before anything is spent: each stage's by the hour, and all that may be up at once."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from cloudburst.report.amounts import counted, listed
from cloudburst.report.outline import Row
from cloudburst.resources import Size
from cloudburst.runtime.task import GIVEN, Plan, Task

if TYPE_CHECKING:
    from cloudburst.prices import Tariff


def rates_of(rows: Sequence[Row], tariff: Tariff) -> tuple[str, ...]:
    """For each row what one machine of its size costs, by the hour and at least."""
    return tuple([_told(row.size, tariff) for row in rows])


def total_rates(plan: Plan, rows: Sequence[Row], tariff: Tariff) -> tuple[str, ...]:
    """What all machines cost that may be up at once, at which prices, and what may come on top.

    Of the tasks that are equally far from the plan's beginning all may be performed at once: the dearest such set is
    told. How many items a list will have that the run itself makes, nobody knows: such a fan is counted once, and told.
    """
    if not plan.tasks:
        return ()
    prices = tariff.prices
    if tariff.architecture not in prices.rates:
        return (f"{prices.why_not(Size(), tariff.architecture)}: what a run costs is not told",)
    levels: dict[int, list[Task]] = {}
    for task, depth in zip(plan.tasks, _depths(plan), strict=True):
        levels.setdefault(depth, []).append(task)
    count, dollars, is_at_most = max((_rate(plan, tasks, tariff) for tasks in levels.values()), key=lambda one: one[1])
    most = "at most " if is_at_most else ""
    sentences = [f"by the second, a minute at least, at list price ({prices.name}), not the bill"]
    sentences.append(f"at its dearest, with {counted(count, 'machine')} at once: {most}{_hour(dollars)}")
    if unpriced := [row.stage for row in rows if tariff.hourly(row.size) is None]:
        sentences.append(f"without {listed(unpriced)}, of which no list price is known")
    if unknown := [row.stage for row in rows if _is_unknown(plan, row)]:
        sentences.append(
            f"more with each item of {listed(unknown)}, as many at once as there are, and {tariff.most_machines:,} "
            "machines at most"
        )
    spare = any(row.size.spot for row in rows)
    if spare and is_at_most:
        from cloudburst.prices import SPOT_SAVES_PERCENT

        sentences.append(
            f"Spot is told at the price on demand: it is up to {SPOT_SAVES_PERCENT} % less, its own is not known here"
        )
    elif spare and prices.spot_as_of is not None:
        sentences.append(f"Spot at its price of {prices.spot_as_of}, which AWS moves")
    return tuple(sentences)


def _told(size: Size, tariff: Tariff) -> str:
    from cloudburst.prices import MINIMUM_S, charge, money

    hourly = tariff.hourly(size)
    if hourly is None:
        return tariff.prices.why_not(size, tariff.architecture)
    most = "at most " if hourly.is_at_most else ""
    least = charge(hourly.dollars, MINIMUM_S)
    return f"{most}{_hour(hourly.dollars)}, {money(float(least))} at least"


def _hour(dollars: Decimal) -> str:
    from cloudburst.prices import money

    return f"{money(float(dollars))} an hour"


def _depths(plan: Plan) -> list[int]:
    """How far each task is from the beginning."""
    depths: list[int] = []
    for task in plan.tasks:
        depths.append(max((depths[read.task] + 1 for read in task.inputs if read.task != GIVEN), default=0))
    return depths


def _rate(plan: Plan, tasks: Sequence[Task], tariff: Tariff) -> tuple[int, Decimal, bool]:
    """How many machines these tasks take at once, what those cost an hour, and whether that is too much."""
    wishes = [(hourly, _wanted(plan, task)) for task in tasks if (hourly := tariff.hourly(task.size)) is not None]
    wishes.sort(key=lambda one: one[0].dollars, reverse=True)
    room, dollars, is_at_most = tariff.most_machines, Decimal(0), False
    for hourly, wanted in wishes:
        served = min(room, wanted)
        room -= served
        dollars += hourly.dollars * served
        is_at_most |= hourly.is_at_most and served > 0
    return tariff.most_machines - room, dollars, is_at_most


def _wanted(plan: Plan, task: Task) -> int:
    items = _items(plan, task)
    return 1 if items is None else items


def _items(plan: Plan, task: Task) -> int | None:
    """How many items a fan has, where its list is there from the start."""
    if task.fan is None or (read := task.inputs[task.fan]).task != GIVEN:
        return None
    return len(plan.given[read.output].body)


def _is_unknown(plan: Plan, row: Row) -> bool:
    return row.is_fan and any(_items(plan, plan.tasks[number]) is None for number in row.tasks)
