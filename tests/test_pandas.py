"""The deferred pandas: functions are deferred, everything else is pandas' own."""

from __future__ import annotations

from pathlib import Path
from types import BuiltinFunctionType, FunctionType
from typing import Any

import pandas as pd
import pytest

import cloudburst as cb
from cloudburst import pandas as cpd
from cloudburst.calls import DeferredFunction
from cloudburst.deferred import Deferred
from tests.contracts.equality import assert_same
from tests.inline import run_inline

FRAME = pd.DataFrame({"a": [1, 2], "t": ["2024-01-01", "2024-02-01"]})


@cb.stage
def load() -> pd.DataFrame:
    return FRAME.copy()


def value_of(deferred: Any) -> Any:
    assert isinstance(deferred, Deferred)
    [value] = run_inline([deferred._expr])
    return value


@pytest.mark.parametrize(
    ("deferred", "plain"),
    [
        (lambda d: cpd.concat([d, FRAME], ignore_index=True), lambda: pd.concat([FRAME, FRAME], ignore_index=True)),
        (lambda d: cpd.concat({"x": d, "y": d}), lambda: pd.concat({"x": FRAME, "y": FRAME})),
        (lambda d: cpd.to_datetime(d["t"]), lambda: pd.to_datetime(FRAME["t"])),
        (lambda d: cpd.merge(FRAME, d, on="a"), lambda: pd.merge(FRAME, FRAME, on="a")),
        (lambda d: cpd.get_dummies(d, columns=["a"]), lambda: pd.get_dummies(FRAME, columns=["a"])),
        (lambda d: cpd.cut(d.a, 2, labels=False), lambda: pd.cut(FRAME.a, 2, labels=False)),
        (lambda d: cpd.isna(d), lambda: pd.isna(FRAME)),
        (lambda d: cpd.date_range("2024-01-01", periods=d.a.max()), lambda: pd.date_range("2024-01-01", periods=2)),
        (lambda d: d.pipe(cpd.melt, id_vars="a"), lambda: FRAME.melt(id_vars="a")),
    ],
)
def test_functions_are_deferred_and_take_deferreds(deferred: Any, plain: Any) -> None:
    assert_same(value_of(deferred(load())), plain())


def test_classes_constants_and_submodules_are_pandas_own() -> None:
    for name in (
        "DataFrame",
        "Series",
        "Index",
        "Timestamp",
        "NA",
        "NaT",
        "IndexSlice",
        "api",
        "errors",
        "offsets",
        "options",
    ):
        assert getattr(cpd, name) is getattr(pd, name)


def test_every_function_of_pandas_is_deferred() -> None:
    for name in dir(pd):
        if not name.startswith("_"):
            plain, found = getattr(pd, name), getattr(cpd, name)
            if isinstance(plain, FunctionType | BuiltinFunctionType):
                assert isinstance(found, DeferredFunction)
                assert found.func is plain
                assert found is getattr(cpd, name)
            else:
                assert found is plain


def test_names_are_offered_as_pandas_has_them() -> None:
    assert {"concat", "DataFrame", "read_parquet"} <= set(dir(cpd))
    assert not [name for name in dir(cpd) if name.startswith("_")]
    assert cpd.concat.__doc__ == pd.concat.__doc__


@pytest.mark.parametrize("name", ["no_such_function", "_private", "__wrapped__"])
def test_what_pandas_lacks_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(cpd, name)


def test_equal_calls_are_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a\n1\n")
    assert cpd.concat([load()])._expr == cpd.concat([load()])._expr
    assert cpd.read_csv(path)._expr == cpd.read_csv(path)._expr


@pytest.mark.parametrize(
    "call",
    [
        lambda: cpd.read_sql("select 1", "sqlite://"),
        lambda: cpd.read_csv("https://example.org/a.csv"),
        lambda: cpd.read_parquet(path="s3://bucket/a.parquet", storage_options={"anon": True}),
        lambda: cpd.read_clipboard(),
        lambda: cb.defer("https://example.org/a.csv").pipe(cpd.read_sql, "sqlite://"),
    ],
)
def test_reading_what_may_change_is_each_time_its_own(call: Any) -> None:
    assert call()._expr != call()._expr
    assert not call()._expr.what.pure


def test_arguments_are_checked_at_the_call() -> None:
    with pytest.raises(cb.ArgumentError, match=r"concat\(\) cannot be called so"):
        cpd.concat(nothing=1)


def test_files_are_read_where_the_pipeline_runs(tmp_path: Any) -> None:
    path = tmp_path / "a.csv"
    FRAME.to_csv(path, index=False)
    assert_same(
        value_of(cpd.read_csv(str(path)).query("a > 1").reset_index(drop=True)), FRAME[1:].reset_index(drop=True)
    )
