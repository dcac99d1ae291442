"""Columns and row groups of what a stage returned, read from S3 without the others: the bytes are counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import cloudburst as cb
from cloudburst import session
from cloudburst.runtime.codecs.parquet import ROW_GROUP
from cloudburst.testing import objects
from tests.aws.runs import on_aws, ran
from tests.contracts.equality import assert_same

pytestmark = pytest.mark.no_cover

ROWS, COLUMNS = 200_000, 15


@cb.stage(cpu=256, memory=1024)
def wide():
    rng = np.random.default_rng(0)
    return pd.DataFrame({f"c{number}": rng.random(ROWS) for number in range(COLUMNS)})


@cb.stage(cpu=1024, memory=2048, reads={"frame": ["c7", "c8"]})
def narrow(frame):
    return frame


@pytest.fixture
def fetched(monkeypatch):
    """The bytes of each answer to a GetObject, by key."""
    given = objects._given
    sizes: dict[str, list[int]] = {}

    def counted(found, request):
        answer = given(found, request)
        if answer is not None and request.operation == "GetObject":
            sizes.setdefault(found.name, []).append(len(answer.body))
        return answer

    monkeypatch.setattr(objects, "_given", counted)
    return sizes


def of(fetched, artifact):
    [sizes] = [sizes for key, sizes in fetched.items() if key.endswith(artifact.body)]
    return sizes


def test_two_columns_of_fifteen_are_fetched_as_if_there_were_no_others(fetched):
    with on_aws() as aws:
        kept = wide().persist()
        [artifact] = [kept._expr.what.artifact]
        assert artifact.codec == "parquet"
        fetched.clear()
        one = ran(aws, narrow(kept))
    assert one.error is None
    expected = wide.func()[["c7", "c8"]]
    assert_same(one.value, expected)
    columns = artifact.nbytes * 2 / COLUMNS  # all compress alike
    assert columns < sum(of(fetched, artifact)) <= 1.2 * columns
    assert len(of(fetched, artifact)) <= 3  # the trailer, and the columns in each of two row groups


@cb.stage(cpu=256, memory=1024, cache=True)
def ordered():
    rng = np.random.default_rng(0)
    return pd.DataFrame({f"c{number}": rng.random(ROWS) for number in range(COLUMNS)} | {"n": np.arange(ROWS)})


def test_of_a_cached_result_a_filter_fetches_the_row_groups_and_columns_that_it_can_use(fetched):
    with on_aws() as aws:
        first = ran(aws, ordered()["n"].max())
        assert first.value == ROWS - 1
        fetched.clear()
        result = ordered()
        few = result[result["n"] >= ROWS - 1000]["c3"]
        [artifact] = [given for given in session.prepare([few._expr], dry=True).plan.given if given.groups == (1,)]
        trailer = int.from_bytes(artifact.checksum[64:], "little")
        assert of(fetched, artifact) == [trailer], "what is read to plan it"
        one = ran(aws, few)
    assert one.error is None
    frame = ordered.func()
    assert_same(one.value, frame[frame["n"] >= ROWS - 1000]["c3"])
    rows = ROWS - ROW_GROUP
    sizes = of(fetched, artifact)
    assert sizes[:2] == [trailer, trailer]  # once where it is planned, and once where it is read
    assert 8 * rows < sum(sizes[2:]) < 2 * 8 * rows  # of two columns in one row group
    assert len(sizes) <= 4
    assert sum(sizes) < artifact.nbytes / 20
