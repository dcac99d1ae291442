"""Files of this machine that workers elsewhere read: each is put into the store once, under what is in it.

Its name stays, since the end of it tells how it is compressed, and so do the folders below a directory that was named,
since ``year=2024`` in them is a value.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256

from cloudburst.errors import NotFound, UsageError
from cloudburst.files import STORE, File
from cloudburst.graph.nodes import Source
from cloudburst.runtime.layout import source_key
from cloudburst.runtime.protocols import Store


def uploaded(sources: Iterable[Source], store: Store) -> dict[File, File]:
    """The same files as workers find them in the store, by what they are here; those in S3 stay where they are.

    Raises
    ------
    UsageError
        If a file has changed since the call that names it, or is there no more.
    """
    return {
        file: _uploaded(file, _name(file, source.root), store)
        for source in sources
        for file in source.files
        if file.is_local
    }


def _name(file: File, root: str) -> str:
    """What of a file's path says something about what is in it."""
    name = os.path.relpath(file.path, root) if root else os.path.basename(file.path)
    return "/".join([f"_{part}" if part[0] == "." else part for part in name.split(os.sep)])  # no store takes .hidden


def _uploaded(file: File, name: str, store: Store) -> File:
    content = _content(file)
    key = source_key(content, name)
    try:
        store.size(key)
    except NotFound:
        with open(file.path, "rb") as opened:
            store.put(key, [_mapped(opened.fileno(), file.size)], if_absent=True)
        _check(file)
    return File(f"{STORE}{key}", file.size, content)


@lru_cache(maxsize=4096)
def _content(file: File) -> str:
    """The SHA-256 of what is in a file: the same file need not be read twice for it."""
    _check(file)
    with open(file.path, "rb") as opened:
        return sha256(_mapped(opened.fileno(), file.size)).hexdigest()


def _mapped(descriptor: int, size: int) -> memoryview:
    return memoryview(mmap.mmap(descriptor, size, access=mmap.ACCESS_READ)) if size else memoryview(b"")


def _check(file: File) -> None:
    try:
        found = os.stat(file.path)
    except FileNotFoundError:
        raise UsageError(f"{file.path} is there no more: it was when the pipeline was written.") from None
    if (found.st_size, str(found.st_mtime_ns)) != (file.size, file.version):
        raise UsageError(f"{file.path} has changed since the pipeline was written: write the call that reads it anew.")
