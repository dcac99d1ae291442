"""What Fargate charges for a machine: its parts by the hour, its life by the second.

AWS' own words (https://aws.amazon.com/fargate/pricing/, as of October 2026): "Pricing is calculated per second with a
1-minute minimum. Duration is calculated from the time you start to download your container image (Docker pull) until
the task terminates, rounded up to the nearest second." Of storage one pays for what is configured above 20 GB, and a GB
is 1024³ bytes there. Of Spot: "at up to a 70% discount off the regular Fargate price".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple

from cloudburst.resources import FREE_STORAGE_GIB, Size

MINIMUM_S = 60
"""What every machine is charged for at least."""
SPOT_SAVES_PERCENT = 70
"""At most so much less than on demand, AWS says, is asked for spare capacity."""

_HOUR_S = 3600


class Rate(NamedTuple):
    """Dollars an hour, of a virtual CPU and of a GiB of memory."""

    vcpu: Decimal
    gib: Decimal


class Hourly(NamedTuple):
    """What an hour of a machine costs."""

    dollars: Decimal
    is_at_most: bool = False
    """Whether it is less by an amount that is not known: of spare capacity the price on demand is told."""


@dataclass(frozen=True, slots=True)
class PriceList:
    """The list prices of a region.

    Parameters
    ----------
    region : str
        As AWS names it.
    rates : mapping
        On demand, by architecture (``X86_64``, ``ARM64``); empty where no price is known.
    storage : Decimal, optional
        Dollars an hour of a GiB of storage above the first 20.
    spot : mapping
        Of spare capacity, by architecture.
    source : "live" or "table"
        Whether AWS said it, or the table that comes with this package.
    as_of, spot_as_of : date, optional
        When AWS was asked, or what the table is of.

    Examples
    --------
    >>> prices = PriceList("us-east-1", {"X86_64": Rate(Decimal("0.04048"), Decimal("0.004445"))})
    >>> prices.hourly(Size(1024, 2048)).dollars
    Decimal('0.049370')
    >>> prices.hourly(Size(1024, 2048), "ARM64") is None
    True
    """

    region: str
    rates: Mapping[str, Rate] = field(default_factory=dict)
    storage: Decimal | None = None
    spot: Mapping[str, Rate] = field(default_factory=dict)
    source: Literal["live", "table"] = "table"
    as_of: date | None = None
    spot_as_of: date | None = None

    def hourly(self, size: Size, architecture: str = "X86_64") -> Hourly | None:
        """What an hour of a machine costs.

        Parameters
        ----------
        size : Size
            With CPU and memory; ``spot`` says whether it is spare capacity.
        architecture : str
            ``"X86_64"`` or ``"ARM64"``.

        Returns
        -------
        Hourly or None
            ``None`` where no list price is known for it.
        """
        on_demand, spare = self.rates.get(architecture), self.spot.get(architecture)
        rate = spare if size.spot and spare is not None else on_demand
        if rate is None or size.cpu is None or size.memory is None:
            return None
        dollars = rate.vcpu * size.cpu / 1024 + rate.gib * size.memory / 1024
        if size.storage is not None and size.storage > FREE_STORAGE_GIB:
            if self.storage is None:
                return None
            dollars += self.storage * (size.storage - FREE_STORAGE_GIB)
        return Hourly(dollars, bool(size.spot) and spare is None)

    @property
    def name(self) -> str:
        """For people: where, and which prices these are.

        >>> PriceList("eu-west-1", as_of=date(2026, 9, 11)).name
        'eu-west-1, table of 2026-09-11'
        """
        kind = "table" if self.source == "table" else "AWS price list"
        return f"{self.region}, {kind} of {self.as_of}" if self.as_of is not None else self.region

    def why_not(self, size: Size, architecture: str = "X86_64") -> str:
        """Why there is no price for a machine.

        >>> PriceList("xx-east-9").why_not(Size(1024, 2048))
        'no list price known for xx-east-9'
        """
        if not self.rates:
            return f"no list price known for {self.region}"
        if architecture not in self.rates:
            return f"no list price known for {architecture} in {self.region}"
        return f"no list price known for storage above {FREE_STORAGE_GIB} GB in {self.region} ({size})"


def billed_s(seconds: float) -> int:
    """The seconds that a life of a machine is charged as.

    >>> [billed_s(seconds) for seconds in (0, 0.2, 59, 60, 60.1)]
    [0, 60, 60, 60, 61]
    """
    return max(MINIMUM_S, math.ceil(seconds)) if seconds > 0 else 0


def billed_since(seconds: float, before_s: float = 0.0) -> int:
    """The seconds that are charged for a part of a life: from ``before_s`` to ``seconds``.

    >>> billed_since(90, 40), billed_since(50, 40)
    (30, 0)
    """
    return max(0, billed_s(seconds) - billed_s(before_s))


def charge(hourly: Decimal, seconds: float, before_s: float = 0.0) -> Decimal:
    """What a machine costs from a moment of its life to another, so that parts of a life cost what the whole does.

    >>> charge(Decimal("0.36"), 50), charge(Decimal("0.36"), 90, before_s=50)
    (Decimal('0.006'), Decimal('0.003'))
    """
    return hourly * billed_since(seconds, before_s) / _HOUR_S
