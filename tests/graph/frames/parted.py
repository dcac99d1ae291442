"""Frames in parts, as files in row groups are: what their statistics say, and graphs over them worked out here."""

from __future__ import annotations

import datetime
import operator
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import pandas as pd

from cloudburst.deferred import Deferred, wrap
from cloudburst.files import Clause
from cloudburst.graph.expr import Expr, make
from cloudburst.graph.facts import Bounds, Facts
from cloudburst.graph.graph import Graph
from cloudburst.graph.nodes import (
    File,
    Labels,
    Narrow,
    Relabel,
    RowGroup,
    Sized,
    Source,
    Stored,
)
from cloudburst.graph.walk import topological
from tests.graph.frames.evaluation import value_of


@dataclass
class Parted:
    """A frame whose rows lie in groups: what its footers would say. It is a ``SourceFacts``."""

    frame: pd.DataFrame
    sizes: Sequence[int]
    all_rows: str = ""
    not_skippable: Mapping[str, str] | None = None
    nulls_told: bool = True
    told: dict[str, Sequence[Bounds]] = field(default_factory=dict, init=False)

    @property
    def columns(self) -> Mapping[str, str]:
        return {str(name): str(dtype) for name, dtype in self.frame.dtypes.items()}

    @property
    def levels(self) -> tuple[tuple[str, str], ...] | None:
        return () if self.labels is not None else None

    @property
    def labels(self) -> Labels | None:
        index = self.frame.index
        return Labels(index.start, index.stop, index.step) if isinstance(index, pd.RangeIndex) else None

    @property
    def starts(self) -> list[int]:
        return [0, *accumulate(self.sizes)]

    @property
    def groups(self) -> Sequence[RowGroup]:
        return [RowGroup(0, number, start) for number, start in enumerate(self.starts[:-1])]

    def has_nulls(self, column: str) -> bool | None:
        return bool(self.frame[column].isna().any()) if self.nulls_told else None

    def skippable(self, column: str) -> str:
        return (self.not_skippable or {}).get(column, "")

    def bounds(self, column: str) -> Sequence[Bounds]:
        if column not in self.told:
            values = self.frame[column]
            self.told[column] = [bounds_of(values.iloc[start:stop]) for start, stop in pairwise(self.starts)]
        return self.told[column]

    def nbytes(self, columns: Collection[str] | None = None, groups: Collection[RowGroup] | None = None) -> int:
        rows = len(self.frame) if groups is None else sum(self.sizes[group.number] for group in groups)
        return rows * len(self.columns if columns is None else columns)

    def rows_of(self, numbers: Sequence[int]) -> list[int]:
        """The places of the rows of some groups."""
        starts = self.starts
        return [row for number in numbers for row in range(starts[number], starts[number + 1])]

    def read_stored(self, what: Stored) -> pd.DataFrame:
        """What the codec gives: rows with the labels that they have among all."""
        return self.frame.copy() if what.groups is None else self.frame.take(self.rows_of(what.groups))

    def fulfils(self, row: int, clause: Clause) -> bool:
        """Whether a row does, as Python compares values."""
        value = self.frame[clause.column].iloc[row]
        if value is None or value is pd.NA or value != value:
            return False
        if clause.kind in ("time", "zoned"):
            value = (value.tz_localize(None) if clause.kind == "time" else value).as_unit("ns").value
        elif clause.kind == "date":
            value = (value - datetime.date(1970, 1, 1)).days
        if clause.name == "in":
            return value in clause.values
        return bool(getattr(operator, clause.name)(value, clause.values[0]))

    def read(self, what: Source) -> pd.DataFrame:
        """What a reader gives; of all rows where no groups are picked, and else with labels that are no range."""
        frame = self.frame if what.columns is None else self.frame[list(what.columns)]
        if what.groups is None:
            return frame.copy()
        rows = self.rows_of([group.number for group in what.groups])
        part = frame.iloc[[row for row in rows if all(self.fulfils(row, clause) for clause in what.clauses)]]
        return part.set_axis(pd.Index(np.asarray(part.index)), axis=0) if what.labels is not None else part


