"""What every codec must do, whatever it takes: subclass ``CodecContract`` and give it a ``codec`` and values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cloudburst.errors import CodecError
from cloudburst.runtime import codecs
from cloudburst.runtime.protocols import Codec
from cloudburst.runtime.stores import files
from cloudburst.runtime.stores.local import LocalStore
from tests.contracts.equality import assert_same


def through(codec: Codec, value: Any) -> Any:
    """A value there and back, in memory."""
    assert codec.takes(value)
    return codec.decode(memoryview(bytearray(b"".join(codec.encode(value)))))


class CodecContract:
    """A subclass has fixtures ``codec`` and ``value``: any of the values that the codec takes."""

    def test_gives_back_what_it_took(self, codec: Codec, value: Any) -> None:
        assert_same(through(codec, value), value)

    def test_is_known_by_its_name(self, codec: Codec, value: Any) -> None:
        assert isinstance(codec, Codec)
        assert codecs.codec(codec.name) is codec
        name, parts = codecs.encode(value, [codec.name])
        assert name == codec.name
        assert_same(codecs.decode(name, memoryview(b"".join(parts))), value)

    def test_gives_parts_that_are_bytes(self, codec: Codec, value: Any) -> None:
        for part in codec.encode(value):
            assert len(part) == memoryview(part).nbytes

    def test_reads_writable_values_from_memory_that_nobody_may_write(self, codec: Codec, value: Any) -> None:
        data = b"".join(codec.encode(value))
        before = bytes(bytearray(data))
        overwrite(codec.decode(memoryview(data)))
        assert data == before

    def test_writing_to_what_was_read_from_a_file_leaves_the_file(
        self, codec: Codec, value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(files, "LARGE", 1)  # so that all files are mapped
        store = LocalStore(tmp_path)
        store.put("value", codec.encode(value))
        before = (tmp_path / "value").read_bytes()
        overwrite(codec.decode(store.get("value")))
        assert (tmp_path / "value").read_bytes() == before
        assert_same(codec.decode(store.get("value")), value)

    def test_writing_to_what_was_read_leaves_the_value(self, codec: Codec, value: Any) -> None:
        before = b"".join(codec.encode(value))
        overwrite(through(codec, value))
        assert b"".join(codec.encode(value)) == before

    def test_refuses_what_is_cut_off(self, codec: Codec, value: Any) -> None:
        data = b"".join(codec.encode(value))
        with pytest.raises(CodecError):
            codec.decode(memoryview(data[: len(data) // 2]))


def overwrite(value: Any) -> None:
    """Write to all of a value in place, in the ways that people do. It fails where something cannot be written."""
    if isinstance(value, np.ndarray):
        _overwrite_array(value)
    elif isinstance(value, pd.DataFrame):
        for number in range(value.shape[1]):
            _overwrite_cells(value.iloc[:, number].array, lambda cell, column=number: _set_cell(value, column, cell))
    elif isinstance(value, pd.Series):
        _overwrite_cells(value.array, lambda cell: value.iloc.__setitem__(0, cell))
    elif isinstance(value, list):
        value.append(None)
    elif isinstance(value, dict):
        value["more"] = None


def _set_cell(frame: pd.DataFrame, column: int, cell: Any) -> None:
    frame.iloc[0, column] = cell
    assert frame.iloc[0, column] is cell or pd.isna(cell) or frame.iloc[0, column] == cell


def _overwrite_cells(column: Any, write: Any) -> None:
    if len(column) and not str(column.dtype).startswith(("Sparse", "list", "struct")):  # pandas itself cannot
        write(column[len(column) // 2])


def _overwrite_array(array: np.ndarray) -> None:
    assert array.flags.writeable
    if array.dtype.kind in "iufc":
        array += array.dtype.type(1)
    array.reshape(-1, order="A")[...] = np.zeros((), array.dtype)
    if array.size:
        array[(0,) * array.ndim] = np.zeros((), array.dtype)
