from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import threading
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from cloudburst.runtime.copies import is_fixed, own_copy

FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})


class Point(NamedTuple):
    x: Any
    y: Any


@dataclasses.dataclass(frozen=True)
class Frozen:
    value: object


@dataclasses.dataclass
class Open:
    value: object


class Untouchable:
    def __eq__(self, other):
        raise AssertionError("== of the user's object was asked")

    __hash__ = None


@pytest.mark.parametrize(
    "value",
    [
        None,
        1,
        1.5,
        "text",
        b"bytes",
        (1, ("a", None)),
        frozenset({1, "a"}),
        Point(1, "y"),
        Frozen((1, 2)),
        range(3),
        len,
        int,
        Frozen,
        lambda: None,
        dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        decimal.Decimal("1.5"),
        PurePosixPath("a/b"),
        np.float64(1.5),
        np.dtype("int8"),
        pd.Timestamp("2024-01-01"),
        pd.NA,
        pd.NaT,
        pd.Interval(0, 1),
        pd.Index([1, 2]),
        pd.MultiIndex.from_tuples([(1, "a")]),
        pd.CategoricalDtype(["a"]),
        FRAME.groupby("a"),
        FRAME.loc,
        FRAME["b"].str,
        FRAME.rolling(2),
        pa.table({"a": [1]}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_nobody_can_write_to_is_not_copied(value):
    assert is_fixed(value)
    assert own_copy(value) is value


@pytest.mark.parametrize(
    "value",
    [
        [1],
        {"a": 1},
        {1},
        bytearray(b"a"),
        (1, [2]),
        Point(1, [2]),
        Frozen([1]),
        Open(1),
        np.zeros(2),
        FRAME,
        FRAME["a"],
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_can_be_written_to_is_copied(value):
    assert not is_fixed(value)
    copy = own_copy(value)
    assert copy is not value
    assert type(copy) is type(value)


def test_writing_to_a_copied_frame_changes_nothing_and_its_data_is_not_copied():
    frame = pd.DataFrame({"a": np.arange(5.0)})
    copy = own_copy(frame)
    assert np.shares_memory(copy["a"].to_numpy(), frame["a"].to_numpy())
    copy.loc[0, "a"] = 9
    copy["b"] = 1
    copy.columns.name = "letters"
    copy.attrs["note"] = "mine"
    assert list(frame["a"]) == [0, 1, 2, 3, 4]
    assert list(frame.columns) == ["a"]
    assert frame.columns.name is None
    assert frame.attrs == {}


def test_cells_that_are_objects_are_copied_too():
    frame = pd.DataFrame({"a": pd.Series([[1], [2]], dtype=object)})
    own_copy(frame).loc[0, "a"].append(9)
    own_copy(frame["a"])[0].append(9)
    assert frame.loc[0, "a"] == [1]


def test_an_array_keeps_its_order_and_is_its_own():
    array = np.asfortranarray(np.zeros((2, 3)))
    copy = own_copy(array)
    copy[0, 0] = 1
    assert copy.flags.f_contiguous
    assert array[0, 0] == 0


def test_an_object_of_a_class_that_cannot_be_named_is_copied():
    class Local:
        def __init__(self):
            self.values = [1]

    value = Local()
    copy = own_copy(value)
    copy.values.append(2)
    assert type(copy) is Local
    assert value.values == [1]


def test_what_there_is_only_one_of_is_shared():
    lock = threading.Lock()
    assert own_copy(lock) is lock
    holder = Open(lock)
    assert own_copy(holder) is holder


def test_equality_of_the_users_objects_is_not_asked():
    assert type(own_copy([Untouchable()])[0]) is Untouchable
    assert type(own_copy((Untouchable(), 1))[0]) is Untouchable


def test_a_polars_frame_is_its_own():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": [1, 2]})
    copy = own_copy(frame)
    copy[0, "a"] = 9
    assert frame["a"].to_list() == [1, 2]
    series = frame["a"]
    own_copy(series)[0] = 9
    assert series.to_list() == [1, 2]
    lazy = frame.lazy()
    assert own_copy(lazy) is lazy
