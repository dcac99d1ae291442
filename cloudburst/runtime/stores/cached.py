"""A store of S3 that keeps large objects as files on this machine's disk once they were read or written here.

Objects are never changed, so what lies on the disk is as good as what lies in S3. It is read through a private mapping:
it takes no memory that the system could not have back, and what a reader writes stays with that reader. The files least
recently used go when less than a quarter of the disk would be free. What has no room is simply not kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from cloudburst.errors import SettingsError, StoreError
from cloudburst.runtime.protocols import Buffer, Store
from cloudburst.runtime.stores import with_cache
from cloudburst.runtime.stores.checks import checked, cut
from cloudburst.runtime.stores.files import (
    LARGE,
    NO_ROOM,
    contents,
    is_left_over,
    make_private,
    partial_name,
    write_all,
)
from cloudburst.runtime.stores.room import free_disk, total_disk

_PARTIAL = ".partial"


class Remote(Store, Protocol):
    """A store that objects can be read from without being in memory."""

    def download(self, key: str, open_target: Callable[[int], Callable[[int, Buffer], object]]) -> int:
        """Read an object in chunks, each with its place, to what ``open_target`` gives when told the size."""
        ...


class CachedStore:
    """A remote store behind files.

    Parameters
    ----------
    store : Remote
        Where everything is.
    directory : path
        Where objects from 1 MiB are kept, too; it is made, for this user alone, if it is not there.

    Raises
    ------
    SettingsError
        If the directory cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> from cloudburst.runtime.stores.s3 import S3Store
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     CachedStore(S3Store("bucket"), directory).url == f"s3://bucket?cache={directory}"
    True
    """

    def __init__(self, store: Remote, directory: str | os.PathLike[str]) -> None:
        self._store = store
        self._directory = Path(directory).absolute()
        try:
            make_private(self._directory / _PARTIAL)
            for partial in (self._directory / _PARTIAL).iterdir():
                if is_left_over(partial.name):
                    partial.unlink(missing_ok=True)
        except OSError as error:
            raise SettingsError(f"{self._directory} cannot keep what is read from {store.url}: {error}.") from error
        self._reserve = total_disk(self._directory) // 4

    @property
    def url(self) -> str:
        """The store's own, with the directory."""
        return with_cache(self._store.url, str(self._directory))

    @property
    def is_shared(self) -> bool:
        """As the store itself is."""
        return self._store.is_shared

    def get(self, key: str, ranges: Sequence[tuple[int, int]] | None = None) -> memoryview:
        """The object, mapped from its file if it is large; or its byte ranges, read from S3 if there is no file yet."""
        with _disk(f"read {key}"):
            data = self._kept(checked(key))
            if data is not None:
                return data if ranges is None else memoryview(cut(data, ranges, key))
            return self._fetched(key) if ranges is None else self._store.get(key, ranges)

    def put(self, key: str, parts: Sequence[Buffer], *, if_absent: bool = False) -> bool:
        """Write the concatenation of parts, to a file meanwhile if it is large."""
        path = self._path(checked(key))
        file: _File | None = None
        is_written = False
        with _disk(f"write {key}"), ThreadPoolExecutor(1) as thread:
            writing = thread.submit(self._written, parts) if sum(map(len, parts)) >= LARGE else None
            try:
                is_written = self._store.put(key, parts, if_absent=if_absent)
            finally:
                path.unlink(missing_ok=True)  # what was there before
                file = None if writing is None else writing.result()
                if file is not None:
                    file.close(path if is_written else None)
        return is_written

    def copy(self, key: str, to: str) -> None:
        """Have the object lie under another key too, in S3 alone."""
        with _disk(f"copy {key} to {to}"):
            self._path(checked(to)).unlink(missing_ok=True)  # what was there before
            self._store.copy(key, to)

    def size(self, key: str) -> int:
        """Bytes of the object."""
        with suppress(FileNotFoundError):
            return self._path(checked(key)).stat().st_size
        return self._store.size(key)

    def list(self, prefix: str, after: str = "") -> list[str]:
        """Keys that begin with prefix and come after ``after``, sorted, at most 1,000."""
        return self._store.list(prefix, after)

    def sizes(self, prefix: str, after: str = "") -> dict[str, int]:
        """The same keys with the bytes of each object."""
        return self._store.sizes(prefix, after)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove these, and their files."""
        gone = [checked(key) for key in keys]
        for key in gone:
            self._path(key).unlink(missing_ok=True)
        self._store.delete(gone)

    def age_s(self, key: str) -> float:
        """Seconds since the object was written."""
        return self._store.age_s(key)

    def _path(self, key: str) -> Path:
        """A name of one length for every key, whatever S3 allows for one."""
        return self._directory / blake2b(f"{self._store.url} {key}".encode(), digest_size=20).hexdigest()

    def _kept(self, key: str) -> memoryview | None:
        try:
            file = os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            os.utime(file)  # the most recently used now
            return contents(file)
        finally:
            os.close(file)

    def _fetched(self, key: str) -> memoryview:
        """The object from S3, left as a file behind it if it is large and has room."""
        opened: list[_File] = []
        small = memoryview(b"")

        def open_target(size: int) -> Callable[[int, Buffer], object]:
            nonlocal small
            _drop(opened)
            if size >= LARGE and self._has_room(size):
                opened.append(_File(self._directory))
                return opened[-1].write_at
            small = memoryview(bytearray(size))
            return lambda place, data: small.__setitem__(slice(place, place + len(data)), data)

        try:
            self._store.download(key, open_target)
            return opened.pop().close(self._path(key)) if opened else small
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
        finally:
            _drop(opened)
        return self._store.get(key)

    def _written(self, parts: Sequence[Buffer]) -> _File | None:
        """A file of these parts; ``None`` if there is no room for it."""
        if not self._has_room(sum(map(len, parts))):
            return None
        file = _File(self._directory)
        try:
            write_all(file.descriptor, parts)
        except OSError as error:
            file.close(None)
            if error.errno in NO_ROOM:
                return None
            raise
        return file

    def _has_room(self, size: int) -> bool:
        """Whether a quarter of the disk stays free beside a new file, once those least recently used have gone."""
        lacking = size + self._reserve - free_disk(self._directory)
        if lacking <= 0:
            return True
        files = sorted(_by_use(self._directory))
        if sum(nbytes for _, nbytes, _ in files) < lacking:
            return False
        for _, nbytes, path in files:
            if lacking <= 0:
                break
            with suppress(FileNotFoundError):
                os.unlink(path)
            lacking -= nbytes
        return True


class _File:
    """A file that is being written, under a name of its own until it is whole."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / _PARTIAL / partial_name()
        self.descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write_at(self, place: int, data: Buffer) -> None:
        """Write to a place; threads may do so at the same time."""
        view = memoryview(data)
        while view:
            written = os.pwrite(self.descriptor, view, place)
            view, place = view[written:], place + written

    def close(self, path: Path | None) -> memoryview:
        """Give it its name and what is in it; without a name it goes."""
        try:
            if path is None:
                self._path.unlink(missing_ok=True)
                return memoryview(b"")
            os.replace(self._path, path)
            return contents(self.descriptor)
        finally:
            os.close(self.descriptor)


def _by_use(directory: Path) -> Iterator[tuple[int, int, str]]:
    """When each file was last used, how large it is, and its path."""
    with os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.is_file(follow_symlinks=False):
                    status = entry.stat()
                    yield status.st_mtime_ns, status.st_size, entry.path


def _drop(files: list[_File]) -> None:
    while files:
        files.pop().close(None)


@contextmanager
def _disk(doing: str) -> Iterator[None]:
    """Say in our words what the disk refuses."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"The files kept beside S3 cannot {doing}: {error}.") from error
