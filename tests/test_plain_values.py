"""What a plan may look at is a copy that nobody else can write to."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest

from cloudburst.plain_values import NOTHING, copied, is_spelling

DAY = datetime.date(2024, 1, 1)


@pytest.mark.parametrize(
    "value", [3, "a", None, DAY, np.int64(3), slice(None), (slice(1, 3), ["a", "b"]), {"a": [1, (2,)]}]
)
def test_what_is_plain_is_copied(value):
    assert copied(value) == value


def test_a_copy_is_nobody_elses():
    given = (slice(None), ["a"])
    made = copied(given)
    given[1].append("b")
    assert made == (slice(None), ["a"])


@pytest.mark.parametrize("value", [object(), [object()], slice([]), {"a": np.array([1])}, [[[[[[1]]]]]]])
def test_of_anything_else_there_is_none(value):
    assert copied(value) is NOTHING


def test_how_pandas_spells_an_op_out_in_words_may_be_looked_at():
    assert is_spelling(pd.NamedAgg("a", "sum"))
    assert is_spelling(pd.Grouper(key="day", freq="MS"))
    assert not is_spelling(pd.NamedAgg("a", lambda part: part.sum()))
    assert not is_spelling(pd.Grouper)
    assert not is_spelling("NamedAgg")
