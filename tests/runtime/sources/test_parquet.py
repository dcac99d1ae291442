import datetime as dt
import decimal
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloudburst.errors import NotFound, StoreError
from cloudburst.runtime.sources import Labels, Spec, read
from cloudburst.runtime.sources import parquet as parquet_module
from tests.runtime.sources.files import (
    assert_equal,
    assert_every_subset_is_exact,
    by_arrow,
    by_pandas,
    facts_of,
    narrowed_to,
    places,
    raised_by,
    spec_of,
)

NOW = pd.Timestamp("2024-03-31 01:30:00.123456")
DAY = dt.date(2024, 2, 29)

PLAIN = {
    "int": np.arange(10),
    "int nulls": pd.array([1, None, 3, 4, 5, 6, 7, 8, 9, 2**53 + 1], dtype="Int64"),
    "float": [0.0, -0.0, 1.5, None, np.inf, -np.inf, 1e-300, 2.0, 3.0, 4.0],
    "float32": np.arange(10, dtype="float32") / 3,
    "bool": [True, False] * 5,
    "str": ["a", "é", "", None, "b", "c", "zz", "y", "x", "w"],
    "date": [DAY, None] + [DAY + dt.timedelta(days) for days in range(8)],
    "ns": pd.date_range("1900-01-01", periods=10, freq="D", unit="ns"),
    "us": pd.Series([NOW, None] * 5).astype("datetime64[us]"),
    "ms": pd.Series([NOW] * 10).astype("datetime64[ms]"),
    "zoned": pd.date_range(NOW, periods=10, freq="h", tz="Europe/Paris", unit="us"),
    "offset": pd.date_range(NOW, periods=10, tz="+02:00"),
    "duration": pd.to_timedelta([1, None, 3, 4, 5, 6, 7, 8, 9, 10], unit="s"),
    "masked bool": pd.array([True, None] * 5, dtype="boolean"),
    "masked float": pd.array([1.5, None] * 5, dtype="Float32"),
    "masked text": pd.array(["a", None] * 5, dtype="string"),
    "bytes": [b"a", None] * 5,
    "decimal": [decimal.Decimal("1.10"), None] * 5,
    "time": [dt.time(1, 2, 3, 4), None] * 5,
    "nothing": [None] * 10,
    "bool or none": [True, False, True, None, False, True, True, True, False, False],
}  # fmt: skip
FRAME = pd.DataFrame(PLAIN)

INDEXES = {
    "range": pd.RangeIndex(10),
    "named range": pd.RangeIndex(10, name="row"),
    "stepped range": pd.RangeIndex(5, 35, 3),
    "falling range": pd.RangeIndex(10, 0, -1, name="n"),
    "int": pd.Index([3, 1, 1, 2, 9, 8, 7, 6, 5, 4], name="key"),
    "nameless int": pd.Index([3, 1, 1, 2, 9, 8, 7, 6, 5, 4]),
    "text": pd.Index(list("abcdefghij"), name="letter"),
    "text with nulls": pd.Index(["a", None, *"cdefghij"]),
    "float": pd.Index([0.5, None, -0.0, 0.0, 1, 2, 3, 4, 5, 6], name="f"),
    "time": pd.date_range("2024-01-01", periods=10, freq="h", name="when"),
    "zoned time": pd.date_range("2024-01-01", periods=10, freq="D", tz="Asia/Tokyo"),
    "duration": pd.timedelta_range("1h", periods=10),
    "bool": pd.Index([True, False] * 5),
}

