"""Fewer columns: chosen before a Parquet file is read where that is known to change nothing else, else after."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from cloudburst.runtime import narrowing
from cloudburst.runtime.sources.footers import Footer
from cloudburst.runtime.sources.partitions import partition_keys
from cloudburst.runtime.sources.spec import Spec

_PLAIN = frozenset(("columns", "engine", "filters", "dtype_backend", "use_threads", "memory_map", "pre_buffer"))
"""Arguments of ``read_parquet`` under which columns are what the footer says."""


def narrowed(value: Any, columns: Collection[str] | None) -> Any:
    """A frame with only these of its columns, where its labels name one column each; ``None`` leaves all.

    Examples
    --------
    >>> import pandas as pd
    >>> narrowed(pd.DataFrame({"a": [1], "b": [2]}), ["b", "c"]).columns.to_list()
    ['b']
    """
    return value if columns is None else narrowing.narrowed(value, columns)


def is_plain(kwargs: Mapping[str, Any]) -> bool:
    """Whether the caller's arguments leave the columns as the footer tells them."""
    return _PLAIN.issuperset(kwargs) and kwargs.get("engine", "auto") in ("auto", "pyarrow")


def to_read(spec: Spec, kwargs: Mapping[str, Any], footers: Sequence[Footer]) -> list[str] | None:
    """The columns to ask a Parquet reader for; ``None`` where it is to read as the caller said, and narrow later.

    A column is always asked for: of none, pandas does not know what kind of labels they would have.

    Parameters
    ----------
    spec : Spec
        The source.
    kwargs : mapping
        The caller's arguments.
    footers : sequence of Footer
        Of all files, as far as they could be read.
    """
    if spec.columns is None or len(footers) < len(spec.files) or not is_plain(kwargs):
        return None
    first = footers[0]
    if any(not other.schema.equals(first.schema) for other in footers[1:]):
        return None  # Arrow may refuse to make one of them, and is to say so
    keys = partition_keys(spec, first.names)
    if keys is None:
        return None
    names: Sequence[str] = (*first.names, *keys)
    there = frozenset(names)
    if len(there) != len(names):
        return None
    asked = kwargs.get("columns")
    if asked is not None:
        if type(asked) is not list or len(set(asked)) != len(asked) or not there.issuperset(asked):
            return None
        names = asked
    wanted = frozenset(spec.columns)
    return [name for name in names if name in wanted] or [name for name in names if name not in first.index_columns][:1]
