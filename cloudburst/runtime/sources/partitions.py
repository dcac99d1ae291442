"""Columns that lie in the names of folders: ``year=2024``."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Sequence

from cloudburst.runtime.sources.spec import Spec


def partition_keys(spec: Spec, names: Collection[str]) -> Sequence[str] | None:
    """The columns that folders have, which come last in the frame.

    Parameters
    ----------
    spec : Spec
        The source.
    names : collection of str
        Those that the files have.

    Returns
    -------
    sequence of str or None
        Empty where folders have no values. ``None`` where it is not plain what pandas makes of them.

    Examples
    --------
    >>> from cloudburst.files import File
    >>> files = File("/t/year=2023/a", 1, ""), File("/t/year=2024/a", 1, "")
    >>> partition_keys(Spec("parquet", files, "/t"), ["x"])
    ('year',)
    """
    if not spec.root:
        return ()
    keys = {_keys(file.path.removeprefix(spec.root)) for file in spec.files}
    if len(keys) != 1:
        return None
    (only,) = keys
    if not only or len(set(only)) != len(only) or any(key in names or not key.isidentifier() for key in only):
        return None
    return only


def _keys(path: str) -> tuple[str, ...]:
    return tuple(part.partition("=")[0] for part in posixpath.dirname(path).split("/") if "=" in part)
