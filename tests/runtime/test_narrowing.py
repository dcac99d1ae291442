from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudburst.runtime.failures import failure_of
from cloudburst.runtime.narrowing import narrowed, tell
from tests.contracts.equality import assert_same
from tests.strategies import frames as made

FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [0.5, np.nan]}, index=pd.Index([7, 8], name="i"))
FRAME.attrs = {"unit": "m"}


class Special(pd.DataFrame):
    @property
    def _constructor(self):
        return Special


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_it_gives_what_pandas_gives_for_the_columns_that_are_there(data):
    rows = data.draw(made.ROWS)
    names = data.draw(st.lists(st.text(max_size=3), max_size=5, unique=True))
    frame = pd.DataFrame({name: data.draw(made.columns(rows)) for name in names}, index=data.draw(made.indexes(rows)))
    frame.columns = pd.Index(names, dtype="str", name=data.draw(st.sampled_from([None, "kind"])))
    columns = data.draw(st.lists(st.sampled_from([*names, "more", "than", "these"]), unique=True))
    before = frame.copy()
    assert_same(narrowed(frame, columns), frame[[name for name in names if name in columns]])
    assert_same(frame, before)


@pytest.mark.parametrize("columns", [(), ("c",), ("c", "a"), ["nope", "b"]])
@pytest.mark.parametrize("dtype", ["str", "object"])
def test_labels_index_and_attrs_stay(columns, dtype):
    frame = FRAME.set_axis(FRAME.columns.astype(dtype).rename("kind"), axis=1)
    frame.attrs = FRAME.attrs
    narrow = narrowed(frame, columns)
    assert narrow.columns.dtype == frame.columns.dtype
    assert narrow.columns.name == "kind"
    assert narrow.attrs == {"unit": "m"}
    assert narrow.index is frame.index or narrow.index.equals(frame.index)
    assert list(narrow) == [name for name in "abc" if name in columns]


def test_what_refuses_labels_that_are_met_twice_still_does():
    frame = FRAME.set_flags(allows_duplicate_labels=False)
    assert not narrowed(frame, ["a"]).flags.allows_duplicate_labels


def test_writing_to_the_narrow_frame_leaves_the_other():
    before = FRAME.copy()
    for columns in (["a"], ["a", "c"], ["a", "b", "c"]):
        narrow = narrowed(FRAME.copy(deep=False), columns)
        narrow.loc[7, "a"] = -1
        narrow["new"] = 1
    assert_same(FRAME, before)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [FRAME],
        {"a": 1},
        FRAME["a"],
        FRAME.to_numpy(),
        Special(FRAME),
        FRAME.set_axis(["a", "a", "b"], axis=1),
        FRAME.set_axis(["a", "b", 3], axis=1),
        FRAME.set_axis(["a", "b", None], axis=1),
        FRAME.set_axis([1, 2, 3], axis=1),
        FRAME.set_axis(pd.CategoricalIndex(["a", "b", "c"]), axis=1),
        FRAME.set_axis(pd.MultiIndex.from_tuples([("a", "b"), ("a", "c"), ("b", "c")]), axis=1),
        FRAME,
    ],
    ids=lambda value: type(value).__name__,
)
def test_all_else_and_what_is_wanted_whole_is_left_as_it_is(value):
    assert narrowed(value, ["a", "b", "c", "d"]) is value
    assert value is FRAME or narrowed(value, ["a"]) is value


# ---------------------------------------------------------------- notes

ADD = "reads= says so. Add 'price' there to use it."
TEN = "a, b, c, d, e, f, g, h, i, j"
SALES = FRAME[["a", "b"]]


def noted(use, reads=(("sales", ("a", "b")),)):
    """The notes of what a stage's use of a frame raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - pandas' own
        use(SALES.copy())
    tell(caught.value, "train", reads)
    return getattr(caught.value, "__notes__", [])


@pytest.mark.parametrize(
    "use",
    [
        lambda f: f["price"],
        lambda f: f.price,
        lambda f: f[["a", "price"]],
        lambda f: f[["price"]],
        lambda f: f.loc[:, "price"],
        lambda f: f.loc[:, ["a", "price"]],
        lambda f: f.groupby("price"),
        lambda f: f.groupby(["a", "b", "price"]),
        lambda f: f.groupby("a")["price"],
        lambda f: f.groupby("a")[["b", "price"]],
        lambda f: f.groupby("a").price,
        lambda f: f.groupby("a").agg({"price": "sum"}),
        lambda f: f.pivot_table(values="price", index="a"),
        lambda f: f.melt(id_vars=["price"]),
        lambda f: f.sort_values("price"),
        lambda f: f.drop(columns="price"),
        lambda f: f.drop(columns=["price"]),
        lambda f: f.set_index("price"),
        lambda f: f.dropna(subset=["price"]),
        lambda f: f.drop_duplicates(subset=["price"]),
        lambda f: f.merge(f, on="price"),
        lambda f: f.query("price > 1"),
        lambda f: f.eval("price + a"),
        lambda f: f.pop("price"),
        lambda f: f.astype({"price": int}),
    ],
)
def test_a_column_that_was_not_declared_is_told(use):
    assert noted(use) == [
        "stage train is given only the columns a, b of `sales`: reads= says so. Add 'price' there to use it."
    ]


def test_what_was_declared_and_is_not_there_is_pandas_alone_to_tell():
    assert noted(lambda f: f["price"], (("sales", ("a", "b", "price")),)) == []
    reads = (("sales", ("price",)), ("costs", ("a", "b")), ("others", ()), ("wide", tuple("abcdefghijkl")))
    assert noted(lambda f: f["price"], reads) == [
        "stage train is given only the columns a, b of `costs`: reads= says so. Add 'price' there to use it.",
        "stage train is given no columns of `others`: reads= says so. Add 'price' there to use it.",
        f"stage train is given only the columns {TEN} and 2 more of `wide`: {ADD}",
    ]


def test_several_that_are_missing_are_told_at_once():
    assert noted(lambda f: f[["price", "a", "cost"]], (("sales", ("a",)),)) == [
        "stage train is given only the column a of `sales`: reads= says so. Add 'price', 'cost' there to use them."
    ]


@pytest.mark.parametrize(
    "use",
    [
        lambda f: {}["price"],
        lambda f: object().price,
        lambda f: f["a"].price,
        lambda f: f[3],
        lambda f: f["b"].astype(int),
        lambda f: price,  # noqa: F821
        lambda f: 1 / 0,
    ],
)
def test_what_has_nothing_to_do_with_columns_gets_no_note(use):
    assert noted(use) == []


def test_an_error_without_a_traceback_gets_no_note():
    error = KeyError("price")
    tell(error, "train", (("sales", ("a",)),))
    assert not hasattr(error, "__notes__")


def test_the_note_travels_with_the_exception():
    try:
        SALES["price"]
    except KeyError as error:
        tell(error, "train", (("sales", ("a",)),))
        failure = failure_of(error, 0)
    back = pickle.loads(failure.exception)
    assert type(back) is KeyError
    assert back.args == ("price",)
    assert back.__notes__[0].startswith("stage train is given only the column a of `sales`")
    assert back.__notes__[0] in failure.traceback
