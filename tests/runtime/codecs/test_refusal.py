import asyncio
import socket
import sqlite3
import threading

import numpy as np
import pandas as pd
import pytest

import cloudburst as cb
from cloudburst.errors import CodecError
from cloudburst.runtime.codecs import decode, encode
from cloudburst.runtime.codecs.pickling import CODEC


class Holder:
    def __init__(self, held):
        self.held = held


class Stubborn:
    def __reduce__(self):
        raise RuntimeError("not me")


class Forgetful:
    def __setstate__(self, state):
        raise KeyError("lost")

    def __getstate__(self):
        return {"a": 1}


def refused(value):
    with pytest.raises(CodecError) as caught:
        encode(value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("make", "name", "mend"),
    [
        (lambda: (x for x in "a"), "generator", "list(...)"),
        (threading.Lock, "lock", "leave it out"),
        (threading.RLock, "RLock", "leave it out"),
        (lambda: sqlite3.connect(":memory:"), "sqlite3.Connection", "open it in the stage"),
        (Stubborn, "Stubborn", "give the data in it"),
        (lambda: cb.defer(1), "cloudburst.deferred.Deferred", "compute() it"),
    ],
)
def test_what_cannot_travel_is_named_with_its_place_and_the_mend(make, name, mend):
    value = make()
    assert name in refused(value)
    text = refused({"a": [1, Holder((2, value))]})
    assert f"{name} (at value['a'][1].held[1])" in text
    assert mend in text
    if isinstance(value, sqlite3.Connection):
        value.close()


def test_open_files_are_refused_and_not_copied(tmp_path):
    path = tmp_path / "file"
    path.write_text("content")
    for mode in ("r", "w", "rb", "wb", "r+b"):
        with path.open(mode) as file:
            assert "give its content or its path" in refused([file])


def test_sockets_are_refused():
    with socket.socket() as one:
        assert "open it in the stage that uses it" in refused(one)


def test_coroutines_are_refused():
    async def stage():
        return 1

    coroutine = stage()
    assert "await it" in refused([coroutine])
    assert asyncio.run(coroutine) == 1


def test_what_is_too_deep_is_refused():
    nest = []
    for _ in range(100_000):
        nest = [nest]
    assert "nested too deeply" in refused(nest)


def test_a_member_of_a_set_and_a_cell_of_a_frame_are_refused():
    assert "lock" in refused({Holder(threading.Lock())})
    assert "lock" in refused(pd.DataFrame({"a": [threading.Lock()]}))
    assert "lock" in refused(np.array([threading.Lock()], dtype=object))


def test_the_cause_is_kept():
    with pytest.raises(CodecError) as caught:
        encode(Stubborn())
    assert repr(caught.value.__cause__) == "RuntimeError('not me')"


def test_running_out_of_memory_is_not_the_values_fault():
    class Large:
        def __reduce__(self):
            raise MemoryError

    with pytest.raises(MemoryError):
        encode(Large())


def test_what_does_not_unpickle_is_told():
    data = memoryview(b"".join(CODEC.encode(Forgetful())))
    with pytest.raises(CodecError, match=r"must unpickle what it pickles \(KeyError: 'lost'\)"):
        decode("pickle", data)


def test_a_missing_module_is_told_by_name():
    data = b"\x80\x05\x8c\x0cnosuchmodule\x8c\x01a\x93."
    with pytest.raises(CodecError, match="needs the module 'nosuchmodule', which is not installed here"):
        decode("pickle", memoryview(data))


def test_running_out_of_memory_while_reading_is_not_the_bytes_fault():
    class Large:
        def __reduce__(self):
            return exhaust, ()

    data = memoryview(b"".join(CODEC.encode(Large())))
    with pytest.raises(MemoryError):
        decode("pickle", data)


def exhaust():
    raise MemoryError
