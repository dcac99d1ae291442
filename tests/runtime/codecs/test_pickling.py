import datetime as dt
import pickle
import struct
from typing import NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cloudburst.errors import CodecError
from cloudburst.runtime.codecs import pickling
from cloudburst.runtime.codecs.pickling import ALIGNMENT, CODEC
from tests.contracts.codecs import CodecContract, overwrite, through
from tests.contracts.equality import assert_same
from tests.strategies.frames import KINDS, frames, series, views


class Pair(NamedTuple):
    a: int
    b: str


slowly = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)

MIXED = pd.DataFrame(
    {
        "a": [1, 2, 3],
        "f": [1.5, None, 3.0],
        "s": ["x", None, "z"],
        "t": pd.date_range("2024-01-01", periods=3, freq="h", tz="Europe/Berlin"),
        "c": pd.Categorical(["u", None, "u"], categories=["u", "v"], ordered=True),
        "o": [(1,), None, {"k": 1}],
        "i": pd.array([1, None, 3], dtype="Int16"),
    },
    index=pd.date_range("2024-01-01", periods=3, freq="MS", name="when"),
)
MIXED.attrs = {"unit": ["m"]}
MIXED.flags.allows_duplicate_labels = False


def large(value, count=2000):
    """Enough of it to go out of band."""
    return pd.concat([value] * count, ignore_index=True)


VALUES = {
    "none": None,
    "text": "text",
    "pair": Pair(1, "b"),
    "list": [1, {"a": {2, 3}}],
    "dict": {"a": 1, 2: (3,)},
    "bytes": b"x" * 200_000,
    "array": np.arange(1000.0),
    "small array": np.arange(3),
    "read-only": np.frombuffer(bytes(8000), "int64"),
    "broadcast": np.broadcast_to(np.arange(1000), (3, 1000)),
    "fortran": np.asfortranarray(np.arange(1000).reshape(10, 100)),
    "strided": np.arange(4000).reshape(40, 100)[::2, ::-3],
    "turned in space": np.arange(4000).reshape(10, 20, 20).transpose(1, 2, 0),
    "no dimension": np.array(3.5),
    "no element": np.zeros((0, 3)),
    "structured": np.zeros(500, dtype=[("a", "i4"), ("b", "M8[s]")]),
    "big-endian": np.arange(1000, dtype=">i4"),
    "dates": np.arange(1000).astype("M8[us]"),
    "texts": np.array(["a", "bc"] * 500),
    "objects": np.array([1, "a", None, (1, 2)] * 200, dtype=object),
    "variable texts": np.array(["a", "long" * 9], dtype=np.dtypes.StringDType()),
    "bits": np.void(b"abc"),
    "mixed": MIXED,
    "large mixed": large(MIXED.set_flags(allows_duplicate_labels=True)),
    "one column": MIXED["t"],
    "turned": pd.DataFrame(np.arange(2000.0).reshape(20, 100)).T,
    "steps": large(MIXED[["a", "f", "s"]].set_flags(allows_duplicate_labels=True)).iloc[::2],
    "empty": pd.DataFrame(),
    "no rows": MIXED.iloc[:0],
    "index": pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["x", None]),
    "period": pd.period_range("2024-01", periods=200, freq="M"),
    "arrow in pandas": pd.Series([[1], None, []] * 200, dtype=pd.ArrowDtype(pa.list_(pa.int8()))),
    "sparse": pd.Series(pd.arrays.SparseArray([0.0, 0.0, 1.0] * 500)),
    "128-bit polars": pl.DataFrame({"a": pl.Series([1, None], dtype=pl.Int128)}),
}


class TestPickleCodec(CodecContract):
    @pytest.fixture
    def codec(self):
        return CODEC

    @pytest.fixture(params=VALUES)
    def value(self, request):
        return VALUES[request.param]


# ---------------------------------------------------------------- frames and arrays


