import datetime as dt
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloudburst.graph.facts import SourceFacts
from cloudburst.graph.nodes import RowGroup as GraphRowGroup
from cloudburst.runtime.sources import Bounds, Labels, RowGroup, facts, read_facts
from tests.runtime.sources.files import by_arrow, by_pandas, facts_of, spec_of

DAY = dt.date(2024, 2, 29)
NONE = Bounds(None, None, None)


def bounds_of(tmp_path, array, rows=3, **options):
    path = by_arrow(tmp_path / "bounds.parquet", {"a": array}, rows, **options)
    return list(facts_of(path).bounds("a"))


def test_they_are_what_the_graph_asks_for(tmp_path):
    known: SourceFacts = facts_of(by_arrow(tmp_path / "a.parquet", {"a": [1, 2, 3, 4]}))
    assert known.groups == (GraphRowGroup(0, 0, 0), GraphRowGroup(0, 1, 3))
    assert known.groups[1].offset == 3
    assert known.nbytes(["a"], [GraphRowGroup(0, 1, 3)]) < known.nbytes(["a"]) == known.nbytes()
    assert list(known.columns) == ["a"]
    assert "b" not in known.columns
    with pytest.raises(KeyError):
        known.columns["b"]


def test_bounds_of_integers_are_told_by_group(tmp_path):
    assert bounds_of(tmp_path, pa.array([3, 1, 2, -(2**63), 2**63 - 1, None])) == [
        Bounds(1, 3, 0),
        NONE._replace(nulls=1),  # as floats, to which the missing one turns them, they are rounded
    ]
    assert bounds_of(tmp_path, pa.array([-(2**63), 2**63 - 1])) == [Bounds(-(2**63), 2**63 - 1, 0)]
    assert bounds_of(tmp_path, pa.array([2**63 + 5, 7, 8], pa.uint64())) == [Bounds(7, 2**63 + 5, 0)]
    assert bounds_of(tmp_path, pa.array([200, 7, 8], pa.uint8())) == [Bounds(7, 200, 0)]
    assert bounds_of(tmp_path, pa.array([2**32 - 1, 7], pa.uint32())) == [Bounds(7, 2**32 - 1, 0)]
    assert bounds_of(tmp_path, pa.array([-1, 7, None], pa.int8())) == [Bounds(-1, 7, 1)]


def test_bounds_of_masked_integers_are_exact(tmp_path):
    path = by_pandas(tmp_path / "a.parquet", pd.DataFrame({"a": pd.array([2**60 + 1, None], dtype="Int64")}))
    assert list(facts_of(path).bounds("a")) == [Bounds(2**60 + 1, 2**60 + 1, 1)]


def test_bounds_of_floats_pass_over_nan_and_do_not_tell_what_is_missing(tmp_path):
    nan = float("nan")
    assert bounds_of(tmp_path, [1.5, nan, -2.0, nan, nan, nan, None, None, None]) == [
        Bounds(-2.0, 1.5, None), NONE, NONE
    ]  # fmt: skip
    assert bounds_of(tmp_path, [math.inf, 0.0, -0.0]) == [Bounds(0.0, math.inf, None)]


def test_bounds_of_single_floats_hold_for_what_pandas_compares_them_with(tmp_path):
    values = np.array([0.1, 0.7, 3.4028235e38], "float32")
    (bounds,) = bounds_of(tmp_path, pa.array(values))
    assert bounds.low < 0.1 < 0.7 < bounds.high
    for number in (0.1, 0.3, 0.7, 1 / 3):
        (bounds,) = bounds_of(tmp_path, pa.array(np.array([number], "float32")))
        assert (pd.Series([number], dtype="float32") == number).all()
        assert bounds.low <= number <= bounds.high


def test_bounds_of_booleans_dates_and_texts_are_python_values(tmp_path):
    assert bounds_of(tmp_path, [True, True, None, False, True, None]) == [Bounds(True, True, 1), Bounds(False, True, 1)]
    assert bounds_of(tmp_path, [DAY, None, dt.date(1, 1, 1)]) == [Bounds(dt.date(1, 1, 1), DAY, 1)]
    assert bounds_of(tmp_path, ["b", "é", ""]) == [Bounds("", "é", 0)]
    assert bounds_of(tmp_path, ["x" * 1000, None, "y"]) == [Bounds("x" * 1000, "y", 1)]
    assert bounds_of(tmp_path, pa.array([10**8, -(10**8)], pa.date32())) == [NONE._replace(nulls=0)]


