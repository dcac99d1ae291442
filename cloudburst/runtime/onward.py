"""What a performer prints, passed on to where its worker's own output goes, and read again for a record."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from cloudburst.runtime import logs

MOST = 10 << 20
"""Bytes of one task that are passed on."""

_CHUNK = 1 << 18
_NOTE = 1024
_STDOUT = 1


def printed(path: Path, start: int, end: int) -> str:
    """The text of a range of a log; of a long one the first and the last megabyte.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = Path(directory) / "w1.log"
    ...     written = path.write_text("one two three")
    ...     printed(path, 4, 7)
    'two'
    """
    if end - start <= 2 * logs.KEPT + _NOTE:  # what was shortened while it was written says so itself
        return logs.read(path, start, end)
    head, tail = logs.read(path, start, start + logs.KEPT), logs.read(path, end - logs.KEPT, end)
    return f"{head}\n[cloudburst: {end - start - 2 * logs.KEPT} bytes of output left out here]\n{tail}"


class Onward:
    """Passes a log on, as it grows."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._place = 0
        self._room = MOST

    def follow(self, path: Path) -> None:
        """From now on this one, from its beginning."""
        self._path, self._place = path, 0

    def next_task(self) -> None:
        """What comes now is another task's."""
        self._room = MOST

    def go(self) -> None:
        """Pass on what has come since; of more than is passed on a line says so."""
        if self._path is None:
            return
        size = logs.size(self._path)
        self._place = min(self._place, size)  # it may have been shortened
        if size == self._place:
            return
        if self._room > 0:
            self._pass_on(self._path)
        if self._place >= size:
            return
        self._place = size
        if self._room == 0:
            self._room = -1
            _write(f"\ncloudburst: this task has printed {MOST >> 20} MB; the rest is not shown.\n".encode())

    def _pass_on(self, path: Path) -> None:
        with path.open("rb") as file:
            file.seek(self._place)
            while self._room > 0 and (data := file.read(min(_CHUNK, self._room))):
                _write(data)
                self._place += len(data)
                self._room -= len(data)


def _write(text: bytes) -> None:
    view = memoryview(text)
    with suppress(BrokenPipeError):  # nobody is left to read it; the record has it all the same
        while view:
            view = view[os.write(_STDOUT, view) :]
