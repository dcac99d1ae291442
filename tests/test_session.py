"""What is stored already is read as far as a pipeline uses it: columns and row groups, told before anything runs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import cloudburst as cb
from cloudburst import providers, session
from cloudburst.errors import Tampered
from cloudburst.graph.nodes import Stored
from cloudburst.runtime.codecs.parquet import ROW_GROUP
from cloudburst.runtime.stores.local import LocalStore
from tests.contracts.equality import assert_same

ROWS = 3 * ROW_GROUP + 1000


def made() -> pd.DataFrame:
    noise = np.random.default_rng(0)
    return pd.DataFrame(
        {"n": np.arange(ROWS), "r": noise.random(ROWS), "s": noise.integers(0, 9, ROWS).astype("str")},
        index=pd.RangeIndex(10, 10 + 2 * ROWS, 2, name="row"),
    )


@cb.stage
def large() -> pd.DataFrame:
    return made()


@cb.stage(cache=True)
def cached() -> pd.DataFrame:
    return made()


@cb.stage
def fails(frame: pd.DataFrame) -> None:
    raise ValueError("no")


@cb.stage
def fails_too(frame: pd.DataFrame) -> None:
    raise ValueError("no")


@cb.stage
def numbers() -> pd.DataFrame:
    return pd.DataFrame({"z": np.arange(ROWS)}, index=made().index)


@cb.stage
def others() -> pd.DataFrame:
    return pd.DataFrame({"z": -np.arange(ROWS)}, index=made().index)


@pytest.fixture
def shared(tmp_path):
    """A directory that others write to, too, as a bucket is."""
    cb.init_local()
    provider = providers.current()
    provider._store = LocalStore(tmp_path, shared=True)
    yield provider._store
    provider.close()
    cb.init_local()


def prepared(deferred):
    return session.prepare([deferred._expr], dry=True).plan


def test_of_a_persisted_frame_a_filter_reads_its_row_groups_and_columns(shared):
    kept = large().persist()
    few = kept[kept["n"] >= 3 * ROW_GROUP][["r"]]
    plan = prepared(few)
    assert [artifact.groups for artifact in plan.given if artifact.codec == "parquet"] == [(3,)]
    assert plan.tasks[0].inputs[0].columns == ("n", "r")
    assert "large: 2 of 3 columns, 1 of 4 row groups, about " in str(few.explain())
    frame = made()
    assert_same(few.compute(), frame[frame["n"] >= 3 * ROW_GROUP][["r"]])


def test_what_was_cached_is_read_as_what_was_persisted(shared):
    cached().compute()
    few = cached().query("n < 100")
    assert [artifact.groups for artifact in prepared(few).given] == [(0,)]
    assert prepared(cached()["r"].sum()).tasks[0].inputs[0].columns == ("r",)
    frame = made()
    assert_same(few.compute(), frame.query("n < 100"))
    assert cached()["n"].max().compute() == ROWS - 1
    assert_same(cached().compute(), frame)


def test_what_is_used_whole_beside_a_filter_is_read_whole(shared):
    kept = large().persist()
    both = cb.defer([kept[kept["n"] < 5], kept])
    assert [artifact.groups for artifact in prepared(both).given] == [None]
    small, whole = both.compute()
    assert_same(whole, made())
    assert_same(small, made()[:5])


def test_a_stage_of_another_machine_is_given_what_the_filter_left(shared):
    kept = large().persist()
    some = kept[kept["n"].between(ROW_GROUP, ROW_GROUP + 2)]
    assert [artifact.groups for artifact in prepared(cb.defer(len)(some)).given] == [(1,)]
    assert cb.defer(len)(some).compute() == 3


def test_a_frame_that_somebody_changed_is_refused_when_it_is_read(shared):
    kept = large().persist()
    artifact = kept._expr.what.artifact
    data = bytes(shared.get(artifact.body))
    shared.put(artifact.body, [data[:-300], bytes([data[-300] ^ 1]), data[-299:]])
    few = kept[kept["n"] < 5]
    assert [one.groups for one in prepared(few).given] == [None], "nothing is known of what was changed"
    with pytest.raises(Tampered):
        few["r"].sum().compute()


def test_a_persisted_value_of_a_store_of_ones_own_is_read_whole():
    kept = large().persist()
    assert isinstance(kept._expr.what, Stored)
    few = kept[kept["n"] < 5]
    assert [artifact.groups for artifact in prepared(few).given] == [None]
    assert_same(few.compute(), made()[:5])


def test_what_a_failed_run_left_of_some_columns_is_not_taken_for_the_whole(shared):
    some = large().loc[cached()["n"] < 5]  # a task of its own, which two others read by columns
    one, two = some.assign(z=numbers()["z"])[["n", "z"]], some.assign(z=others()["z"])[["r", "z"]]
    with pytest.raises(ValueError, match="no"):
        cb.compute(fails(one), fails_too(two))
    assert_same(some.compute(), made()[:5])
