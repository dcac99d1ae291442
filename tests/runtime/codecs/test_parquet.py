import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cloudburst.errors import CodecError
from cloudburst.runtime.codecs.parquet import CODEC, INDEX, ROW_GROUP, exactly_parquet
from cloudburst.runtime.codecs.plain import is_json
from tests.contracts.codecs import CodecContract, overwrite, through
from tests.contracts.equality import assert_same
from tests.strategies import frames as made

slowly = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)

FRAME = pd.DataFrame(
    {
        "b": [True, False, True],
        "i": np.array([1, 2, 3], "uint8"),
        "f": [1.5, None, -0.0],
        "f32": np.array([1, 2, np.nan], "float32"),
        "m": pd.array([1, None, 3], dtype="Int8"),
        "s": ["x", None, ""],
        "t": np.array(["2024-01-01", "NaT", "1900-01-01"], "M8[ns]"),
        "d": np.array([1, "NaT", 3], "m8[ms]"),
        "c": pd.Categorical(["u", None, "w"], categories=["w", "never", "u"], ordered=True),
        "": ["no", "name", "column"],
        "a.b": [1, 2, 3],
        "a": [3, 2, 1],
    },
    index=pd.date_range("2024-01-01", periods=3, freq="MS", name="when"),
)
FRAME.attrs = {"unit": ["m", 1.5], "of": None}
LARGE = pd.DataFrame(
    {
        "n": np.arange(2 * ROW_GROUP + 5),
        "c": pd.Categorical(["u", "v", None, "w", "u"] * (2 * ROW_GROUP // 5 + 2))[: 2 * ROW_GROUP + 5],
    }
)

VALUES = {
    "all kinds": FRAME,
    "range": FRAME.reset_index(drop=True),
    "stepped range": FRAME.set_index(pd.RangeIndex(9, 3, -2, name="r")),
    "text index": FRAME.set_index(pd.Index(["p", "q", "p"], dtype="str")),
    "float index": FRAME.set_index(pd.Index([1.5, np.nan, 0.0], name=3)),
    "bool index": FRAME.set_index(pd.Index([True, False, True])),
    "timedelta index": FRAME.set_index(pd.timedelta_range("1h", periods=3, freq="2h")),
    "no rows": FRAME.iloc[:0],
    "no columns": FRAME[[]],
    "nothing": pd.DataFrame(columns=pd.Index([], dtype="str")),
    "named columns": FRAME.rename_axis(columns="kind"),
    "part": FRAME.iloc[1:2, 2:],
    "groups": LARGE,
}


class TestParquetCodec(CodecContract):
    @pytest.fixture
    def codec(self):
        return CODEC

    @pytest.fixture(params=VALUES)
    def value(self, request):
        return VALUES[request.param]


NOTHING = pd.Index([], dtype="str")


@st.composite
def frames_of_what_it_takes(draw):
    """Frames of columns and indexes that are each taken by themselves."""
    n, width = draw(made.ROWS), draw(st.integers(0, 4))
    column = made.columns(n).filter(lambda values: exactly_parquet(pd.DataFrame({"a": values})))
    index = made.indexes(n).filter(lambda labels: exactly_parquet(pd.DataFrame(index=labels, columns=NOTHING)))
    names = st.lists(st.text(max_size=4), min_size=width, max_size=width, unique=True)
    frame = pd.DataFrame(dict(enumerate(draw(column) for _ in range(width))), index=draw(index))
    frame.columns = pd.Index(draw(names), dtype="str", name=draw(st.sampled_from([None, "", 3])))
    frame.attrs = draw(made.ATTRS.filter(is_json))  # no integers of more than 64 bits
    return frame


@slowly
@given(frames_of_what_it_takes())
def test_what_it_takes_comes_back(frame):
    back = through(CODEC, frame)
    assert_same(back, frame)
    overwrite(back)


@pytest.mark.parametrize(
    "kind", ["bool", "integer", "float", "masked", "string", "datetime", "timedelta", "categorical"]
)
@settings(slowly, max_examples=20)
@given(data=st.data())
def test_every_kind_that_it_takes_comes_back(kind, data):
    rows = data.draw(made.ROWS)
    frame = pd.DataFrame({"a": data.draw(made.columns(rows, (kind,)))})
    assume(exactly_parquet(frame))
    assert_same(through(CODEC, frame), frame)


@settings(slowly, max_examples=50)
@given(made.frames())
def test_what_it_takes_of_everything_comes_back(frame):
    if exactly_parquet(frame):
        assert_same(through(CODEC, frame), frame)
    else:
        assert not CODEC.takes(frame)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_come_back_to_the_bit(dtype):
    values = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 5e-324, 1 / 3], dtype)
    back = through(CODEC, pd.DataFrame({"a": values}))
    assert back["a"].to_numpy().tobytes() == values.tobytes()