def test_bounds_of_texts_that_another_program_may_have_shortened_are_not_trusted(tmp_path, monkeypatch):
    path = by_arrow(tmp_path / "a.parquet", {"a": ["x" * 16, "y"], "b": ["x" * 15, "y"]})
    written = path.read_bytes()
    path.write_bytes(written.replace(b"parquet-cpp-arrow version", b"parquet-rs--arrow version"))
    known = facts_of(path)
    assert pq.read_metadata(path).created_by.startswith("parquet-rs")
    assert list(known.bounds("a")) == [NONE._replace(nulls=0)]
    assert list(known.bounds("b")) == [Bounds("x" * 15, "y", 0)]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Paris", "+02:00"])
def test_bounds_of_times_are_timestamps_of_their_unit_and_zone(tmp_path, unit, zone):
    (bounds,) = bounds_of(tmp_path, pa.array([10**12 + 1, None, 5], pa.timestamp(unit, zone)))
    values = pd.read_parquet(tmp_path / "bounds.parquet")["a"]
    assert bounds == Bounds(values.min(), values.max(), 1)
    assert bounds.low.tzinfo == values.min().tzinfo
    assert bounds.high - bounds.low == values.max() - values.min()
    assert bounds.low.unit == unit


def test_bounds_of_times_that_pandas_takes_for_missing_are_not_told(tmp_path):
    path = by_arrow(tmp_path / "a.parquet", {"a": pa.array([-(2**63), 5], pa.timestamp("ns"))})
    assert pd.read_parquet(path)["a"].isna().tolist() == [True, False]
    assert list(facts_of(path).bounds("a")) == [NONE]
    assert facts_of(path).has_nulls("a") is None


def test_bounds_that_decide_nothing_are_not_told(tmp_path):
    import decimal

    for array in (
        pa.array([decimal.Decimal("1.5")]), pa.array([[1]]), pa.array([b"x"]), pa.array([1], pa.time32("ms")),
        pa.array(["a"]).dictionary_encode(), pa.array([1], pa.duration("ms")), pa.nulls(1),
        pa.array([1.0], pa.float16()),
    ):  # fmt: skip
        assert [(one.low, one.high) for one in bounds_of(tmp_path, array)] == [(None, None)]
    int96 = pa.array([1, 2], pa.timestamp("ns"))
    assert bounds_of(tmp_path, int96, use_deprecated_int96_timestamps=True)[0].low is None


def test_without_statistics_nothing_is_told(tmp_path):
    path = by_arrow(tmp_path / "a.parquet", {"a": [1, 2, 3, 4], "s": ["x"] * 4}, write_statistics=False)
    known = facts_of(path)
    assert list(known.bounds("a")) == [NONE, NONE]
    assert known.has_nulls("a") is None
    assert dict(known.columns) == {"a": "", "s": "str"}
    assert "does not tell" in known.skippable("a")
    assert known.skippable("s") == ""


def test_a_column_that_cannot_be_missing_needs_no_statistics(tmp_path):
    schema = pa.schema([pa.field("a", pa.int64(), nullable=False)])
    path = by_arrow(tmp_path / "a.parquet", pa.table([[1, 2]], schema=schema), write_statistics=False)
    assert facts_of(path).has_nulls("a") is False
    assert facts_of(path).columns["a"] == "int64"


def test_nulls_anywhere_are_told(tmp_path):
    path = by_arrow(
        tmp_path / "a.parquet", {"a": [1, 2, 3, None], "b": [1] * 4, "f": [1.5] * 4, "g": [1.5, None, 1, 1]}
    )
    known = facts_of(path)
    assert [known.has_nulls(name) for name in "abfg"] == [True, False, None, True]
    assert known.has_nulls("no such") is None
    assert known.columns["a"] == "float64"


def test_columns_leave_out_row_labels(tmp_path):
    frame = pd.DataFrame({"a": [1], "k": ["x"], "b": [1.5]}).set_index("k")
    known = facts_of(by_pandas(tmp_path / "a.parquet", frame))
    assert dict(known.columns) == {"a": "int64", "b": "float64"}
    assert known.labels is None
    assert known.all_rows == ""
    assert known.nbytes(["a"]) > known.nbytes(["a", "b"]) / 2


