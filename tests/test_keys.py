"""Equal bytes only for equal values, and the same bytes in every process."""

from __future__ import annotations

import datetime
import decimal
import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from cloudburst.errors import UsageError
from cloudburst.keys import SCALARS, digest, encode, short
from tests.strategies.frames import frames

FRAME = pd.DataFrame({"a": [1, 2], "b": [1.5, 2.5]})
DAYS = pd.date_range("2024-01-01", periods=4, freq="D")


def with_attrs(frame: pd.DataFrame, **attrs: Any) -> pd.DataFrame:
    frame = frame.copy()
    frame.attrs.update(attrs)
    return frame


def named(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.copy()
    frame.index.name = "i"
    return frame


CLASSES: list[list[Any]] = [
    [0, False, 0.0, -0.0, 0j, complex(0, -0.0), "", b"", None, ..., (), [], {}, set(), frozenset(), bytearray(),
     "0", b"0"],
    [1, True, 1.0, 1 + 0j, "1", b"1", np.int8(1), np.int16(1), np.int64(1), np.uint8(1), np.float32(1), np.float64(1),
     np.bool_(True), np.array(1), np.array([1]), np.array([[1]]), [1], (1,), {1}, frozenset({1}), {1: None}, "i1;"],
    [float("nan"), float("inf"), float("-inf"), np.float64("nan"), np.float32("nan"), pd.NA, pd.NaT, None,
     np.datetime64("NaT", "s"), np.timedelta64("NaT", "s")],
    [-1, 2**63, 2**64, -(2**63), 10**40, 255, 16],
    ["N;", "T;", "é", "e\u0301", "\ud800", "a" * 5000, "a" * 5001, b"a" * 5000, "ab", ["a", "b"], ["ab"], ["a",
     ["b"]]],
    [{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 2, "b": 1}, [("a", 1), ("b", 2)], {"a": {"b": 2}}, {("a", 1): 2}],
    [[1, [2]], [[1], 2], [1, 2], [[1, 2]], (1, (2,)), (1, [2]), [(1, 2)], [{1}, 2], [{1, 2}]],
    [slice(1), slice(1, 2), slice(None, 2), slice(1, 2, 3), range(1), range(1, 2), range(0, 1, 2), [0], (0, 1, 2)],
    [bytearray(b"a"), b"a", "a", bytearray(b"b")],
    [np.array([1, 2]), np.array([2, 1]), np.array([1, 2], "i4"), np.array([1, 2], ">i8"), np.array([1.0, 2.0]),
     np.array([[1, 2]]), np.array([[1], [2]]), np.array([1, 2], object), np.array(["1", "2"]), np.array([b"1", b"2"]),
     np.array([True, True]), np.array([-0.0]), np.array([0.0]), np.zeros((0, 2)), np.zeros((2, 0)), np.zeros(0),
     np.zeros(0, "U0"), np.zeros(2, "S0"), np.array(["1", "2"], np.dtypes.StringDType()),
     np.array(["1", "2"], np.dtypes.StringDType(na_object=None)), np.ma.array([1, 2]), np.arange(2000), np.arange(1,
     2001),
     np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]), np.array(["2024-01-01"], "M8[D]"), np.array(["2024-01-01"],
     "M8[s]")],
    [datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
     pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-01", tz="UTC"), np.datetime64("2024-01-01"), "2024-01-01"],
    [decimal.Decimal("1.0"), decimal.Decimal("1.00"), 1.0],
    [pd.Series([1, 2], dtype=kind) for kind in ("Int8", "Int16", "int8", "int16", "UInt8", "float64", "Float64",
     "object", "category")],
    [pd.Series(["a", "b"], dtype=kind) for kind in ("str", "string", "object", "category")],
    [pd.Series(values, dtype="Int64") for values in ([1, None], [None, 1], [1, 1], [None, None])],
    [pd.Series([0.0]), pd.Series([-0.0]), pd.Series([np.nan]), pd.Series([0]), pd.Series([0.0], name="a"),
     pd.Series([0.0], index=[1]), pd.Series([0.0], index=[0]), pd.DataFrame([0.0]), pd.Index([0.0]), np.array([0.0])],
    [pd.Series(pd.Categorical(["a"], ["a", "b"])), pd.Series(pd.Categorical(["a"], ["b", "a"])),
     pd.Series(pd.Categorical(["a"], ["a"])), pd.Series(pd.Categorical(["a"], ["a"], ordered=True))],
    [FRAME, FRAME[["b", "a"]], FRAME.rename(columns={"a": "c"}), FRAME.astype({"a": "Int64"}),
     FRAME.astype({"a": "i4"}),
     FRAME.set_axis([1, 0]), FRAME.set_axis(pd.Index([0, 1])), FRAME.set_axis(["0", "1"]), named(FRAME),
     FRAME.rename_axis(columns="c"),
     with_attrs(FRAME, a=1), with_attrs(FRAME, a=True), FRAME.set_flags(allows_duplicate_labels=False), FRAME.T,
     FRAME[:0],
     FRAME.to_numpy(), FRAME.to_dict(), FRAME["a"], FRAME[["a"]], FRAME.set_axis([0, 1], axis=1)],
    [pd.DataFrame(index=[0, 1]), pd.DataFrame(index=[1, 0]), pd.DataFrame(), pd.DataFrame(columns=["a"]),
     pd.Series(dtype=float)],
    [DAYS, DAYS[:3], DAYS._with_freq(None), DAYS.tz_localize("UTC"), DAYS.tz_localize("Europe/Berlin"),
     DAYS.as_unit("s"),
     DAYS.as_unit("ns"), DAYS.tz_localize(datetime.timezone(datetime.timedelta(hours=1))),
     pd.date_range("2024-01-01", periods=4, freq=pd.offsets.CDay()),
     pd.date_range("2024-01-01", periods=4, freq=pd.offsets.CDay(holidays=["2024-03-01"])), DAYS.rename("d"),
     DAYS.to_period(), DAYS - DAYS[0], DAYS.to_series(), DAYS.astype("str")],
    [pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]), pd.MultiIndex.from_tuples([("b", 2), ("a", 1)]),
     pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", None]), pd.Index([("a", 1), ("b", 2)],
     tupleize_cols=False),
     pd.MultiIndex.from_tuples([("a", 1.0), ("b", 2.0)])],
    [pd.RangeIndex(2), pd.RangeIndex(3), pd.RangeIndex(2, name="a"), pd.RangeIndex(0, 4, 2), pd.Index([0, 1]),
     pd.Index([0, 1], dtype="i4")],
    [pd.interval_range(0, 2), pd.interval_range(0, 2, closed="left"), pd.CategoricalIndex(["a"]), pd.Index(["a"])],
    [len, abs, "abc".upper, "xyz".upper, [].append, [1].append, int, str, ("builtin", "builtins", "len")],
]  # fmt: skip


