"""List prices of machines, and what a run cost at them: never the bill.

``cost_of`` is for whoever knows the machines of a run: each a ``Machine`` with its size, region and seconds.
"""

from __future__ import annotations

from cloudburst.prices.cost import Cost, Machine, StageCost, cost_of, money
from cloudburst.prices.live import Asking, known_prices
from cloudburst.prices.spending import Spending, Tariff
from cloudburst.prices.tariff import MINIMUM_S, SPOT_SAVES_PERCENT, Hourly, PriceList, Rate, billed_s, charge

__all__ = [
    "MINIMUM_S",
    "SPOT_SAVES_PERCENT",
    "Asking",
    "Cost",
    "Hourly",
    "Machine",
    "PriceList",
    "Rate",
    "Spending",
    "StageCost",
    "Tariff",
    "billed_s",
    "charge",
    "cost_of",
    "known_prices",
    "money",
]
