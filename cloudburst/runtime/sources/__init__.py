"""Sources: files read as frames where the task runs, and what their footers say read where it is planned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudburst.errors import InternalError
from cloudburst.files import Bounds, File, Labels, RowGroup
from cloudburst.runtime.codecs.ranged import Gets
from cloudburst.runtime.sources.facts import Facts, read_facts
from cloudburst.runtime.sources.finding import Found, find
from cloudburst.runtime.sources.held import unchanged
from cloudburst.runtime.sources.parquet import read_parquet
from cloudburst.runtime.sources.spec import Spec
from cloudburst.runtime.sources.stored import StoredFacts, read_stored_facts
from cloudburst.runtime.sources.whole import FORMATS, read_whole

__all__ = [
    "Bounds",
    "Facts",
    "File",
    "Found",
    "Labels",
    "RowGroup",
    "Spec",
    "StoredFacts",
    "find",
    "read",
    "read_facts",
    "read_stored_facts",
]


def read(spec: Spec, kwargs: Mapping[str, Any], store: Gets | None = None) -> Any:
    """The frame that pandas makes of some files, or only the columns and rows of it that are asked for.

    Parameters
    ----------
    spec : Spec
        What to read.
    kwargs : mapping
        The caller's arguments for the reader of pandas, beside the path.
    store : Store, optional
        Where files lie that were uploaded.

    Returns
    -------
    DataFrame
        Or what else the reader makes with such arguments.

    Raises
    ------
    NotFound
        If a file is gone since the pipeline was planned.
    StoreError
        If a file has changed since, or S3 refuses.
    Exception
        What pandas raises.
    """
    with unchanged(spec.files):
        if spec.format == "parquet":
            return read_parquet(spec, kwargs, store)
        if spec.format in FORMATS:
            return read_whole(spec, kwargs, store)
    raise InternalError(f"there is no source of format {spec.format!r}")
