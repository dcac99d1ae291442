"""Queries 1, 3 and 6 of TPC-H as one writes them in pandas, and what an expert does so that they read less.

A query is in two halves: which rows it keeps of each table, and what it makes of them. Everyone runs the same two; the
expert, who knows what they use, also tells the reader, which lets Arrow do the first half where that is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

SHIPPED_BY = pd.Timestamp("1998-09-02")
ORDERED_BEFORE = pd.Timestamp("1995-03-15")
YEAR = pd.Timestamp("1994-01-01"), pd.Timestamp("1995-01-01")


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked, and what an expert knows of it."""

    keep: Mapping[str, Callable[[Any], Any]]
    """By table: the rows that are kept, written with a mask."""
    make: Callable[..., Any]
    """The answer, of the tables in that order."""
    filters: Mapping[str, list[tuple[str, str, Any]]]
    """By table: the same rows, as Arrow's reader is told."""
    columns: Mapping[str, list[str]]
    """By table: the columns that ``make`` uses."""
    answer: Callable[[Any], None]
    """Refuses what is not the answer at scale factor 1 that the standard of TPC-H gives."""

    def masked(self, table: str) -> list[str]:
        """Columns that both halves use."""
        filtered = [name for name, _, _ in self.filters[table]]
        return list(dict.fromkeys(self.columns[table] + filtered))


def pricing(lineitem: Any) -> Any:
    """Query 1: what was billed, by state of the line."""
    discounted = lineitem["l_extendedprice"] * (1 - lineitem["l_discount"])
    lines = lineitem.assign(disc_price=discounted, charge=discounted * (1 + lineitem["l_tax"]))
    summed = lines.groupby(["l_returnflag", "l_linestatus"]).agg(
        sum_qty=("l_quantity", "sum"),
        sum_base_price=("l_extendedprice", "sum"),
        sum_disc_price=("disc_price", "sum"),
        sum_charge=("charge", "sum"),
        avg_qty=("l_quantity", "mean"),
        avg_price=("l_extendedprice", "mean"),
        avg_disc=("l_discount", "mean"),
        count_order=("l_quantity", "count"),
    )
    return summed.reset_index().sort_values(["l_returnflag", "l_linestatus"])


def shipping(customer: Any, orders: Any, lineitem: Any) -> Any:
    """Query 3: the orders of a kind of customer that are worth most and were not shipped yet."""
    ordered = customer.merge(orders, left_on="c_custkey", right_on="o_custkey")
    lines = ordered.merge(lineitem, left_on="o_orderkey", right_on="l_orderkey")
    lines = lines.assign(revenue=lines["l_extendedprice"] * (1 - lines["l_discount"]))
    summed = lines.groupby(["l_orderkey", "o_orderdate", "o_shippriority"])["revenue"].sum()
    return summed.reset_index().nlargest(10, "revenue")


def forecast(lineitem: Any) -> Any:
    """Query 6: what would have been earned without some discounts."""
    return (lineitem["l_extendedprice"] * lineitem["l_discount"]).sum()


def discounted(lineitem: Any) -> Any:
    shipped, discount = lineitem["l_shipdate"], lineitem["l_discount"]
    in_year = (shipped >= YEAR[0]) & (shipped < YEAR[1])
    return lineitem[in_year & (discount >= 0.05) & (discount <= 0.07) & (lineitem["l_quantity"] < 24)]


def priced(answer: Any) -> None:
    row = answer.iloc[0]
    _is(row["l_returnflag"] + row["l_linestatus"], "AF")
    _is(round(row["sum_qty"]), 37_734_107)
    _is(round(row["sum_charge"], 2), 55_909_065_222.83)
    _is(row["count_order"], 1_478_493)


def shipped(answer: Any) -> None:
    row = answer.iloc[0]
    _is(row["l_orderkey"], 2_456_423)
    _is(round(row["revenue"], 4), 406_181.0111)
    _is(row["o_orderdate"], pd.Timestamp("1995-03-05"))


def forecasted(answer: Any) -> None:
    _is(round(answer, 4), 123_141_078.2283)


def _is(found: Any, expected: Any) -> None:
    if found != expected:
        raise ValueError(f"{found!r} is not {expected!r}, which the standard of TPC-H gives")


QUERIES: dict[str, Query] = {
    "Q1": Query(
        keep={"lineitem": lambda lineitem: lineitem[lineitem["l_shipdate"] <= SHIPPED_BY]},
        make=pricing,
        filters={"lineitem": [("l_shipdate", "<=", SHIPPED_BY)]},
        columns={
            "lineitem": "l_returnflag l_linestatus l_quantity l_extendedprice l_discount l_tax".split(),
        },
        answer=priced,
    ),
    "Q3": Query(
        keep={
            "customer": lambda customer: customer[customer["c_mktsegment"] == "BUILDING"],
            "orders": lambda orders: orders[orders["o_orderdate"] < ORDERED_BEFORE],
            "lineitem": lambda lineitem: lineitem[lineitem["l_shipdate"] > ORDERED_BEFORE],
        },
        make=shipping,
        filters={
            "customer": [("c_mktsegment", "==", "BUILDING")],
            "orders": [("o_orderdate", "<", ORDERED_BEFORE)],
            "lineitem": [("l_shipdate", ">", ORDERED_BEFORE)],
        },
        columns={
            "customer": ["c_custkey"],
            "orders": "o_orderkey o_custkey o_orderdate o_shippriority".split(),
            "lineitem": "l_orderkey l_extendedprice l_discount".split(),
        },
        answer=shipped,
    ),
    "Q6": Query(
        keep={"lineitem": discounted},
        make=forecast,
        filters={
            "lineitem": [
                ("l_shipdate", ">=", YEAR[0]),
                ("l_shipdate", "<", YEAR[1]),
                ("l_discount", ">=", 0.05),
                ("l_discount", "<=", 0.07),
                ("l_quantity", "<", 24),
            ]
        },
        columns={"lineitem": ["l_extendedprice", "l_discount"]},
        answer=forecasted,
    ),
}
