"""What is learned of frames before anything runs."""

from __future__ import annotations

import pandas as pd
import pytest

import cloudburst as cb
from cloudburst import pandas as cpd
from cloudburst.deferred import wrap
from cloudburst.graph.expr import make
from cloudburst.graph.graph import Graph
from cloudburst.graph.nodes import Stored
from cloudburst.runtime.stores.local import LocalStore
from cloudburst.runtime.stores.memory import MemoryStore
from cloudburst.schemas import known_frames, source_facts, stored_facts
from tests.frames.kept import stored as in_groups

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


def kept_in(store, key="a/0", of=None):
    artifact = in_groups(pd.DataFrame({"amount": range(40), "region": "north"}), store, key, 10)
    return wrap(make(Stored(artifact, key.encode(), "kept", of)))


def test_trailers_tell_columns_and_row_groups_of_stored_frames():
    store = MemoryStore(shared=True)
    kept, more = kept_in(store), kept_in(store, "a/1", store)
    facts = stored_facts(graph_of(kept[kept.amount > 30], more.query("amount > 30")), store)
    assert facts.keys() == {kept._expr.key, more._expr.key}
    assert [dict(one.columns) for one in facts.values()] == [{"amount": "int64", "region": "str"}] * 2
    assert [len(one.groups) for one in facts.values()] == [4, 4]


def test_trailers_are_not_read_where_no_filter_can_use_them():
    class Untouched(MemoryStore):
        def get(self, key, ranges=None):
            raise AssertionError(key)

    store = Untouched(shared=True)
    kept = kept_in(store)
    assert stored_facts(graph_of(kept), store) == {}
    assert stored_facts(graph_of(kept.amount.sum()), store) == {}
    assert stored_facts(graph_of(kept.query("amount > 30"), kept), store) == {}


def test_what_is_small_or_lies_in_another_store_has_no_trailer_to_read(tmp_path):
    store = MemoryStore(shared=True)
    kept = kept_in(store, of=LocalStore(tmp_path, shared=True))
    small = wrap(make(Stored(kept._expr.what.artifact._replace(checksum=bytes(32)), b"small", "small")))
    assert stored_facts(graph_of(kept.query("amount > 30"), small.query("amount > 30")), store) == {}
