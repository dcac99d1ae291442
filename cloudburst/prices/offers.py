"""What the AWS Price List says of Fargate, read out of the answers of its API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from cloudburst.prices.tariff import PriceList, Rate

_USAGE = re.compile(r"(?:[A-Z0-9]+-)?Fargate-(?P<arm>ARM-)?(?P<part>vCPU-Hours:perCPU|GB-Hours)")
_STORAGE = re.compile(r"(?:[A-Z0-9]+-)?Fargate-EphemeralStorage-GB-Hours")


def read_offers(products: Iterable[str], region: str, as_of: date) -> PriceList:
    """The prices of a region.

    Parameters
    ----------
    products : iterable of str
        ``PriceList`` of ``GetProducts`` for ``AmazonECS``: each a product with its terms, as JSON. What is not about
        Linux on Fargate in this region is passed over: Windows, ECS Anywhere, and prices in another currency.
    region : str
        Whose.
    as_of : date
        When AWS was asked.

    Returns
    -------
    PriceList
        Without rates if there are none.

    Examples
    --------
    >>> product = {"attributes": {"regionCode": "us-east-1", "usagetype": "USE1-Fargate-EphemeralStorage-GB-Hours"}}
    >>> price = {"unit": "GB-Hours", "pricePerUnit": {"USD": "0.0001110000"}}
    >>> terms = {"OnDemand": {"S.T": {"priceDimensions": {"S.T.D": price}}}}
    >>> read_offers([json.dumps({"product": product, "terms": terms})], "us-east-1", date(2026, 1, 1)).storage
    Decimal('0.0001110000')
    """
    parts: dict[tuple[str, str], Decimal] = {}
    storage = None
    for text in products:
        usage, dollars = _priced(text, region)
        if dollars is None:
            continue
        if (found := _USAGE.fullmatch(usage)) is not None:
            parts["ARM64" if found["arm"] else "X86_64", found["part"].partition("-")[0]] = dollars
        elif _STORAGE.fullmatch(usage):
            storage = dollars
    rates = {
        name: Rate(parts[name, "vCPU"], parts[name, "GB"])
        for name in ("X86_64", "ARM64")
        if (name, "vCPU") in parts and (name, "GB") in parts
    }
    return PriceList(region, rates, storage, source="live", as_of=as_of)


def _priced(text: str, region: str) -> tuple[str, Decimal | None]:
    """The usage type of a product, and its price on demand."""
    try:
        offer = json.loads(text)
    except ValueError:
        return "", None
    attributes = _in(_in(offer, "product"), "attributes")
    if attributes.get("regionCode") != region:
        return "", None
    prices = {
        str(_in(dimension, "pricePerUnit").get("USD"))
        for term in _in(_in(offer, "terms"), "OnDemand").values()
        for dimension in _in(term, "priceDimensions").values()
    }
    return str(attributes.get("usagetype")), _amount(prices)


def _amount(prices: set[str]) -> Decimal | None:
    """The one price that there is; where it depends on how much is used, none."""
    if len(prices) != 1:
        return None
    try:
        dollars = Decimal(prices.pop())
    except InvalidOperation:
        return None
    return dollars if dollars.is_finite() and dollars > 0 else None


def _in(mapping: Any, name: str) -> Mapping[str, Any]:
    found = mapping.get(name) if isinstance(mapping, Mapping) else None
    return found if isinstance(found, Mapping) else {}
