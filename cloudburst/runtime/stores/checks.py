"""What holds for every store: which keys there can be, and how byte ranges are cut out."""

from __future__ import annotations

from collections.abc import Sequence

from cloudburst.errors import StoreError
from cloudburst.runtime.protocols import Buffer

PAGE = 1000
"""Keys that ``Store.list`` gives at a time."""


def checked(key: str) -> str:
    """The key itself, if every store can have it.

    Segments stand between slashes; none is empty or begins with a dot, so that a key never leaves its directory.

    Raises
    ------
    StoreError
        If it is no such key.

    Examples
    --------
    >>> checked("runs/3f-daily/a/clean-49059bab2dec-1/0")
    'runs/3f-daily/a/clean-49059bab2dec-1/0'
    """
    if not is_key(key):
        raise StoreError(f"{key!r} is no key: its segments, between slashes, are not empty and begin with no dot.")
    return key


def is_key(key: str) -> bool:
    """Whether every store can have this key.

    >>> is_key("a/0"), is_key("a/"), is_key("a/../b")
    (True, False, False)
    """
    return "\0" not in key and all(segment and segment[0] != "." for segment in key.split("/"))


def cut(data: Buffer, ranges: Sequence[tuple[int, int]], key: str) -> bytearray:
    """The byte ranges (start, end) of an object, one after another.

    Raises
    ------
    StoreError
        If one of them reaches beyond the object.

    Examples
    --------
    >>> cut(b"0123456789", [(0, 2), (8, 10)], "digits")
    bytearray(b'0189')
    """
    view = memoryview(data)
    for start, end in ranges:
        if not 0 <= start <= end <= len(view):
            raise beyond(key, len(view), start, end)
    return bytearray().join(view[start:end] for start, end in ranges)


def beyond(key: str, size: int, start: int, end: int) -> StoreError:
    """The error for a byte range that is not in an object of this size."""
    return StoreError(f"{key} has {size} bytes: there is no range from {start} to {end} in it.")
