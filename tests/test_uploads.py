"""Files of this machine in a store that others read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cloudburst.errors import UsageError
from cloudburst.graph.nodes import File, Source
from cloudburst.runtime.stores.memory import MemoryStore
from cloudburst.uploads import uploaded


class Counting(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.puts: list[str] = []

    def put(self, key, parts, *, if_absent=False):
        self.puts.append(key)
        return super().put(key, parts, if_absent=if_absent)


def file_of(path: Path) -> File:
    found = path.stat()
    return File(str(path), found.st_size, str(found.st_mtime_ns))


def sent(files: list[File], store: Counting, root: str = "") -> dict[File, File]:
    return uploaded([Source("csv", tuple(files), root)], store)


@pytest.fixture
def store() -> Counting:
    return Counting()


def test_a_file_is_put_into_the_store_under_what_is_in_it(tmp_path, store):
    one, same, other = (tmp_path / name for name in ("one", "same", "other"))
    one.write_bytes(b"rows")
    same.write_bytes(b"rows")
    other.write_bytes(b"more rows")
    files = [file_of(path) for path in (one, same, other)]
    moved = sent(files, store)
    assert len({moved[file].path.split("/")[2] for file in files}) == 2
    key = moved[files[2]].path.removeprefix("store:")
    assert bytes(store.get(key)) == b"more rows"
    assert len(store.puts) == 3


def test_a_file_that_is_there_already_is_not_sent_again(tmp_path, store):
    path = tmp_path / "one"
    path.write_bytes(b"x" * 100_000)
    first = sent([file_of(path)], store)
    os.utime(path, ns=(1, 1))  # touched, but the same
    again = sent([file_of(path)], store)
    assert [file.path for file in first.values()] == [file.path for file in again.values()]
    assert len(store.puts) == 1


def test_an_empty_file_is_a_file(tmp_path, store):
    path = tmp_path / "empty"
    path.touch()
    [moved] = sent([file_of(path)], store).values()
    assert bytes(store.get(moved.path.removeprefix("store:"))) == b""


def test_files_in_s3_stay_where_they_are(store):
    assert sent([File("s3://bucket/key", 9, "etag")], store) == {}
    assert store.puts == []


def test_a_file_that_changed_or_went_is_told_with_its_path(tmp_path, store):
    path = tmp_path / "one"
    path.write_bytes(b"rows")
    file = file_of(path)
    path.write_bytes(b"other rows")
    with pytest.raises(UsageError, match=r"one has changed since the pipeline was written"):
        sent([file], store)
    path.unlink()
    with pytest.raises(UsageError, match=r"one is there no more"):
        sent([file], store)
    assert store.puts == []


def test_what_a_name_and_its_folders_tell_goes_along(tmp_path, store):
    path = tmp_path / "year=2024" / "a b.csv.gz"
    path.parent.mkdir()
    path.write_bytes(b"rows")
    [named] = sent([file_of(path)], store).values()
    [below] = sent([file_of(path)], store, root=str(tmp_path)).values()
    assert named.path.endswith("/a b.csv.gz")
    hidden = tmp_path / ".hidden.csv"
    hidden.touch()
    assert sent([file_of(hidden)], store)[file_of(hidden)].path.endswith("/_.hidden.csv")
    assert below.path.endswith("/year=2024/a b.csv.gz")
