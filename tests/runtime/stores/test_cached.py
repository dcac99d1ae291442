import errno
import mmap
import os
import subprocess
import sys
from uuid import uuid4

import pytest

from cloudburst.errors import SettingsError, StoreError
from cloudburst.runtime.stores import cached, open_store, with_cache
from cloudburst.runtime.stores.cached import CachedStore
from tests.contracts.stores import MIB, StoreContract
from tests.runtime.stores import servers
from tests.runtime.stores.scripted import counted

BIG = bytes(range(256)) * (MIB // 256)


@pytest.fixture(scope="module")
def moto():
    with servers.moto() as server:
        server.client().create_bucket(Bucket="data")
        yield server


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "kept" / "here"


@pytest.fixture
def url(moto, monkeypatch):
    servers.let_in(monkeypatch, moto)
    return f"s3://data/{uuid4().hex}?region=us-east-1&endpoint_url={moto.endpoint_url}"


@pytest.fixture
def plenty(monkeypatch):
    monkeypatch.setattr(cached, "total_disk", lambda directory: 1 << 40)
    monkeypatch.setattr(cached, "free_disk", lambda directory: 1 << 40)


@pytest.fixture
def store(url, directory, plenty):
    return open_store(with_cache(url, str(directory)))


def files(directory):
    return sorted(path.stat().st_size for path in directory.rglob("*") if path.is_file())


class CachedContract(StoreContract):
    @pytest.mark.slow
    def test_lists_a_thousand_at_a_time(self, store):
        super().test_lists_a_thousand_at_a_time(store)


class TestWithRoom(CachedContract):
    @pytest.fixture
    def store(self, store):
        return store


class TestWithoutRoom(CachedContract):
    test_lists_a_thousand_at_a_time = None  # a list comes from the store behind, with room here or without

    @pytest.fixture
    def store(self, store, monkeypatch):
        monkeypatch.setattr(cached, "free_disk", lambda directory: 0)
        return store


def test_what_was_read_is_read_again_from_its_file(store, url, directory):
    open_store(url).put("a", [BIG])
    calls = counted(store._store)
    first, second = store.get("a"), store.get("a")
    assert first == second == BIG
    assert calls == {"GetObject": 1}
    assert isinstance(first.obj, mmap.mmap)
    first[:3] = b"\0\0\0"
    assert second[:3] == BIG[:3]
    assert store.get("a") == BIG
    assert store.get("a", [(5, 9), (0, 1)]) == BIG[5:9] + BIG[:1]
    assert store.size("a") == len(BIG)
    assert calls == {"GetObject": 1}
    assert files(directory) == [len(BIG)]


def test_what_takes_many_requests_is_written_to_its_file_in_pieces(store, url, directory):
    data = os.urandom(33 * MIB)
    open_store(url).put("a", [data])
    calls = counted(store._store)
    assert store.get("a") == data
    assert store.get("a") == data
    assert calls == {"GetObject": 3}


def test_what_was_written_is_read_from_its_file(store, url):
    calls = counted(store._store)
    store.put("a", [BIG[:5], BIG[5:]])
    assert store.get("a") == BIG
    assert calls == {"PutObject": 1}
    assert open_store(url).get("a") == BIG


def test_another_process_finds_the_files(store, url, directory):
    store.put("a", [BIG])
    other = open_store(with_cache(url, str(directory)))
    calls = counted(other._store)
    assert other.get("a") == BIG
    assert calls == {}


def test_other_stores_have_files_of_their_own(store, url, directory):
    store.put("a", [BIG])
    other = open_store(with_cache(url.replace("data/", "data/other-"), str(directory)))
    other.put("a", [BIG, b"1"])
    assert len(store.get("a")) == len(BIG)
    assert len(other.get("a")) == len(BIG) + 1


def test_small_objects_and_ranges_are_not_kept(store, url, directory):
    plain = open_store(url)
    plain.put("small", [BIG[1:]])
    plain.put("large", [BIG])
    calls = counted(store._store)
    for _ in range(2):
        assert store.get("small") == BIG[1:]
        assert store.get("large", [(0, 5)]) == BIG[:5]
    assert calls == {"GetObject": 4}
    store.put("small", [b"1"])
    assert files(directory) == []


def test_the_files_go_with_the_objects(store, url, directory):
    store.put("a", [BIG])
    store.delete(["a"])
    assert files(directory) == []
    store.put("a", [BIG])
    store.put("a", [b"1"])
    assert files(directory) == []
    assert bytes(store.get("a")) == b"1"


def test_a_put_if_absent_that_lost_leaves_no_file(store, url, directory):
    open_store(url).put("a", [BIG, b"1"])
    assert not store.put("a", [BIG], if_absent=True)
    assert files(directory) == []
    assert store.get("a") == BIG + b"1"


def test_a_put_that_fails_leaves_no_file(store, directory, monkeypatch):
    store.put("a", [BIG])

    def fail(key, parts, *, if_absent=False):
        raise StoreError("scripted")

    monkeypatch.setattr(store._store, "put", fail)
    with pytest.raises(StoreError, match="scripted"):
        store.put("a", [BIG])
    assert files(directory) == []


def test_the_least_recently_used_go_when_less_than_a_quarter_would_be_free(store, directory, monkeypatch):
    size = len(BIG)
    for age, key in enumerate("abc"):
        store.put(key, [BIG])
        os.utime(store._path(key), (age, age))
    store.get("a")  # used again
    store._reserve = 10 * size
    monkeypatch.setattr(cached, "free_disk", lambda directory: (13 - len(files(directory))) * size)
    calls = counted(store._store)
    store.put("d", [BIG])
    assert len(files(directory)) == 3
    for key in "acd":
        store.get(key)
    assert calls == {"PutObject": 1}
    store.get("b")
    assert calls == {"PutObject": 1, "GetObject": 1}


def test_nothing_goes_for_what_could_not_be_kept_anyway(store, url, directory, monkeypatch):
    store.put("a", [BIG])
    store._reserve = 10 * MIB
    monkeypatch.setattr(cached, "free_disk", lambda directory: 10 * MIB)
    store.put("b", [BIG, BIG])
    assert store.get("b") == BIG + BIG
    assert files(directory) == [len(BIG)]


def fails_with(number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    return fail


def test_a_disk_that_fills_up_while_writing_is_passed_over(store, url, directory, monkeypatch):
    open_store(url).put("a", [BIG])
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", fails_with(errno.ENOSPC))
        full.setattr(os, "writev", fails_with(errno.ENOSPC))
        assert store.get("a") == BIG
        assert store.put("b", [BIG])
        assert files(directory) == []
    assert store.get("b") == BIG


def test_a_disk_that_is_broken_is_told(store, url, directory, monkeypatch):
    open_store(url).put("a", [BIG])
    monkeypatch.setattr(os, "pwrite", fails_with(errno.EIO))
    monkeypatch.setattr(os, "writev", fails_with(errno.EIO))
    with pytest.raises(StoreError, match=r"cannot read a: .*Input/output error"):
        store.get("a")
    with pytest.raises(StoreError, match=r"cannot write b: .*Input/output error"):
        store.put("b", [BIG])
    assert files(directory) == []


def test_an_object_that_changes_while_it_is_read_leaves_one_file(store, url, directory):
    old, new = bytes(33 * MIB), b"\1" * (20 * MIB)
    other = open_store(url)
    other.put("a", [old])

    def change(operation, number, request):
        if number == 1:
            return
        if not changed:
            changed.append(1)
            other.put("a", [new])
        return

    changed = []
    counted(store._store, before=change)
    assert store.get("a") == new
    assert files(directory) == [len(new)]


def test_what_a_dead_process_left_half_written_is_swept(url, directory, store):
    code = "from cloudburst.runtime.stores.files import partial_name; print(partial_name())"
    names = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()]
    names.append(cached.partial_name())
    for name in names:
        (directory / ".partial" / name).write_text("half")
    open_store(with_cache(url, str(directory)))
    assert [path.name for path in (directory / ".partial").iterdir()] == names[1:]


def test_a_directory_that_cannot_be_made_is_told(url, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"file/below cannot keep what is read from s3://"):
        open_store(with_cache(url, str(tmp_path / "file" / "below")))


def test_the_url_says_where(url, tmp_path):
    store = open_store(with_cache(url, str(tmp_path / "a b&c")))
    assert isinstance(store, CachedStore)
    assert open_store(store.url).url == store.url
    assert store._directory == tmp_path / "a b&c"
    assert with_cache("s3://data", "/x") == "s3://data?cache=/x"
    assert with_cache("file:///there", "/x") == "file:///there"
