"""Where a comparison may hold: never ruled out where pandas says that it holds of a row, and ruled out often."""

from __future__ import annotations

import datetime
import operator
from bisect import bisect_left
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from cloudburst.graph.facts import Bounds
from cloudburst.graph.frames import predicates
from cloudburst.graph.frames.columns import Column, between, compare, is_in, is_missing, joined, opposite, truth_of
from cloudburst.graph.frames.predicates import COMPARISONS, UNSURE, Truth, compared, contained, missing, sort_of
from tests.graph.frames.parted import DAY, Parted

NAMES = sorted(COMPARISONS)
BIG = 2**53
EDGES = [BIG - 1, BIG, BIG + 1, BIG + 2, BIG + 3, -BIG - 1, -BIG - 3]
FLOATS = [0.0, -0.0, 1.0, -1.0, 0.5, 0.1, float(np.float32(0.1)), float(BIG), float(BIG + 2), float("inf"), 7.25]


def days(number: int) -> datetime.date:
    return DAY + datetime.timedelta(days=number)


def moment(number: int) -> pd.Timestamp:
    return pd.Timestamp(DAY) + pd.Timedelta(hours=number)


Draw = Callable[[Random], Any]


def one_of(*values: Any) -> Draw:
    return lambda random: random.choice(values)


def either(*draws: Draw) -> Draw:
    return lambda random: random.choice(draws)(random)


def small(random: Random) -> int:
    return random.randint(-4, 12)


def few(random: Random) -> int:
    return random.randint(0, 12)


def hour(random: Random) -> pd.Timestamp:
    return moment(small(random))


whole = either(small, small, one_of(*EDGES))
number = either(whole, whole, one_of(*FLOATS))
floats = either(one_of(*FLOATS, float("nan")), lambda random: float(small(random)))
text = one_of("", "a", "A", "ab", "b", "z", "é", "\U0001f600", "\ufb01")
day: Draw = lambda random: days(small(random))  # noqa: E731
flag = one_of(False, True)

COLUMNS: dict[str, tuple[Draw, Draw, bool]] = {
    "int64": (whole, number, False),
    "int8": (small, number, False),
    "uint64": (either(few, one_of(2**64 - 1, BIG + 1)), number, False),
    "float64": (floats, number, False),
    "float32": (floats, number, False),
    "float64 of ints": (whole, number, True),
    "Int64": (whole, number, True),
    "bool": (flag, flag, False),
    "boolean": (flag, flag, True),
    "str": (text, text, True),
    "datetime64[us]": (hour, either(hour, lambda r: hour(r).to_pydatetime(), lambda r: str(hour(r))), True),
    "datetime64[ms]": (hour, hour, True),
    "datetime64[us, UTC]": (hour, lambda random: hour(random).tz_localize("Europe/Berlin"), True),
    "object": (day, day, True),
}
"""By dtype: what draws a value, what draws a constant that it is compared with, and whether values may be missing."""


def drawn_column(random: Random) -> tuple[str, Parted]:
    """A column ``x`` of some dtype, in groups of which each lies in a narrow range, or is missing altogether."""
    kind = random.choice(list(COLUMNS))
    values, _, may_lack = COLUMNS[kind]
    groups = []
    for _ in range(random.randint(1, 4)):
        pool = [values(random) for _ in range(random.randint(1, 2))]
        if may_lack and random.random() < 0.4:
            pool = random.choice([[*pool, None], [None]])
        groups.append([random.choice(pool) for _ in range(random.randint(0, 4))])
    flat = [value for group in groups for value in group]
    if kind == "float64 of ints" and None not in flat:
        flat, groups = [None, *flat], [[None], *groups]
    return kind, _parted(kind, flat, [len(group) for group in groups])


class _OfInts(Parted):
    """Whole numbers that are floats in the frame because some are missing: the file has them as they were."""

    exact: list[Any]

    def bounds(self, column: str) -> list[Bounds]:
        found = []
        for start, stop in pairwise(self.starts):
            there = [value for value in self.exact[start:stop] if value is not None]
            nulls = stop - start - len(there)
            found.append(Bounds(min(there, default=None), max(there, default=None), nulls))
        return found


