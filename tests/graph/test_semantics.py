"""What the tables say of pandas' names, and that they say it of names that pandas has."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import cloudburst as cb
from cloudburst.deferred import wrap
from cloudburst.graph import semantics
from cloudburst.graph.expr import make
from cloudburst.graph.nodes import Narrow
from cloudburst.graph.semantics import is_group_by, is_projection, is_view, may_write, shrinks
from tests.graph.graphs import load, merge, other

D = load(1)
NARROW: Any = wrap(make(Narrow(("a",)), (D._expr,)))
GROUPED = D.groupby("a")


def node(deferred: Any) -> Any:
    return deferred._expr


@pytest.mark.parametrize("made", [D.head(), D.sum(), D.query("x > 1"), D["a"], D[["a"]], D.a, D[other(1) > 0], NARROW])
def test_what_makes_less_of_a_value(made: Any) -> None:
    assert shrinks(node(made))


@pytest.mark.parametrize(
    "made", [D.merge(other(1)), D.assign(a=1), D + 1, merge(D, D), D.nothing_known(), cb.defer([D])]
)
def test_what_is_not_known_to_make_less(made: Any) -> None:
    assert not shrinks(node(made))


def test_views_cannot_be_stored_or_are_structure_only() -> None:
    views: set[bytes] = set()

    def view(deferred: Any) -> bool:
        found = is_view(node(deferred), views)
        if found:
            views.add(node(deferred).key)
        return found

    assert view(cb.defer([D]))
    assert view(D.str)
    assert view(D.dt)
    assert view(GROUPED)
    assert view(GROUPED["b"])
    assert view(GROUPED.b)
    assert view(GROUPED["b"]["c"])
    assert view(D.resample("D"))
    assert not view(D["b"])
    assert not view(D.b)
    assert not view(D.str["b"])
    assert not view(D.str.upper())
    assert not view(GROUPED.sum())
    assert not view(D.head())
    assert not view(D + 1)
    assert not view(merge(D, D))


def test_an_item_of_a_group_by_is_a_group_by() -> None:
    assert is_group_by(node(GROUPED["b"]))
    assert is_group_by(node(GROUPED.b))
    assert not is_group_by(node(D["b"]))
    assert not is_group_by(node(D))


@pytest.mark.parametrize("made", [D["a"], D[["a", "b"]], D.a, NARROW])
def test_a_column_or_some_are_a_projection(made: Any) -> None:
    assert is_projection(node(made))


@pytest.mark.parametrize("made", [D[0], D[1:2], D[[True, False]], D[[1, 2]], D[other(1)], D.head(), D + 1, D])
def test_rows_and_all_else_are_none(made: Any) -> None:
    assert not is_projection(node(made))


@pytest.mark.parametrize("made", [D.append(1), D.pop("a"), D.unknown(), D, merge(D, D), D.apply(lambda x: x)])
def test_what_may_write_to_its_arguments(made: Any) -> None:
    assert may_write(node(made))


@pytest.mark.parametrize(
    "made", [D.head(), D.a, D["a"], D + 1, cb.defer([D]), D.apply("sum"), D.merge(other(1)), NARROW]
)
def test_what_is_known_not_to_write(made: Any) -> None:
    assert not may_write(node(made))


@pytest.mark.parametrize("name", ["to_csv", "to_parquet", "sample"])
def test_calls_that_may_differ_are_each_their_own(name: str) -> None:
    assert getattr(D, name)() is not None
    assert node(getattr(D, name)()) != node(getattr(D, name)())


def test_sampling_with_a_seed_is_pure() -> None:
    assert node(D.sample(random_state=1)) == node(D.sample(random_state=1))
    assert node(D.sample(random_state=None)) != node(D.sample(random_state=None))


@pytest.mark.parametrize(
    ("name", "args", "keywords", "impure"),
    [
        ("read_sql", ("select 1",), {}, True),
        ("read_csv", ("https://example.org/a.csv",), {}, True),
        ("read_csv", (), {"filepath_or_buffer": "s3://bucket/a.csv"}, True),
        ("read_csv", ("a.csv",), {"sep": ";"}, False),
        ("read_csv", (), {"filepath_or_buffer": "a.csv"}, False),
        ("concat", (["https://example.org"],), {}, False),
        ("to_datetime", ("https://example.org",), {}, False),
    ],
)
def test_reading_what_may_change_under_one_name_is_impure(name: str, args: Any, keywords: Any, impure: bool) -> None:
    assert semantics.is_impure_reader(name, args, keywords) is impure


def test_the_tables_name_what_pandas_has() -> None:
    kinds = [pd.DataFrame, pd.Series, pd.Index, pd.core.groupby.DataFrameGroupBy]
    known = {name for kind in kinds for name in dir(kind)} | set(dir(list)) | set(dir(dict)) | {"ravel"}
    assert known >= semantics.REDUCTIONS
    assert known >= semantics.FILTERS
    assert known >= semantics.WINDOWS
    assert {name for name in semantics.IMPURE_READERS if not hasattr(pd, name)} == set()
    assert semantics.IMPURE_METHODS - known <= {"to_iceberg"}


def test_what_shrinks_is_not_said_to_be_a_view() -> None:
    assert semantics.SHRINKING.isdisjoint(semantics.WINDOWS)
