"""What is read out of the AWS Price List, and what is passed over."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import hypothesis.strategies as st
import pytest
from hypothesis import given

from cloudburst.prices.offers import read_offers
from cloudburst.prices.tariff import Rate

TODAY = date(2026, 11, 29)


def offer(usage, *dollars, region="us-east-1", currency="USD"):
    dimensions = {f"D{number}": {"pricePerUnit": {currency: one}} for number, one in enumerate(dollars)}
    return json.dumps(
        {
            "product": {"attributes": {"regionCode": region, "usagetype": usage}},
            "terms": {"OnDemand": {"T": {"priceDimensions": dimensions}}},
        }
    )


X86 = [offer("USE1-Fargate-vCPU-Hours:perCPU", "0.0404800000"), offer("USE1-Fargate-GB-Hours", "0.0044450000")]
ARM = [offer("USE1-Fargate-ARM-vCPU-Hours:perCPU", "0.03238"), offer("USE1-Fargate-ARM-GB-Hours", "0.00356")]
STORAGE = offer("USE1-Fargate-EphemeralStorage-GB-Hours", "0.000111")
OTHERS = [
    offer("USE1-Fargate-Windows-vCPU-Hours:perCPU", "0.09148"),
    offer("USE1-Fargate-Windows-GB-Hours", "0.01005"),
    offer("USE1-Fargate-Windows-OS-Hours:perCPU", "0.046"),
    offer("USE1-SpotUsage-Fargate-vCPU-Hours:perCPU", "0.012"),
    offer("USE1-ECS-Anywhere-Instance-hours", "0.01025"),
    offer("USW2-Fargate-GB-Hours", "7", region="us-west-2"),
    offer("USE1-Fargate-GB-Hours", "0.03", currency="CNY"),
]


def test_the_rates_are_found_among_all_that_ecs_charges():
    prices = read_offers([*OTHERS, *X86, *ARM, STORAGE, *reversed(OTHERS)], "us-east-1", TODAY)
    assert prices.rates == {
        "X86_64": Rate(Decimal("0.04048"), Decimal("0.004445")),
        "ARM64": Rate(Decimal("0.03238"), Decimal("0.00356")),
    }
    assert prices.storage == Decimal("0.000111")
    assert prices.spot == {}
    assert (prices.source, prices.as_of) == ("live", TODAY)
    assert prices.name == "us-east-1, AWS price list of 2026-11-29"


def test_a_region_may_have_no_prefix_and_no_arm():
    prices = read_offers(
        [offer("Fargate-vCPU-Hours:perCPU", "0.05"), offer("Fargate-GB-Hours", "0.005")], "us-east-1", TODAY
    )
    assert list(prices.rates) == ["X86_64"]
    assert prices.storage is None


def test_half_a_rate_is_none():
    assert read_offers(X86[:1], "us-east-1", TODAY).rates == {}
    assert read_offers([], "us-east-1", TODAY).rates == {}


@pytest.mark.parametrize(
    "odd",
    [
        "no json",
        "[]",
        "{}",
        '{"product": {"attributes": []}, "terms": 3}',
        offer("USE1-Fargate-GB-Hours", "free"),
        offer("USE1-Fargate-GB-Hours", "NaN"),
        offer("USE1-Fargate-GB-Hours", "-1"),
        offer("USE1-Fargate-GB-Hours"),
        offer("USE1-Fargate-GB-Hours", "0.01", "0.02"),
    ],
)
def test_what_cannot_be_a_price_is_passed_over(odd):
    assert read_offers([X86[0], odd], "us-east-1", TODAY).rates == {}
    assert "X86_64" in read_offers([odd, *X86], "us-east-1", TODAY).rates


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["product", "attributes", "terms", "OnDemand", "priceDimensions", "regionCode"]), inner
        )
    ),
    max_leaves=12,
)


@given(VALUES)
def test_whatever_comes_there_is_an_answer(value):
    assert read_offers([json.dumps(value)], "us-east-1", TODAY).rates == {}