def _parted(kind: str, flat: list[Any], sizes: list[int]) -> Parted:
    if kind == "float64 of ints":
        frame = pd.DataFrame({"x": np.array([np.nan if one is None else float(one) for one in flat])})
        parted = _OfInts(frame, sizes)
        parted.exact = flat
        return parted
    if kind.startswith("datetime64"):
        moments = pd.DatetimeIndex(flat).as_unit("ms" if "ms" in kind else "us")
        series = pd.Series(moments.tz_localize("UTC") if "UTC" in kind else moments)
    elif kind in ("int8", "float32"):
        series = pd.Series(np.array(flat, dtype=kind))
    else:
        series = pd.Series(flat, dtype=kind)
    return Parted(pd.DataFrame({"x": series}), sizes)


def drawn_condition(random: Random, kind: str, parted: Parted, depth: int = 0) -> tuple[Column | None, Any]:
    """A condition on a column, and what pandas says of each row."""
    column, series = Column(parted.columns["x"], parted, "x"), parted.frame["x"]
    constant = COLUMNS[kind][1]
    how = random.choice(["compare", "compare", "compare", "isin", "between", "isna", "not", "and_", "or_", "xor"])
    if how in ("not", "and_", "or_", "xor") and depth < 3:
        one, said = drawn_condition(random, kind, parted, depth + 1)
        if how == "not":
            return None if one is None else opposite(one), None if said is None else ~said
        other, says = drawn_condition(random, kind, parted, depth + 1)
        if one is None or other is None:
            return None, None
        return joined(how, one, other), getattr(operator, how)(said, says)
    if how == "isin":
        values = [constant(random) for _ in range(random.randint(0, 3))]
        if not kind.startswith(("datetime", "bool")) and random.random() < 0.2:
            values.append(None)
        return is_in(column, values), series.isin(values)
    if how == "between":
        inclusive: Any = random.choice(["both", "neither", "left", "right"])
        low, high = constant(random), constant(random)
        return between(column, low, high, inclusive), series.between(low, high, inclusive=inclusive)
    if how == "isna":
        return is_missing(column), series.isna()
    name, value = random.choice(NAMES), constant(random)
    return compare(name, column, value), getattr(operator, name)(series, value)


class Count:
    def __init__(self) -> None:
        self.groups = self.skipped = self.known = self.conditions = 0


def check(seed: int, count: Count) -> None:
    random = Random(seed)
    kind, parted = drawn_column(random)
    column, said = drawn_condition(random, kind, parted)
    count.conditions += 1
    if column is None:
        return
    count.known += 1
    truth = truth_of(column)
    assert truth is not None
    assert column.dtype == said.dtype
    holds = said.fillna(False).to_numpy(dtype=bool)
    fails = ~said.fillna(True).to_numpy(dtype=bool)
    for group, (start, stop) in enumerate(pairwise(parted.starts)):
        count.groups += 1
        count.skipped += not truth.true >> group & 1
        assert truth.true >> group & 1 or not holds[start:stop].any(), "rows that are kept would be skipped"
        assert truth.false >> group & 1 or not fails[start:stop].any(), "rows that `not` keeps would be skipped"


def check_many(seeds: int) -> Count:
    count = Count()
    for seed in range(seeds):
        check(seed, count)
    return count


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**40))
def test_no_group_is_ruled_out_that_has_a_row(seed: int) -> None:
    check(seed, Count())


def test_many_groups_are_ruled_out() -> None:
    count = check_many(1000)
    assert count.known > 0.7 * count.conditions
    assert count.skipped > 0.2 * count.groups


_REAL = {name: getattr(predicates, name) for name in ("_gathered", "_decides", "_is_sound", "inverted", "bisect_right")}


def _floats_counted(one: Any, sort: str, bounds: Any, rows: Any) -> Truth:
    found: Truth = _REAL["_gathered"](one, "int" if sort == "float" else sort, bounds, rows)
    return found


def _nulls_forgotten(one: Any, sort: str, bounds: Any, rows: Any) -> Truth:
    found: Truth = _REAL["_gathered"](one, sort, [bound._replace(nulls=0) for bound in bounds], rows)
    return found


def _open_low(low: Any, high: Any, value: Any) -> tuple[bool, bool]:
    return low < value, high > value


