import collections

import numpy as np
import pandas as pd
import polars as pl
import pytest

from cloudburst.errors import ArgumentError, CodecError, NotFound, UsageError
from cloudburst.runtime import artifacts, codecs
from cloudburst.runtime.artifacts import SMALL, read, write
from cloudburst.runtime.stores.local import LocalStore
from cloudburst.runtime.stores.memory import MemoryStore
from cloudburst.runtime.task import Artifact
from tests.contracts.equality import assert_same

FRAME = pd.DataFrame({"a": range(10_000), "s": ["text"] * 10_000})


@pytest.fixture(params=[MemoryStore, LocalStore])
def store(request, tmp_path):
    return request.param(tmp_path) if request.param is LocalStore else request.param()


def through(value, store, **options):
    return read(write(value, store, "a/0", **options), store)


@pytest.mark.parametrize("value", [None, 3, "text", [1, (2,)], FRAME.head(), np.arange(3), pl.DataFrame({"a": [1]})])
@pytest.mark.parametrize("among", [codecs.LOCAL, codecs.SHARED])
def test_small_values_ride_in_the_artifact(store, value, among):
    artifact = write(value, store, "a/0", among=among)
    assert isinstance(artifact.body, bytes)
    assert artifact.nbytes == len(artifact.body) <= SMALL
    assert store.list("") == []
    assert_same(read(artifact, store), value)


@pytest.mark.parametrize("value", ["x" * SMALL, FRAME, np.arange(10_000), pl.DataFrame({"a": range(10_000)})])
@pytest.mark.parametrize("among", [codecs.LOCAL, codecs.SHARED])
def test_large_values_lie_in_the_store(store, value, among):
    value = value if not isinstance(value, pd.DataFrame) else value.assign(r=np.random.default_rng(0).random(10_000))
    artifact = write(value, store, "a/0", among=among)
    assert artifact.body == "a/0"
    assert artifact.nbytes == store.size("a/0") > SMALL
    assert_same(read(artifact, store), value)


def test_the_line_is_drawn_at_small():
    store = MemoryStore()
    overhead = write(b"x" * 30_000, store, "a").nbytes - 30_000
    assert isinstance(write(b"x" * (SMALL - overhead), store, "a").body, bytes)
    assert write(b"x" * (SMALL - overhead + 1), store, "a").body == "a"


@pytest.mark.parametrize("value", [FRAME.head(), FRAME])
def test_what_is_read_is_writable_and_nobody_elses(store, value):
    artifact = write(value, store, "a/0")
    mine = read(artifact, store)
    mine.loc[0, "a"] = -1
    mine.loc[:, "s"] = "other"
    assert_same(read(artifact, store), value)


def test_writing_does_not_touch_the_value(store):
    value = FRAME.copy()
    write(value, store, "a/0")
    value.loc[0, "a"] = -1
    assert read(Artifact("pickle", "a/0", 0), store).loc[0, "a"] == 0


@pytest.mark.parametrize(
    "value",
    [
        [1, "a", None],
        (1, 2),
        range(3),
        {1},
        frozenset({"a"}),
        {"a": 1}.keys(),
        {"a": 1}.values(),
        {"a": 1}.items(),
        collections.OrderedDict(a=1).keys(),
        np.arange(3),
        pd.Series([1.5, 2.5], index=["x", "y"]),
        pd.Index(["a", "b"]),
        pd.date_range("2024-01-01", periods=3, freq="D"),
        pl.Series(["a", None]),
        [],
        range(0),
    ],
    ids=lambda value: f"{type(value).__module__}.{type(value).__name__}",
)
def test_lists_lie_in_parts(store, value):
    artifact = write(value, store, "a/0", parts=True)
    assert artifact.codec == "parts"
    assert len(artifact.body) == len(value)
    assert artifact.nbytes == sum(part.nbytes for part in artifact.body)
    assert read(artifact, store) == list(value)
    assert [read(part, store) for part in artifact.body] == list(value)


def test_large_parts_lie_under_keys_of_their_own(store):
    artifact = write([FRAME, 1, FRAME.tail(9000)], store, "a/0", parts=True)
    assert [part.body if isinstance(part.body, str) else "here" for part in artifact.body] == ["a/0/0", "here", "a/0/2"]
    assert store.list("") == ["a/0/0", "a/0/2"]
    assert_same(read(artifact, store), [FRAME, 1, FRAME.tail(9000)])


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (FRAME, "DataFrame of shape (10000, 2)"),
        (np.zeros((2, 2)), "ndarray of shape (2, 2)"),
        (np.array(1), "ndarray of shape ()"),
        (np.float64(1), "float64"),
        (pl.DataFrame({"a": [1]}), "DataFrame of shape (1, 1)"),
        (pd.Timestamp("2024-01-01"), "Timestamp"),
        ("text", "str"),
        (b"bytes", "bytes"),
        ({"a": 1}, "dict"),
        ((x for x in "ab"), "generator"),
        (3, "int"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_list_has_no_parts(store, value, name):
    with pytest.raises(ArgumentError) as caught:
        write(value, store, "a/0", parts=True)
    assert f"f.map needs a list, got {name}" in str(caught.value)
    assert "list(...)" in str(caught.value)
    assert isinstance(caught.value, UsageError)
    assert isinstance(caught.value, TypeError)
    assert store.list("") == []


def test_columns_can_be_chosen(store):
    for among in (codecs.LOCAL, codecs.SHARED):
        artifact = write(FRAME, store, "a/0", among=among)
        assert_same(read(artifact, store, ["s"]), FRAME[["s"]])
        parts = write([FRAME, FRAME.head()], store, "a/1", parts=True, among=among)
        assert_same(read(parts, store, ["s"]), [FRAME[["s"]], FRAME[["s"]].head()])


def test_what_is_gone_is_told(store):
    artifact = write(FRAME, store, "a/0")
    store.delete(["a/0"])
    with pytest.raises(NotFound):
        read(artifact, store)


def test_what_cannot_be_written_leaves_nothing(store):
    with pytest.raises(CodecError):
        write([bytes(SMALL), (x for x in "ab")], store, "a/0")
    assert store.list("") == []


def test_an_artifact_survives_as_plain_tuples(store):
    artifact = write([1, FRAME], store, "a/0", parts=True)
    assert_same(read(Artifact(*artifact), store), [1, FRAME])
    assert artifact.codec == artifacts.PARTS