ARROW = {
    "i8": pa.array([1, None, 3, -4, 5, 6, 7, 8], pa.int8()),
    "i64": pa.array([2**62 + 1, 2, 3, 4, 5, 6, 7, 8], pa.int64()),
    "nulls late": pa.array([1, 2, 3, 4, 5, 6, 7, None], pa.int32()),
    "all null": pa.array([1, 2, 3, None, None, None, 7, 8], pa.int64()),
    "u64": pa.array([2**63 + 1, 2, 3, 4, 5, 6, 7, None], pa.uint64()),
    "f": pa.array([float("nan"), None, -0.0, 0.0, 1.0, 2.0, 3.0, 4.0]),
    "f32": pa.array([float("nan"), None, -0.0, 0.0, 1.0, 2.0, 3.0, 4.0], pa.float32()),
    "f16": pa.array(np.arange(8).astype("float16")),
    "b": pa.array([True, False, True, None, False, True, True, True]),
    "s": pa.array(["a", None, "", "b", "c", "d", "e", "f"]),
    "large": pa.array(["a", None, "", "b", "c", "d", "e", "f"], pa.large_string()),
    "view": pa.array(["a", None, "", "b", "c", "d", "e", "f"], pa.string_view()),
    "d": pa.array([DAY, None, DAY, DAY, DAY, DAY, DAY, DAY]),
    "d64": pa.array([DAY, None, DAY, DAY, DAY, DAY, DAY, DAY], pa.date64()),
    "s t": pa.array([1, None, 3, 4, 5, 6, 7, 8], pa.timestamp("s")),
    "ms": pa.array([1, None, 3, 4, 5, 6, 7, 8], pa.timestamp("ms")),
    "us utc": pa.array([1, None, 3, 4, 5, 6, 7, 8], pa.timestamp("us", "UTC")),
    "ns zoned": pa.array([1, None, 3, 4, 5, 6, 7, 8], pa.timestamp("ns", "America/New_York")),
    "far": pa.array([-(2**60), None, 3, 4, 5, 6, 7, 2**58], pa.timestamp("us")),
    "duration": pa.array([1, None, 3, 4, 5, 6, 7, 8], pa.duration("ms")),
    "t32": pa.array([1, None, 3, 4, 5, 6, 7, 8], pa.time32("ms")),
    "dec": pa.array([decimal.Decimal("1.5"), None] * 4, pa.decimal128(6, 2)),
    "bin": pa.array([b"a", None] * 4, pa.binary(1)),
    "null": pa.nulls(8),
}  # fmt: skip


@pytest.mark.parametrize("index", INDEXES)
def test_row_groups_of_a_file_by_pandas_come_out_as_of_all_rows(tmp_path, index):
    path = by_pandas(tmp_path / "a.parquet", FRAME.set_index(INDEXES[index]))
    facts = assert_every_subset_is_exact(path)
    assert not [name for name in facts.columns if facts.skippable(name)]
    assert (facts.labels is not None) == isinstance(INDEXES[index], pd.RangeIndex)


def test_row_groups_of_a_file_by_arrow_come_out_as_of_all_rows(tmp_path):
    facts = assert_every_subset_is_exact(by_arrow(tmp_path / "a.parquet", ARROW))
    assert not [name for name in facts.columns if facts.skippable(name)]


def test_row_groups_of_several_files_come_out_as_of_all_rows(tmp_path):
    whole = pa.table(ARROW)
    paths = [by_arrow(tmp_path / f"{n}.parquet", whole.slice(3 * n, 3), rows=2) for n in range(3)]
    facts = assert_every_subset_is_exact([str(path) for path in paths])
    assert facts.labels == Labels(0, 8, 1)
    assert len({group.file for group in facts.groups}) == 3


@pytest.mark.parametrize("index", INDEXES)
def test_row_groups_of_several_files_by_pandas_have_the_labels_of_all(tmp_path, index):
    whole = FRAME.set_index(INDEXES[index])
    parts = [part[["int", "float", "str", "zoned", "bool", "date"]] for part in (whole[:4], whole[4:])]
    assert_every_subset_is_exact(
        [str(by_pandas(tmp_path / f"{number}.parquet", part)) for number, part in enumerate(parts)]
    )


def test_labels_of_a_first_file_that_fit_all_rows_are_theirs(tmp_path):
    frame = pd.DataFrame({"a": range(5)}, index=pd.RangeIndex(10, 20, 2, name="row"))
    paths = [str(by_pandas(tmp_path / "0.parquet", frame, 2)), str(by_pandas(tmp_path / "1.parquet", frame[:0]))]
    assert assert_every_subset_is_exact(paths).labels == Labels(10, 20, 2)
    assert assert_every_subset_is_exact(paths[::-1]).labels == Labels(0, 5, 1)


