from __future__ import annotations

from hashlib import sha256
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.runtime.codecs import checked
from cloudburst.runtime.codecs.checked import chunks, column_sums, fetch_checked, open_checked
from cloudburst.runtime.codecs.parquet import CODEC, ROW_GROUP
from cloudburst.runtime.codecs.ranged import NotAsWritten, RangeReader
from cloudburst.runtime.stores.memory import MemoryStore

ROWS = 2 * ROW_GROUP + 5
FRAME = pd.DataFrame({"a": np.arange(ROWS), "b": np.random.default_rng(0).random(ROWS)}, index=np.arange(ROWS)[::-1])
DATA = b"".join(CODEC.encode(FRAME))
SUMS = column_sums([DATA])


def reader_of(data: bytes) -> RangeReader:
    store = MemoryStore()
    store.put("file", [data])
    return RangeReader(store, "file", len(data))


@given(cuts=st.lists(st.integers(0, len(DATA)), max_size=20))
def test_it_makes_no_difference_how_the_file_is_cut_in_parts(cuts):
    places = [0, *sorted(cuts), len(DATA)]
    assert column_sums([DATA[start:end] for start, end in pairwise(places)]) == SUMS


def test_each_column_has_the_sum_of_its_chunks():
    metadata = open_checked(reader_of(DATA), SUMS)
    assert metadata.num_row_groups == 3
    for column in range(3):
        held = b"".join(DATA[start:end] for start, end in chunks(metadata, [column]))
        assert SUMS[32 + 16 * column :][:16] == sha256(held).digest()[:16]
    assert len(SUMS) == 32 + 3 * 16


def test_a_file_of_very_many_columns_has_none(monkeypatch):
    monkeypatch.setattr(checked, "MOST_COLUMNS", 2)
    assert column_sums([DATA]) == b""


@pytest.mark.parametrize("columns", [[], [0], [1, 2], [0, 1, 2]])
def test_what_was_checked_is_all_that_can_be_read(columns):
    reader = reader_of(DATA)
    metadata = open_checked(reader, SUMS)
    fetch_checked(reader, metadata, columns, SUMS)
    for column in range(3):
        for start, end in chunks(metadata, [column]):
            if column in columns:
                assert reader.at(start, end) == DATA[start:end]
            else:
                with pytest.raises(OSError, match="not fetched"):
                    reader.at(start, end)


def test_a_footer_that_is_longer_than_its_first_reading_is_read_on(monkeypatch):
    monkeypatch.setattr(checked, "_TAIL", 100)
    assert open_checked(reader_of(DATA), SUMS).num_columns == 3
    changed = bytearray(DATA)
    changed[-150] ^= 1
    with pytest.raises(NotAsWritten):
        open_checked(reader_of(bytes(changed)), SUMS)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"\xff" * 100, DATA[:-4], DATA[:-4] + b"PARE", DATA[8:]])
def test_what_is_no_such_file_is_not_parsed(data):
    if data == DATA[8:]:  # the same footer: what it says of the columns does not hold
        reader = reader_of(data)
        metadata = open_checked(reader, SUMS)
        with pytest.raises(NotAsWritten):
            fetch_checked(reader, metadata, [0], SUMS)
        return
    with pytest.raises(NotAsWritten):
        open_checked(reader_of(data), SUMS)
