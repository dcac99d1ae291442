"""What the trailer of a stored frame tells, and that it is never more than what is so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudburst.graph.facts import SourceFacts
from cloudburst.runtime.artifacts import write
from cloudburst.runtime.codecs.parquet import exactly_parquet
from cloudburst.runtime.sources import Bounds, Labels, RowGroup, read_stored_facts, stored
from cloudburst.runtime.sources.latest import Latest
from cloudburst.runtime.stores.memory import MemoryStore
from tests.frames.kept import stored as in_groups
from tests.strategies import frames as made


class Counting(MemoryStore):
    """A shared store that tells what was read of it."""

    def __init__(self) -> None:
        super().__init__(shared=True)
        self.reads: list[int] = []

    def get(self, key, ranges=None):
        data = super().get(key, ranges)
        self.reads.append(len(data))
        return data


@pytest.fixture(autouse=True)
def _nothing_is_known_from_before(monkeypatch):
    monkeypatch.setattr(stored, "_latest", Latest(1 << 20, lambda facts: facts.kept_bytes))


def facts_of(frame, rows=3):
    store = MemoryStore(shared=True)
    facts = read_stored_facts(in_groups(frame, store, "a/0", rows), store)
    assert facts is not None
    return facts


FRAME = pd.DataFrame(
    {
        "i": np.array([1, 2, 3, 4, 5], "uint8"),
        "m": pd.array([2**60 + 1, None, None, None, None], dtype="Int64"),
        "f": [1.5, np.nan, -0.0, np.inf, 0.0],
        "s": ["a", "b", None, "z", "y"],
        "t": np.array(["2024-01-01", "NaT", "2024-01-03", "NaT", "NaT"], "M8[ns]"),
        "d": np.array([1, "NaT", 3, 4, 5], "m8[ms]"),
        "c": pd.Categorical(["u", None, "w", "u", "w"]),
        "b": [True, False, True, True, True],
    }
)


def test_they_are_what_the_graph_asks_for():
    facts: SourceFacts = facts_of(FRAME)
    assert dict(facts.columns) == {
        "i": "uint8", "m": "Int64", "f": "float64", "s": "str", "t": "datetime64[ns]", "d": "timedelta64[ms]",
        "c": "category", "b": "bool",
    }  # fmt: skip
    assert facts.groups == (RowGroup(0, 0, 0), RowGroup(0, 1, 3))
    assert facts.all_rows == facts.skippable("i") == facts.skippable("c") == ""
    assert facts.skippable("lost") == "lost is not a column of it"
    assert facts.nbytes(["i"], [RowGroup(0, 1, 3)]) < facts.nbytes(["i"]) < facts.nbytes()
    assert facts.nbytes(["i"], []) == 0


def test_bounds_are_told_by_group():
    facts = facts_of(FRAME)
    assert facts.bounds("i") == (Bounds(1, 3, 0), Bounds(4, 5, 0))
    assert facts.bounds("m") == (Bounds(2**60 + 1, 2**60 + 1, 2), Bounds(None, None, 2))
    assert facts.bounds("f") == (Bounds(-0.0, 1.5, None), Bounds(0.0, np.inf, None))
    assert facts.bounds("s") == (Bounds("a", "b", 1), Bounds("y", "z", 0))
    first, third = pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-03")
    assert facts.bounds("t") == (Bounds(first, third, 1), Bounds(None, None, 2))
    assert facts.bounds("d") == facts.bounds("c") == (Bounds(None, None, 1), Bounds(None, None, 0))
    assert facts.bounds("b") == (Bounds(False, True, 0), Bounds(True, True, 0))
    assert facts.bounds("lost") == (Bounds(None, None, None),) * 2


def test_what_is_missing_is_told_where_it_is_known():
    facts = facts_of(FRAME)
    assert [facts.has_nulls(name) for name in "imfsb"] == [False, True, None, True, False]


def test_labels_are_told_where_they_are_a_range():
    facts = facts_of(FRAME.set_axis(pd.RangeIndex(9, -6, -3), axis=0))
    assert (facts.labels, facts.levels) == (Labels(9, -6, -3), ())
    named = facts_of(FRAME.set_axis(pd.RangeIndex(5, name="r"), axis=0))
    assert (named.labels, named.levels) == (Labels(0, 5, 1), None)
    others = facts_of(FRAME.set_axis(pd.Index(list("vwxyz"), name="k"), axis=0))
    assert (others.labels, others.levels, others.all_rows) == (None, (("k", "str"),), "")
    assert facts_of(FRAME.set_axis(list("vwxyz"), axis=0)).levels is None


def test_labels_with_a_frequency_are_read_whole():
    dates = pd.date_range("2024-01-01", periods=5, freq="D")
    assert facts_of(FRAME.set_axis(dates, axis=0)).all_rows == "its row labels have a frequency"
    assert facts_of(FRAME.set_axis(pd.DatetimeIndex(list(dates)), axis=0)).all_rows == ""


def test_labels_are_counted_with_the_columns_that_are_read():
    labelled = facts_of(FRAME.set_axis(list("vwxyz"), axis=0))
    assert labelled.nbytes(["i"]) > facts_of(FRAME).nbytes(["i"])
    assert "__index__" not in labelled.columns


def test_they_are_read_by_one_request_the_first_time():
    store = Counting()
    artifact = in_groups(FRAME, store, "a/0", 3)
    first = read_stored_facts(artifact, store)
    assert store.reads == [int.from_bytes(artifact.checksum[64:], "little")]
    assert read_stored_facts(artifact, store) is first
    assert len(store.reads) == 1


def test_what_is_small_or_no_frame_or_ones_own_has_none():
    store = Counting()
    noise = pd.DataFrame({"r": np.random.default_rng(0).random(10_000)})
    assert read_stored_facts(write(FRAME, store, "a/0"), store) is None
    assert read_stored_facts(write(noise, store, "a/1"), store) is None
    assert read_stored_facts(write(bytes(2 << 20), store, "a/2"), store) is None
    assert read_stored_facts(write([noise], store, "a/3", parts=True), store) is None
    own = MemoryStore()
    assert (
        read_stored_facts(write(pd.DataFrame({"r": np.random.default_rng(0).random(200_000)}), own, "a"), own) is None
    )
    assert store.reads == []


@pytest.mark.parametrize("back", [1, 9, 200])
def test_of_a_trailer_that_somebody_changed_nothing_is_known(back):
    store = Counting()
    artifact = in_groups(FRAME, store, "a/0", 3)
    data = bytes(store.get("a/0"))
    store.put("a/0", [data[:-back], bytes([data[-back] ^ 1]), data[len(data) - back + 1 :]])
    assert read_stored_facts(artifact, store) is None
    store.delete(["a/0"])
    assert read_stored_facts(artifact, store) is None
    store.put("a/0", [data])
    assert read_stored_facts(artifact, store) is not None, "what could not be read is asked for again"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data(), rows=st.integers(1, 4))
def test_every_value_lies_within_its_bounds(data, rows):
    count = data.draw(made.ROWS)
    column = data.draw(made.columns(count).filter(lambda values: exactly_parquet(pd.DataFrame({"a": values}))))
    frame = pd.DataFrame({"a": column})
    facts = facts_of(frame, rows)
    assert dict(facts.columns) == {"a": str(frame["a"].dtype)}
    starts = [group.offset for group in facts.groups]
    for bound, start, stop in zip(facts.bounds("a"), starts, [*starts[1:], count], strict=True):
        part = frame["a"].iloc[start:stop]
        there = part.dropna()
        assert bound.nulls in (None, len(part) - len(there))
        for value in there if bound.low is not None else ():
            assert bound.low <= value <= bound.high
    if facts.has_nulls("a") is False:
        assert not frame["a"].isna().any()


def test_a_frame_that_is_read_in_part_already_is_told_as_the_whole():
    store = MemoryStore(shared=True)
    artifact = in_groups(FRAME, store, "a/0", 3)
    facts = read_stored_facts(artifact._replace(groups=(1,)), store)
    assert facts is not None
    assert len(facts.groups) == 2
