"""Which files a path names: a file, a list, a pattern, a directory, here or in S3, each as it is now."""

from __future__ import annotations

import errno
import glob
import os
import posixpath
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

from cloudburst.errors import UsageError
from cloudburst.files import S3, File
from cloudburst.runtime.sources import s3

_AT_ONCE = 8
_PATTERN = re.compile(r"[*?\[]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_TOLD_BESIDE = ("_common_metadata", "_metadata")
_NO_DATA = ("_", ".")
"""How names of files and folders begin that are no data; Arrow passes over them, too."""


class Found(NamedTuple):
    """What a path names."""

    files: tuple[File, ...]
    root: str
    """Where folders with values in their names begin; empty where there are none."""


def find(format: str, path: Any, *, endpoint_url: str | None = None, region: str | None = None) -> Found:  # noqa: A002
    """The files that a path names, in the order in which they are read.

    Parameters
    ----------
    format : str
        The reader of pandas without its ``read_``. Of directories, only ``"parquet"`` is read.
    path : str, path-like, or list or tuple of them
        A file, a pattern (``data/*.csv``, ``**`` for folders in folders) or a directory; ``s3://bucket/key`` and
        patterns and prefixes there. In a list stand files and patterns alone.
    endpoint_url, region : str, optional
        Where S3 is; by default as boto3's own settings say.

    Returns
    -------
    Found

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        As pandas does.
    UsageError
        If a pattern or a directory has no file, or the path is none.
    StoreError
        What S3 says.

    Examples
    --------
    >>> find("csv", "/no/such/file.csv")
    Traceback (most recent call last):
    FileNotFoundError: [Errno 2] No such file or directory: '/no/such/file.csv'
    """
    place = _Place(endpoint_url, region)
    if isinstance(path, list | tuple):
        if not path:
            raise UsageError(f"read_{format} was given no file: the list of paths is empty.")
        texts = [_text(format, one) for one in path]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            several = list(pool.map(place.files, texts))
        return _of_list([file for files in several for file in files])
    text = _text(format, path)
    if (directory := place.directory(text, format)) is not None:
        return directory
    files = place.files(text)
    return _of_list(files) if [file.path for file in files] != [place.whole(text)] else Found(tuple(files), "")


class _Place:
    """Looks for files, on this machine or in S3."""

    def __init__(self, endpoint_url: str | None, region: str | None) -> None:
        self._where = region, endpoint_url

    def whole(self, path: str) -> str:
        return path if path.startswith(S3) else _absolute(path)

    def files(self, path: str) -> list[File]:
        """The file of that name, or those that match the pattern."""
        if path.startswith(S3):
            return self._files_in_s3(path)
        if os.path.lexists(path) or not _PATTERN.search(path):
            return [_local(path)]
        found = sorted(one for one in glob.glob(path, recursive=True) if os.path.isfile(one))
        if not found:
            raise _no_match(path)
        return [_local(one) for one in found]

    def directory(self, path: str, format: str) -> Found | None:  # noqa: A002
        """What is in a directory, or an object of that very name; ``None`` if the path names none."""
        if path.startswith(S3):
            return self._directory_in_s3(path, format)
        if not os.path.isdir(path):
            return None
        if format != "parquet":
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        root = _absolute(path)
        names = [
            os.path.join(folder, name)
            for folder, _, names in os.walk(root, followlinks=True)
            for name in names
            if _is_data(os.path.relpath(os.path.join(folder, name), root).split(os.sep))
        ]
        found = _of_directory(root, [_local(name) for name in sorted(names)], path)
        # Arrow looks into such a file for what pandas wrote of itself, if it is given the directory.
        is_told = any(os.path.lexists(os.path.join(root, name)) for name in _TOLD_BESIDE)
        return found._replace(root=root) if is_told else found

    def _files_in_s3(self, path: str) -> list[File]:
        pattern = _PATTERN.search(path)
        if pattern is None:
            file = s3.head(path, *self._where)
            if file is None:
                raise _missing(path)
            return [file]
        wanted = path.split("/")
        found = [one for one in s3.listed(path[: pattern.start()], *self._where) if _fits(one.path.split("/"), wanted)]
        if not found:
            raise _no_match(path)
        return found

    def _directory_in_s3(self, path: str, format: str) -> Found | None:  # noqa: A002
        if format != "parquet" or _PATTERN.search(path):
            return None
        _, key = s3.split_url(path)
        if key and not key.endswith("/") and (file := s3.head(path, *self._where)) is not None:
            return Found((file,), "")
        root = path.rstrip("/")
        files = [one for one in s3.listed(f"{root}/", *self._where) if _is_data(one.path[len(root) + 1 :].split("/"))]
        if not files and not path.endswith("/"):
            raise _missing(path)
        return _of_directory(root, files, path)


def _text(format: str, path: Any) -> str:  # noqa: A002
    if isinstance(path, str | os.PathLike):
        text = os.fspath(path)
        if isinstance(text, str) and "\0" not in text:
            if text.startswith("file:"):
                return url2pathname(urlsplit(text).path)
            if text.startswith(S3) or not _SCHEME.match(text) or os.path.lexists(text):
                return text if text.startswith(S3) else os.path.expanduser(text)
    raise UsageError(
        f"read_{format} reads files here by their path, on this machine or s3://bucket/key, and not {path!r}: read "
        "that in a stage, by pandas itself."
    )


def _local(path: str) -> File:
    try:
        told = os.stat(path)
    except FileNotFoundError:
        raise _missing(path) from None
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    return File(_absolute(path), told.st_size, str(told.st_mtime_ns))


def _absolute(path: str) -> str:
    # A step back from a link to a folder leads elsewhere than the text says, so such a path stays as it is.
    return os.path.join(os.getcwd(), path) if ".." in path.split(os.sep) else os.path.abspath(path)


def _of_list(files: Sequence[File]) -> Found:
    """Files given one by one: Arrow takes values from the names of all their folders."""
    if not any(_tells_values(posixpath.dirname(file.path)) for file in files):
        return Found(tuple(files), "")
    return Found(tuple(files), "/" if files[0].is_local else S3)


def _of_directory(root: str, files: Iterable[File], path: str) -> Found:
    found = tuple(files)
    if not found:
        raise UsageError(
            f"The directory {path} has no file in it that could be read: files and folders whose names begin with _ or "
            "a dot do not count. Name another, or a pattern such as data/*.parquet."
        )
    inside = (posixpath.dirname(file.path[len(root) :]) for file in found)
    return Found(found, root if any(map(_tells_values, inside)) else "")


def _tells_values(folders: str) -> bool:
    return "=" in folders


def _is_data(names: Sequence[str]) -> bool:
    return not any(name.startswith(_NO_DATA) for name in names)


def _fits(names: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether a path fits a pattern, both split at their slashes.

    >>> _fits(["a", "b", "c.csv"], ["**", "*.csv"]), _fits(["a", "b.csv"], ["*.csv"]), _fits([".a"], ["*"])
    (True, False, False)
    """
    if not patterns:
        return not names
    if patterns[0] == "**":
        return any(
            _fits(names[skipped:], patterns[1:] or ["*"])
            for skipped in range(len(names))
            if not any(name.startswith(".") for name in names[:skipped])
        )
    if not names or (names[0].startswith(".") and not patterns[0].startswith(".")):
        return False
    return fnmatchcase(names[0], patterns[0]) and _fits(names[1:], patterns[1:])


def _missing(path: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def _no_match(path: str) -> UsageError:
    where = "in S3" if path.startswith(S3) else f"seen from {os.getcwd()}"
    return UsageError(
        f"No file matches {path} ({where}): see that the files are there, and that the pattern is theirs (* is any "
        "name, ** any folders)."
    )
