"""A clause is said only where a row that does not fulfil it is certain to be left out by pandas."""

from __future__ import annotations

import datetime
import math
from typing import Any

import pandas as pd
import pytest

from cloudburst.files import Clause
from cloudburst.graph.frames.clauses import clauses_of

DAY = datetime.date(2024, 1, 1)
BERLIN = pd.Timestamp("2024-06-01 12:00", tz="Europe/Berlin")
SAID: dict[str, tuple[str, str, list[Any], str, tuple[Any, ...]]] = {
    "a whole number": ("int64", "gt", [3], "int", (3,)),
    "a masked number": ("Int16", "eq", [-3], "int", (-3,)),
    "a float": ("float64", "le", [-0.0], "float", (-0.0,)),
    "a whole number for a float": ("float64", "le", [2**53], "float", (float(2**53),)),
    "a text": ("str", "lt", [""], "str", ("",)),
    "texts": ("str", "in", ["b", "a"], "str", ("b", "a")),
    "a moment": ("datetime64[us]", "lt", [datetime.datetime(1969, 12, 31, 23, 59, 59, 999_999)], "time", (-1000,)),
    "a moment of pandas": ("datetime64[ns]", "lt", [pd.Timestamp(1)], "time", (1,)),
    "a moment far away": ("datetime64[s]", "gt", [datetime.datetime(9999, 1, 1)], "time", (253370764800 * 10**9,)),
    "a moment in a zone": ("datetime64[us, UTC]", "ge", [BERLIN], "zoned", (BERLIN.value,)),
    "a day": ("object", "eq", [DAY], "date", (19723,)),
}
UNSAID: dict[str, tuple[str, str, list[Any]]] = {
    "another comparison": ("int64", "ne", [3]),
    "a float for a whole number": ("int64", "gt", [2.5]),
    "a truth for a whole number": ("int64", "eq", [True]),
    "a float that is rounded": ("float32", "eq", [0.1]),
    "a large number for a float": ("float64", "ge", [2**53 + 1]),
    "no number": ("float64", "ge", [math.nan]),
    "an endless number": ("float64", "lt", [math.inf]),
    "floats of which one may be -0.0": ("float64", "in", [0.0, 1.0]),
    "several kinds": ("float64", "in", [1, "a"]),
    "none": ("int64", "in", []),
    "too many": ("int64", "in", list(range(2000))),
    "text for a number": ("int64", "eq", ["3"]),
    "a day for a moment": ("datetime64[us]", "lt", [DAY]),
    "a category": ("category", "eq", ["a"]),
    "a truth": ("bool", "eq", [True]),
    "what is not known": ("", "eq", [3]),
}


@pytest.mark.parametrize("name", SAID)
def test_a_comparison_by_value_is_a_clause(name: str) -> None:
    dtype, comparison, given, kind, values = SAID[name]
    assert clauses_of("x", comparison, given, dtype) == {Clause("x", comparison, kind, values)}


@pytest.mark.parametrize("name", UNSAID)
def test_what_pandas_may_see_otherwise_is_none(name: str) -> None:
    dtype, comparison, given = UNSAID[name]
    assert clauses_of("x", comparison, given, dtype) == frozenset()
