"""What performers print: one append-only file a performer, of which each attempt has a range of bytes.

A task may print ``MOST`` bytes. Of one that prints more the first and the last megabyte stay, with a line between them
that says so. The performer itself shortens the file, under the lock under which it takes the ranges, so that a range
once reported never moves.
"""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock

MOST = 10 << 20
"""Bytes that an attempt may print before the middle is left out."""

KEPT = 1 << 20
"""Bytes that stay at either end then."""

_OMISSION = b"\n[cloudburst: %d bytes of output left out here: a task may print %d MB]\n"


class Output:
    """The file that a performer's standard output and error go to, as the performer sees it.

    Parameters
    ----------
    file : int
        A descriptor of it, open for reading and appending.
    """

    __slots__ = ("_file", "_left_out", "_lock", "_start")

    def __init__(self, file: int) -> None:
        self._file = os.dup(file)  # the user's code may close or redirect the one it knows
        self._start = os.lseek(self._file, 0, os.SEEK_END)
        self._left_out = 0
        """Bytes of the present attempt, which may have been shortened before."""
        self._lock = Lock()

    def next_attempt(self) -> int:
        """Where what was printed until now ends: from here on it belongs to the next attempt."""
        with self._lock:
            self._start = self._shortened()
            self._left_out = 0
            return self._start

    def shorten(self) -> None:
        """Leave out the middle of what the present attempt printed, if that is too much."""
        with self._lock:
            self._shortened()

    def _shortened(self) -> int:
        end = os.lseek(self._file, 0, os.SEEK_END)
        if end - self._start <= MOST:
            return end
        tail = os.pread(self._file, KEPT, end - KEPT)
        told = len(_OMISSION % (self._left_out, MOST >> 20)) if self._left_out else 0
        self._left_out += end - self._start - 2 * KEPT - told
        os.ftruncate(self._file, self._start + KEPT)
        os.write(self._file, _OMISSION % (self._left_out, MOST >> 20) + tail)
        return os.lseek(self._file, 0, os.SEEK_END)


def create(path: Path) -> int:
    """A new log as a descriptor for a performer to print to."""
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def read(path: Path, start: int, end: int) -> str:
    """The text of a range of bytes of a log.

    Parameters
    ----------
    path : Path
        The log.
    start, end : int
        The range.

    Returns
    -------
    str
        What is no UTF-8 is shown as escapes. Empty where somebody has removed the file.
    """
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(max(0, end - start)).decode("utf-8", "backslashreplace")
    except FileNotFoundError:
        return ""


def size(path: Path) -> int:
    """How long a log is; nothing where somebody has removed it."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
