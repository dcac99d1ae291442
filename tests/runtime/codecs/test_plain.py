import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cloudburst.runtime.codecs.plain import CODEC, is_json
from tests.contracts.codecs import CodecContract, through
from tests.contracts.equality import assert_same

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(st.characters()))
NESTS = st.recursive(SCALARS, lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)), max_leaves=8)


class TestPlainCodec(CodecContract):
    @pytest.fixture
    def codec(self):
        return CODEC

    @pytest.fixture(
        params=[
            "text",
            [None, True, -1.5e300, "\ud800"],
            {"a": [1, {"b": []}], "": {}},
            np.arange(6.0),
            np.asfortranarray(np.arange(6).reshape(2, 3)),
            np.arange(12, dtype=">i2").reshape(3, 4)[::2, ::-1],
            np.array(["2024-01-01", "NaT"], dtype="M8[ns]"),
            np.array([["a", "bc"]]),
            np.array(3 + 4j),
            np.zeros((0, 3), dtype="float32"),
        ],
        ids=repr,
    )
    def value(self, request):
        return request.param


@given(NESTS)
def test_what_is_json_comes_back_to_the_last_bit(value):
    assert is_json(value)
    assert repr(through(CODEC, value)) == repr(value)


@given(
    st.one_of(
        arrays.integer_dtypes(endianness="?"),
        arrays.floating_dtypes(endianness="?"),
        arrays.complex_number_dtypes(),
        arrays.datetime64_dtypes(),
        arrays.timedelta64_dtypes(),
        arrays.boolean_dtypes(),
        arrays.byte_string_dtypes(),
    ).flatmap(lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, min_side=0, max_side=4))),
    st.booleans(),
)
def test_plain_arrays_come_back(array, turned):
    value = array.T if turned else array
    assert_same(through(CODEC, value), value)


@pytest.mark.parametrize(
    "value",
    [
        (1, 2),
        [(1,)],
        {1: "a"},
        {1, 2},
        b"bytes",
        1j,
        2**63,
        [-(2**63) - 1],
        np.float64(1),
        np.array([object()]),
        np.zeros(2, dtype=[("a", "i4")]),
        np.ma.array([1]),
        np.zeros(2).view(np.recarray),
        np.array(["a"], dtype=np.dtypes.StringDType()),
        np.zeros(2, dtype=np.dtype("i4", metadata={"a": 1})),
        type("Text", (str,), {})("a"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_would_not_come_back_is_left_to_others(value):
    assert not CODEC.takes(value)


def test_a_list_that_is_met_twice_or_holds_itself_is_left_to_others():
    shared = [1]
    endless = []
    endless.append(endless)
    assert not CODEC.takes([shared, shared])
    assert not CODEC.takes(endless)


def test_json_is_json():
    assert json.loads(b"".join(CODEC.encode({"a": [1, None]}))) == {"a": [1, None]}


def test_an_array_is_a_file_that_numpy_reads(tmp_path):
    array = np.arange(12).reshape(3, 4).T
    (tmp_path / "a.npy").write_bytes(b"".join(CODEC.encode(array)))
    assert_same(np.load(tmp_path / "a.npy", allow_pickle=False), array)


def test_an_array_is_read_in_place():
    data = bytearray(b"".join(CODEC.encode(np.arange(1000))))
    array = CODEC.decode(memoryview(data))
    array[-1] = 7
    assert data[-8:] == (7).to_bytes(8, "little")


def test_what_has_no_columns_comes_whole():
    assert CODEC.decode(memoryview(b"[1]"), ["a"]) == [1]
