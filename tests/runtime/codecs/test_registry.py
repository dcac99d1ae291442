import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from cloudburst.errors import CodecError
from cloudburst.runtime import codecs

FRAME = pd.DataFrame({"a": [1]})


@pytest.mark.parametrize(
    ("value", "local", "shared"),
    [
        (1, "pickle", "plain"),
        ([1, "a"], "pickle", "plain"),
        ((1, "a"), "pickle", "pickle"),
        (np.arange(3), "pickle", "plain"),
        (FRAME, "pickle", "parquet"),
        (FRAME["a"], "pickle", "pickle"),
        (pd.DataFrame({"a": [(1, 2)]}), "pickle", "pickle"),
        (pa.table({"a": [1]}), "arrow", "arrow"),
        (pl.DataFrame({"a": [1]}), "arrow", "arrow"),
        (pl.DataFrame({"a": [1]}).lazy(), "pickle", "pickle"),
        ({"frame": FRAME}, "pickle", "pickle"),
    ],
)
def test_the_first_codec_that_takes_a_value_writes_it(value, local, shared):
    assert codecs.encode(value)[0] == local
    assert codecs.encode(value, codecs.SHARED)[0] == shared


def test_every_codec_is_where_it_is_said_to_be():
    for name in codecs.MODULES:
        assert codecs.codec(name).name == name


def test_an_unknown_codec_is_an_error():
    with pytest.raises(CodecError, match="no codec 'smoke'"):
        codecs.decode("smoke", memoryview(b""))


def test_a_value_that_no_codec_takes_is_an_error():
    with pytest.raises(CodecError, match=r"None of the codecs plain, arrow takes a set\."):
        codecs.encode({1}, ["plain", "arrow"])


def test_plain_values_are_stored_without_loading_anything_heavy():
    code = """
import sys
from cloudburst.runtime import artifacts
from cloudburst.runtime.stores.memory import MemoryStore
store = MemoryStore()
for value in (1, "a", [1, (2, {3})], {"a": b"b" * 100_000}):
    assert artifacts.read(artifacts.write(value, store, "key"), store) == value
print(*sorted({"cloudpickle", "numpy", "pandas", "pyarrow", "polars"} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
