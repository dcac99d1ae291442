"""What is learned of frames before anything runs."""

from __future__ import annotations

import pandas as pd
import pytest

import cloudburst as cb
from cloudburst import pandas as cpd
from cloudburst.graph.graph import Graph
from cloudburst.schemas import known_frames, source_facts

FRAME = pd.DataFrame({"region": ["north"], "amount": [1]})


@cb.stage
def frame() -> pd.DataFrame:
    return FRAME


@cb.stage
def series() -> pd.Series:
    return FRAME["amount"]


def graph_of(*deferreds):
    return Graph.of(tuple(one._expr for one in deferreds))


def test_footers_tell_columns_and_dtypes(tmp_path):
    FRAME.to_parquet(tmp_path / "a.parquet")
    read = cpd.read_parquet(tmp_path / "a.parquet")
    facts = source_facts(graph_of(read, cb.defer(1)))
    assert {key: dict(one.columns) for key, one in facts.items()} == {
        read._expr.key: {"region": "str", "amount": "int64"}
    }


def test_a_file_that_tells_nothing_is_left_out(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nonsense PAR1")
    assert source_facts(graph_of(cpd.read_parquet(tmp_path / "a.parquet"))) == {}


def test_stages_and_values_that_are_frames_are_known():
    made, given, other = frame(), cb.defer(FRAME), series()
    known = known_frames(graph_of(made, given, other, cb.defer(FRAME["amount"])))
    assert known == {made._expr.key: None, given._expr.key: {"region": "str", "amount": "int64"}}


def test_labels_that_are_no_distinct_texts_are_not_known():
    twice, numbers = FRAME[["amount", "amount"]], pd.DataFrame([[1, 2]])
    graph = graph_of(cb.defer(twice), cb.defer(numbers))
    assert list(known_frames(graph).values()) == [None, None]


def test_a_column_that_is_not_there_is_told_before_anything_is_started(tmp_path):
    FRAME.to_parquet(tmp_path / "a.parquet")
    read = cpd.read_parquet(tmp_path / "a.parquet")
    with pytest.raises(KeyError, match="amuont") as told:
        read["amuont"].sum().compute()
    [note] = told.value.__notes__
    assert note.startswith("test_schemas.py:")
    assert "did you mean 'amount'? Nothing was started." in note
    with pytest.raises(KeyError) as told:
        read["x"].explain()
    assert "it has region, amount." in told.value.__notes__[0]
