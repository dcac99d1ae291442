"""Frames, series, indexes and arrays of every kind that pandas 3 has, small and odd."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import strategies as st
from pandas.errors import PerformanceWarning

Columns = st.SearchStrategy[Any]

ROWS = st.sampled_from([0, 1, 2, 3, 7])
UNITS = st.sampled_from(["s", "ms", "us", "ns"])
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"])
NAMES = st.one_of(st.none(), st.text(max_size=3), st.integers(-2, 9), st.tuples(st.text(max_size=1), st.integers(0, 2)))
WORDS = st.one_of(st.sampled_from(["", "a", "b", "ab"]), st.text(max_size=4))
MOMENTS = st.integers(-(10**9), 10**9)


def _list(cells: st.SearchStrategy[Any], n: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(cells, min_size=n, max_size=n)


def _numpy(dtype: str, cells: st.SearchStrategy[Any]) -> Callable[[int], Columns]:
    return lambda n: _list(cells, n).map(lambda values: np.array(values, dtype=dtype))


def _extension(dtype: Any, cells: st.SearchStrategy[Any]) -> Callable[[int], Columns]:
    return lambda n: _list(st.one_of(cells, st.none()), n).map(lambda values: pd.array(values, dtype=dtype))


def _integers(n: int) -> Columns:
    dtypes = st.sampled_from(["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
    return dtypes.flatmap(lambda dtype: _numpy(dtype, st.integers(np.iinfo(dtype).min, np.iinfo(dtype).max))(n))


def _floats(n: int) -> Columns:
    widths = st.sampled_from([("float16", 16), ("float32", 32), ("float64", 64)])
    return widths.flatmap(lambda of: _numpy(of[0], st.floats(width=of[1]))(n))


def _masked(n: int) -> Columns:
    kinds = st.sampled_from(["Int8", "Int64", "UInt16", "boolean", "Float32", "Float64"])
    return kinds.flatmap(lambda kind: _extension(kind, st.integers(0, 1))(n))


def _strings(n: int) -> Columns:
    dtypes = st.sampled_from(["str", "string", pd.StringDtype("python"), pd.StringDtype("python", na_value=np.nan)])
    return dtypes.flatmap(lambda dtype: _extension(dtype, WORDS)(n))


def _objects(n: int) -> Columns:
    cells = st.one_of(
        st.none(),
        st.just(float("nan")),
        st.just(pd.NA),
        st.just(pd.NaT),
        st.integers(),
        st.booleans(),
        WORDS,
        st.binary(max_size=3),
        st.decimals(allow_nan=False, allow_infinity=False),
        st.dates(),
        st.tuples(st.integers(0, 3)),
        st.lists(st.integers(0, 3), max_size=2),
        st.dictionaries(st.text(max_size=1), st.integers(), max_size=2),
    )

    def filled(values: list[Any]) -> Any:
        array = np.empty(len(values), dtype=object)
        array[:] = values
        return array

    return _list(cells, n).map(filled)


def _moments(kind: str) -> Callable[[int], Columns]:
    return lambda n: UNITS.flatmap(lambda unit: _numpy(f"{kind}8[{unit}]", st.one_of(MOMENTS, st.just("NaT")))(n))


def _zoned(n: int) -> Columns:
    return st.tuples(_moments("M")(n), ZONES).map(
        lambda drawn: pd.DatetimeIndex(drawn[0]).tz_localize("UTC").tz_convert(drawn[1]).array
    )


def _periods(n: int) -> Columns:
    freqs = st.sampled_from(["D", "M", "Q", "h"])
    return st.tuples(freqs, _list(st.integers(-500, 500), n)).map(
        lambda drawn: pd.arrays.PeriodArray(np.array(drawn[1], dtype="int64"), dtype=pd.PeriodDtype(drawn[0]))
    )


def _intervals(n: int) -> Columns:
    closed = st.sampled_from(["left", "right", "both", "neither"])
    return st.tuples(closed, _list(st.integers(0, 9), n)).map(
        lambda drawn: pd.arrays.IntervalArray.from_arrays(
            np.array(drawn[1], dtype="int64"), np.array(drawn[1], dtype="int64") + 1, closed=drawn[0]
        )
    )


def _categories() -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(WORDS, max_size=3, unique=True).map(lambda words: pd.Index(words, dtype="str")),
        st.lists(st.integers(), max_size=3, unique=True).map(lambda values: pd.Index(values, dtype=object)),
        st.just(pd.date_range("2024-01-01", periods=3, freq="D", tz="UTC")),
        st.just(pd.interval_range(0, 3)),
    )


def _categorical(n: int) -> Columns:
    def of(categories: Any) -> Columns:
        codes = _list(st.integers(-1, len(categories) - 1), n)
        return st.tuples(codes, st.booleans()).map(
            lambda drawn: pd.Categorical.from_codes(
                np.array(drawn[0], dtype="int8"), categories=categories, ordered=drawn[1]
            )
        )

    return _categories().flatmap(of)


def _sparse(n: int) -> Columns:
    return st.tuples(_list(st.sampled_from([0.0, 1.0, float("nan")]), n), st.sampled_from([0.0, float("nan")])).map(
        lambda drawn: pd.arrays.SparseArray(np.array(drawn[0], dtype="float64"), fill_value=drawn[1])
    )


ARROW_TYPES: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.int32(), st.integers(-9, 9)),
    (pa.float64(), st.floats(allow_nan=False)),
    (pa.bool_(), st.booleans()),
    (pa.string(), WORDS),
    (pa.large_string(), WORDS),
    (pa.binary(), st.binary(max_size=3)),
    (pa.date32(), st.dates()),
    (pa.time64("us"), st.times()),
    (pa.decimal128(8, 2), st.decimals(-999, 999, places=2)),
    (
        pa.timestamp("us", tz="Europe/Berlin"),
        st.datetimes(timezones=st.just(dt.UTC)).filter(lambda moment: 1990 < moment.year < 2100),
    ),
    (
        pa.duration("ms"),
        st.timedeltas(dt.timedelta(0), dt.timedelta(9)).map(
            lambda delta: dt.timedelta(seconds=int(delta.total_seconds()))
        ),
    ),
    (pa.list_(pa.int8()), st.lists(st.integers(0, 9), max_size=3)),
    (pa.struct({"x": pa.int8(), "y": pa.string()}), st.fixed_dictionaries({"x": st.integers(0, 9), "y": WORDS})),
    (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(["a", "b"])),
]


def arrow_arrays(n: int) -> st.SearchStrategy[pa.Array]:
    """Arrow arrays of many types with nulls, some of them slices."""
    return st.sampled_from(ARROW_TYPES).flatmap(
        lambda of: st.tuples(_list(st.one_of(of[1], st.none()), n + 2), st.booleans()).map(
            lambda drawn: pa.array(drawn[0], type=of[0])[1 : n + 1] if drawn[1] else pa.array(drawn[0][:n], type=of[0])
        )
    )


def _arrow(n: int) -> Columns:
    return arrow_arrays(n).map(pd.arrays.ArrowExtensionArray)


KINDS: dict[str, Callable[[int], Columns]] = {
    "bool": _numpy("bool", st.booleans()),
    "integer": _integers,
    "float": _floats,
    "complex": _numpy("complex128", st.complex_numbers()),
    "masked": _masked,
    "string": _strings,
    "object": _objects,
    "datetime": _moments("M"),
    "zoned": _zoned,
    "timedelta": _moments("m"),
    "period": _periods,
    "interval": _intervals,
    "categorical": _categorical,
    "sparse": _sparse,
    "arrow": _arrow,
}
"""Every kind of column: what it is called, and the columns of n rows."""


def columns(n: int, kinds: tuple[str, ...] = tuple(KINDS)) -> Columns:
    """Columns of n rows, of any of these kinds."""
    return st.sampled_from(kinds).flatmap(lambda kind: KINDS[kind](n))


def indexes(n: int, *, unique_names: bool = False) -> st.SearchStrategy[pd.Index]:
    """Row labels of every kind, with names, duplicates and frequencies."""
    starts = st.integers(-5, 5)
    ranges = st.tuples(starts, st.sampled_from([-2, -1, 1, 3])).map(
        lambda drawn: pd.RangeIndex(drawn[0], drawn[0] + n * drawn[1], drawn[1])
    )
    dates = st.tuples(
        st.sampled_from(["D", "h", "MS", "B", "2W-MON"]), st.sampled_from([None, "UTC", "Europe/Berlin"]), UNITS
    ).map(lambda drawn: pd.date_range("2024-01-01", periods=n, freq=drawn[0], tz=drawn[1], unit=drawn[2]))
    deltas = st.sampled_from(["h", "2D"]).map(lambda freq: pd.timedelta_range("1h", periods=n, freq=freq))
    plain = (
        columns(
            n,
            (
                "bool",
                "integer",
                "float",
                "complex",
                "masked",
                "string",
                "datetime",
                "zoned",
                "timedelta",
                "period",
                "interval",
                "categorical",
            ),
        )
        .filter(_can_be_labels)
        .map(pd.Index)
    )
    mixed = _list(st.one_of(st.integers(0, 3), WORDS, st.none()), n).map(lambda values: pd.Index(values, dtype=object))
    flat = st.one_of(ranges, dates, deltas, plain, mixed)
    named = st.tuples(flat, NAMES).map(lambda drawn: drawn[0].rename(drawn[1]))
    several = st.tuples(st.lists(flat, min_size=1, max_size=3), _list(NAMES, 3)).map(
        lambda drawn: pd.MultiIndex.from_arrays(drawn[0], names=drawn[1][: len(drawn[0])])
    )
    return st.one_of(named, several)


def _can_be_labels(column: Any) -> bool:
    return str(column.dtype) != "float16"


ATTRS = st.dictionaries(
    st.text(max_size=2), st.one_of(st.integers(), WORDS, st.lists(st.integers(), max_size=2)), max_size=2
)


@st.composite
def series(draw: st.DrawFn, kinds: tuple[str, ...] = tuple(KINDS)) -> pd.Series:
    """Series with any index, a name and attrs."""
    n = draw(ROWS)
    one = pd.Series(draw(columns(n, kinds)), index=draw(indexes(n)), name=draw(NAMES))
    one.attrs = draw(ATTRS)
    return one


@st.composite
def frames(draw: st.DrawFn, kinds: tuple[str, ...] = tuple(KINDS)) -> pd.DataFrame:
    """Frames of every kind of column and labels, with attrs and flags."""
    n, width = draw(ROWS), draw(st.integers(0, 4))
    frame = pd.DataFrame(dict(enumerate(draw(columns(n, kinds)) for _ in range(width))), index=draw(indexes(n)))
    frame.columns = draw(st.one_of(indexes(width), st.just(pd.RangeIndex(width))))
    frame.attrs = draw(ATTRS)
    if frame.index.is_unique and frame.columns.is_unique and draw(st.booleans()):
        frame.flags.allows_duplicate_labels = False
    return frame


@st.composite
def views(draw: st.DrawFn) -> pd.DataFrame:
    """Frames that are views of others: steps, parts, columns, transposes."""
    frame = draw(frames())
    cut = draw(st.sampled_from(["rows", "steps", "columns", "turned", "tail"]))
    if cut == "rows":
        return frame.iloc[1:3]
    if cut == "steps":
        return frame.iloc[::-2]
    if cut == "columns":
        return frame.iloc[:, ::2]
    if cut == "turned" and frame.index.is_unique:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PerformanceWarning)  # of sparse columns with different fills
            return frame.T
    return frame.tail(1)
