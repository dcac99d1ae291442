"""A store in a directory of this machine, shared by all processes that open it.

An object is a file. It is written under a name of its own in ``.partial`` and then renamed, so that a key is there
whole or not at all, and several processes may put, get and delete at once. It is read through a private mapping:
nothing is copied, and what a reader writes stays with that reader.

Large objects may lie in a second directory that is in memory (``/dev/shm``), as long as that has room to spare; readers
look in both. Files are written with ``write``, never through a mapping: where there is no room, ``write`` says so and a
mapping kills the process.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from heapq import merge
from itertools import groupby, islice
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from cloudburst.errors import AccessDenied, NotFound, SettingsError, StoreError
from cloudburst.runtime.protocols import Buffer
from cloudburst.runtime.stores.checks import PAGE, checked, cut
from cloudburst.runtime.stores.files import (
    LARGE,
    NO_ROOM,
    contents,
    is_left_over,
    make_private,
    partial_name,
    prune,
    touch,
    write_all,
)
from cloudburst.runtime.stores.room import free_disk, free_memory, total_disk

_PARTIAL = ".partial"


class LocalStore:
    """Objects as files in a directory.

    Parameters
    ----------
    root : path
        The directory; it is made, for this user alone, if it is not there.
    fast_root : path, optional
        Another one that is in memory. Objects from 1 MiB go there while a quarter of it, and as much of the machine's
        memory, stays free.
    shared : bool, default False
        Whether others than this user may write there, as a directory that plays S3 says of itself.

    Raises
    ------
    SettingsError
        If a directory cannot be made or written to.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     store = LocalStore(directory)
    ...     stored = store.put("a/0", [b"some ", b"bytes"])
    ...     bytes(store.get("a/0")), store.list("a/")
    (b'some bytes', ['a/0'])
    """

    def __init__(
        self, root: str | os.PathLike[str], fast_root: str | os.PathLike[str] | None = None, *, shared: bool = False
    ) -> None:
        self.root = Path(root).absolute()
        self.fast_root = None if fast_root is None else Path(fast_root).absolute()
        self.is_shared = shared
        self._roots = tuple(one for one in (self.fast_root, self.root) if one is not None)
        for one in self._roots:
            _prepare(one)
        self._reserve = 0 if self.fast_root is None else total_disk(self.fast_root) // 4
        self.sweep()

    @staticmethod
    def open(url: str) -> LocalStore:
        """The store of that url; any process of this machine may open it."""
        split = urlsplit(url)
        options = dict(parse_qsl(split.query))
        return LocalStore(unquote(split.path), options.get("fast"), shared="shared" in options)

    @property
    def url(self) -> str:
        """Both directories, and whether they are shared, for ``open_store``."""
        options = [] if self.fast_root is None else [f"fast={quote(str(self.fast_root), safe='/')}"]
        options += ["shared=1"] * self.is_shared
        return f"file://{quote(str(self.root))}{'?' if options else ''}{'&'.join(options)}"

    def get(self, key: str, ranges: Sequence[tuple[int, int]] | None = None) -> memoryview:
        """The object as private writable memory, mapped if it is large; or its byte ranges one after another."""
        with _told(f"read {key}"):
            file = self._opened(key)
            try:
                data = contents(file)
            finally:
                os.close(file)
        return data if ranges is None else memoryview(cut(data, ranges, key))

    def put(self, key: str, parts: Sequence[Buffer], *, if_absent: bool = False) -> bool:
        """Write the concatenation of parts. False only if ``if_absent`` and the key is taken.

        Raises
        ------
        StoreError
            If there is no room for it; nothing is left behind.
        """
        checked(key)
        parts = [part for part in parts if len(part)]
        nbytes = sum(map(len, parts))
        with _told(f"write {key}"):
            if not if_absent and self._is_for_fast_root(nbytes) and self._written_fast(key, parts):
                return True
            if if_absent and self.fast_root is not None and (self.fast_root / key).exists():
                return False
            try:
                if nbytes >= LARGE and nbytes > free_disk(self.root):
                    raise OSError(errno.ENOSPC, "too little room")
                written = _write(self.root, key, parts, if_absent)
            except OSError as error:
                if error.errno in NO_ROOM:
                    raise self._full(key, nbytes) from error
                raise
            if not if_absent and self.fast_root is not None:
                (self.fast_root / key).unlink(missing_ok=True)
            return written

    def copy(self, key: str, to: str) -> None:
        """Have the file bear another name too: nothing that was written is changed, so both may be one."""
        checked(key), checked(to)
        with _told(f"copy {key} to {to}"):
            for root in self._roots:
                partial = root / _PARTIAL / partial_name()
                with suppress(FileNotFoundError):
                    os.link(root / key, partial)
                    try:
                        _place(partial, root / to, if_absent=False)
                    finally:
                        partial.unlink(missing_ok=True)  # where both are one file already, renaming leaves it there
                    for other in self._roots:
                        if other != root:
                            (other / to).unlink(missing_ok=True)
                    return
        raise NotFound(f"There is no {key} in {self.url}.")

    def size(self, key: str) -> int:
        """Bytes of the object."""
        return self._stat(key).st_size

    def age_s(self, key: str) -> float:
        """Seconds since the object was written, by the clock of the file system."""
        written = self._stat(key).st_mtime
        with _told(f"tell the age of {key}"):
            now = touch(self.root / _PARTIAL / partial_name())
        return max(0.0, now - written)

    def list(self, prefix: str, after: str = "") -> list[str]:
        """Keys that begin with prefix and come after ``after``, sorted, at most 1,000."""
        with _told(f"list {prefix}"):
            keys = merge(*(_keys(root, prefix, after) for root in self._roots))
            return list(islice((key for key, _ in groupby(keys)), PAGE))

    def sizes(self, prefix: str, after: str = "") -> dict[str, int]:
        """The same keys with the bytes of each object, without those that are removed meanwhile."""
        found: dict[str, int] = {}
        for key in self.list(prefix, after):
            with suppress(NotFound):
                found[key] = self.size(key)
        return found

    def delete(self, keys: Iterable[str]) -> None:
        """Remove these, and the directories that they leave empty; those that are not there are passed over."""
        for key in keys:
            checked(key)
            with _told(f"delete {key}"):
                for root in self._roots:
                    with suppress(FileNotFoundError):
                        (root / key).unlink()
                        prune((root / key).parent, root)

    def sweep(self) -> None:
        """Remove what writers left half written that are no more."""
        for root in self._roots:
            for partial in (root / _PARTIAL).iterdir():
                if is_left_over(partial.name):
                    partial.unlink(missing_ok=True)

    def destroy(self) -> None:
        """Remove the store with all that is in it."""
        for root in self._roots:
            shutil.rmtree(root, ignore_errors=True)

    def _stat(self, key: str) -> os.stat_result:
        checked(key)
        with _told(f"read {key}"):
            for root in self._roots:
                with suppress(FileNotFoundError):
                    return (root / key).stat()
        raise NotFound(f"There is no {key} in {self.url}.")

    def _opened(self, key: str) -> int:
        checked(key)
        for root in self._roots:
            with suppress(FileNotFoundError):
                return os.open(root / key, os.O_RDONLY | os.O_CLOEXEC)
        raise NotFound(f"There is no {key} in {self.url}.")

    def _is_for_fast_root(self, nbytes: int) -> bool:
        if self.fast_root is None or nbytes < LARGE:
            return False
        memory = free_memory()
        room = free_disk(self.fast_root)
        return nbytes + self._reserve <= (room if memory is None else min(room, memory))

    def _written_fast(self, key: str, parts: Sequence[Buffer]) -> bool:
        assert self.fast_root is not None
        try:
            _write(self.fast_root, key, parts, if_absent=False)
        except OSError as error:
            if error.errno in NO_ROOM:
                return False
            raise
        (self.root / key).unlink(missing_ok=True)
        return True

    def _full(self, key: str, nbytes: int) -> StoreError:
        free = _mib(free_disk(self.root))
        return StoreError(
            f"There is no room for {key}: it needs {_mib(nbytes)}, and {free} are free in {self.root}. "
            "Free some, or name a larger directory with init_local(storage=...)."
        )


def _prepare(root: Path) -> None:
    try:
        make_private(root / _PARTIAL)
        writable = os.access(root / _PARTIAL, os.W_OK | os.X_OK) and os.access(root, os.W_OK | os.X_OK)
    except OSError as error:
        raise SettingsError(_unusable(root, error.strerror or str(error))) from error
    if not writable:
        raise SettingsError(_unusable(root, "it is not writable"))


def _unusable(root: Path, reason: str) -> str:
    return f"{root} cannot be used for storage: {reason}. Name another directory with init_local(storage=...)."


def _write(root: Path, key: str, parts: Sequence[Buffer], if_absent: bool) -> bool:
    partial = root / _PARTIAL / partial_name()
    file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            write_all(file, parts)
        finally:
            os.close(file)
        return _place(partial, root / key, if_absent)
    finally:
        partial.unlink(missing_ok=True)


def _place(partial: Path, path: Path, if_absent: bool) -> bool:
    while True:
        try:
            if if_absent:
                os.link(partial, path)
            else:
                os.replace(partial, path)
            return True
        except FileExistsError:
            return False
        except FileNotFoundError:
            if not partial.exists():  # somebody removed the whole store
                raise
            with suppress(FileNotFoundError):  # the directory is not there yet, or was pruned just now
                make_private(path.parent)


def _keys(root: Path, prefix: str, after: str) -> Iterator[str]:
    """Keys under a directory in order, without looking into directories that cannot hold any that is asked for."""
    todo = [""]
    while todo:
        key = todo.pop()
        if not key or key[-1] == "/":
            todo += sorted(_entries(root, key, prefix, after), reverse=True)
        else:
            yield key


def _entries(root: Path, directory: str, prefix: str, after: str) -> Iterator[str]:
    with suppress(FileNotFoundError), os.scandir(root / directory) as entries:
        for entry in entries:
            if entry.name[0] == ".":
                continue
            key = directory + entry.name
            if entry.is_dir(follow_symlinks=False):
                key += "/"
                if (key.startswith(prefix) or prefix.startswith(key)) and (key > after or after.startswith(key)):
                    yield key
            elif key.startswith(prefix) and key > after:
                yield key


@contextmanager
def _told(doing: str) -> Iterator[None]:
    """Say in our words what the system refuses."""
    try:
        yield
    except PermissionError as error:
        raise AccessDenied(f"The store may not {doing}: {error}.") from error
    except OSError as error:
        raise StoreError(f"The store cannot {doing}: {error}.") from error


def _mib(nbytes: int) -> str:
    return f"{nbytes / 2**20:,.0f} MiB"
