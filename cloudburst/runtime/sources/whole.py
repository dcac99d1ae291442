"""Files that are read from end to end: text, spreadsheets, and whatever else pandas has a reader for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any

from cloudburst.files import File
from cloudburst.runtime.codecs.ranged import Gets
from cloudburst.runtime.sources.held import whole
from cloudburst.runtime.sources.narrowing import narrowed
from cloudburst.runtime.sources.spec import Spec

FORMATS = frozenset("csv table fwf json feather orc excel stata pickle xml".split())
"""Readers of pandas without their ``read_``."""

COMPRESSIONS = {
    ".tar": "tar", ".tar.gz": "tar", ".tar.bz2": "tar", ".tar.xz": "tar",
    ".gz": "gzip", ".bz2": "bz2", ".zip": "zip", ".xz": "xz", ".zst": "zstd",
}  # fmt: skip
"""By the end of a file's name, the first that fits: what it is compressed with, as pandas takes it."""

_COMPRESSED = frozenset("csv table fwf json stata pickle xml".split())


def read_whole(spec: Spec, kwargs: Mapping[str, Any], store: Gets | None) -> Any:
    """What a source says, read; see :func:`cloudburst.runtime.sources.read`."""
    import pandas as pd

    values = [_one(file, spec, kwargs, store) for file in spec.files]
    return narrowed(values[0] if len(values) == 1 else pd.concat(values), spec.columns)


def _one(file: File, spec: Spec, kwargs: Mapping[str, Any], store: Gets | None) -> Any:
    import pandas as pd

    reader = getattr(pd, f"read_{spec.format}")
    if file.is_local:
        columns = _columns_to_read(file, spec, kwargs)
        return reader(file.path, **kwargs) if columns is None else reader(file.path, columns=columns, **kwargs)
    data = whole(file, spec, store)
    return reader(BytesIO(data), **_compression(file, spec, kwargs))


def _compression(file: File, spec: Spec, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's arguments with what the file's name says, which pandas does not see."""
    arguments = dict(kwargs)
    if spec.format in _COMPRESSED:
        name = file.path.lower()
        method = next((method for end, method in COMPRESSIONS.items() if name.endswith(end)), None)
        # The default of read_fwf is another one than that of all others.
        said = arguments.get("compression", None if spec.format == "fwf" else "infer")
        if said == "infer":
            arguments["compression"] = method
        elif isinstance(said, dict) and said.get("method") == "infer":
            arguments["compression"] = {**said, "method": method}
    return arguments


def _columns_to_read(file: File, spec: Spec, kwargs: Mapping[str, Any]) -> list[str] | None:
    """Of a Feather file, the columns that are enough; ``None`` for all."""
    if spec.format != "feather" or spec.columns is None or "columns" in kwargs:
        return None
    import pyarrow as pa

    try:
        with pa.ipc.open_file(file.path) as opened:
            schema = opened.schema
        told = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
    except (pa.ArrowException, OSError, ValueError):  # of an older kind, or none: pandas says so
        return None
    if len(set(schema.names)) < len(schema.names) or any(isinstance(one, str) for one in told.get("index_columns", ())):
        return None
    wanted = frozenset(spec.columns)
    return [name for name in schema.names if name in wanted] or schema.names[:1] or None
