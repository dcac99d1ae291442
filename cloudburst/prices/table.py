"""The dated table of list prices that comes with this package: what is told where AWS cannot be asked."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from cloudburst.prices.tariff import PriceList, Rate


def table_prices(region: str) -> PriceList:
    """The prices of a region as the table has them; without rates if it is not in there.

    >>> table_prices("us-east-1").rates["ARM64"]
    Rate(vcpu=Decimal('0.03238'), gib=Decimal('0.00356'))
    >>> table_prices("xx-east-9").rates
    {}
    """
    table = _table()
    row = table.get(region)
    if not isinstance(row, Mapping):
        return PriceList(region, as_of=table["as_of"])
    storage = row.get("storage")
    return PriceList(
        region,
        rates=_rates(row),
        storage=None if storage is None else Decimal(storage),
        spot=_rates(row.get("spot", {})),
        as_of=table["as_of"],
        spot_as_of=table["spot_as_of"] if "spot" in row else None,
    )


def table_regions() -> tuple[str, ...]:
    """The regions that are in the table."""
    return tuple(name for name, row in _table().items() if isinstance(row, Mapping))


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("cloudburst.prices").joinpath("fargate.toml").read_text(encoding="utf-8"))


def _rates(row: Mapping[str, Any]) -> dict[str, Rate]:
    return {
        name: Rate(Decimal(row[name]["vcpu"]), Decimal(row[name]["gib"])) for name in ("X86_64", "ARM64") if name in row
    }
