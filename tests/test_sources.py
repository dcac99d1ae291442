"""Which calls of pandas' readers are sources, and what names them."""

from __future__ import annotations

import io
import os

import pandas as pd
import pytest

import cloudburst as cb
from cloudburst import pandas as cpd
from cloudburst.errors import UsageError
from cloudburst.graph.nodes import Call, Source
from cloudburst.sources import READERS, facts_of

FRAME = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", None]})


@pytest.fixture
def parquet(tmp_path):
    path = tmp_path / "a.parquet"
    FRAME.to_parquet(path)
    return path


def what_of(deferred):
    return deferred._expr.what


def test_every_reader_is_one_of_pandas_and_takes_its_files_by_that_name():
    import inspect

    for name, parameter in READERS.items():
        assert next(iter(inspect.signature(getattr(pd, name)).parameters)) == parameter


def test_a_path_a_list_a_pattern_and_a_directory_are_sources(parquet, tmp_path):
    for path in (parquet, str(parquet), [parquet, str(parquet)], f"{tmp_path}/*.parquet", tmp_path):
        what = what_of(cpd.read_parquet(path))
        assert isinstance(what, Source)
        assert {file.path for file in what.files} == {str(parquet)}


def test_other_readers_are_sources_too(tmp_path):
    path = tmp_path / "a.csv"
    FRAME.to_csv(path, index=False)
    read = cpd.read_csv(path, dtype={"a": "int32"})
    assert what_of(read).format == "csv"
    assert what_of(read).label == "read_csv"
    pd.testing.assert_frame_equal(read.compute(), pd.read_csv(path, dtype={"a": "int32"}))


def test_what_names_no_file_stays_a_plain_call(parquet):
    for call in (
        lambda: cpd.read_csv(cb.defer(str(parquet))),
        lambda: cpd.read_csv("https://a.org/b.csv"),
        lambda: cpd.read_parquet(str(parquet), engine="fastparquet"),
        lambda: cpd.read_parquet(str(parquet), storage_options={"anon": True}),
    ):
        assert isinstance(what_of(call()), Call)


def test_an_open_file_is_refused_as_before():
    with pytest.raises(cb.CaptureError if hasattr(cb, "CaptureError") else Exception):
        cpd.read_csv(io.TextIOWrapper(io.BytesIO(b"a\n1\n")))


def test_a_changed_file_is_another_expression(parquet):
    before = cpd.read_parquet(parquet)
    assert before._expr.key == cpd.read_parquet(parquet)._expr.key
    os.utime(parquet, ns=(5, 5))
    assert before._expr.key != cpd.read_parquet(parquet)._expr.key


def test_what_the_reader_is_given_is_part_of_the_expression(parquet):
    assert cpd.read_parquet(parquet)._expr.key != cpd.read_parquet(parquet, columns=["a"])._expr.key


def test_a_file_that_is_not_there_is_told_at_the_call(tmp_path):
    with pytest.raises(FileNotFoundError):
        cpd.read_parquet(tmp_path / "none.parquet")


def test_a_pattern_without_a_file_is_told_at_the_call(tmp_path):
    with pytest.raises(UsageError, match=r"\*\.parquet"):
        cpd.read_parquet(f"{tmp_path}/*.parquet")


def test_footers_are_read_where_the_reader_is_given_nothing_else(parquet):
    facts = facts_of(cpd.read_parquet(parquet)._expr)
    assert facts is not None
    assert dict(facts.columns) == {"a": "int64", "b": "str"}
    assert facts_of(cpd.read_parquet(parquet, dtype_backend="pyarrow")._expr) is None


def test_only_what_is_used_is_read_and_the_result_is_pandas(parquet):
    read = cpd.read_parquet(parquet)
    picked = read[read["a"] > 1]["b"]
    pd.testing.assert_series_equal(picked.compute(), FRAME[FRAME["a"] > 1]["b"])
    text = str(read["a"].sum().explain())
    assert "a.parquet: 1 of 2 columns" in text


def test_what_stands_in_the_way_is_told(parquet):
    text = str(cpd.read_parquet(parquet).describe(include="all").explain())
    assert "all 2 columns" in text
    assert ".describe() needs every column" in text


def test_columns_that_the_reader_is_told_are_known_and_nothing_else_is(parquet):
    def columns(**given):
        facts = facts_of(cpd.read_parquet(parquet, **given)._expr)
        return facts and dict(facts.columns)

    assert columns(columns=["b", "a"]) == {"b": "str", "a": "int64"}
    assert list(columns(columns=["b", "a"])) == ["b", "a"]
    assert columns(columns=["b"], engine="pyarrow") == {"b": "str"}
    assert columns(columns=None) == {"a": "int64", "b": "str"}
    for given in ([], ["a", "a"], ["a", "nowhere"], "a", ("a",), [0]):
        assert columns(columns=given) is None
    assert columns(columns=["a"], filters=[("a", ">", 1)]) is None
    assert columns(columns=["a"], dtype_backend="pyarrow") is None


@pytest.mark.parametrize("index", [None, "a"])
def test_rows_are_skipped_where_columns_are_told_too(tmp_path, index):
    path = tmp_path / "many.parquet"
    frame = pd.DataFrame({"a": range(5, 25), "b": [*"abcde"] * 4, "c": 1.5})
    frame = frame.set_axis(pd.RangeIndex(3, 43, 2), axis=0) if index is None else frame.set_index(index)
    frame.to_parquet(path, row_group_size=4)

    def kept(pandas):
        read = pandas.read_parquet(path, columns=["c", "b"])
        return read[read["b"] > "d"]

    pd.testing.assert_frame_equal(kept(cpd).compute(), kept(pd), check_index_type="exact")
