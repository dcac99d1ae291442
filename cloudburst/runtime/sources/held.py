"""The bytes of a source's files: read from where they lie, few times and much at once, and kept while they are used."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from threading import Lock
from typing import Any

from cloudburst.errors import NotFound, StoreError, Tampered
from cloudburst.files import STORE, File
from cloudburst.runtime.codecs.ranged import Gets, RangeReader
from cloudburst.runtime.sources.spec import Spec
from cloudburst.runtime.stores.ranges import Range, coalesced

TAIL = 128 * 1024
"""Bytes at a file's end that are read first: most footers lie in them, and many a file."""

_MEND = "make the call that reads it again, and what is made of it: a source is the file as it was at its call."


class Held:
    """A file of which only some bytes are read, in few requests.

    Parameters
    ----------
    fetch : callable
        Given ranges that are far from one another, gives their bytes one after another.
    size : int
        Bytes of the file.

    Examples
    --------
    >>> asked = []
    >>> held = Held(lambda ranges: asked.append(ranges) or memoryview(bytes(10))[: ranges[0][1] - ranges[0][0]], 10)
    >>> held.fetch([(0, 2), (6, 8)])
    >>> len(held.get("", [(1, 7)])), asked
    (6, [[(0, 8)]])
    """

    def __init__(self, fetch: Callable[[Sequence[Range]], memoryview], size: int) -> None:
        self.size = size
        self._fetch = fetch
        self._lock = Lock()  # Arrow reads columns in threads
        self._starts: list[int] = []
        self._pieces: list[memoryview] = []

    def fetch(self, ranges: Iterable[Range]) -> None:
        """Have these bytes, and those that lie between ranges near to one another: Arrow reads across such gaps."""
        with self._lock:
            missing = [run for run in coalesced(ranges) if self._piece(*run) is None]
            if not missing:
                return
            data = self._fetch(missing)
            place = 0
            for start, end in missing:
                number = bisect_right(self._starts, start)
                self._starts.insert(number, start)
                self._pieces.insert(number, data[place : place + end - start])
                place += end - start

    def get(self, _key: str, ranges: Sequence[Range] | None = None) -> memoryview:
        """Byte ranges one after another, as a store gives them; without a copy if it is one that is held."""
        wanted = [(0, self.size)] if ranges is None else list(ranges)
        self.fetch(wanted)
        with self._lock:
            pieces = [self._piece(start, end) for start, end in wanted if start < end]
        held = [piece for piece in pieces if piece is not None]
        return held[0] if len(held) == 1 else memoryview(b"".join(held))

    def file(self) -> Any:
        """The file for Arrow; each has a place of its own in it."""
        return RangeReader(self, "", self.size).file()

    def _piece(self, start: int, end: int) -> memoryview | None:
        for number in range(bisect_right(self._starts, start) - 1, -1, -1):
            piece, first = self._pieces[number], self._starts[number]
            if end <= first + len(piece):
                return piece[start - first : end - first]
        return None


def held(file: File, spec: Spec, store: Gets | None) -> Held:
    """A file that does not lie on this machine, with nothing of it read yet."""
    if file.path.startswith(STORE):
        if store is None:
            raise StoreError(f"{file.path} lies in the store of the run, which is not at hand here.")
        return Held(partial(store.get, file.path.removeprefix(STORE)), file.size)
    return Held(partial(_from_s3, file, spec), file.size)


def whole(file: File, spec: Spec, store: Gets | None) -> memoryview:
    """All bytes of a file that does not lie on this machine.

    Raises
    ------
    Tampered
        If the user's own machine put it into the store, and it is not what that put there: a pickle may run anything.
    """
    data = held(file, spec, store).get("")
    if file.path.startswith(STORE) and sha256(data).hexdigest() != file.version:
        raise Tampered(
            f"{file.path} is not the file that was put into the store: somebody else can write there, and has. It is "
            "not read. See who may write there, remove it, and compute again."
        )
    return data


def _from_s3(file: File, spec: Spec, ranges: Sequence[Range]) -> memoryview:
    from cloudburst.runtime.sources import s3

    try:
        data = s3.get(file, ranges, spec.region, spec.endpoint_url)
    except NotFound as error:
        raise _vanished(file) from error
    if data is None:
        raise _changed(file)
    return data


@contextmanager
def unchanged(files: Iterable[File]) -> Iterator[None]:
    """See, before and after, that local files are those that the pipeline was planned with.

    Raises
    ------
    NotFound
        If one is gone.
    StoreError
        If one is another: whatever was raised meanwhile came of that.
    """
    local = [file for file in files if file.is_local]
    _see(local)
    try:
        yield
    finally:
        _see(local)


def is_as_planned(file: File) -> bool:
    """Whether a local file is there and still the same."""
    try:
        _see([file])
    except StoreError:
        return False
    return True


def _see(files: Iterable[File]) -> None:
    for file in files:
        try:
            told = os.stat(file.path)
        except (FileNotFoundError, NotADirectoryError):
            raise _vanished(file) from None
        if (told.st_size, str(told.st_mtime_ns)) != (file.size, file.version):
            raise _changed(file)


def _vanished(file: File) -> NotFound:
    return NotFound(f"{file.path} was there when the pipeline was planned and is no more: put it back, or {_MEND}")


def _changed(file: File) -> StoreError:
    return StoreError(f"{file.path} has changed since the pipeline was planned: {_MEND}")