def test_labels_that_do_not_fit_are_counted_anew(tmp_path):
    frame = pd.DataFrame({"a": range(7)}, index=pd.RangeIndex(10, 17, name="row"))
    table = pa.Table.from_pandas(frame)
    told = json.loads(table.schema.metadata[b"pandas"])
    told["index_columns"][0]["stop"] = 99
    path = by_arrow(tmp_path / "a.parquet", table.replace_schema_metadata({"pandas": json.dumps(told)}), 2)
    assert assert_every_subset_is_exact(path).labels == Labels(0, 7, 1)


def test_a_file_of_pandas_without_labels_is_counted(tmp_path):
    path = by_pandas(tmp_path / "a.parquet", pd.DataFrame({"a": range(7)}, index=list("abcdefg")), 2, index=False)
    assert assert_every_subset_is_exact(path).labels == Labels(0, 7, 1)


def test_attrs_come_along(tmp_path):
    frame = pd.DataFrame({"a": range(7)})
    frame.attrs = {"unit": ["m"]}
    path = by_pandas(tmp_path / "a.parquet", frame, 2)
    assert_every_subset_is_exact(path)
    assert read(spec_of(path, columns=("a",)), {}).attrs == {"unit": ["m"]}


def test_a_name_of_the_columns_comes_along(tmp_path):
    frame = pd.DataFrame({"a": range(7), "b": 1}).rename_axis(columns="kind")
    assert_every_subset_is_exact(by_pandas(tmp_path / "a.parquet", frame, 2))


def test_rows_of_none_of_the_columns_keep_their_labels(tmp_path):
    path = by_pandas(tmp_path / "a.parquet", FRAME)
    spec, facts, full = spec_of(path), facts_of(path), pd.read_parquet(path)
    groups = facts.groups[1:3]
    got = read(narrowed_to(spec, facts, groups, ()), {})
    assert_equal(got, full.iloc[3:9, :0])


def test_row_labels_that_lie_first_do_not_stand_for_a_column(tmp_path):
    table = pa.Table.from_pandas(pd.DataFrame({"a": range(7), "k": list("abcdefg")}).set_index("k"))
    path = by_arrow(tmp_path / "a.parquet", table.select(["k", "a"]), 2)
    assert_every_subset_is_exact(path)
    assert_equal(read(spec_of(path, columns=()), {}), pd.read_parquet(path)[[]])
    assert_equal(read(spec_of(path, columns=("k",)), {}), pd.read_parquet(path)[[]])


def test_a_file_that_is_named_twice_is_read_twice(tmp_path):
    path = str(by_arrow(tmp_path / "a.parquet", {"a": [1, 2, 3]}, 2))
    assert_every_subset_is_exact([path, path])


def test_a_dictionary_is_not_to_be_read_in_part(tmp_path):
    frame = pd.DataFrame({"c": pd.Categorical(list("abcabc")), "n": range(6), "l": [[1]] * 6})
    facts = facts_of(by_pandas(tmp_path / "a.parquet", frame))
    assert "categories" in facts.skippable("c")
    assert "nested" in facts.skippable("l")
    assert facts.skippable("n") == ""
    assert dict(facts.columns) == {"c": "category", "n": "int64", "l": "object"}


@pytest.mark.parametrize("columns", [None, ("int", "str"), ("str", "int", "no such"), (), ("no such",)])
@pytest.mark.parametrize("index", ["range", "nameless int", "text"])
def test_all_rows_of_some_columns_are_those_of_pandas(tmp_path, columns, index):
    path = by_pandas(tmp_path / "a.parquet", FRAME.set_index(INDEXES[index]))
    full = pd.read_parquet(path)
    want = full if columns is None else full[[name for name in full if name in columns]]
    assert_equal(read(spec_of(path, columns=columns), {}), want)
    assert_equal(read(spec_of([path, path], columns=columns), {}), pd.read_parquet([path, path])[want.columns])


def test_only_the_wanted_columns_are_asked_for(tmp_path, monkeypatch):
    path = by_arrow(tmp_path / "a.parquet", {"a": [1], "b": [2], "c": [3]})
    asked = []
    real = pd.read_parquet
    monkeypatch.setattr(pd, "read_parquet", lambda path, **kwargs: asked.append(kwargs) or real(path, **kwargs))
    read(spec_of(path, columns=("c", "a")), {})
    read(spec_of(path, columns=("c", "a")), {"columns": ["c", "b"]})
    read(spec_of(path, columns=("c", "a")), {"filters": [("b", "==", 2)]})
    read(spec_of(path, columns=("c", "a")), {"partitioning": None})
    assert [one.get("columns") for one in asked] == [["a", "c"], ["c"], ["a", "c"], None]


