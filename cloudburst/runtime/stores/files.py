"""Files and directories as a local store wants them: private, written in few calls, read by mapping."""

from __future__ import annotations

import errno
import mmap
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from weakref import WeakSet

from cloudburst.runtime.protocols import Buffer

LARGE = 1 << 20
"""Bytes from which a file is mapped and not copied when read."""

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a write fails with where no more fits."""

_MOST_PARTS = 1024
_MOST_BYTES = 1 << 30
"""What one ``writev`` takes: systems end a call at 1,024 buffers, and below 2 GiB."""

_MOST_MAPPINGS = 256 if sys.version_info < (3, 13) else sys.maxsize
"""Before 3.13 Python keeps a file open for each mapping; beyond so many, files are copied."""

_mappings: WeakSet[mmap.mmap] = WeakSet()
_numbers = count(1)


def make_private(directory: Path) -> None:
    """Make a directory and those above it that are missing, for this user alone."""
    missing = []
    while not directory.is_dir():
        missing.append(directory)
        directory = directory.parent
    for one in reversed(missing):
        with suppress(FileExistsError):
            one.mkdir(mode=0o700)


def prune(directory: Path, root: Path) -> None:
    """Remove directories upward as long as they are empty."""
    while directory != root:
        try:
            directory.rmdir()
        except OSError:  # not empty, or gone already
            return
        directory = directory.parent


def partial_name() -> str:
    """A name for a file that is half written, which tells by whom."""
    return f"{socket.gethostname()}-{os.getpid()}-{next(_numbers)}"


def is_left_over(name: str) -> bool:
    """Whether a file of such a name was being written by a process of this machine that is no more."""
    host, _, process = name.rpartition("-")[0].rpartition("-")
    return host == socket.gethostname() and not _is_alive(int(process))


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def touch(path: Path) -> float:
    """The time by a file system's own clock, in seconds: that of a file made there for a moment."""
    path.touch(0o600)
    try:
        return path.stat().st_mtime
    finally:
        path.unlink()


def write_all(file: int, parts: Sequence[Buffer]) -> None:
    """Write all parts one after another, in as few calls as the system lets."""
    for batch in _batches(parts):
        while batch:
            written = os.writev(file, batch)
            while batch and written >= len(batch[0]):
                written -= len(batch.pop(0))
            if written:
                batch[0] = batch[0][written:]


def _batches(parts: Sequence[Buffer]) -> Iterator[list[memoryview]]:
    """Parts in lists that one ``writev`` takes, in number and in bytes."""
    batch: list[memoryview] = []
    room = _MOST_BYTES
    for part in parts:
        view = memoryview(part).cast("B")
        while len(view):
            batch.append(view[:room])
            room -= len(batch[-1])
            view = view[len(batch[-1]) :]
            if len(batch) == _MOST_PARTS or not room:
                yield batch
                batch, room = [], _MOST_BYTES
    yield batch


def contents(file: int) -> memoryview:
    """What is in an open file, as memory that is writable and nobody else's."""
    size = os.fstat(file).st_size
    if size >= LARGE and len(_mappings) < _MOST_MAPPINGS:
        mapping = _mapped(file, size)
        _mappings.add(mapping)
        return memoryview(mapping)
    data = memoryview(bytearray(size))
    filled = 0
    while filled < size:
        filled += os.readv(file, [data[filled:]])
    return data


def _mapped(file: int, size: int) -> mmap.mmap:
    if sys.version_info >= (3, 13):
        return mmap.mmap(file, size, access=mmap.ACCESS_COPY, trackfd=False)
    return mmap.mmap(file, size, access=mmap.ACCESS_COPY)
