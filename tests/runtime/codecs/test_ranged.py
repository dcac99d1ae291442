import io
import os

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.errors import StoreError
from cloudburst.runtime.codecs.ranged import RangeReader
from cloudburst.runtime.stores.memory import MemoryStore

DATA = bytes(range(100))


class Counting(MemoryStore):
    def __init__(self):
        super().__init__()
        self.put("a", [DATA])
        self.asked = []

    def get(self, key, ranges=None):
        self.asked.append(list(ranges))
        return super().get(key, ranges)


@pytest.fixture
def store():
    return Counting()


PLACES = st.integers(0, 100)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(-1, 40)),
        st.tuples(st.just("seek"), PLACES, st.just(os.SEEK_SET)),
        st.tuples(st.just("seek"), st.integers(-100, 0), st.just(os.SEEK_END)),
        st.tuples(st.just("fetch"), st.lists(st.tuples(PLACES, PLACES).map(sorted).map(tuple), max_size=4)),
        st.tuples(st.just("tell")),
        st.tuples(st.just("size")),
    ),
    max_size=12,
)


@given(STEPS)
def test_it_reads_like_a_file_whatever_was_fetched(steps):
    reader, file = RangeReader(Counting(), "a", len(DATA)), io.BytesIO(DATA)
    for name, *arguments in steps:
        if name == "fetch":
            reader.fetch([one for one in arguments[0] if one[0] < one[1]])
        elif name == "size":
            assert reader.size() == len(DATA)
        else:
            assert getattr(reader, name)(*arguments) == getattr(file, name)(*arguments)


def test_what_was_fetched_is_not_read_again(store):
    reader = RangeReader(store, "a", len(DATA))
    reader.fetch([(50, 60), (10, 30)])
    assert store.asked == [[(10, 30), (50, 60)]]
    reader.seek(55)
    assert bytes(reader.read(5)) == DATA[55:60]
    reader.fetch([(12, 13), (50, 60)])
    assert len(store.asked) == 1
    reader.seek(59)
    assert bytes(reader.read(2)) == DATA[59:61]
    assert store.asked[1:] == [[(59, 61)]]


def test_an_object_that_is_shorter_than_it_was_is_an_error(store):
    with pytest.raises(StoreError, match="100 bytes"):
        RangeReader(store, "a", 200).fetch([(150, 160)])


def test_arrow_takes_it_for_a_file():
    import pandas as pd

    frame = pd.DataFrame({"a": range(1000), "b": range(1000)})
    data = frame.to_parquet()
    store = MemoryStore()
    store.put("a", [data])
    with pq.ParquetFile(RangeReader(store, "a", len(data)).file()) as file:
        assert file.read(columns=["b"]).to_pandas().equals(frame[["b"]])