FAULTS: dict[str, tuple[str, Any]] = {
    "not decides on floats": ("_gathered", _floats_counted),
    "missing values are forgotten": ("_gathered", _nulls_forgotten),
    "every whole number is a float": ("_EXACT", 2**70),
    "32 bits hold every float": ("_decides", lambda value, dtype, sort: sort != "" and value == value),
    "the upper bound is no value": ("_ORDERED", {**predicates._ORDERED, "le": _open_low}),
    "isin leaves out the upper bound": ("bisect_right", bisect_left),
    "equal bounds mean equal rows": ("_is_void", lambda bound, number, rows: bound.low == bound.high),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_noticed(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, wrong = FAULTS[fault]
    monkeypatch.setattr(predicates, name, wrong)
    with pytest.raises(AssertionError, match="would be skipped"):
        check_many(20_000)


def test_not_of_a_float_comparison_is_never_ruled_out() -> None:
    truth = compared("gt", 3, "float64", [Bounds(4.0, 9.0, 0), Bounds(1.0, 2.0, 0)])
    assert truth == Truth(0b01, 0b11)
    assert missing("float64", [Bounds(4.0, 9.0, 0)]) == Truth(1, 1)


def test_nothing_is_ruled_out_without_bounds_or_with_odd_ones() -> None:
    nan = float("nan")
    odd = [(None, 3), (3, None), (nan, nan), (9, 1), ("a", "b"), (1, nan), (b"", b"a")]
    bounds = [Bounds(low, high, None) for low, high in odd]
    everywhere = (1 << len(odd)) - 1
    assert compared("gt", 100, "float64", bounds) == Truth(everywhere, everywhere)
    assert contained([100], "float64", bounds) == Truth(everywhere, everywhere)
    assert compared("gt", 100, "int64", bounds).true == everywhere


def test_zeros_of_either_sign_are_one_value() -> None:
    assert compared("eq", 0.0, "float64", [Bounds(-0.0, -0.0, 0)]).true == 1
    assert compared("lt", 0.0, "float64", [Bounds(-0.0, 5.0, 0)]).true == 0


def test_a_constant_that_is_missing_decides_nothing() -> None:
    assert compared("gt", float("nan"), "int64", [Bounds(1, 2, 0)]) == UNSURE
    assert contained([1, None], "int64", [Bounds(5, 9, 0)]) == UNSURE


def test_isin_of_nothing_holds_nowhere() -> None:
    assert contained([], "str", [Bounds("a", "b", 0), Bounds(None, None, None)]).true == 0


def test_a_group_of_missing_values_holds_no_value() -> None:
    bounds = [Bounds(None, None, 3), Bounds(None, None, 3)]
    assert compared("gt", 1, "Int64", bounds, [3, None]).true == 0b10
    assert missing("Int64", bounds, [3, None]) == Truth(0b11, 0b10)


@pytest.mark.parametrize(
    ("dtype", "value", "low", "high"),
    [
        ("float16", 9.0, 0.0, 1.0),
        ("float32", 0.1, 1.0, 2.0),
        ("float32", 1e300, 1.0, 2.0),
        ("float32", 10**400, 1.0, 2.0),
        ("float64", BIG + 1, 1.0, 2.0),
        ("int64", float(BIG * 4), BIG * 4 + 1, BIG * 4 + 2),
        ("category", "z", "a", "b"),
        ("datetime64[us]", pd.Timestamp("2024-01-01", tz="UTC"), pd.Timestamp("2020"), pd.Timestamp("2021")),
        ("float64", datetime.date(2024, 1, 1), 1.0, 2.0),
    ],
)
def test_what_is_not_certain_is_not_decided(dtype: str, value: Any, low: Any, high: Any) -> None:
    truth = compared("eq", value, dtype, [Bounds(low, high, 0)])
    assert truth.true & 1
    assert truth.false & 1


def test_an_object_column_holds_days_only_where_every_bound_is_one() -> None:
    def sort(*values: Any) -> str:
        return sort_of("object", lambda: [Bounds(value, value, 0) for value in values])

    assert sort(DAY, None) == "date"
    assert sort(DAY, pd.Timestamp(DAY)) == sort("a") == sort(None) == sort() == ""


def test_exceptions_in_comparing_decide_nothing() -> None:
    class Odd(str):
        __slots__ = ()

        def __lt__(self, other: object) -> bool:
            raise ValueError("odd")

        __gt__ = __lt__

    assert compared("lt", Odd("a"), "str", [Bounds("a", "b", 0)]).true == 1
    answer: Callable[[], Truth] = lambda: contained([Odd("a"), Odd("b")], "str", [Bounds("x", "y", 0)])  # noqa: E731
    assert answer() == UNSURE