@pytest.mark.parametrize("values", CLASSES, ids=lambda values: type(values[1]).__name__)
def test_values_that_differ_differ(values: list[Any]) -> None:
    written = [encode(value) for value in values]
    assert [
        (values[one], values[two])
        for one, two in itertools.combinations(range(len(values)), 2)
        if written[one] == written[two]
    ] == []


@pytest.mark.parametrize("values", CLASSES, ids=lambda values: type(values[1]).__name__)
def test_they_differ_inside_a_container_too(values: list[Any]) -> None:
    written = {encode([value, {"k": value}]) for value in values} | {encode((value,)) for value in values}
    assert len(written) == 2 * len(values)


@pytest.mark.parametrize(
    ("one", "same"),
    [
        (np.asfortranarray([[1, 2], [3, 4]]), np.array([[1, 2], [3, 4]])),
        (np.arange(10)[::2], np.array([0, 2, 4, 6, 8])),
        (np.asfortranarray(np.array([["a", 1]], object)), np.array([["a", 1]], object)),
        (pd.DataFrame(np.asfortranarray([[1, 2], [3, 4]])), pd.DataFrame([[1, 2], [3, 4]])),
        (pd.concat([FRAME, FRAME], ignore_index=True)[:2], FRAME.copy()),
        (FRAME.astype({"a": "Int64"}), pd.DataFrame({"a": pd.array([1, 2], "Int64"), "b": [1.5, 2.5]})),
        ({1, 2, 3}, {3, 2, 1}),
        ({"a", "b", ("c", frozenset({1, 2}))}, {("c", frozenset({2, 1})), "b", "a"}),
        (DAYS[:2], pd.date_range("2024-01-01", periods=2, freq="D")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_equal_values_are_one_however_they_came_about(one: Any, same: Any) -> None:
    assert encode(one) == encode(same)


def test_looking_at_a_value_changes_nothing() -> None:
    frame = pd.DataFrame({"a": [1, 2], "t": DAYS[:2], "c": pd.Categorical(["x", "y"]), "s": ["p", "q"]}, index=DAYS[:2])
    before = encode(frame)
    _ = (
        frame.describe(),
        frame.index.is_unique,
        frame["t"].dt.day,
        frame["c"].cat.codes,
        frame.groupby("s").sum,
        str(frame),
    )
    _ = frame.index.get_loc(DAYS[0]), frame["s"].is_unique, frame.loc[DAYS[0]], hash(frame["c"].dtype)
    assert encode(frame) == before


def test_a_value_may_stand_in_several_places() -> None:
    shared = [1]
    assert encode([shared, shared]) == encode([[1], [1]])


def test_a_container_that_holds_itself_is_refused() -> None:
    loop: list[Any] = [1]
    loop.append({"again": loop})
    with pytest.raises(UsageError, match="a list holds itself"):
        encode(loop)


def test_depth_is_no_limit() -> None:
    deep: list[Any] = []
    for _ in range(50_000):
        deep = [deep]
    assert encode(deep).count(b"l1:") == 50_000


def test_equality_and_hash_of_users_objects_are_not_asked() -> None:
    with pytest.raises(ZeroDivisionError):
        _ = Prickly() == Prickly()
    assert encode(Prickly()) == encode(Prickly())


class Prickly:
    def __eq__(self, other: object) -> bool:
        raise ZeroDivisionError

    __hash__ = None  # type: ignore[assignment]


def test_the_special_rule_is_asked_for_all_but_plain_values() -> None:
    asked: list[Any] = []

    def special(value: object) -> bytes | None:
        asked.append(value)
        return b"!" if value is len else None

    assert encode([1, "a", (len,), {"k": range(2)}], special) == b"l4:i1;s1:at1:!d1:s1:kRi0;i2;i1;"
    assert asked == [len, range(2)]


def test_the_special_rule_sees_cells_and_may_raise() -> None:
    def special(value: object) -> bytes | None:
        if value is ...:
            raise AssertionError
        if isinstance(value, Prickly):
            raise UsageError("seen")
        return None

    with pytest.raises(UsageError, match="seen"):
        encode(pd.DataFrame({"a": [1, Prickly()]}), special)
    with pytest.raises(UsageError, match="seen"):
        encode({1, frozenset({Hashable()})}, lambda value: special(Prickly()) if isinstance(value, Hashable) else None)


class Hashable:
    pass


def test_what_can_neither_be_written_nor_pickled_raises() -> None:
    with pytest.raises(Exception, match="pickle"):
        encode(lambda: None)


def test_large_buffers_enter_as_their_digest() -> None:
    assert len(encode(np.zeros(1_000_000))) < 200
    assert len(encode(pd.DataFrame({"a": np.zeros(100_000), "b": pd.array([1] * 100_000, "Int64")}))) < 2000


def test_digests_are_128_bits_and_short_names_twelve_digits() -> None:
    assert len(digest(b"a", b"b")) == 16
    assert short(digest(b"")) == digest(b"").hex()[:12]


MAKE = """
import datetime, decimal
import numpy as np, pandas as pd
from cloudburst.keys import digest, encode
days = pd.date_range("2024-01-01", periods=3, freq="D", tz="Europe/Berlin")
frame = pd.DataFrame({"i": [1, 2, 3], "f": [0.5, -0.0, float("nan")], "s": ["a", None, "c"], "I": pd.array([1, None,
3], "Int8"),
    "c": pd.Categorical(["x", "y", "x"]), "t": days, "o": [1, "a", {"k": {1, 2}}], "p": pd.period_range("2024",
    periods=3, freq="M"),
    "v": pd.interval_range(0, 3), "b": pd.array([True, None, False], "boolean"), "S": pd.array(["a", None, "b"],
    "string")}, index=days)
frame.attrs["source"] = {"a", "b", "c"}
values = [
    {"a", "b", "c", ("d", frozenset({"e", "f"}))}, {"x": {"y", "z"}}, 1.5, -0.0, "text", b"bytes", 2**70, None, ...,
    1j,
    frame, frame.index, frame["c"], frame.groupby("s").size(), np.arange(5000), np.array(["a", "b"]), np.float32(1),
    np.datetime64("2024-01-01"),
    np.array([{"a", "b"}, 1], object), datetime.datetime(2024, 1, 1), decimal.Decimal("1.10"), range(3), slice(1,
    None),
    pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["l", None]), pd.Timestamp("2024-01-01", tz="UTC"), len,
    "abc".upper,
]
print([digest(encode(value)).hex() for value in values])
"""


def test_the_same_value_is_the_same_in_every_process_and_under_every_hash_seed() -> None:
    root = Path(__file__).parents[1]
    said = {
        subprocess.run(
            [sys.executable, "-c", MAKE],
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "4711")
    }
    assert len(said) == 1
    assert len(set(eval(said.pop()))) == 27


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), st.text(), st.binary(), st.just(...)
)
nests = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=2) | st.integers(0, 2), inner, max_size=3),
        st.frozensets(st.integers(0, 3) | st.text(max_size=1), max_size=3),
        st.sets(st.booleans() | st.text(max_size=1), max_size=2),
    ),
    max_leaves=8,
)


