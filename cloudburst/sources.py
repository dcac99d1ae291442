"""Calls of pandas' readers: a file that the workers open for themselves, and only as far as the pipeline needs it.

A call becomes a source where it names files: a path, a list of them, a pattern, a directory, or a place in S3. Anything
else that a reader takes (an open file, a URL, a Deferred path) stays a plain deferred call, of which nothing is known.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from types import CodeType
from typing import Any

from cloudburst.arguments import to_argument
from cloudburst.files import S3
from cloudburst.graph.expr import Expr, make
from cloudburst.graph.facts import SourceFacts
from cloudburst.graph.frames.constants import constant
from cloudburst.graph.nodes import Source
from cloudburst.planner import spec_of

READERS = {
    "read_parquet": "path",
    "read_csv": "filepath_or_buffer",
    "read_table": "filepath_or_buffer",
    "read_fwf": "filepath_or_buffer",
    "read_json": "path_or_buf",
    "read_feather": "path",
    "read_orc": "path",
    "read_excel": "io",
    "read_stata": "filepath_or_buffer",
    "read_pickle": "filepath_or_buffer",
    "read_xml": "path_or_buffer",
}
"""Readers whose calls may be sources, and the parameter that names the files."""

_ELSEWHERE = ("filesystem", "storage_options", "chunksize", "iterator")
"""Parameters that say where else a file is, or that what comes is no frame: such calls stay as they are."""


def source_of(
    name: str, arguments: Mapping[str, Any], s3: Mapping[str, str | None], code: CodeType | None, lasti: int
) -> Expr | None:
    """The source that a call of a reader is, or ``None`` where it is none.

    Parameters
    ----------
    name : str
        Of the reader: ``"read_parquet"``.
    arguments : mapping
        All that was given, by parameter.
    s3 : mapping
        Where S3 is: ``endpoint_url`` and ``region``, as far as boto3's own settings do not say it.
    code, lasti
        The caller's place.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    UsageError
        If a pattern or a directory holds no file.
    """
    parameter = READERS.get(name)
    path = arguments.get(parameter, None) if parameter is not None else None
    if not _names_files(path) or any(arguments.get(one) for one in _ELSEWHERE):
        return None
    if arguments.get("engine", "auto") not in ("auto", "pyarrow") and name == "read_parquet":
        return None
    from cloudburst.runtime.sources import find

    form = name.removeprefix("read_")
    found = find(form, path, **s3)
    others = {key: value for key, value in arguments.items() if key != parameter}
    values = tuple([to_argument(value) for value in others.values()])
    what = Source(form, found.files, found.root)
    if not all(file.is_local for file in found.files):
        what = replace(what, endpoint_url=s3.get("endpoint_url"), region=s3.get("region"))
    return make(what, values, tuple(others), code, lasti)


def facts_of(source: Expr) -> SourceFacts | None:
    """What the footers of a source's files say, where they say what its reader gives."""
    what = source.what
    given = dict(zip(source.names, source.args, strict=True))
    given.pop("engine", None)
    columns = constant(given.pop("columns", None))
    if not isinstance(what, Source) or given:
        return None
    from cloudburst.runtime.sources import read_facts

    facts = read_facts(spec_of(what, {}))
    return facts if facts is None or columns is None else facts.chosen(columns)


def _names_files(path: Any) -> bool:
    paths = path if isinstance(path, list | tuple) else [path]
    return bool(paths) and all(isinstance(one, str | os.PathLike) and _is_file_name(os.fspath(one)) for one in paths)


def _is_file_name(path: Any) -> bool:
    return isinstance(path, str) and ("://" not in path or path.startswith(S3))
