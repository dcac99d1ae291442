"""What the statistics of a Parquet file say of its columns, as far as they are to be trusted."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Callable
from typing import Any

from cloudburst.files import Bounds

NOTHING = Bounds(None, None, None)

_NOT_A_TIME = -(2**63)
"""What pandas takes for a missing time, though it is a value to Arrow."""

_EXACT_IN_FLOATS = 2**53
_SURELY_WHOLE = 16
"""Letters below which no writer shortens a bound. Arrow does not tell whether one was shortened; it never does so
itself, as some others do, who give the beginning of the least text and something greater than the greatest."""

_EPOCH = datetime.date(1970, 1, 1).toordinal()
_UNITS = {"milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns"}

Read = Callable[[Any, int], Any]
"""Makes a Python value of a raw bound: the lower one where it is told -1, the upper where 1. ``None``: not known."""


def null_count(statistics: Any, kind: Any) -> int | None:
    """How many values of a column are missing in a row group, in Arrow's sense: NaN is none of them."""
    import pyarrow as pa

    if statistics is None or not statistics.has_null_count:
        return None
    if (pa.types.is_timestamp(kind) or pa.types.is_duration(kind)) and statistics.num_values:
        least = statistics.min_raw if statistics.has_min_max else None
        if type(least) is not int or least == _NOT_A_TIME:
            return None
    return int(statistics.null_count)


def bounds_of(statistics: Any, kind: Any, read: Read) -> Bounds:
    """The bounds of a column in a row group."""
    import pyarrow as pa

    if statistics is None:
        return NOTHING
    # A float that is not missing to Arrow may be NaN, which is missing to pandas.
    nulls = None if pa.types.is_floating(kind) else null_count(statistics, kind)
    if not statistics.has_min_max:
        return Bounds(None, None, nulls)
    low, high = read(statistics.min_raw, -1), read(statistics.max_raw, 1)
    if low is None or high is None or low > high:
        return Bounds(None, None, nulls)
    return Bounds(low, high, nulls)


def reader_for(column: Any, kind: Any, dtype: Any, writer: str) -> Read | None:
    """How the raw bounds of a column are read; ``None`` where they decide nothing.

    Parameters
    ----------
    column : pyarrow.parquet.ColumnSchema
        As it is stored.
    kind : pyarrow.DataType
        As Arrow reads it.
    dtype : dtype or None
        As pandas has it then, where that is known.
    writer : str
        The program that wrote the file.
    """
    import pyarrow as pa

    types = pa.types
    physical, logical = column.physical_type, column.logical_type.type
    if types.is_boolean(kind) and physical == "BOOLEAN":
        return _boolean
    if types.is_integer(kind) and physical in ("INT32", "INT64") and logical in ("INT", "NONE"):
        is_exact = getattr(dtype, "kind", "f") in "iu"
        return _integers(kind, is_exact)
    if types.is_float64(kind) and physical == "DOUBLE":
        return _double
    if types.is_float32(kind) and physical == "FLOAT":
        return _single
    if types.is_date32(kind) and physical == "INT32" and logical == "DATE":
        return _date
    if (types.is_string(kind) or types.is_large_string(kind)) and physical == "BYTE_ARRAY" and logical == "STRING":
        return _texts(writer.startswith("parquet-cpp"))
    if types.is_timestamp(kind) and physical == "INT64" and logical == "TIMESTAMP":
        told = json.loads(column.logical_type.to_json())
        if _UNITS.get(told["timeUnit"]) == kind.unit and told["isAdjustedToUTC"] == (kind.tz is not None):
            return _times(kind.unit, getattr(dtype, "tz", None))
    return None


def _boolean(raw: Any, _side: int) -> Any:
    return raw if type(raw) is bool else None


def _integers(kind: Any, is_exact: bool) -> Read:
    import pyarrow as pa

    is_unsigned = pa.types.is_unsigned_integer(kind)

    def read(raw: Any, _side: int) -> Any:
        if type(raw) is not int:
            return None
        value = raw % (1 << kind.bit_width) if is_unsigned else raw
        # As floats, which is what pandas makes of integers some of which are missing, greater ones are rounded.
        return value if is_exact or abs(value) <= _EXACT_IN_FLOATS else None

    return read


def _double(raw: Any, _side: int) -> Any:
    return raw if type(raw) is float and not math.isnan(raw) else None


def _single(raw: Any, side: int) -> Any:
    """One float farther out: pandas rounds what it compares such a column with."""
    import numpy as np

    if type(raw) is not float or math.isnan(raw):
        return None
    with np.errstate(over="ignore"):
        return float(np.nextafter(np.float32(raw), np.float32(side * math.inf)))


def _date(raw: Any, _side: int) -> Any:
    try:
        return datetime.date.fromordinal(_EPOCH + raw)
    except (ValueError, OverflowError, TypeError):
        return None


def _texts(is_whole: bool) -> Read:
    def read(raw: Any, _side: int) -> Any:
        if type(raw) is not bytes or not (is_whole or len(raw) < _SURELY_WHOLE):
            return None
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return None

    return read


def _times(unit: str, zone: Any) -> Read:
    import numpy as np
    import pandas as pd

    of_unit: Any = np.datetime64  # pd.Timestamp would choose another unit

    def read(raw: Any, _side: int) -> Any:
        if type(raw) is not int or raw == _NOT_A_TIME:
            return None
        try:
            time = pd.Timestamp(of_unit(raw, unit))
            return time if zone is None else time.tz_localize("UTC").tz_convert(zone)
        except (ValueError, OverflowError):
            return None

    return read
