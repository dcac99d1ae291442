"""What pandas makes of Arrow's types: found out by having it make an empty column, and one with nothing in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

_MASKED = frozenset(
    "boolean Float32 Float64".split() + [f"{sign}{bits}" for sign in ("Int", "UInt") for bits in (8, 16, 32, 64)]
)
_TEXT = ("str", "string")


class Dtypes(NamedTuple):
    """Of a column, as pandas' objects."""

    full: Any
    """Where no value is missing."""
    missing: Any
    """Where some are."""

    def text(self, has_missing: bool | None) -> str:
        """The dtype in pandas' words; empty where it is not known."""
        if has_missing is None and self.missing != self.full:
            return ""
        return str(self.missing if has_missing else self.full)


def dtypes_of(kind: Any, told: Mapping[str, Any] | None) -> Dtypes:
    """The dtypes that a column has once it is read.

    Parameters
    ----------
    kind : pyarrow.DataType
        As Arrow reads it.
    told : mapping or None
        What pandas wrote of the column in the file.

    Examples
    --------
    >>> import pyarrow as pa
    >>> dtypes_of(pa.int8(), None), dtypes_of(pa.int8(), {"numpy_type": "Int8", "pandas_type": "int8"}).text(None)
    (Dtypes(full=dtype('int8'), missing=dtype('float64')), 'Int8')
    """
    return _dtypes(kind, _as_text(told))


def reason_to_read_all(kind: Any, told: Mapping[str, Any] | None) -> str:
    """Why a column does not come out of some of its rows as it does out of all; empty where it does."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        return "its categories are those of all rows"
    if types.is_nested(kind):
        return "its values are nested"
    if isinstance(kind, pa.BaseExtensionType):
        return f"its type is {kind.extension_name}"
    dtype = dtypes_of(kind, told).full
    if not isinstance(getattr(dtype, "kind", None), str) or not hasattr(dtype, "name"):
        return "its dtype is not known"
    if type(dtype).__module__.startswith("numpy") or types.is_timestamp(kind):
        return ""
    return "" if dtype.name in _MASKED or str(dtype) in _TEXT else f"its dtype is {dtype}"


def labels_reason(kind: Any) -> str:
    """Why row labels of this type do not come out of some rows as they do out of all; empty where they do."""
    import pyarrow as pa

    types = pa.types
    plain = (types.is_integer, types.is_floating, types.is_boolean, types.is_timestamp, types.is_duration,
             types.is_string, types.is_large_string)  # fmt: skip
    return "" if any(is_one(kind) for is_one in plain) else f"its row labels are of type {kind}"


def _as_text(told: Mapping[str, Any] | None) -> str:
    if told is None:
        return ""
    return json.dumps({name: told.get(name) for name in ("pandas_type", "numpy_type", "metadata")}, sort_keys=True)


@lru_cache(maxsize=512)
def _dtypes(kind: Any, told: str) -> Dtypes:
    import pandas as pd
    import pyarrow as pa

    schema = pa.schema([pa.field("a", kind)])
    if told:
        columns = [{"name": "a", "field_name": "a", **json.loads(told)}]
        text = json.dumps({"columns": columns, "index_columns": [], "column_indexes": []})
        schema = schema.with_metadata({"pandas": text})
    kind_of_frame: Any = pd.DataFrame
    frames = [kind_of_frame.from_arrow(pa.Table.from_arrays([pa.nulls(rows, kind)], schema=schema)) for rows in (0, 1)]
    return Dtypes(*(frame.dtypes.iloc[0] for frame in frames))
