import datetime as dt
import io

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from polars.testing.parametric import dataframes
from polars.testing.parametric import series as polars_series

from cloudburst.errors import CodecError
from cloudburst.runtime.codecs.arrow import CODEC
from cloudburst.runtime.codecs.pickling import CODEC as PICKLE
from tests.contracts.codecs import CodecContract, through
from tests.contracts.equality import assert_same
from tests.strategies.frames import arrow_arrays

slowly = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)

TABLE = pa.table(
    {"a": [1, None, 3], "s": ["x", "y", None], "l": [[1], None, []]},
    schema=pa.schema([("a", pa.int8()), ("s", pa.string()), ("l", pa.list_(pa.int32()))], metadata={"of": "mine"}),
)
FRAME = pl.DataFrame(
    {
        "a": [1, None, 3],
        "s": ["x", None, "longer than twelve bytes"],
        "c": pl.Series(["u", "v", "u"], dtype=pl.Categorical),
        "named": pl.Series(["u", "v", "u"], dtype=pl.Categorical(pl.Categories("name", "space", pl.UInt8))),
        "e": pl.Series(["u", None, "v"], dtype=pl.Enum(["u", "v", "w"])),
        "t": [dt.datetime(2024, 1, 1, tzinfo=dt.UTC)] * 3,
        "d": pl.Series(["1.5", "2.5", "3"]).str.to_decimal(scale=2),
        "l": [[{"x": 1}], [], None],
        "n": [None] * 3,
    }
)

VALUES = {
    "table": TABLE,
    "table in batches": pa.concat_tables([TABLE, TABLE.slice(1)]),
    "table without rows": TABLE.slice(3),
    "table with field metadata": pa.table({"a": [1]}, schema=pa.schema([pa.field("a", pa.int8(), False, {"k": "v"})])),
    "batch": TABLE.to_batches()[0],
    "batch without rows": TABLE.to_batches()[0].slice(3),
    "array": pa.array(["a", None]),
    "empty array": pa.array([], pa.int8()),
    "dictionary": pa.array(["a", None, "a"]).dictionary_encode(),
    "chunks": pa.chunked_array([["a"], [], ["b", None]], type=pa.string()),
    "no chunk": pa.chunked_array([], type=pa.string()),
    "dictionaries": pa.chunked_array([pa.array(["a"]).dictionary_encode(), pa.array(["b"]).dictionary_encode()]),
    "runs": pa.RunEndEncodedArray.from_arrays([2, 5], ["a", "b"]),
    "uuid": pa.array([b"0123456789abcdef"], pa.uuid()),
    "polars": FRAME,
    "polars without rows": FRAME.clear(),
    "polars series": FRAME["c"],
    "polars without a name": pl.Series([1.5, None]),
}


class TestArrowCodec(CodecContract):
    @pytest.fixture
    def codec(self):
        return CODEC

    @pytest.fixture(params=VALUES)
    def value(self, request):
        return VALUES[request.param]


@pytest.mark.parametrize("name", [name for name in VALUES if name != "no chunk"])
def test_what_comes_back_is_valid(name):
    back = through(CODEC, VALUES[name])
    if hasattr(back, "validate"):
        back.validate(full=True)
    if isinstance(back, (pa.Table, pa.RecordBatch)):
        assert back.schema.equals(VALUES[name].schema, check_metadata=True)


@slowly
@given(st.integers(0, 5).flatmap(arrow_arrays))
def test_arrays_and_their_slices_come_back(array):
    back = through(CODEC, array)
    back.validate(full=True)
    assert_same(back, array)
    assert back.type == array.type


@slowly
@given(dataframes(max_size=5, allow_chunks=True))
def test_polars_frames_come_back_by_arrow_or_by_pickle(frame):
    back = through(CODEC if CODEC.takes(frame) else PICKLE, frame)
    assert back.schema == frame.schema
    assert_frame_equal(back, frame)


@slowly
@given(polars_series(max_size=5), st.integers(0, 3), st.booleans())
def test_polars_series_come_back_by_arrow_or_by_pickle(series, start, inside):
    value = series.slice(start, 2)
    codec = CODEC if CODEC.takes(value) and not inside else PICKLE
    back = through(codec, [value] if inside else value)
    back = back[0] if inside else back
    assert (back.dtype, back.name) == (value.dtype, value.name)
    assert back.equals(value, null_equal=True)