class Subclass(pd.DataFrame):
    pass


def changed(**columns):
    return pd.DataFrame(columns)


@pytest.mark.parametrize(
    "frame",
    [
        FRAME["i"],
        Subclass({"a": [1]}),
        FRAME.set_flags(allows_duplicate_labels=False),
        pd.DataFrame([[1, 2]]),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame([[1, 2]], columns=["a", None]),
        pd.DataFrame([[1, 2]], columns=pd.Index(["a", "b"], dtype=object)),
        pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")])),
        pd.DataFrame({"a": [1]}).rename_axis(columns=[("a", "tuple")]),
        pd.DataFrame({INDEX: [1]}),
        changed(a=[(1, 2)]),
        changed(a=["x", 1]),
        changed(a=np.array([1], "float16")),
        changed(a=np.array([1], ">i4")),
        changed(a=[1j]),
        changed(a=np.array([1], "M8[s]")),
        changed(a=pd.to_datetime(["2024-01-01"], utc=True)),
        changed(a=pd.array([1.5], dtype="Float64")),
        changed(a=pd.array(["x"], dtype="string")),
        changed(a=pd.array(["x"], dtype=pd.StringDtype("python", na_value=np.nan))),
        changed(a=pd.Categorical([1])),
        changed(a=pd.period_range("2024", periods=1, freq="D")),
        changed(a=pd.arrays.SparseArray([1])),
        changed(a=pd.array([1], dtype=pd.ArrowDtype(pa.int8()))),
        pd.DataFrame({"a": [1]}, index=pd.MultiIndex.from_tuples([(1, 2)])),
        pd.DataFrame({"a": [1]}, index=pd.CategoricalIndex(["a"])),
        pd.DataFrame({"a": [1]}, index=pd.Index([(1, 2)], tupleize_cols=False)),
        pd.DataFrame({"a": [1]}, index=pd.Index([1], name=("a", 1))),
        pd.DataFrame({"a": [1]}, index=pd.date_range("2024", periods=1, tz="UTC")),
    ],
    ids=lambda frame: type(frame).__name__,
)
def test_what_would_not_come_back_is_left_to_others(frame):
    assert not exactly_parquet(frame)
    assert not CODEC.takes(frame)


def test_attrs_that_are_not_json_are_left_to_others():
    frame = pd.DataFrame({"a": [1]})
    frame.attrs = {"pair": (1, 2)}
    assert not exactly_parquet(frame)


def test_a_freq_that_its_name_does_not_tell_is_left_to_others():
    freq = pd.offsets.CustomBusinessDay(holidays=["2024-01-02"])
    frame = pd.DataFrame({"a": [1, 2]}, index=pd.date_range("2024-01-01", periods=2, freq=freq))
    assert not exactly_parquet(frame)


@pytest.mark.parametrize("columns", [[], ["s"], ["a", "a.b"], ["a"], ["c", "b"], ["b", "nope"], ["nope"]])
def test_columns_can_be_chosen(columns):
    data = memoryview(b"".join(CODEC.encode(FRAME)))
    assert_same(CODEC.decode(data, columns), FRAME[[name for name in FRAME.columns if name in columns]])


def test_columns_that_are_not_wanted_are_not_read():
    frame = pd.DataFrame({"wide": np.random.default_rng(0).random(10_000), "a": np.arange(10_000)})
    data = bytearray(b"".join(CODEC.encode(frame)))
    chunk = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0).column(0)
    end = chunk.dictionary_page_offset or chunk.data_page_offset
    data[end : end + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
    assert_same(CODEC.decode(memoryview(data), ["a"]), frame[["a"]])
    with pytest.raises(CodecError, match="cannot be read"):
        CODEC.decode(memoryview(data))


def test_others_read_the_file():
    file = pq.ParquetFile(io.BytesIO(b"".join(CODEC.encode(LARGE))))
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [ROW_GROUP, ROW_GROUP, 5]
    assert [group.column(0).statistics.min for group in groups] == [0, ROW_GROUP, 2 * ROW_GROUP]
    assert {group.column(0).compression for group in groups} == {"ZSTD"}
    table = file.read()
    assert table.column("c").slice(0, 3).to_pylist() == ["u", "v", None]
    assert table.column("n").to_pylist() == LARGE["n"].tolist()


def test_parquet_that_is_not_ours_is_told():
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": [1]}), sink)
    with pytest.raises(CodecError, match="cannot be read"):
        CODEC.decode(memoryview(sink.getvalue()))
