"""The table that comes with the package."""

from __future__ import annotations

from datetime import date

import pytest

from cloudburst.prices.table import table_prices, table_regions
from cloudburst.resources import Size
from cloudburst.settings.checks import _REGION

REGIONS = table_regions()


def test_it_has_its_dates_and_many_regions():
    assert len(REGIONS) > 20
    prices = table_prices("us-east-1")
    assert prices.as_of == date(2026, 9, 11)
    assert prices.spot_as_of == date(2026, 9, 28)
    assert prices.source == "table"


@pytest.mark.parametrize("region", REGIONS)
def test_a_row_is_like_all_others(region):
    assert _REGION.fullmatch(region)
    prices = table_prices(region)
    assert "X86_64" in prices.rates
    for rate in prices.rates.values():
        assert 0.02 < rate.vcpu < 0.1
        assert 8 < rate.vcpu / rate.gib < 10  # so it is everywhere
    if "ARM64" in prices.rates:
        assert prices.rates["ARM64"].vcpu < prices.rates["X86_64"].vcpu
    for architecture, rate in prices.spot.items():
        assert 0.29 < rate.vcpu / prices.rates[architecture].vcpu < 0.5
    assert (prices.spot_as_of is None) == (not prices.spot)
    if prices.storage is not None:
        assert 0.0001 < prices.storage < 0.0002


def test_no_price_is_guessed():
    assert table_prices("xx-east-9").hourly(Size(1024, 2048)) is None
    assert table_prices("as_of").rates == {}
    assert table_prices("xx-east-9").why_not(Size(1024, 2048)) == "no list price known for xx-east-9"
