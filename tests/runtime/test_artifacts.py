import collections
import hashlib
import io
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudburst.errors import ArgumentError, CodecError, NotFound, StoreError, Tampered, UsageError
from cloudburst.runtime import artifacts, codecs
from cloudburst.runtime.artifacts import SMALL, read, write, write_encoded
from cloudburst.runtime.codecs import parquet
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


NOISE = FRAME.assign(r=np.random.default_rng(0).random(10_000))
LARGE = {
    "frame": NOISE,
    "odd frame": NOISE.assign(o=[(1,)] * 10_000),
    "array": np.arange(10_000),
    "polars": pl.DataFrame({"a": range(10_000)}),
    "bytes": b"x" * 2_000_000,
    "list": list(range(10_000)),
}


@pytest.fixture(params=[MemoryStore, LocalStore])
def shared(request, tmp_path):
    return LocalStore(tmp_path, shared=True) if request.param is LocalStore else MemoryStore(shared=True)


@pytest.mark.parametrize("value", LARGE.values(), ids=LARGE)
def test_a_shared_store_is_written_data_with_checksums(shared, value):
    artifact = write(value, shared, "a/0")
    assert artifact.codec in codecs.SHARED
    assert artifact.checksum == hashlib.sha256(shared.get("a/0")).digest()
    assert_same(read(artifact, shared), value)


@pytest.mark.parametrize("value", LARGE.values(), ids=LARGE)
def test_a_store_of_ones_own_is_written_without(store, value):
    artifact = write(value, store, "a/0")
    assert artifact.codec in codecs.LOCAL
    assert artifact.checksum is None


def test_what_rides_in_the_artifact_has_no_checksum(shared):
    assert write([1], shared, "a/0").checksum is None
    parts = write([NOISE, 1], shared, "a/0", parts=True)
    assert parts.checksum is None
    assert [part.checksum is None for part in parts.body] == [False, True]
    assert_same(read(parts, shared), [NOISE, 1])


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("It was unpickled.",)


def planted(value, shared, key="a/0"):
    shared.put(key, [pickle.dumps([Bomb(), bytes(artifacts.SMALL)])])


@pytest.mark.parametrize("value", LARGE.values(), ids=LARGE)
def test_what_somebody_else_wrote_is_not_read(shared, value):
    artifact = write(value, shared, "a/0")
    planted(value, shared)
    with pytest.raises(Tampered, match=r"a/0 is not what was written: somebody else can write to (memory|file):"):
        read(artifact, shared)
    with pytest.raises(Tampered):
        read(write_encoded("parts", [], shared, "b")._replace(body=(artifact,)), shared)


def test_a_pickle_without_a_checksum_is_not_read(shared):
    planted(None, shared)
    with pytest.raises(Tampered, match=r"a/0 is not read: .*unpickled"):
        read(Artifact("pickle", "a/0", 33_000), shared)


def test_data_without_a_checksum_is_read(shared):
    artifact = write(NOISE, shared, "a/0")._replace(checksum=None)
    assert_same(read(artifact, shared), NOISE)


def test_columns_of_what_unpickles_are_not_read_before_its_checksum_holds(shared):
    artifact = write(LARGE["odd frame"], shared, "a/0")
    assert_same(read(artifact, shared, ["a"]), NOISE[["a"]])
    planted(None, shared)
    with pytest.raises(Tampered):
        read(artifact, shared, ["a"])


def only(frame, columns):
    """The frame with these columns, as pandas alone gives them."""
    return frame[[name for name in frame.columns if name in columns]]


class Counting(MemoryStore):
    """A shared store that tells what was read of it."""

    def __init__(self):
        super().__init__(shared=True)
        self.reads = []

    def get(self, key, ranges=None):
        data = super().get(key, ranges)
        self.reads.append(len(data))
        return data


def test_columns_are_read_without_the_others():
    rows, rng = 300_000, np.random.default_rng(0)
    frame = pd.DataFrame({f"c{number}": rng.random(rows) for number in range(14)})
    frame["s"] = rng.integers(0, 1_000_000, rows).astype(str)
    store = Counting()
    artifact = write(frame, store, "a/0")
    metadata = pq.ParquetFile(io.BytesIO(store._objects["a/0"])).metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    for columns in (["c3", "s"], ["c12", "c1"], ["c4", "c5"], ["c13", "s"], ["c0", "c1"], ["s"], []):
        store.reads.clear()
        assert_same(read(artifact, store, columns), only(frame, columns))
        needed = sum(
            group.column(number).total_compressed_size
            for group in groups
            for number in frame.columns.get_indexer(columns)
        )
        assert sum(store.reads) <= max(1.2 * needed, 1 << 16)
        assert len(store.reads) <= 2