def told(value: Any) -> Any:
    """A value so that only what is the same in every respect compares equal."""
    kind = type(value).__name__
    if isinstance(value, float):
        return kind, np.float64(value).tobytes()
    if isinstance(value, complex):
        return kind, told(value.real), told(value.imag)
    if isinstance(value, list | tuple):
        return kind, [told(one) for one in value]
    if isinstance(value, dict):
        return kind, [(told(key), told(one)) for key, one in value.items()]
    if isinstance(value, set | frozenset):
        return kind, sorted(repr(told(one)) for one in value)
    return kind, value


@given(nests, nests)
@settings(max_examples=500, deadline=None)
def test_encodings_are_equal_exactly_where_values_are(one: Any, two: Any) -> None:
    assert (encode(one) == encode(two)) == (told(one) == told(two))


@given(st.lists(scalars, max_size=4), st.lists(scalars, max_size=4))
@settings(max_examples=300, deadline=None)
def test_no_scalars_in_a_row_can_be_mistaken_for_others(one: list[Any], two: list[Any]) -> None:
    joined = [b"".join(SCALARS[type(value)](value) for value in row) for row in (one, two)]
    assert (joined[0] == joined[1]) == (told(one) == told(two))


@given(frames())
@settings(max_examples=100, deadline=None)
def test_a_frame_and_its_copy_are_one_and_any_change_makes_another(frame: pd.DataFrame) -> None:
    written = encode(frame)
    assert encode(frame.copy(deep=False)) == written
    changed = frame.copy()
    changed.attrs["changed"] = True
    assert encode(changed) != written
    assert encode(frame.iloc[:, ::-1]) != written or frame.shape[1] < 2 or frame.columns.equals(frame.columns[::-1])
    assert encode(frame.iloc[:-1]) != written or not len(frame)
