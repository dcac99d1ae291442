"""Arrow leaves out only rows that pandas leaves out."""

from __future__ import annotations

import datetime
import math
import operator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.files import Clause
from cloudburst.graph.frames.clauses import clauses_of
from cloudburst.runtime.sources import clauses as reading
from cloudburst.runtime.sources.clauses import fulfilling

NAMES = ("lt", "le", "gt", "ge", "eq")
FLOATS = st.floats(width=64) | st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf, 2.0**53])
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)
TEXTS = st.text("abé\u0000\U0001f600", max_size=3)
MOMENTS = st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)) | st.sampled_from(
    [datetime.datetime(1970, 1, 1), datetime.datetime(1969, 12, 31, 23, 59, 59, 1)]
)
KINDS: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "int64": (pa.int64(), NUMBERS),
    "int8": (pa.int8(), st.integers(-128, 127)),
    "uint64": (pa.uint64(), st.integers(0, 2**64 - 1) | st.integers(0, 3)),
    "float64": (pa.float64(), FLOATS),
    "str": (pa.string(), TEXTS),
    "datetime64[us]": (pa.timestamp("us"), MOMENTS),
    "datetime64[ns]": (pa.timestamp("ns"), MOMENTS),
    "datetime64[s]": (pa.timestamp("s"), MOMENTS.map(lambda moment: moment.replace(microsecond=0))),
    "datetime64[us, UTC]": (pa.timestamp("us", "UTC"), MOMENTS.map(lambda moment: moment.replace(tzinfo=datetime.UTC))),
    "object": (pa.date32(), st.dates()),
}


@st.composite
def filtered(draw: st.DrawFn) -> tuple[Any, str, list[Any], str]:
    """A column, and what it is compared with."""
    dtype = draw(st.sampled_from(list(KINDS)))
    kind, values = KINDS[dtype]
    column = pa.chunked_array([draw(st.lists(values, max_size=4)), draw(st.lists(values, max_size=4))], kind)
    if draw(st.booleans()) and len(column):
        value = draw(st.sampled_from(column.to_pylist()))
    else:
        value = draw(MOMENTS if dtype in ("datetime64[s]", "datetime64[us]") else values | st.integers(-3, 3))
    several = draw(st.lists(st.just(value) | values, min_size=1, max_size=3))
    name = draw(st.sampled_from([*NAMES, "in"]))
    return column, name, several if name == "in" else [value], dtype


@given(filtered())
def test_a_row_that_pandas_keeps_is_kept(one: tuple[Any, str, list[Any], str]) -> None:
    column, name, values, dtype = one
    clauses = clauses_of("x", name, values, dtype)
    table = pa.table({"x": column})
    mask = fulfilling(table, sorted(clauses)) if clauses else None
    if mask is None:
        return
    series = table.to_pandas()["x"]
    kept = series.isin(values) if name == "in" else getattr(operator, name)(series, values[0])
    left_out = ~np.array(mask.fill_null(False), dtype=bool)
    assert not (kept.to_numpy() & left_out).any(), (series, name, values)


COLUMN = pa.table({"x": [1, 5, None, 7, 2], "t": ["a", "b", None, "b", "c"], "f": [0.5, math.nan, None, 1.0, -0.0]})


def kept(*clauses: Clause, table: Any = COLUMN) -> list[int] | None:
    mask = fulfilling(table, clauses)
    return None if mask is None else np.flatnonzero(mask.fill_null(False)).tolist()


def test_all_clauses_have_to_be_fulfilled() -> None:
    above = Clause("x", "gt", "int", (1,))
    assert kept(above) == [1, 3, 4]
    assert kept(above, Clause("t", "eq", "str", ("b",))) == [1, 3]
    assert kept(above, Clause("t", "in", "str", ("c", "z"))) == [4]
    assert kept(Clause("f", "le", "float", (0.0,))) == [4]


def test_a_clause_for_another_type_is_passed_over() -> None:
    none = Clause("x", "gt", "int", (100,))
    for kind in (pa.float64(), pa.string()):
        assert kept(none, table=pa.table({"x": pa.array([None, None], kind)})) is None
    assert (
        kept(Clause("x", "eq", "time", (0,)), table=pa.table({"x": pa.array([0, 1], pa.timestamp("us", "UTC"))}))
        is None
    )
    assert kept(none, table=pa.table({"y": [1]})) is None


def test_a_value_that_the_type_cannot_hold_is_passed_over() -> None:
    seconds = pa.table({"x": pa.array([0, 1], pa.timestamp("s"))})
    assert kept(Clause("x", "gt", "time", (1,)), table=seconds) is None
    assert kept(Clause("x", "gt", "time", (0,)), table=seconds) == [1]
    assert kept(Clause("x", "gt", "int", (2**40,)), table=pa.table({"x": pa.array([1], pa.int8())})) is None
    assert kept(Clause("x", "lt", "time", (10**30,)), table=seconds) is None


def test_no_row_is_left_out_where_most_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    some = Clause("x", "ge", "int", (1,))
    assert kept(some) == [0, 1, 3, 4]
    monkeypatch.setattr(reading, "WORTH_IT", 0.5)
    assert kept(some) is None


def test_a_table_without_rows_is_left_alone() -> None:
    assert kept(Clause("x", "gt", "int", (1,)), table=COLUMN.slice(0, 0)) == []
