"""Equal, all told: what ``==`` and ``assert_frame_equal`` pass over is looked at too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def assert_same(value: Any, other: Any) -> None:
    """Fail unless two values are alike in type, content, dtypes, labels, freq, attrs and flags."""
    assert type(value) is type(other)
    if isinstance(value, pd.DataFrame):
        _assert_same_frame(value, other)
    elif isinstance(value, pd.Series):
        pd.testing.assert_series_equal(value, other, check_freq=True, check_flags=True, check_exact=True)
        assert_same(value.index, other.index)
        _assert_same_label(value.name, other.name)
        assert value.attrs == other.attrs
    elif isinstance(value, pd.Index):
        _assert_same_index(value, other)
    elif isinstance(value, np.ndarray):
        assert (value.dtype, value.shape) == (other.dtype, other.shape)
        np.testing.assert_array_equal(value, other, strict=True)
    elif isinstance(value, (list, tuple)):
        assert len(value) == len(other)
        for one, two in zip(value, other, strict=True):
            assert_same(one, two)
    elif isinstance(value, dict):
        assert list(value) == list(other)
        assert_same(list(value.values()), list(other.values()))
    elif hasattr(value, "equals"):
        assert value.equals(other)
        assert getattr(value, "schema", None) == getattr(other, "schema", None)
    else:
        assert value == other


def _assert_same_frame(frame: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(frame, other, check_freq=True, check_flags=True, check_exact=True)
    assert_same(frame.index, other.index)
    assert_same(frame.columns, other.columns)
    assert frame.attrs == other.attrs
    for number in range(frame.shape[1]):
        one, two = frame.iloc[:, number], other.iloc[:, number]
        assert one.dtype == two.dtype
        if one.dtype == object:
            assert [*map(type, one)] == [*map(type, two)]


def _assert_same_index(index: pd.Index, other: pd.Index) -> None:
    pd.testing.assert_index_equal(index, other, exact=True, check_exact=True)
    assert [*map(repr, index.names)] == [*map(repr, other.names)]
    assert getattr(index, "freq", None) == getattr(other, "freq", None)
    if isinstance(index, pd.MultiIndex):
        for one, two in zip(index.levels, other.levels, strict=True):
            assert one.dtype == two.dtype


def _assert_same_label(label: Any, other: Any) -> None:
    both_missing = label != label and other != other  # NaN is equal to none, itself included
    assert type(label) is type(other)
    assert both_missing or label == other