def test_labels_that_need_all_rows_are_a_reason(tmp_path):
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [0.5, 1.5]})
    several = facts_of(by_pandas(tmp_path / "several.parquet", frame.set_index(["a", "b"])))
    assert "several levels" in several.all_rows
    assert several.labels is None
    category = frame.set_index(pd.CategoricalIndex(["x", "y"]))
    assert "row labels are of type" in facts_of(by_pandas(tmp_path / "category.parquet", category)).all_rows
    dates = frame.set_index(pd.Index([DAY, DAY]))
    assert "row labels are of type" in facts_of(by_pandas(tmp_path / "dates.parquet", dates)).all_rows
    masked = frame.set_index(pd.Index([1, None], dtype="Int64"))
    assert "may be missing" in facts_of(by_pandas(tmp_path / "masked.parquet", masked)).all_rows
    table = pa.Table.from_pandas(frame.set_index("b"))
    lost = facts_of(by_arrow(tmp_path / "lost.parquet", table.drop_columns(["b"])))
    assert lost.all_rows == "its row labels are not there"


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({0: [1], 1: [2]}),
        pd.DataFrame({("a", "b"): [1], ("a", "c"): [2]}),
        pd.DataFrame({pd.Timestamp("2024"): [1]}),
    ],
)
def test_columns_of_other_names_than_those_in_the_file_are_not_known(tmp_path, frame):
    assert facts_of(by_pandas(tmp_path / "a.parquet", frame)) is None


def test_a_type_of_arrows_extensions_is_not_known(tmp_path):
    array = pa.array(["1", "{}"], pa.json_())
    path = by_arrow(
        tmp_path / "a.parquet", {"j": array, "n": [1, 2], "p": pa.array(pd.period_range("2024", periods=2))}
    )
    known = facts_of(path)
    assert known.skippable("j")
    assert known.skippable("p")
    assert known.columns["j"] == ""
    assert known.columns["p"] == str(pd.read_parquet(path).dtypes["p"])
    assert known.columns["n"] == "int64"


def test_nested_columns_are_counted_as_what_they_are_stored_as(tmp_path):
    columns = {"s": [{"x": 1, "y": [1]}], "m": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "n": [7]}
    known = facts_of(by_arrow(tmp_path / "a.parquet", columns))
    assert list(known.bounds("n")) == [Bounds(7, 7, 0)]
    assert known.nbytes(["s", "m", "n"]) == known.nbytes()
    assert known.has_nulls("s") is None
    assert known.columns["s"] == "object"


def test_of_very_many_files_only_the_first_is_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(facts, "MOST_FILES", 2)
    paths = [by_arrow(tmp_path / f"{number}.parquet", {"a": [1], "s": ["x"]}) for number in range(3)]
    for path in paths[1:]:
        path.write_bytes(b"none of Parquet's")
    known = facts_of(paths)
    assert known.groups == ()
    assert known.labels is None
    assert "3 files" in known.all_rows
    assert dict(known.columns) == {"a": "", "s": "str"}
    assert facts_of(paths[:2]) is None


def test_what_is_no_parquet_has_no_facts(tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "empty.parquet").write_bytes(b"")
    assert read_facts(spec_of(tmp_path / "a.csv", "csv")) is None
    assert facts_of(tmp_path / "empty.parquet") is None
    assert facts_of([tmp_path / "empty.parquet", tmp_path / "a.csv"]) is None
    gone = spec_of(tmp_path / "empty.parquet")
    (tmp_path / "empty.parquet").unlink()
    assert read_facts(gone) is None


def test_what_pandas_wrote_of_itself_may_be_nonsense(tmp_path):
    table = pa.table({"a": [1, 2]})
    for number, told in enumerate(("", "[]", "{", '{"index_columns": [3]}', '{"index_columns": [{"kind": "odd"}]}')):
        path = by_arrow(tmp_path / f"{number}.parquet", table.replace_schema_metadata({"pandas": told}))
        assert facts_of(path) is None


def test_a_file_that_was_written_again_has_other_facts(tmp_path):
    path = by_arrow(tmp_path / "a.parquet", {"a": [1, 2]})
    before = spec_of(path)
    assert facts_of(path).labels == Labels(0, 2, 1)
    by_arrow(path, {"a": [1, 2, 3]})
    assert facts_of(path).labels == Labels(0, 3, 1)
    assert facts_of(path).groups == (RowGroup(0, 0, 0),)
    assert read_facts(before).labels == Labels(0, 2, 1)


def test_ten_thousand_columns_cost_little(tmp_path):
    table = pa.table({f"c{number}": [number, None] for number in range(10_000)})
    path = by_arrow(tmp_path / "a.parquet", table, 2)
    spec = spec_of(path)
    known = read_facts(spec)
    assert (known.columns["c7"], known.bounds("c7")[0].low) == ("float64", 7)
    assert len(known.columns) == 10_000
    assert set(vars(known)["_dtypes"]) <= {"c7"}, "the others were looked at too"
    assert set(known.columns.values()) == {"float64"}
