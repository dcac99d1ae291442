import errno
import mmap
import os
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloudburst.errors import AccessDenied, SettingsError, StoreError
from cloudburst.runtime.stores import files as stored_files
from cloudburst.runtime.stores import local, open_store
from cloudburst.runtime.stores.local import LARGE, LocalStore
from tests.contracts.stores import StoreContract

ROOT = Path(__file__).parents[3]
BIG = b"x" * LARGE


def files(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.fixture
def plenty(monkeypatch):
    """As much memory as anyone could ask for, and the whole disk free."""
    monkeypatch.setattr(local, "free_memory", lambda: 1 << 50)
    monkeypatch.setattr(local, "total_disk", lambda root: 1 << 30)
    monkeypatch.setattr(local, "free_disk", lambda root: 1 << 30)


class TestOneDirectory(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        return LocalStore(tmp_path / "deep" / "root")


class TestTwoDirectories(StoreContract):
    @pytest.fixture
    def store(self, tmp_path, plenty):
        return LocalStore(tmp_path / "root", tmp_path / "fast")


class TestOneThatPlaysAnother(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        return LocalStore(tmp_path / "root", tmp_path / "fast", shared=True)


class TestTwoDirectoriesWithoutRoom(StoreContract):
    @pytest.fixture
    def store(self, tmp_path, monkeypatch):
        monkeypatch.setattr(local, "free_memory", lambda: 0)
        return LocalStore(tmp_path / "root", tmp_path / "fast")


def test_large_objects_go_to_the_fast_directory_and_small_ones_do_not(tmp_path, plenty):
    store = LocalStore(tmp_path / "root", tmp_path / "fast")
    store.put("a/large", [BIG])
    store.put("a/small", [b"x"])
    store.put("a/record", [BIG], if_absent=True)
    assert files(tmp_path / "fast") == ["a/large"]
    assert files(tmp_path / "root") == ["a/record", "a/small"]


@pytest.mark.parametrize("short", ["memory", "disk"])
def test_the_fast_directory_keeps_a_quarter_free(tmp_path, monkeypatch, short):
    free = {"memory": 1 << 50, "disk": 1 << 50}
    monkeypatch.setattr(local, "free_memory", lambda: free["memory"])
    monkeypatch.setattr(local, "free_disk", lambda root: free["disk"] if root.name == "fast" else 1 << 50)
    monkeypatch.setattr(local, "total_disk", lambda root: 100 * LARGE)
    store = LocalStore(tmp_path / "root", tmp_path / "fast")
    free[short] = 26 * LARGE
    store.put("fits", [BIG])
    free[short] = 26 * LARGE - 1
    store.put("does-not", [BIG])
    assert files(tmp_path / "fast") == ["fits"]
    assert files(tmp_path / "root") == ["does-not"]


def full_disk(monkeypatch, root):
    """Let writing below a directory fail after the first half, as a full disk does."""
    written, writev = [], os.writev

    def write(file, buffers):
        if not os.readlink(f"/proc/self/fd/{file}").startswith(str(root)):
            return writev(file, buffers)
        if written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(1)
        return writev(file, [buffers[0][: len(buffers[0]) // 2]])

    monkeypatch.setattr(os, "writev", write)


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks a descriptor up")


@on_linux
def test_a_fast_directory_that_fills_up_while_writing_is_left_for_the_other(tmp_path, plenty, monkeypatch):
    store = LocalStore(tmp_path / "root", tmp_path / "fast")
    full_disk(monkeypatch, tmp_path / "fast")
    assert store.put("a", [BIG])
    assert store.get("a") == BIG
    assert files(tmp_path) == ["root/a"]


@on_linux
def test_a_full_disk_is_an_error_with_the_mend_and_leaves_nothing(tmp_path, monkeypatch):
    store = LocalStore(tmp_path)
    full_disk(monkeypatch, tmp_path)
    with pytest.raises(StoreError, match=r"it needs 3 MiB, and [\d,]+ MiB are free in .*init_local\(storage="):
        store.put("a", [BIG * 3])
    assert files(tmp_path) == []


def test_what_cannot_fit_is_not_begun(tmp_path, monkeypatch):
    store = LocalStore(tmp_path)
    monkeypatch.setattr(local, "free_disk", lambda root: LARGE // 2)
    monkeypatch.setattr(os, "writev", None)
    with pytest.raises(StoreError, match="it needs 1 MiB, and 0 MiB are free"):
        store.put("a", [BIG])
    assert files(tmp_path) == []


def test_what_goes_wrong_while_writing_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    def fail(file, buffers):
        raise OSError(errno.EIO, "Input/output error")

    for roots in ([tmp_path / "one"], [tmp_path / "one", tmp_path / "fast"]):
        store = LocalStore(*roots)
        monkeypatch.setattr(local, "free_memory", lambda: 1 << 50)
        store._reserve = 0
        with monkeypatch.context() as patch:
            patch.setattr(os, "writev", fail)
            with pytest.raises(StoreError, match=r"cannot write a: .*Input/output error"):
                store.put("a", [BIG])
        assert files(tmp_path) == []


def test_a_part_larger_than_a_write_takes_is_written_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_files, "_MOST_BYTES", 10)
    monkeypatch.setattr(stored_files, "_MOST_PARTS", 3)
    seen, writev = [], os.writev
    monkeypatch.setattr(os, "writev", lambda file, batch: seen.append([*map(len, batch)]) or writev(file, batch))
    store = LocalStore(tmp_path)
    store.put("a", [b"0123456789" * 2 + b"0123", b"45", b"6", b"7", b"8", b"9"])
    assert bytes(store.get("a")) == b"0123456789" * 3
    assert seen == [[10], [10], [4, 2, 1], [1, 1, 1]]


def test_writes_go_on_where_the_system_stopped(tmp_path, monkeypatch):
    writev = os.writev
    monkeypatch.setattr(os, "writev", lambda file, batch: writev(file, [batch[0][:3]]))
    store = LocalStore(tmp_path)
    store.put("a", [b"0123456", b"78", b"9"])
    assert bytes(store.get("a")) == b"0123456789"


def test_large_objects_are_mapped_and_small_ones_are_not(tmp_path):
    store = LocalStore(tmp_path)
    store.put("large", [BIG])
    store.put("small", [BIG[1:]])
    assert isinstance(store.get("large").obj, mmap.mmap)
    assert isinstance(store.get("small").obj, bytearray)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="mappings keep no file open")
def test_mappings_do_not_use_up_the_files_that_may_be_open(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_files, "_MOST_MAPPINGS", len(stored_files._mappings) + 2)
    store = LocalStore(tmp_path)
    store.put("a", [BIG])
    got = [store.get("a") for _ in range(4)]
    assert [type(one.obj) for one in got].count(mmap.mmap) == 2
    assert all(one == BIG for one in got)


def test_a_directory_is_this_users_alone_unless_it_says_otherwise(tmp_path):
    assert not open_store(LocalStore(tmp_path).url).is_shared
    assert open_store(LocalStore(tmp_path, shared=True).url).is_shared


def test_age_is_told_by_the_file_systems_clock_and_leaves_nothing(tmp_path):
    store = LocalStore(tmp_path)
    store.put("a", [b"1"])
    old = (tmp_path / "a").stat().st_mtime - 100
    os.utime(tmp_path / "a", (old, old))
    assert 100 <= store.age_s("a") < 3700
    os.utime(tmp_path / "a", (old + 9999, old + 9999))
    assert store.age_s("a") == 0
    assert files(tmp_path) == ["a"]


def test_nobody_else_may_look(tmp_path):
    old = os.umask(0)
    try:
        store = LocalStore(tmp_path / "root")
        store.put("a/b/c", [b"secret"])
    finally:
        os.umask(old)
    for path in (tmp_path / "root").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o600 if path.is_file() else 0o700)
    assert stat.S_IMODE((tmp_path / "root").stat().st_mode) == 0o700


def test_deleting_leaves_no_empty_directories(tmp_path):
    store = LocalStore(tmp_path / "root")
    store.put("a/b/c/1", [b""])
    store.put("a/2", [b""])
    store.delete(["a/b/c/1"])
    assert [path.name for path in (tmp_path / "root" / "a").iterdir()] == ["2"]
    store.delete(["a/2"])
    assert [path.name for path in (tmp_path / "root").iterdir()] == [".partial"]
    store.put("a/b/c/1", [b"again"])
    assert store.list("") == ["a/b/c/1"]


def test_the_url_names_both_directories_however_they_are_called(tmp_path):
    store = LocalStore(tmp_path / "a b?#%41&ü", tmp_path / "fast=+& %")
    other = open_store(store.url)
    assert isinstance(other, LocalStore)
    assert (other.root, other.fast_root) == (store.root, store.fast_root)


def test_a_relative_directory_is_the_one_of_when_it_was_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = LocalStore("here")
    monkeypatch.chdir("/")
    store.put("a", [b"1"])
    assert files(tmp_path) == ["here/a"]


def test_a_file_in_the_way_is_an_error_with_the_mend(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"file cannot be used for storage: .*init_local\(storage="):
        LocalStore(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_may_not_be_written_is_an_error_with_the_mend(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(SettingsError, match=r"init_local\(storage="):
        LocalStore(tmp_path / "root")


def test_a_directory_that_turns_out_unwritable_is_an_error_with_the_mend(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(SettingsError, match="it is not writable"):
        LocalStore(tmp_path)


def test_what_the_system_forbids_is_access_denied(tmp_path, monkeypatch):
    store = LocalStore(tmp_path)
    store.put("a", [b""])

    def forbid(*arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", forbid)
    with pytest.raises(AccessDenied, match="may not read a"):
        store.get("a")
    with pytest.raises(AccessDenied, match="may not write b"):
        store.put("b", [b""])


def test_a_key_that_is_a_directory_is_an_error(tmp_path):
    store = LocalStore(tmp_path)
    store.put("a/b", [b""])
    with pytest.raises(StoreError, match="cannot write a"):
        store.put("a", [b""])
    with pytest.raises(StoreError, match="cannot write a/b/c"):
        store.put("a/b/c", [b""])
    assert files(tmp_path) == ["a/b"]


def test_what_a_dead_writer_left_is_swept_and_what_a_living_one_writes_is_not(tmp_path):
    store = LocalStore(tmp_path)
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    host = socket.gethostname()
    left = tmp_path / ".partial" / f"{host}-{child.pid}-1"
    kept = [
        tmp_path / ".partial" / name for name in (f"{host}-{os.getpid()}-1", f"{host}-1-7", f"elsewhere-{child.pid}-1")
    ]
    for path in (left, *kept):
        path.write_text("half")
    store.sweep()
    assert not left.exists()
    assert all(path.exists() for path in kept)
    assert store.list("") == []


def test_a_store_that_is_removed_while_writing_is_an_error(tmp_path, monkeypatch):
    store = LocalStore(tmp_path / "root")
    writev = os.writev
    monkeypatch.setattr(os, "writev", lambda file, batch: store.destroy() or writev(file, batch))
    with pytest.raises(StoreError, match="cannot write a/b"):
        store.put("a/b", [b"1"])
    assert not (tmp_path / "root").exists()


def test_destroying_leaves_nothing(tmp_path, plenty):
    store = LocalStore(tmp_path / "root", tmp_path / "fast")
    store.put("a", [BIG])
    store.put("b", [b""])
    store.destroy()
    assert list(tmp_path.iterdir()) == []


def test_of_many_that_put_if_absent_one_wins(tmp_path):
    stores = [LocalStore(tmp_path) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for round_ in range(20):
            key = f"deep/{round_}/record"
            won = list(pool.map(lambda one: one[1].put(key, [b"%d" % one[0]], if_absent=True), enumerate(stores)))  # noqa: B023
            assert won.count(True) == 1
            assert bytes(stores[0].get(key)) == b"%d" % won.index(True)


WRITER = """
import sys
from cloudburst.runtime.stores import open_store
store, name = open_store(sys.argv[1]), sys.argv[2]
for number in range(60):
    store.put(f"own/{name}/{number}", [name.encode() * 1000])
    store.put("shared/last", [name.encode() * 300_000])
    won = store.put(f"once/{number}", [name.encode()], if_absent=True)
    assert bytes(store.get(f"once/{number}")) == name.encode() or not won
    last = bytes(store.get("shared/last"))
    assert len(last) == 300_000 and len(set(last)) == 1, "half written"
    store.delete([f"own/{name}/{number}"])
"""


def test_many_processes_write_at_once(tmp_path):
    url = LocalStore(tmp_path).url
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, url, name], cwd=ROOT) for name in "abc"]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    store = open_store(url)
    assert store.list("own/") == []
    assert len(store.list("once/")) == 60
    assert files(tmp_path / ".partial") == []
