"""Frames with few columns of many dtypes, and what may be done with them, spelled as a user spells it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from cloudburst import pandas as cpd

Step = Callable[[Any], Any]

NAMES = ("a", "b", "c", "d", "e", "f", "g h")
ABSENT = "zz"
CELLS: dict[str, st.SearchStrategy[Any]] = {
    "int64": st.integers(-3, 3),
    "int8": st.integers(-3, 3),
    "uint32": st.integers(0, 3),
    "float64": st.sampled_from([0.0, -0.0, 1.5, -2.0, float("nan"), float("inf")]),
    "float32": st.sampled_from([0.0, 1.5, float("nan")]),
    "bool": st.booleans(),
    "str": st.sampled_from(["a", "b", "1", "", None]),
    "string": st.sampled_from(["a", "b", None]),
    "object": st.sampled_from(["a", 1, None, (1, 2), 2.5]),
    "Int64": st.sampled_from([1, 2, -1, None]),
    "Float64": st.sampled_from([0.5, 2.0, None]),
    "boolean": st.sampled_from([True, False, None]),
    "datetime64[us]": st.sampled_from([dt.datetime(2024, 1, 1), dt.datetime(2024, 2, 3, 4), None]),
    "datetime64[ns, UTC]": st.sampled_from([dt.datetime(2024, 1, 1), dt.datetime(2024, 2, 3, 4), None]),
    "timedelta64[ns]": st.sampled_from([dt.timedelta(1), dt.timedelta(hours=2), None]),
    "category": st.sampled_from(["a", "b", None]),
}


def _column(dtype: str, n: int) -> st.SearchStrategy[pd.Series]:
    cells = st.lists(CELLS[dtype], min_size=n, max_size=n)
    if dtype == "datetime64[ns, UTC]":
        return cells.map(lambda values: pd.Series(values, dtype="datetime64[ns]").dt.tz_localize("UTC"))
    return cells.map(lambda values: pd.Series(values, dtype=dtype))


@st.composite
def typed_frames(draw: st.DrawFn) -> pd.DataFrame:
    """Frames of up to seven columns, each of one dtype that a file may hold."""
    n = draw(st.sampled_from([0, 1, 3, 5]))
    names = draw(st.permutations(["a", "b", "c", *draw(st.lists(st.sampled_from(NAMES[3:]), max_size=3, unique=True))]))
    kinds = st.one_of(st.sampled_from(sorted(CELLS)), st.sampled_from(["int64", "float64", "str"]))
    frame = pd.DataFrame({name: draw(_column(draw(kinds), n)) for name in names}, index=pd.RangeIndex(n))
    index = draw(st.sampled_from(["range", "range", "shifted", "named", "repeated", "two levels"]))
    if index == "shifted":
        frame.index = pd.RangeIndex(3, 3 + n)
    elif index == "named":
        frame.index = pd.Index(range(n), name="k")
    elif index == "repeated":
        frame.index = pd.Index(np.zeros(n, dtype="int64"))
    elif index == "two levels":
        frame.index = pd.MultiIndex.from_arrays([["a"] * n, range(n)], names=["k", None])
    return frame


def labels_of(frame: pd.DataFrame) -> tuple[tuple[str, str], ...] | None:
    """What a plan knows of the labels of a source."""
    if isinstance(frame.index, pd.RangeIndex) and frame.index.name is None:
        return ()
    return (("k", "int64"),) if frame.index.names == ["k"] else None


name = st.integers(0, 15).flatmap(
    lambda at: st.sampled_from(NAMES[:3]) if at else st.sampled_from([*NAMES, ABSENT, "k"])
)
names = st.lists(name, min_size=1, max_size=3, unique=True)
number = st.sampled_from([0, 1, 2, -1, 1.5])
scalar = st.one_of(number, st.sampled_from(["a", "", "2024-01-01", True, pd.Timestamp("2024-01-15"), pd.Timedelta(1)]))


def _op(method: str, other: Any) -> Callable[[Any], Any]:
    return lambda s: {
        ">": lambda: s > other, "<=": lambda: s <= other, "==": lambda: s == other, "!=": lambda: s != other,
        "+": lambda: s + other, "-": lambda: s - other, "*": lambda: s * other, "/": lambda: s / other,
        "//": lambda: s // other, "%": lambda: s % other, "r-": lambda: other - s, "r<": lambda: other < s,
        "r//": lambda: other // s, "r/": lambda: other / s,
        "eq": lambda: s.eq(other), "ge": lambda: s.ge(other), "add": lambda: s.add(other),
        "rsub": lambda: s.rsub(other),
        "div": lambda: s.div(other),
    }[method]()  # fmt: skip


OPS = (">", "<=", "==", "!=", "+", "-", "*", "/", "//", "%", "r-", "r<", "r//", "r/", "eq", "ge", "add", "rsub", "div")
_op_with_scalar = st.builds(_op, st.sampled_from(OPS), scalar)

SERIES: dict[str, Step] = {
    "isna": lambda s: s.isna(), "notna": lambda s: s.notna(), "isin": lambda s: s.isin([1, 2.0]),
    "isin text": lambda s: s.isin(["a", None]), "between": lambda s: s.between(0, 2),
    "between text": lambda s: s.between("a", "b", inclusive="left"), "~": lambda s: ~s, "-": lambda s: -s,
    "abs": abs, "round": lambda s: s.round(1), "round()": round, "head": lambda s: s.head(2),
    "sort_values": lambda s: s.sort_values(), "sorted": lambda s: s.sort_values(ignore_index=True),
    "dropna": lambda s: s.dropna(), "drop_duplicates": lambda s: s.drop_duplicates(),
    "nlargest": lambda s: s.nlargest(2),
    "duplicated": lambda s: s.duplicated(), "fillna 0": lambda s: s.fillna(0), "fillna text": lambda s: s.fillna("q"),
    "fillna 0.5": lambda s: s.fillna(0.5), "astype": lambda s: s.astype("float64"),
    "astype str": lambda s: s.astype(str),
    "astype category": lambda s: s.astype("category"), "astype Int64": lambda s: s.astype("Int64"),
    "str.len": lambda s: s.str.len(), "str.lower": lambda s: s.str.lower(), "contains": lambda s: s.str.contains("a"),
    "startswith": lambda s: s.str.startswith("a"), "str[0]": lambda s: s.str[0],
    "str.split": lambda s: s.str.split("a"),
    "extracted": lambda s: s.str.split("a", expand=True),
    "year": lambda s: s.dt.year, "date": lambda s: s.dt.date, "normalize": lambda s: s.dt.normalize(),
    "strftime": lambda s: s.dt.strftime("%Y"), "days": lambda s: s.dt.days, "codes": lambda s: s.cat.codes,
    "value_counts": lambda s: s.value_counts(), "shares": lambda s: s.value_counts(normalize=True),
    "cumsum": lambda s: s.cumsum(), "diff": lambda s: s.diff(), "rank": lambda s: s.rank(),
    "ffill": lambda s: s.ffill(),
    "map": lambda s: s.map({"a": 1, 1: 2}), "where": lambda s: s.where(s.notna()), "mask": lambda s: s.mask(s == 1),
    "to_datetime": lambda s: cpd.to_datetime(s, errors="coerce"), "to_numeric": lambda s: cpd.to_numeric(s),
    "cut": lambda s: cpd.cut(s, [-9, 0, 9]), "pd.isna": lambda s: cpd.isna(s), "self": lambda s: s + s,
    "compared": lambda s: s == s.shift(), "rename": lambda s: s.rename("e"), "mean": lambda s: s > s.mean(),
    "max": lambda s: s < s.max(), "[mask]": lambda s: s[s.notna()], "[slice]": lambda s: s[:2],
    "shift": lambda s: s.shift(1), "reset": lambda s: s.reset_index(drop=True), "tail": lambda s: s.tail(1),
    "count": lambda s: s >= s.count(), "aligned": lambda s: s * s.head(2), "sums": lambda s: s.sum(),
}  # fmt: skip

series_step = st.one_of(st.sampled_from(sorted(SERIES)).map(SERIES.__getitem__), _op_with_scalar)


@st.composite
def series_of(draw: st.DrawFn) -> Step:
    """A series made of a frame."""
    label, steps = draw(name), draw(st.lists(series_step, max_size=2))
    spelling = draw(st.sampled_from(["item", "item", "attribute", "get", "loc"]))

    def make(d: Any) -> Any:
        if spelling == "attribute" and label.isidentifier():
            s = getattr(d, label)
        elif spelling == "get":
            s = d.get(label)
        else:
            s = d.loc[:, label] if spelling == "loc" else d[label]
        for step in steps:
            s = step(s)
        return s

    return make


@st.composite
def mask_of(draw: st.DrawFn) -> Step:
    """Truth values for the rows of a frame, most of the time."""
    label, how = draw(name), draw(st.integers(0, 6))
    value = draw(scalar)
    op = draw(st.sampled_from([">", "<=", "==", "!=", "r<", "eq"]))
    if how == 0:
        return lambda d: d[label].isna()
    if how == 1:
        return lambda d: d[label].isin([1, "a"])
    if how == 2:
        one, other = draw(name), draw(name)
        return lambda d: (d[one] == value) | ~d[other].notna()
    if how == 3:
        return lambda d: d[label].str.contains("a", na=False)
    if how == 4:
        return lambda d: d[label] > cpd.to_numeric("1")
    if how == 5:
        return draw(series_of())
    return lambda d: _op(op, value)(d[label])


QUERIES = (
    "a > 1", "a == b", "`g h` > 0", "a > 0 and b < 2", "c in ['a', 'b']", "c == 'a' or d != 'b'", "not a > 1",
    "a + b > c", "a.isna()", "k > 0", "index > 1", "zz > 1", "a", "a.sum() > 1", "1 < a < 3", "(a > 0) & ~(b == 1)",
    "c.str.contains('a')", "a > ", "columns == 1", "sin(a) > 0", "1 == 1", "a in b", "'a' in c",
)  # fmt: skip
EVALS = ("z = a + b", "a = b * 2", "a + b", "z = a > 1", "a.sum()", "z = 1", "a > b", "`g h` = a", "z = `g h` + 1")


@st.composite
def frame_step(draw: st.DrawFn) -> Step:
    """One thing that is done with a frame."""
    return draw(st.one_of(picks(), changes(), orders(), reckons()))


@st.composite
def picks(draw: st.DrawFn) -> Step:
    some, mask, limit = draw(names), draw(mask_of()), draw(st.sampled_from([0, 1, 2, -1]))
    present = draw(st.permutations(NAMES))[: draw(st.integers(1, 6))]
    text = draw(st.sampled_from(QUERIES))
    return draw(st.sampled_from([
        lambda d: d[some], lambda d: d[list(present)], lambda d: d[mask(d)], lambda d: d[mask(d)], lambda d: d[mask(d)],
        lambda d: d.loc[mask(d)], lambda d: d.loc[mask(d), some], lambda d: d.loc[:, some], lambda d: d.loc[[0, 1]],
        lambda d: d.loc[0:1], lambda d: d.loc[:], lambda d: d.iloc[:2], lambda d: d.iloc[[0]], lambda d: d.iloc[1:, :],
        lambda d: d.iloc[:, 0:1], lambda d: d.loc[0], lambda d: d.loc[[0], some], lambda d: d.loc[0, some],
        lambda d: d[:limit], lambda d: d[1:], lambda d: d.head(limit), lambda d: d.tail(), lambda d: d.head(n=2),
        lambda d: d.sample(frac=0.5, random_state=3), lambda d: d.sample(n=1, random_state=1, ignore_index=True),
        lambda d: d.sample(n=1, weights=some[0], random_state=1), lambda d: d.take([0]), lambda d: d.copy(),
        lambda d: d.truncate(before=1), lambda d: d.get(some), lambda d: d[[True, False, True]], lambda d: d[[]],
        lambda d: d.query(text), lambda d: d.query(text), lambda d: d.query("a > @x", local_dict={"x": 1}),
        lambda d: d.query("c in @x", local_dict={"x": ["a"]}), lambda d: d[np.array([True, False, True])],
    ]))  # fmt: skip


@st.composite
def changes(draw: st.DrawFn) -> Step:
    some, one, other = draw(names), draw(name), draw(st.sampled_from([*NAMES, "z"]))
    series, value = draw(series_of()), draw(scalar)
    new = dict(zip(some, draw(st.permutations([*NAMES, "y", "z"])), strict=False))
    dtype = draw(st.sampled_from(["str", str, int, "float64", "Int64", "category", "bool", np.float32, "object"]))
    text = draw(st.sampled_from(EVALS))
    return draw(st.sampled_from([
        lambda d: d.assign(**{other: series(d)}), lambda d: d.assign(**{other: series(d), "w": 1}),
        lambda d: d.assign(**{other: value}), lambda d: d.assign(**{other: lambda x: 1}),
        lambda d: d.assign(**{other: d[one].head(2)}), lambda d: d.assign(**{other: d[one] * d[some[0]]}),
        lambda d: d.head(0).assign(**{other: d[one]}), lambda d: d.assign(**{other: d[one].mean()}),
        lambda d: d.drop(columns=some), lambda d: d.drop(columns=one), lambda d: d.drop(some, axis=1),
        lambda d: d.drop(columns=some, errors="ignore"), lambda d: d.drop(one, axis="columns", errors="ignore"),
        lambda d: d.drop(index=[0]), lambda d: d.drop([1], errors="ignore"), lambda d: d.drop(index=[1], columns=some),
        lambda d: d.rename(columns=new), lambda d: d.rename(new, axis=1),
        lambda d: d.rename(columns=new, errors="raise"),
        lambda d: d.rename(columns=str.upper), lambda d: d.rename(index={0: 5}), lambda d: d.rename(columns={one: 1}),
        lambda d: d.rename(columns={one: other}), lambda d: d.add_prefix("p_"), lambda d: d.add_suffix("_s"),
        lambda d: d.astype(dtype), lambda d: d.astype({one: dtype}),
        lambda d: d.astype({one: "float64", some[0]: "str"}),
        lambda d: d.astype({one: int}), lambda d: d.astype("float64", errors="ignore"),
        lambda d: d.reindex(columns=some), lambda d: d.eval(text), lambda d: d.infer_objects(),
        lambda d: d[one].to_frame(), lambda d: d[one].to_frame(other), lambda d: d[one].value_counts().reset_index(),
        lambda d: d[one].rename(other).reset_index(),
    ]))  # fmt: skip


@st.composite
def orders(draw: st.DrawFn) -> Step:
    some, one = draw(names), draw(name)
    return draw(st.sampled_from([
        lambda d: d.sort_values(one), lambda d: d.sort_values(some, ascending=False),
        lambda d: d.sort_values(by=some, na_position="first", kind="stable"),
        lambda d: d.sort_values(one, ignore_index=True), lambda d: d.sort_values(some, key=lambda s: s),
        lambda d: d.sort_index(), lambda d: d.sort_index(ascending=False), lambda d: d.sort_index(axis=1),
        lambda d: d.nlargest(2, one), lambda d: d.nsmallest(2, some, keep="all"), lambda d: d.nlargest(1, columns=some),
        lambda d: d.dropna(), lambda d: d.dropna(subset=some), lambda d: d.dropna(subset=one, how="all"),
        lambda d: d.dropna(how="all"), lambda d: d.dropna(axis=1), lambda d: d.dropna(thresh=2),
        lambda d: d.dropna(subset=some, ignore_index=True), lambda d: d.drop_duplicates(),
        lambda d: d.drop_duplicates(some), lambda d: d.drop_duplicates(subset=one, keep="last"),
        lambda d: d.drop_duplicates(one, ignore_index=True), lambda d: d[~d.duplicated(some)],
        lambda d: d[~d.duplicated()], lambda d: d.set_index(one), lambda d: d.set_index(some),
        lambda d: d.set_index(one, drop=False), lambda d: d.set_index(one, append=True),
        lambda d: d.set_index(one, verify_integrity=True), lambda d: d.reset_index(),
        lambda d: d.reset_index(drop=True),
        lambda d: d.set_index(one).reset_index(), lambda d: d.set_index(some).reset_index(),
        lambda d: d.set_index(one).sort_index().reset_index(), lambda d: d.set_index(one, drop=False).reset_index(),
        lambda d: d.explode(one), lambda d: d.explode(one, ignore_index=True), lambda d: d.reset_index(level=0),
        lambda d: d.rename_axis("k"), lambda d: d.reset_index(names="n"),
    ]))  # fmt: skip


@st.composite
def reckons(draw: st.DrawFn) -> Step:
    some, one, value = draw(names), draw(name), draw(scalar)
    op, fill, mask = draw(st.sampled_from(OPS)), draw(scalar), draw(mask_of())
    return draw(st.sampled_from([
        lambda d: _op(op, value)(d), lambda d: _op(op, value)(d), lambda d: -d, lambda d: ~d, lambda d: abs(d),
        lambda d: d.round(), lambda d: d.round(1), lambda d: d.round({one: 1}), lambda d: d.abs(), lambda d: d.isna(),
        lambda d: d.notnull(), lambda d: cpd.isna(d), lambda d: d.fillna(fill), lambda d: d.fillna({one: fill}),
        lambda d: d.fillna({one: fill, some[0]: 0}), lambda d: d.fillna(d[one]), lambda d: d.ffill(),
        lambda d: d.bfill(),
        lambda d: d.shift(), lambda d: d.shift(1), lambda d: d.shift(periods=-1), lambda d: d.clip(0, 1),
        lambda d: d.clip(lower=0.5), lambda d: d.isin([1, "a"]), lambda d: d.isin({one: [1]}), lambda d: d + d,
        lambda d: d == d, lambda d: d.where(mask(d)), lambda d: d[d.isna()], lambda d: d.replace(1, 2),
        lambda d: d.sum(), lambda d: d.sum(numeric_only=True), lambda d: d.mean(numeric_only=True),
        lambda d: d.max(numeric_only=True), lambda d: d.count(), lambda d: d.nunique(), lambda d: d.isna().sum(),
        lambda d: d.agg({one: "max"}), lambda d: d.agg({one: ["min", "max"], some[0]: "count"}),
        lambda d: d.agg("count"),
        lambda d: d.std(numeric_only=True), lambda d: d.any(), lambda d: d.describe(), lambda d: d.index, lambda d: d.T,
        lambda d: d.columns, lambda d: d.shape, lambda d: d.count(numeric_only=True), lambda d: d.sum(axis=1),
        lambda d: d.apply(lambda s: s.isna()), lambda d: d.stack(), lambda d: d.pipe(len),
    ]))  # fmt: skip