def bounds_of(values: pd.Series) -> Bounds:
    """The statistics of some values. NaN is no missing value to a file, and no value either."""
    there = values.dropna()
    nulls = 0 if values.dtype.kind == "f" and str(values.dtype)[0] == "f" else int(values.isna().sum())
    if not len(there):
        return Bounds(None, None, nulls)
    low, high = min(there), max(there)
    if isinstance(low, np.generic):
        low, high = low.item(), high.item()
    return Bounds(low, high, nulls)


def source_of(parted: Parted, name: str = "a") -> tuple[Deferred[Any], Facts]:
    """A handle on a source, and the facts of it."""
    node = make(Source("parquet", (File(f"/data/{name}.parquet", 100, "1"),)))
    return wrap(node), Facts(sources={node.key: parted})


def stored_of(parted: Parted, name: str = "a") -> tuple[Deferred[Any], Facts]:
    """A handle on a stored result, and the facts of it."""
    node = make(Stored(f"artifact of {name}", name.encode(), name))
    return wrap(node), Facts(sources={node.key: parted})


def evaluated(graph: Graph, parted: Parted) -> list[Any]:
    """The values of the roots; what a root raises in its place."""
    values: dict[bytes, Any] = {}
    for node in topological(graph.roots):
        if isinstance(node.what, Source):
            values[node.key] = parted.read(node.what)
            continue
        if isinstance(node.what, Stored):
            values[node.key] = parted.read_stored(node.what)
            continue
        args = [values[arg.key] if type(arg) is Expr else arg for arg in node.args]
        raised = next((arg for arg in args if isinstance(arg, Raised)), None)
        try:
            values[node.key] = raised or _applied(node, args)
        except Exception as error:
            values[node.key] = Raised(type(error))
    return [values[root.key] for root in graph.roots]


@dataclass
class Raised:
    kind: type[BaseException]


def _applied(node: Expr, args: list[Any]) -> Any:
    what = node.what
    if isinstance(what, Narrow):
        return args[0][[name for name in args[0].columns if name in what.columns]]
    if isinstance(what, Relabel):
        return _relabelled(args[0], what.labels)
    return args[0] if isinstance(what, Sized) else value_of(node, args)


def _relabelled(value: Any, labels: Labels) -> Any:
    """The index that rows with these labels have when they are taken from all rows."""
    places = [(label - labels.start) // labels.step for label in value.index]
    every = pd.RangeIndex(*labels, name=value.index.name)
    return value.set_axis(every.take(np.array(places, dtype=np.intp)), axis=0)


def assert_same(one: Any, other: Any) -> None:
    """Equal in values, dtypes, index and its type, or raised the same."""
    assert type(one) is type(other), (one, other)
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_index_type=True, check_exact=True)
        assert_same_index(one.index, other.index)
    elif isinstance(one, pd.Series):
        pd.testing.assert_series_equal(one, other, check_index_type=True, check_exact=True)
        assert_same_index(one.index, other.index)
    elif isinstance(one, pd.Index):
        assert one.equals(other)
        assert_same_index(one, other)
    else:
        assert one == other or one != one, (one, other)


def assert_same_index(one: pd.Index, other: pd.Index) -> None:
    assert type(one) is type(other)
    assert one.dtype == other.dtype
    if isinstance(one, pd.RangeIndex) and isinstance(other, pd.RangeIndex):
        assert (one.start, one.stop, one.step) == (other.start, other.stop, other.step)


DAY = datetime.date(2024, 1, 1)


def sample(rows: int = 12) -> pd.DataFrame:
    """A frame of many dtypes whose rows are in order, so that groups of them differ."""
    numbers = np.arange(rows)
    return pd.DataFrame(
        {
            "i": numbers,
            "f": np.where(numbers % 5 == 4, np.nan, numbers / 2),
            "s": [chr(97 + number) for number in numbers],
            "b": numbers < rows // 2,
            "t": pd.Timestamp(DAY) + pd.to_timedelta(numbers, unit="D"),
            "day": pd.Series([DAY + datetime.timedelta(days=int(number)) for number in numbers], dtype=object),
            "m": pd.array([None if number % 4 == 3 else number for number in numbers], dtype="Int64"),
        }
    )
