"""Columns of what a stage returned, read from S3 without the others: the bytes are counted."""

from __future__ import annotations

import numpy as np
import pandas as pd

import cloudburst as cb
from cloudburst.testing import objects
from tests.aws.runs import on_aws, ran
from tests.contracts.equality import assert_same

ROWS, COLUMNS = 200_000, 15


@cb.stage(cpu=256, memory=1024)
def wide():
    rng = np.random.default_rng(0)
    return pd.DataFrame({f"c{number}": rng.random(ROWS) for number in range(COLUMNS)})


@cb.stage(cpu=1024, memory=2048, reads={"frame": ["c7", "c8"]})
def narrow(frame):
    return frame


def test_two_columns_of_fifteen_are_fetched_as_if_there_were_no_others(monkeypatch):
    given = objects._given
    read: dict[str, list[int]] = {}

    def counted(found, request):
        answer = given(found, request)
        if answer is not None and request.operation == "GetObject":
            read.setdefault(found.name, []).append(len(answer.body))
        return answer

    monkeypatch.setattr(objects, "_given", counted)
    with on_aws() as aws:
        kept = wide().persist()
        [artifact] = [kept._expr.what.artifact]
        assert artifact.codec == "parquet"
        read.clear()
        one = ran(aws, narrow(kept))
    assert one.error is None
    expected = wide.func()[["c7", "c8"]]
    assert_same(one.value, expected)
    [requests] = [sizes for key, sizes in read.items() if key.endswith(artifact.body)]
    columns = artifact.nbytes * 2 / COLUMNS  # all compress alike
    assert columns < sum(requests) <= 1.2 * columns
    assert len(requests) <= 3  # the footer, and the columns in each of two row groups