@slowly
@given(frames())
def test_frames_come_back(frame):
    assert_same(through(CODEC, frame), frame)


@pytest.mark.parametrize("kind", KINDS)
@settings(slowly, max_examples=25)
@given(data=st.data())
def test_columns_of_every_kind_come_back_writable(kind, data):
    one = data.draw(series(kinds=(kind,)))
    back = through(CODEC, one)
    assert_same(back, one)
    if one.index.is_unique:
        overwrite(back)


@slowly
@given(views())
def test_views_come_back(frame):
    assert_same(through(CODEC, frame), frame)


@slowly
@given(
    arrays.arrays(
        st.one_of(arrays.scalar_dtypes(), arrays.nested_dtypes(max_itemsize=40)),
        arrays.array_shapes(min_dims=0, min_side=0, max_side=9),
    ),
    st.booleans(),
    st.booleans(),
)
def test_arrays_of_every_layout_come_back_writable(array, turned, backwards):
    value = array.T if turned else array
    value = value[::-1] if backwards and value.ndim else value
    value.flags.writeable = False
    back = through(CODEC, value)
    assert back.tobytes() == value.tobytes()
    assert (back.dtype, back.shape) == (value.dtype, value.shape)
    assert back.flags.writeable


def test_people_write_to_what_they_got():
    frame = through(CODEC, large(MIXED))
    frame.loc[0, "a"] = 10
    frame.fillna({"f": 0.0, "i": 0}, inplace=True)
    frame["s"] = frame["s"].str.upper()
    assert frame["f"].min() == 0.0
    assert frame["a"].max() == 10
    array = through(CODEC, VALUES["read-only"])
    array += 1
    assert array[0] == 1


@pytest.mark.parametrize(
    "name", ["array", "read-only", "broadcast", "fortran", "strided", "turned in space", "structured", "dates", "texts"]
)
def test_arrays_are_read_in_place(name):
    data = bytearray(b"".join(CODEC.encode(VALUES[name])))
    array = CODEC.decode(memoryview(data))
    before = bytes(data)
    array[...] = np.ones((), array.dtype)
    assert data != before


def test_numbers_and_dates_of_a_frame_are_neither_copied_to_write_nor_to_read():
    values = {"f": np.arange(5000.0), "i": np.arange(5000), "d": np.arange(5000).astype("M8[s]")}
    frame = pd.DataFrame(values, copy=False)
    parts = [np.frombuffer(part, "u1") for part in CODEC.encode(frame) if len(part) == 40_000]
    assert len(parts) == 3
    assert all(any(np.shares_memory(part, column) for part in parts) for column in values.values())
    data = bytearray(b"".join(CODEC.encode(frame)))
    back = CODEC.decode(memoryview(data))
    assert all(np.shares_memory(np.frombuffer(data, "u1"), back[name].to_numpy()) for name in values)


def test_strings_are_neither_copied_to_write_nor_to_read():
    column = pd.Series(["some text"] * 5000, dtype="str")
    addresses = {buffer.address for buffer in column.array._pa_array.chunk(0).buffers() if buffer}
    written = {np.frombuffer(part, "u1").ctypes.data for part in CODEC.encode(column) if len(part) > 512}
    assert addresses <= written
    data = bytearray(b"".join(CODEC.encode(column)))
    start = np.frombuffer(data, "u1").ctypes.data
    read = CODEC.decode(memoryview(data)).array._pa_array.chunk(0).buffers()[2].address
    assert start < read < start + len(data)


def test_buffers_are_aligned():
    data = bytearray(ALIGNMENT) + b"".join(CODEC.encode([np.full(777, 7, "u1"), "x", np.full(999, 9, "u1")]))
    for digit, count in ((7, 777), (9, 999)):
        assert (data.index(bytes([digit]) * count) - ALIGNMENT) % ALIGNMENT == 0