def test_columns_that_the_caller_named_come_in_their_order(tmp_path):
    path = by_pandas(tmp_path / "a.parquet", FRAME)
    kwargs = {"columns": ["str", "int", "bool"]}
    want = pd.read_parquet(path, **kwargs)
    assert_equal(read(spec_of(path, columns=("int", "str")), kwargs), want[["str", "int"]])
    facts = facts_of(path)
    some = narrowed_to(spec_of(path), facts, facts.groups[::2], ("int", "str"))
    assert_equal(read(some, kwargs), want[["str", "int"]].iloc[places(facts, facts.groups[::2], 10)])


def test_columns_that_the_caller_named_and_that_are_not_there_raise_as_in_pandas(tmp_path):
    path = by_pandas(tmp_path / "a.parquet", FRAME)
    for kwargs in ({"columns": ["int", "no such"]}, {"filters": [("no such", "==", 1)]}):
        assert raised_by(read, spec_of(path, columns=("int",)), kwargs) is raised_by(pd.read_parquet, path, **kwargs)


@pytest.mark.parametrize("kwargs", [{"dtype_backend": "pyarrow"}, {"filters": [("int", ">=", 0)]}])
def test_row_groups_under_other_arguments_are_taken_from_all_rows(tmp_path, kwargs):
    path = by_pandas(tmp_path / "a.parquet", FRAME)
    facts = facts_of(path)
    some = narrowed_to(spec_of(path), facts, facts.groups[1:], ("int", "str"))
    want = pd.read_parquet(path, **kwargs)[["int", "str"]].iloc[3:]
    pd.testing.assert_frame_equal(read(some, kwargs), want)


def test_names_with_dots_and_of_different_case_are_told_apart(tmp_path):
    path = by_arrow(tmp_path / "a.parquet", {"a.b": [1, 2], "a": [3, 4], "A": [5, 6], "": [7, 8]}, 1)
    assert_every_subset_is_exact(path)
    for name in ("a.b", "a", "A", ""):
        assert_equal(read(spec_of(path, columns=(name,)), {}), pd.read_parquet(path)[[name]])


def test_names_that_are_there_twice_raise_as_in_pandas(tmp_path):
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])
    path = by_arrow(tmp_path / "a.parquet", table)
    assert facts_of(path) is None
    assert raised_by(read, spec_of(path, columns=("a",)), {}) is raised_by(pd.read_parquet, path)


def test_files_of_different_schemas_are_read_as_by_pandas(tmp_path):
    paths = [
        str(by_arrow(tmp_path / "0.parquet", {"a": [1, 2], "b": [1, 2]})),
        str(by_arrow(tmp_path / "1.parquet", {"b": [3, 4], "c": ["x", "y"]})),
    ]
    assert_equal(read(spec_of(paths, columns=("b",)), {}), pd.read_parquet(paths)[["b"]])
    assert "differ" in facts_of(paths).all_rows
    by_arrow(paths[1], {"a": ["x"], "b": [1]})
    assert raised_by(read, spec_of(paths, columns=("b",)), {}) is raised_by(pd.read_parquet, paths)


@pytest.mark.parametrize("columns", [None, ("a", "year"), ("year",), ("a",), ("no such",)])
def test_folders_with_values_are_columns(tmp_path, columns):
    frame = pd.DataFrame({"a": range(6), "year": [2023, 2023, 2024, 2024, 2025, 2025], "kind": list("xyxyxy")})
    frame.to_parquet(tmp_path / "t", partition_cols=["year", "kind"])
    spec = spec_of(tmp_path / "t", columns=columns)
    assert spec.root == str(tmp_path / "t")
    full = pd.read_parquet(tmp_path / "t")
    want = full if columns is None else full[[name for name in full if name in columns]]
    assert_equal(read(spec, {}), want)
    facts = facts_of(tmp_path / "t")
    assert dict(facts.columns) == {"a": "int64", "year": "category", "kind": "category"}
    assert facts.all_rows
    paths = [file.path for file in spec.files]
    want = pd.read_parquet(paths)
    assert_equal(
        read(spec_of(paths, columns=columns), {}), want if columns is None else want[[n for n in want if n in columns]]
    )


