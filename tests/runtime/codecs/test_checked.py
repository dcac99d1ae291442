from __future__ import annotations

import io
from hashlib import sha256
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudburst.runtime.codecs.checked import chunks, fetch_checked, open_checked, with_sums
from cloudburst.runtime.codecs.parquet import CODEC, ROW_GROUP
from cloudburst.runtime.codecs.ranged import TOLD, NotAsWritten, RangeReader
from cloudburst.runtime.stores.memory import MemoryStore

ROWS = 2 * ROW_GROUP + 5
FRAME = pd.DataFrame({"a": np.arange(ROWS), "b": np.random.default_rng(0).random(ROWS)}, index=np.arange(ROWS)[::-1])
PLAIN = b"".join(CODEC.encode(FRAME))
PARTS, SUMS = with_sums([PLAIN])
DATA = b"".join(PARTS)
LENGTH = int.from_bytes(SUMS[32:], "little")


class Counting(MemoryStore):
    """A store that tells what was read of it."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[int] = []

    def get(self, key, ranges=None):
        data = super().get(key, ranges)
        self.reads.append(len(data))
        return data


def reader_of(data: bytes, store: MemoryStore | None = None) -> RangeReader:
    store = store or MemoryStore()
    store.put("file", [data])
    return RangeReader(store, "file", len(data))


@settings(deadline=None)
@given(cuts=st.lists(st.integers(0, len(PLAIN)), max_size=20))
def test_it_makes_no_difference_how_the_file_is_cut_in_parts(cuts):
    places = [0, *sorted(cuts), len(PLAIN)]
    parts, told = with_sums([PLAIN[start:end] for start, end in pairwise(places)])
    assert (b"".join(parts), told) == (DATA, SUMS)


def test_each_chunk_has_its_sum_in_the_file():
    trailer = open_checked(reader_of(DATA), SUMS)
    assert trailer.metadata.num_row_groups == 3
    for group in range(3):
        for column in range(3):
            [(start, end)] = chunks(trailer.metadata, [column], [group])
            assert trailer.sum_of(group, column) == sha256(DATA[start:end]).digest()[:16]
    assert len(trailer.sums) == 3 * 3 * 16
    assert len(DATA) == len(PLAIN) + 3 * 3 * 16
    assert trailer.nbytes == LENGTH


def test_what_tells_them_is_as_long_for_any_number_of_columns_and_row_groups():
    frame = pd.DataFrame({f"c{number}": [1.0] for number in range(1500)})
    parts, told = with_sums(CODEC.encode(frame))
    assert len(told) == len(SUMS) == TOLD
    assert len(open_checked(reader_of(b"".join(parts)), told).sums) == 1500 * 16


def test_the_file_is_still_one_of_parquet_to_any_reader():
    expected = FRAME.reset_index(drop=True)
    read = pq.read_table(io.BytesIO(DATA))
    assert read.num_rows == ROWS
    assert read.equals(pq.read_table(io.BytesIO(PLAIN)))
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(DATA), columns=["a", "b"]), expected)
    assert pl.read_parquet(DATA, columns=["a", "b"]).equals(pl.from_pandas(expected))


def test_the_trailer_is_read_by_one_request_and_nothing_else():
    store = Counting()
    open_checked(reader_of(DATA, store), SUMS)
    assert store.reads == [LENGTH]


@pytest.mark.parametrize("columns", [[], [0], [1, 2], [0, 1, 2]])
@pytest.mark.parametrize("groups", [None, [], [1], [0, 2]])
def test_what_was_checked_is_all_that_can_be_read(columns, groups):
    reader = reader_of(DATA)
    trailer = open_checked(reader, SUMS)
    fetch_checked(reader, trailer, columns, groups)
    for group in range(3):
        for column in range(3):
            [(start, end)] = chunks(trailer.metadata, [column], [group])
            if column in columns and (groups is None or group in groups):
                assert reader.at(start, end) == DATA[start:end]
            else:
                with pytest.raises(OSError, match="not fetched"):
                    reader.at(start, end)


@settings(deadline=None)
@given(place=st.integers(len(DATA) - LENGTH, len(DATA) - 1), bit=st.integers(0, 7))
def test_a_trailer_of_which_one_bit_differs_is_not_parsed(place, bit):
    changed = bytearray(DATA)
    changed[place] ^= 1 << bit
    with pytest.raises(NotAsWritten):
        open_checked(reader_of(bytes(changed)), SUMS)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"\xff" * 100, DATA[:-4], DATA[:-4] + b"PARE", PLAIN])
def test_what_is_no_such_file_is_not_parsed(data):
    with pytest.raises(NotAsWritten):
        open_checked(reader_of(data), SUMS)


def test_chunks_that_lie_elsewhere_are_not_read():
    reader = reader_of(DATA[8:])  # the same trailer: what it says of the chunks does not hold
    trailer = open_checked(reader, SUMS)
    with pytest.raises(NotAsWritten):
        fetch_checked(reader, trailer, [0], [1])


def test_a_chunk_in_the_place_of_another_one_of_its_column_is_not_read():
    noise = np.random.default_rng(1).integers(0, 7, ROW_GROUP)
    parts, told = with_sums(CODEC.encode(pd.DataFrame({"a": np.concatenate([noise, noise[::-1]])})))
    data = b"".join(parts)
    metadata = open_checked(reader_of(data), told).metadata
    (first, middle), (second, end) = chunks(metadata)
    assert middle == second
    size = min(middle - first, end - second)
    swapped = data[:first] + data[second : second + size] + data[first + size :]
    reader = reader_of(swapped)
    trailer = open_checked(reader, told)
    with pytest.raises(NotAsWritten):
        fetch_checked(reader, trailer, [0], [0])
    reader = reader_of(swapped)
    fetch_checked(reader, open_checked(reader, told), [0], [1])  # this one lies where it was
