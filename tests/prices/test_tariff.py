"""What Fargate charges: its published examples, and what holds for all machines."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import hypothesis.strategies as st
import pytest
from hypothesis import given

from cloudburst.prices import MINIMUM_S, Hourly, PriceList, Rate, billed_s, charge
from cloudburst.prices.table import table_prices
from cloudburst.resources import MEMORY_MIB, Size

PAIRS = [(cpu, memory) for cpu, sizes in MEMORY_MIB.items() for memory in sizes]
SIZES = st.builds(
    lambda pair, storage, spot: Size(*pair, storage, spot),
    st.sampled_from(PAIRS),
    st.none() | st.integers(21, 200),
    st.booleans() | st.none(),
)
SECONDS = st.floats(0, 1e6)
EVERYTHING = PriceList(
    "us-east-1",
    rates={"X86_64": Rate(Decimal("0.04048"), Decimal("0.004445")), "ARM64": Rate(Decimal("0.03"), Decimal("0.003"))},
    storage=Decimal("0.000111"),
    spot={"X86_64": Rate(Decimal("0.01288871"), Decimal("0.00141527"))},
)
HOURLY = st.decimals("0.001", "10", places=6)


def hourly(size: Size, architecture: str = "X86_64") -> Decimal:
    found = EVERYTHING.hourly(size, architecture)
    assert found is not None
    return found.dollars


# AWS' own worked examples, from https://aws.amazon.com/fargate/pricing/ ("Pricing Examples", US East (N. Virginia)), as
# the page was in October 2026: tasks, vCPUs, memory in GB, storage in GB, seconds a day, days, and the charges that AWS
# states, in dollars, each rounded to the cent: CPU, memory and storage.
EXAMPLES = {
    "1: x86": ("X86_64", 5, 1024, 2048, 30, 600, 30, ("1.01", "0.22", "0.03")),
    "2: ARM": ("ARM64", 5, 1024, 2048, 30, 600, 30, ("0.81", "0.18", "0.03")),
    "3: small": ("X86_64", 10, 256, 1024, None, 3600, 30, ("3.04", "1.33", "0")),
}


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_the_examples_that_aws_publishes_come_to_what_aws_says(example):
    architecture, tasks, cpu, memory, storage, seconds, days, stated = example
    found = table_prices("us-east-1").hourly(Size(cpu, memory, storage), architecture)
    assert found is not None
    month = sum(charge(found.dollars, seconds) for _ in range(tasks * days))
    # AWS adds amounts that it has rounded, each by half a cent at most.
    assert abs(month - sum(map(Decimal, stated))) <= Decimal("0.005") * len(stated)
    assert not found.is_at_most


def test_each_part_of_aws_first_example_is_to_the_cent():
    def month(one: Size) -> Decimal:
        found = table_prices("us-east-1").hourly(one)
        assert found is not None
        return charge(found.dollars, 600) * 5 * 30

    plain, with_storage = month(Size(1024, 2048)), month(Size(1024, 2048, 30))
    more_memory = month(Size(1024, 4096))
    assert round(more_memory - plain, 2) == Decimal("0.22")
    assert round(plain - (more_memory - plain), 2) == Decimal("1.01")
    assert round(with_storage - plain, 2) == Decimal("0.03")


@given(SECONDS)
def test_every_second_that_has_begun_is_charged_and_a_minute_at_least(seconds):
    billed = billed_s(seconds)
    assert billed >= seconds
    assert billed < max(seconds + 1, MINIMUM_S + 1)
    assert billed == 0 or billed >= MINIMUM_S
    assert (billed == 0) == (seconds == 0)


@given(HOURLY, SECONDS, SECONDS)
def test_a_longer_life_never_costs_less(dollars, one, other):
    less, more = sorted((one, other))
    assert charge(dollars, less) <= charge(dollars, more)


@given(HOURLY, st.lists(SECONDS, min_size=1, max_size=8))
def test_a_life_told_in_parts_costs_what_it_costs_as_a_whole(dollars, moments):
    moments = sorted(moments)
    parts = [charge(dollars, until, since) for since, until in zip([0.0, *moments], moments, strict=False)]
    assert all(part >= 0 for part in parts)
    assert abs(sum(parts) - charge(dollars, moments[-1])) < Decimal("1e-20")


@given(SIZES, SIZES)
def test_a_machine_that_has_no_less_of_anything_costs_no_less(one, other):
    one, other = one._replace(spot=False), other._replace(spot=False)
    is_smaller = all((a or 0) <= (b or 0) for a, b in zip(one[:3], other[:3], strict=True))
    if is_smaller:
        assert hourly(one) <= hourly(other)


@given(SIZES)
def test_spare_capacity_never_costs_more_and_is_at_the_price_on_demand_where_its_own_is_not_known(size):
    spare = EVERYTHING.hourly(size._replace(spot=True))
    assert spare is not None
    assert spare.dollars < hourly(size._replace(spot=False))
    assert not spare.is_at_most
    assert EVERYTHING.hourly(size._replace(spot=True), "ARM64") == Hourly(
        hourly(size._replace(spot=False), "ARM64"), is_at_most=True
    )


def test_twenty_gigabytes_of_storage_are_free():
    assert hourly(Size(1024, 2048, 20)) == hourly(Size(1024, 2048))
    assert hourly(Size(1024, 2048, 100)) - hourly(Size(1024, 2048)) == Decimal("0.000111") * 80


def test_what_is_not_known_has_no_price_and_says_so():
    bare = PriceList("eu-north-1", {"X86_64": Rate(Decimal(1), Decimal(1))}, as_of=date(2026, 9, 11))
    assert bare.hourly(Size(1024, 2048), "ARM64") is None
    assert bare.hourly(Size(1024, 2048, 50)) is None
    assert bare.hourly(Size()) is None
    assert PriceList("xx-east-9").hourly(Size(1024, 2048)) is None
    assert bare.why_not(Size(1024, 2048), "ARM64") == "no list price known for ARM64 in eu-north-1"
    assert bare.why_not(Size(1024, 2048, 50)).startswith("no list price known for storage above 20 GB in eu-north-1")
    assert PriceList("xx-east-9").name == "xx-east-9"