def test_a_directory_without_values_is_its_files(tmp_path):
    for name in ("b", "a", "sub/a", "sub-a/x", "_temporary/x", ".hidden", "_SUCCESS"):
        path = tmp_path / "t" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        by_arrow(path, {"a": [name]})
    spec = spec_of(tmp_path / "t")
    assert spec.root == ""
    assert_equal(read(spec, {}), pd.read_parquet(tmp_path / "t"))


def test_what_is_told_beside_the_files_counts_as_in_pandas(tmp_path):
    frame = pd.DataFrame({"k": list("abc"), "a": [1, 2, 3]}).set_index("k")
    table = pa.Table.from_pandas(frame)
    by_arrow(tmp_path / "a.parquet", table.replace_schema_metadata(None))
    pq.write_metadata(table.schema, tmp_path / "_common_metadata")
    want = pd.read_parquet(tmp_path)
    assert want.index.name == "k"
    assert facts_of(tmp_path) is None
    assert_equal(read(spec_of(tmp_path, columns=("a",)), {}), want)


def test_a_file_more_in_a_directory_with_values_is_told(tmp_path):
    pd.DataFrame({"a": [1], "y": [1]}).to_parquet(tmp_path / "t", partition_cols=["y"])
    spec = spec_of(tmp_path / "t")
    pd.DataFrame({"a": [1], "y": [2]}).to_parquet(tmp_path / "t", partition_cols=["y"])
    with pytest.raises(StoreError, match="others than when the pipeline was planned"):
        read(spec, {})


def test_a_file_that_changed_or_went_since_planning_is_told(tmp_path):
    path = by_arrow(tmp_path / "a.parquet", {"a": [1, 2]})
    spec = spec_of(path)
    by_arrow(path, {"a": [1, 2, 3]})
    with pytest.raises(StoreError, match=r"a\.parquet has changed since the pipeline was planned: make the call"):
        read(spec, {})
    path.unlink()
    with pytest.raises(NotFound, match="is no more"):
        read(spec, {})


def test_a_file_that_changes_while_it_is_read_is_told(tmp_path, monkeypatch):
    path = by_arrow(tmp_path / "a.parquet", {"a": [1, 2]})

    def read_and_change(*_arguments):
        path.write_bytes(b"")
        raise OSError("some nonsense")

    monkeypatch.setattr(parquet_module, "_all_rows", read_and_change)
    with pytest.raises(StoreError, match="has changed"):
        read(spec_of(path), {})


def test_a_corrupt_file_raises_as_in_pandas(tmp_path):
    path = by_arrow(tmp_path / "a.parquet", {"a": [1, 2]})
    path.write_bytes(path.read_bytes()[:-9] + b"nonsense!")
    assert facts_of(path) is None
    for columns in (None, ("a",)):
        assert raised_by(read, spec_of(path, columns=columns), {}) is raised_by(pd.read_parquet, path)


def test_a_source_of_unknown_format_is_our_bug():
    from cloudburst.errors import InternalError

    with pytest.raises(InternalError):
        read(Spec("sql", ()), {})


def test_what_fails_first_among_columns_is_what_fails_first_of_all_rows(tmp_path):
    # pandas goes through columns as they lie in blocks, which is how they were made
    columns = {
        "whole": [1, 2, None, 4],
        "text": list("abcd"),
        "when": [DAY] * 4,
        "more": [1, 2, 3, 4],
        "and": [None, 1, 2, 3],
    }
    path = by_arrow(tmp_path / "a.parquet", {**columns, "at": pa.array([1, 2, 3, 4], pa.timestamp("us"))}, rows=1)
    spec, facts = spec_of(path), facts_of(path)
    full = pd.read_parquet(path)
    for number, group in enumerate(facts.groups):
        rows = read(narrowed_to(spec, facts, [group]), {})
        for kind in ("float64", "int64", "datetime64[us]"):
            assert raised_by(rows.astype, kind) == raised_by(full.iloc[[number]].astype, kind)
