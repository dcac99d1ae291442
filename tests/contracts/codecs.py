"""What every codec must do, whatever it takes: subclass it with a codec and values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloudburst.errors import CodecError
from cloudburst.runtime import codecs
from cloudburst.runtime.protocols import Codec
from cloudburst.runtime.stores.local import LocalStore
from tests.contracts.equality import assert_same


def through(codec: Codec, value: Any) -> Any:
    """A value there and back, in memory."""
    assert codec.takes(value)
    return codec.decode(memoryview(bytearray(b"".join(codec.encode(value)))))


class CodecContract:
    """A subclass has fixtures ``codec`` and ``value``, parametrized with all kinds of values that the codec takes."""

    def test_gives_back_what_it_took(self, codec: Codec, value: Any) -> None:
        assert_same(through(codec, value), value)

    def test_is_known_by_its_name(self, codec: Codec, value: Any) -> None:
        assert type(codecs.codec(codec.name)) is type(codec)
        name, parts = codecs.encode(value, (codec.name,))
        assert name == codec.name
        assert_same(codecs.decode(name, memoryview(b"".join(parts))), value)

    def test_reads_what_nobody_may_write_to(self, codec: Codec, value: Any) -> None:
        data = b"".join(codec.encode(value))
        before = bytes(memoryview(data))
        assert_same(codec.decode(memoryview(data)), value)
        assert data == before

    def test_reads_from_a_file_and_leaves_it_as_it_is(self, codec: Codec, value: Any, tmp_path: Path) -> None:
        store = LocalStore(tmp_path)
        store.put("value", [*codec.encode(value), bytes(1 << 20)] if codec.name == "pickle" else codec.encode(value))
        before = bytes(store.get("value"))
        overwrite(codec.decode(store.get("value")))
        assert bytes(store.get("value")) == before
        assert_same(codec.decode(store.get("value")), value)

    def test_leaves_the_value_as_it_is(self, codec: Codec, value: Any) -> None:
        overwrite(through(codec, value))
        assert_same(through(codec, value), value)

    def test_refuses_what_is_cut_off(self, codec: Codec, value: Any) -> None:
        data = b"".join(codec.encode(value))
        with pytest.raises(CodecError):
            codec.decode(memoryview(data[: len(data) // 2]))


def overwrite(value: Any) -> int:
    """Write to all of a value that can be written to in place; how many writes that were."""
    import numpy as np
    import pandas as pd

    if isinstance(value, np.ndarray):
        if value.size and value.dtype.kind in "iufcb":
            value += value.dtype.type(1)
            return 1
        value.fill(value.dtype.type())
        return 1
    if isinstance(value, pd.DataFrame) and value.size:
        value.iloc[0, :] = value.iloc[-1, :]
        value.isetitem(0, value.iloc[::-1, 0].array)
        for number in range(value.shape[1]):
            value.iloc[:, number] = value.iloc[::-1, number].array
        return 1
    return 0