@pytest.mark.parametrize(
    "cut",
    [
        np.zeros((1000, 1000))[5:7],
        np.zeros((1000, 1000))[:, 5],
        pd.DataFrame(np.zeros((1000, 100))).iloc[:10],
        pd.DataFrame(np.zeros((1000, 100)))[[3]],
        pd.Series(["some text"] * 100_000).iloc[7:17],
        pd.Series(["some text"] * 100_000, dtype="string").iloc[:10],
        pd.Series([["nested"]] * 100_000, dtype=pd.ArrowDtype(pa.list_(pa.string()))).iloc[-10:],
        pd.Series(range(100_000), dtype="Int64").iloc[:10],
        pd.date_range("2024", periods=100_000)[:10],
        {"polars": pl.DataFrame({"a": ["some long text"] * 100_000})[7:17]},
        {"arrow": pa.array(["some text"] * 100_000)[7:17]},
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_part_writes_only_its_own_part(cut):
    assert sum(map(len, CODEC.encode(cut))) < 20_000
    assert_same(through(CODEC, cut), cut)


def test_what_is_one_stays_one():
    array = np.arange(1000)
    one, two = through(CODEC, [array, array])
    assert one is two


@pytest.mark.parametrize("count", [0, 1, 5000])
def test_polars_and_arrow_inside_a_container_come_back(count):
    value = {
        "polars": pl.DataFrame({"a": list(range(count)), "s": ["text"] * count}),
        "series": pl.Series("c", ["u", "v"] * count, dtype=pl.Categorical),
        "arrow": pa.table({"a": list(range(count)), "l": [[1, 2]] * count}),
    }
    back = through(CODEC, value)
    assert_same(back, value)


@pytest.mark.parametrize(
    "view", [memoryview(b"abc"), memoryview(np.arange(6.0).reshape(2, 3)), memoryview(b"abcdef")[::2]]
)
def test_memoryviews_come_back_with_their_format_and_shape(view):
    back = through(CODEC, view)
    assert (back.tolist(), back.format, back.shape) == (view.tolist(), view.format, view.shape)


# ---------------------------------------------------------------- the form


@pytest.mark.parametrize("value", [None, True, 3, "text", (1, 2, "a"), [1], {"a": 1}, {}, dt.date(2024, 1, 1)])
def test_a_small_value_is_a_plain_pickle(value):
    (data,) = CODEC.encode(value)
    assert pickle.loads(data) == value


def test_plain_values_need_no_pickler(monkeypatch):
    monkeypatch.setattr(pickling, "dump", None)
    for value in (None, 1, "a", 1.5, (1, "a"), [None] * 16, {"a": 1, 2: None}):
        assert through(CODEC, value) == value


def test_large_bytes_are_not_copied_to_write():
    data = bytes(1_000_000)
    assert any(part is data for part in CODEC.encode([data]))


def test_registered_reducers_hold():
    class Odd:
        def __reduce__(self):
            raise AssertionError

    import copyreg

    copyreg.pickle(Odd, lambda odd: (int, ("7",)))
    try:
        assert through(CODEC, [Odd()]) == [7]
    finally:
        del copyreg.dispatch_table[Odd]


@pytest.mark.parametrize("size", [-1, -600])
def test_a_missing_end_is_told(size):
    data = b"".join(CODEC.encode(np.arange(1000)))
    with pytest.raises(CodecError, match="cut off: it should have"):
        CODEC.decode(memoryview(data[:size]))


def test_a_form_of_the_future_is_told():
    data = b"CBP\x02" + struct.pack("<IQ", 0, 0)
    with pytest.raises(CodecError, match="cannot be read back"):
        CODEC.decode(memoryview(data))


def test_columns_of_a_frame_can_be_chosen():
    data = memoryview(b"".join(CODEC.encode(MIXED)))
    chosen = [name for name in MIXED.columns if name in ("s", "a")]
    assert_same(CODEC.decode(data, ["s", "a", "nope"]), MIXED[chosen])