class Celsius(pa.ExtensionType):
    def __init__(self):
        super().__init__(pa.float32(), "test.celsius")

    def __arrow_ext_serialize__(self):
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type, serialized):
        return cls()


DEGREES = pa.ExtensionArray.from_storage(Celsius(), pa.array([1.5, None], pa.float32()))


@pytest.mark.parametrize(
    "value",
    [
        pd.DataFrame({"a": [1]}),
        pa.scalar(1),
        pa.schema([("a", pa.int8())]),
        DEGREES,
        TABLE.select([]),
        pa.table({"a": pa.StructArray.from_arrays([DEGREES], names=["x"])}),
        pa.chunked_array([pa.ListArray.from_arrays([0, 2], DEGREES)]),
        pl.DataFrame({"a": pl.Series([1], dtype=pl.Int128)}),
        pl.DataFrame({"a": pl.Series([[{"x": 1}]], dtype=pl.List(pl.Struct({"x": pl.UInt128})))}),
        pl.Series([object()], dtype=pl.Object),
        pl.DataFrame(),
        pl.DataFrame({"a": [1]}).lazy(),
        pl.col("a"),
        np.arange(3),
        3,
    ],
    ids=lambda value: f"{type(value).__module__}.{type(value).__name__}",
)
def test_what_ipc_would_not_bring_back_is_left_to_others(value):
    assert not CODEC.takes(value)


def test_what_polars_cannot_pickle_is_an_error():
    with pytest.raises(CodecError, match=r"\['a'\].*type Object is not supported"):
        PICKLE.encode({"a": pl.DataFrame({"o": pl.Series([object()], dtype=pl.Object)})})


def test_python_extension_types_come_back_by_pickle():
    back = through(PICKLE, DEGREES)
    assert isinstance(back.type, pa.ExtensionType)
    assert back.storage.equals(DEGREES.storage)


@pytest.mark.parametrize(
    "value",
    [pa.table({"a": np.arange(5000.0)}), pl.DataFrame({"a": np.arange(5000.0)}), pl.Series(np.arange(5000.0))],
    ids=lambda value: type(value).__module__,
)
def test_nothing_is_copied_to_write_or_to_read(value):
    parts = [part for part in CODEC.encode(value) if len(part) == 40_000]
    assert len(parts) == 1
    assert np.frombuffer(parts[0], "u1").ctypes.data == _address(value)
    data = bytearray(b"".join(CODEC.encode(value)))
    start = np.frombuffer(data, "u1").ctypes.data
    assert start < _address(CODEC.decode(memoryview(data))) < start + len(data)


def _address(value):
    column = value["a"] if isinstance(value, (pa.Table, pl.DataFrame)) else value
    array = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column.to_arrow()
    return array.buffers()[1].address


@pytest.mark.parametrize(
    "cut",
    [
        pl.DataFrame({"s": [f"a long text, the {number}th" for number in range(50_000)]})[7:17],
        pl.Series([f"a long text, the {number}th" for number in range(50_000)])[7:17],
        pa.table({"s": ["some text"] * 100_000, "a": range(100_000)})[7:17],
        pa.array(["some text"] * 100_000)[7:17],
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_part_writes_only_its_own_part(cut):
    assert sum(map(len, CODEC.encode(cut))) < 5000
    assert_same(through(CODEC, cut), cut)


def test_any_reader_of_arrow_reads_it():
    data = b"".join(CODEC.encode(FRAME))
    assert pa.ipc.open_stream(data).read_all().num_rows == 3
    assert pl.read_ipc_stream(io.BytesIO(data)).equals(FRAME)


@pytest.mark.parametrize("value", [TABLE, FRAME], ids=["table", "polars"])
def test_columns_are_chosen_of_frames_of_pandas_alone(value):
    data = memoryview(b"".join(CODEC.encode(value)))
    assert_same(CODEC.decode(data, ["s", "nope"]), value)


def test_arrow_that_is_not_ours_is_told():
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, TABLE.schema) as writer:
        writer.write_table(TABLE)
    with pytest.raises(CodecError, match="cannot be read"):
        CODEC.decode(memoryview(sink.getvalue()))


def test_a_kind_of_the_future_is_told():
    data = b"".join(CODEC.encode(pa.array([1])))
    with pytest.raises(CodecError, match=r"pyarrow\.Arroy, which this version does not know"):
        CODEC.decode(memoryview(data.replace(b"pyarrow.Array", b"pyarrow.Arroy")))