@settings(deadline=None)
@given(
    columns=st.lists(st.sampled_from(list("abcdefgh")), unique=True), index=st.booleans(), worth=st.sampled_from([0, 1])
)
def test_any_columns_are_those_of_the_frame(columns, index, worth):
    store = Counting()
    frame = pd.DataFrame({name: np.random.default_rng(number).random(2000) for number, name in enumerate("abcdef")})
    if index:
        frame.index = pd.date_range("2024-01-01", periods=2000, freq="h")
    frame.attrs = {"unit": "m"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(artifacts, "WORTH_RANGES", worth << 20)
        artifact = write(frame, store, "a/0")
    assert_same(read(artifact, store), frame)
    store.reads.clear()
    assert_same(read(artifact, store, columns), only(frame, columns))
    assert len(store.reads) == 1 if worth else len(store.reads) <= 2


def test_columns_of_what_one_request_reads_as_fast_are_told_by_its_checksum(shared):
    artifact = write(NOISE, shared, "a/0")
    assert SMALL < artifact.nbytes < artifacts.WORTH_RANGES
    shared.put("a/0", [shared.get("a/0")[:-10], bytes(10)])
    with pytest.raises(Tampered):
        read(artifact, shared, ["a"])


def test_columns_of_a_file_that_was_cut_off_are_told(monkeypatch):
    monkeypatch.setattr(artifacts, "WORTH_RANGES", 0)
    store = Counting()
    artifact = write(NOISE, store, "a/0")
    store.put("a/0", [store.get("a/0")[:-10]])
    with pytest.raises(StoreError):
        read(artifact, store, ["a"])
    store.put("a/0", [bytes(artifact.nbytes)])
    with pytest.raises(Tampered):
        read(artifact, store, ["a"])


def test_a_byte_that_somebody_changed_is_noticed_where_it_is_read(monkeypatch):
    monkeypatch.setattr(artifacts, "WORTH_RANGES", 0)
    store = Counting()
    frame = pd.DataFrame({name: np.random.default_rng(ord(name)).random(3000) for name in "abc"}, index=range(1, 3001))
    artifact = write(frame.set_index(frame["a"].to_numpy()), store, "a/0")
    data = bytes(store.get("a/0"))
    metadata = pq.read_metadata(io.BytesIO(data))
    footer = metadata.serialized_size
    lies = {name: metadata.row_group(0).column(number).data_page_offset for number, name in enumerate("abci")}
    for place, noticed in [
        *[(lies[name] + 100, [name]) for name in "abc"],
        (lies["i"] + 100, list("abc")),
        *[(len(data) - back, list("abc")) for back in (1, 5, 8, 9, footer // 2, footer)],
    ]:
        store.put("a/0", [data[:place], bytes([data[place] ^ 1]), data[place + 1 :]])
        for name in "abc":
            if name in noticed:
                with pytest.raises(Tampered, match="a/0 is not what was written"):
                    read(artifact, store, [name])
            else:
                assert list(read(artifact, store, [name])[name]) == list(frame[name])
        with pytest.raises(Tampered):
            read(artifact, store)


def test_columns_of_what_was_stored_without_sums_of_chunks_are_told_by_the_whole(monkeypatch):
    monkeypatch.setattr(artifacts, "WORTH_RANGES", 0)
    store = Counting()
    artifact = write(NOISE, store, "a/0")
    for checksum in (artifact.checksum[:32], artifact.checksum[:64] + bytes(16), None):
        store.reads.clear()
        assert_same(read(artifact._replace(checksum=checksum), store, ["a"]), NOISE[["a"]])
        assert store.reads == [artifact.nbytes]


@pytest.mark.parametrize("size", [5, artifacts.SMALL + 1, 3 << 20])
def test_what_is_encoded_already_is_written_as_it_is(store, shared, size):
    data = pickle.dumps("x" * size)
    for one in (store, shared):
        artifact = write_encoded("pickle", [data[:3], data[3:]], one, "a/0")
        assert artifact.nbytes == len(data)
        assert (artifact.checksum is not None) is (one is shared and size > artifacts.SMALL)
        assert read(artifact, one) == "x" * size


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
        assert_same(read(artifact, store, ["s", "nowhere"]), FRAME[["s"]])
        assert_same(read(artifact, store, ["nowhere"]), FRAME[[]])


@pytest.mark.parametrize(
    "value", [[FRAME, FRAME.head()], FRAME["a"], pl.DataFrame({"a": [1], "b": [2]}), {"a": FRAME}, 3]
)
def test_what_is_no_frame_of_pandas_comes_whole(store, value):
    for among in (codecs.LOCAL, codecs.SHARED):
        assert_same(read(write(value, store, "a/0", among=among), store, ["a"]), value)
    if isinstance(value, list):
        assert_same(read(write(value, store, "a/1", parts=True), store, ["a"]), value)


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


ROWS, IN_GROUP = 40, 8


def in_groups(frame, store, rows=IN_GROUP, *, worth=0):
    """A frame as a large one would be stored, in row groups of so many rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "ROW_GROUP", rows)
        patch.setattr(artifacts, "SMALL", -1)
        patch.setattr(artifacts, "WORTH_RANGES", worth)
        return write(frame, store, "a/0")


def rows_of(frame, groups, rows=IN_GROUP):
    """The rows of some row groups as pandas alone gives them: taken from all."""
    return frame.take([place for group in groups for place in range(len(frame))[group * rows : (group + 1) * rows]])


KINDS = pd.DataFrame(
    {
        "b": [True, False] * 20,
        "i": np.arange(ROWS, dtype="uint8"),
        "f": np.where(np.arange(ROWS) % 3 == 0, np.nan, -0.0),
        "f32": np.arange(ROWS, dtype="float32"),
        "m": pd.array([1] * 20 + [None] * 20, dtype="Int8"),
        "s": ["x", None] * 20,
        "t": np.array(["2024-01-01"] * 30 + ["NaT"] * 10, "M8[ns]"),
        "d": np.array([1] * 30 + ["NaT"] * 10, "m8[ms]"),
        "c": pd.Categorical(["u", "v"] * 16 + ["w"] * 8, categories=["w", "never", "u", "v"], ordered=True),
    }
)
LABELS = {
    "range": pd.RangeIndex(ROWS),
    "named range": pd.RangeIndex(100, 100 - 3 * ROWS, -3, name="r"),
    "numbers twice": pd.Index([1, 2] * 20, name=3),
    "texts": pd.Index(["p", None] * 20, dtype="str", name="k"),
    "masked": pd.Index(pd.array([1, None] * 20, dtype="Int64")),
    "floats": pd.Index([0.5, np.nan] * 20),
    "moments": pd.DatetimeIndex(["2024-01-01", "NaT"] * 20, name="when"),
    "spans": pd.TimedeltaIndex(np.array([1, 2] * 20, "m8[s]").astype("m8[ms]")),
}


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("groups", [(), (0,), (4,), (1, 3), (0, 1, 2, 3, 4)])
@pytest.mark.parametrize("worth", [0, 1 << 20])
def test_row_groups_are_read_as_they_are_among_all_rows(labels, groups, worth):
    store = MemoryStore(shared=True)
    frame = KINDS.set_axis(LABELS[labels], axis=0).rename_axis(columns="kind")
    frame.attrs = {"unit": "m"}
    artifact = in_groups(frame, store, worth=worth)
    assert (len(artifact.checksum) > 32) is (worth == 0)
    assert_same(read(artifact, store), frame)
    some = artifact._replace(groups=groups)
    assert_same(read(some, store), rows_of(frame, groups))
    for columns in (["c"], ["s", "m", "lost"], []):
        assert_same(read(some, store, columns), only(rows_of(frame, groups), columns))


def test_row_groups_of_what_rides_in_the_record_are_read_too():
    store = MemoryStore(shared=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "ROW_GROUP", IN_GROUP)
        artifact = write(KINDS, store, "a/0")
    assert isinstance(artifact.body, bytes)
    assert_same(read(artifact._replace(groups=(1, 2)), store, ["f"]), rows_of(KINDS, (1, 2))[["f"]])


def test_labels_with_a_frequency_lose_it_where_some_rows_are_read():
    store = MemoryStore(shared=True)
    frame = KINDS.set_axis(pd.date_range("2024-01-01", periods=ROWS, freq="h"), axis=0)
    part = read(in_groups(frame, store)._replace(groups=(1,)), store)
    assert part.index.freq is None
    assert list(part.index) == list(frame.index[8:16])


@settings(deadline=None)
@given(
    groups=st.sets(st.integers(0, 4)).map(lambda drawn: tuple(sorted(drawn))),
    columns=st.one_of(st.none(), st.lists(st.sampled_from([*KINDS, "lost"]), unique=True)),
    labels=st.sampled_from([*LABELS]),
)
def test_bytes_that_are_fetched_are_the_trailer_and_the_chunks(groups, columns, labels):
    store = Counting()
    frame = KINDS.set_axis(LABELS[labels], axis=0)
    artifact = in_groups(frame, store)
    metadata = pq.read_metadata(io.BytesIO(store._objects["a/0"]))
    names = [metadata.schema.column(number).name for number in range(metadata.num_columns)]
    wanted = [place for place, name in enumerate(names) if columns is None or name in columns or name == parquet.INDEX]
    chunks = sum(metadata.row_group(group).column(place).total_compressed_size for group in groups for place in wanted)
    trailer = int.from_bytes(artifact.checksum[64:], "little")
    assert trailer == metadata.serialized_size + 8 + 16 * 5 * len(names)
    expected = rows_of(frame, groups)
    store.reads.clear()
    assert_same(
        read(artifact._replace(groups=groups), store, columns),
        expected if columns is None else only(expected, columns),
    )
    assert store.reads == ([trailer, chunks] if chunks else [trailer])


def test_a_byte_that_somebody_changed_is_noticed_in_the_row_groups_that_are_read_and_no_others():
    store = Counting()
    artifact = in_groups(KINDS, store)
    data = bytes(store.get("a/0"))
    metadata = pq.read_metadata(io.BytesIO(data))
    for group in range(5):
        chunk = metadata.row_group(group).column(1)
        start = chunk.dictionary_page_offset or chunk.data_page_offset
        for place in (start, start + chunk.total_compressed_size - 1):
            store.put("a/0", [data[:place], bytes([data[place] ^ 1]), data[place + 1 :]])
            for one in range(5):
                some = artifact._replace(groups=(one,))
                assert_same(read(some, store, ["b"]), rows_of(KINDS, (one,))[["b"]])
                if one == group:
                    with pytest.raises(Tampered, match="a/0 is not what was written"):
                        read(some, store, ["i"])
                else:
                    assert_same(read(some, store, ["i"]), rows_of(KINDS, (one,))[["i"]])


def test_chunks_of_one_column_that_somebody_swapped_are_noticed():
    store = Counting()
    frame = pd.DataFrame({"a": np.arange(16, dtype="int64")})
    artifact = in_groups(frame, store)
    data = bytes(store.get("a/0"))
    groups = [pq.read_metadata(io.BytesIO(data)).row_group(number).column(0) for number in range(2)]
    (one, end), (other, last) = [
        (chunk.dictionary_page_offset, chunk.dictionary_page_offset + chunk.total_compressed_size) for chunk in groups
    ]
    assert end - one == last - other
    store.put("a/0", [data[:one], data[other:last], data[end:other], data[one:end], data[last:]])
    assert list(pd.read_parquet(io.BytesIO(store.get("a/0")))["a"]) == [*range(8, 16), *range(8)]
    for groups in ((0,), (1,)):
        with pytest.raises(Tampered):
            read(artifact._replace(groups=groups), store)


def test_a_changed_sum_of_a_chunk_is_a_changed_trailer():
    store = Counting()
    artifact = in_groups(KINDS, store)
    data = bytes(store.get("a/0"))
    place = len(data) - int.from_bytes(artifact.checksum[64:], "little")
    store.put("a/0", [data[:place], bytes([data[place] ^ 1]), data[place + 1 :]])
    with pytest.raises(Tampered):
        read(artifact._replace(groups=(4,)), store, ["s"])


def test_what_tells_a_frame_does_not_grow_with_it():
    store = MemoryStore(shared=True)
    wide = pd.DataFrame({f"c{number}": np.arange(3.0) for number in range(1200)})
    artifact = in_groups(wide, store, 1)
    assert len(artifact.checksum) == len(in_groups(KINDS, store).checksum) == 72
    artifact = in_groups(wide, store, 1)
    assert_same(read(artifact._replace(groups=(2,)), store, ["c1100"]), wide[["c1100"]].take([2]))
