"""Frames as Parquet, for stores that others read too: only those that come back exactly as they were.

Arrow's own translation of pandas is not used: it loses what it cannot say. Each column goes as the Arrow array of the
same values, and what pandas knows beyond that (dtypes, categories, index, freq, attrs) stands as JSON in the schema's
metadata under ``cloudburst``. Any Parquet reader can read the columns.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from cloudburst.errors import CodecError
from cloudburst.runtime.codecs.checked import fetch_checked, open_checked, with_sums
from cloudburst.runtime.codecs.plain import is_json
from cloudburst.runtime.codecs.ranged import RangeReader
from cloudburst.runtime.codecs.sink import Sink
from cloudburst.runtime.protocols import Buffer

ROW_GROUP = 128 * 1024
"""Rows of a row group that is written."""

INDEX = "__index__"
"""Name of the column that holds the row labels, where they are more than a range."""

METADATA = b"cloudburst"
"""Key of what pandas knows beyond Arrow, in the file's metadata."""

_NUMPY = frozenset(
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64".split()
    + [f"{kind}[{unit}]" for kind in ("datetime64", "timedelta64") for unit in ("ms", "us", "ns")]
)
_MASKED = frozenset("Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64".split())
_NAMES = (type(None), str, int)


class ParquetCodec:
    """Parquet with zstd, statistics and groups of 128k rows."""

    name = "parquet"

    def takes(self, value: object) -> bool:
        """Whether it is a frame that Parquet gives back exactly."""
        return type(value).__module__.partition(".")[0] == "pandas" and exactly_parquet(value)

    def encode(self, value: object) -> list[Buffer]:
        """The frame as a Parquet file."""
        import pyarrow.parquet as pq

        table = _table(value)
        sink = Sink()
        pq.write_table(
            table, sink.file(), row_group_size=ROW_GROUP, compression="zstd", write_statistics=True, version="2.6"
        )
        return sink.parts

    def decode(
        self, data: memoryview, columns: Sequence[str] | None = None, groups: Sequence[int] | None = None
    ) -> object:
        """The frame again, or those of these columns that it has, in its own order, and the rows of these groups."""
        import pyarrow as pa

        return _read(pa.BufferReader(pa.py_buffer(data)), columns, groups)

    def with_sums(self, parts: Sequence[Buffer]) -> tuple[list[Buffer], bytes]:
        """An encoded frame with what tells its chunks one by one, and what tells that."""
        return with_sums(parts)

    def decode_from(
        self, reader: RangeReader, columns: Sequence[str] | None, groups: Sequence[int] | None, told: bytes
    ) -> object:
        """These columns and row groups, all where ``None``, by two calls of the store: for the trailer and for them.

        Raises ``NotAsWritten`` where what was ``told`` does not hold.
        """
        return _read(reader.file(), columns, groups, reader, told)


CODEC = ParquetCodec()


def exactly_parquet(frame: Any) -> bool:
    """Whether Parquet gives a frame back exactly: told from its types and labels, without a look at its cells.

    Parameters
    ----------
    frame : object
        Any value.

    Returns
    -------
    bool
        True only for a plain ``DataFrame`` with distinct ``str`` columns, of types that come back, and a plain index.

    Examples
    --------
    >>> import pandas as pd
    >>> exactly_parquet(pd.DataFrame({"a": [1], "b": ["x"]})), exactly_parquet(pd.DataFrame({"a": [(1, 2)]}))
    (True, False)
    """
    import pandas as pd

    if type(frame) is not pd.DataFrame or not frame.flags.allows_duplicate_labels or not is_json(frame.attrs):
        return False
    labels = frame.columns
    if not (_is_str(labels.dtype) and labels.is_unique and not labels.hasnans and INDEX not in labels):
        return False
    if type(labels) is not pd.Index or type(labels.name) not in _NAMES:
        return False
    return _comes_back_as_index(frame.index) and all(map(_comes_back, frame.dtypes))


def _is_str(dtype: Any) -> bool:
    return str(dtype) == "str" and dtype.storage == "pyarrow"


def _comes_back(dtype: Any) -> bool:
    import numpy as np
    import pandas as pd

    if isinstance(dtype, np.dtype):
        return dtype.isnative and str(dtype) in _NUMPY
    if isinstance(dtype, pd.CategoricalDtype):
        categories = dtype.categories
        return type(categories) is pd.Index and _is_str(categories.dtype) and type(categories.name) in _NAMES
    return _is_str(dtype) or str(dtype) in _MASKED


def _comes_back_as_index(index: Any) -> bool:
    import pandas as pd

    if type(index) not in (pd.RangeIndex, pd.Index, pd.DatetimeIndex, pd.TimedeltaIndex):
        return False
    freq = getattr(index, "freq", None)
    if freq is not None and pd.tseries.frequencies.to_offset(freq.freqstr) != freq:
        return False
    return type(index.name) in _NAMES and _comes_back(index.dtype)


# ---------------------------------------------------------------- out


def _table(frame: Any) -> Any:
    import pandas as pd
    import pyarrow as pa

    names = list(frame.columns)
    arrays = [_to_arrow(frame.iloc[:, number].array) for number in range(len(names))]
    index = frame.index
    told = {
        "v": 1,
        "rows": len(frame),
        "columns": {name: _told(dtype) for name, dtype in zip(names, frame.dtypes, strict=True)},
        "columns_name": frame.columns.name,
        "index": {"name": index.name, "freq": getattr(index, "freqstr", None), "dtype": _told(index.dtype)},
        "attrs": frame.attrs,
    }
    if type(index) is pd.RangeIndex:
        told["index"]["dtype"] = [index.start, index.stop, index.step]
    else:
        names.append(INDEX)
        arrays.append(_to_arrow(index.array))
    return pa.table(arrays, names=names).replace_schema_metadata({METADATA: json.dumps(told)})


def _told(dtype: Any) -> Any:
    """A dtype as JSON."""
    import pandas as pd

    if isinstance(dtype, pd.CategoricalDtype):
        categories = dtype.categories
        return {"categories": categories.tolist(), "name": categories.name, "ordered": dtype.ordered}
    return str(dtype)


def _to_arrow(array: Any) -> Any:
    import pandas as pd
    import pyarrow as pa

    if isinstance(array, pd.Categorical):
        codes = pa.array(array.codes, mask=array.codes < 0)
        return pa.DictionaryArray.from_arrays(codes, pa.array(array.categories, pa.large_string()))
    if isinstance(array, pd.arrays.NumpyExtensionArray):
        return pa.array(array.to_numpy(), from_pandas=False)
    return pa.array(array)


# ---------------------------------------------------------------- and back


def _read(
    source: Any,
    columns: Sequence[str] | None,
    groups: Sequence[int] | None,
    reader: RangeReader | None = None,
    trailer_told: bytes = b"",
) -> object:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        trailer = None if reader is None else open_checked(reader, trailer_told)
        metadata = None if trailer is None else trailer.metadata
        with pq.ParquetFile(source, metadata=metadata, pre_buffer=reader is None) as file:  # else chunk by chunk
            told = json.loads(file.schema_arrow.metadata[METADATA])
            there = list(told["columns"])
            chosen = frozenset(there if columns is None else columns)
            wanted = [name for name in there if name in chosen]
            stored = wanted if isinstance(told["index"]["dtype"], list) else [*wanted, INDEX]
            read = _with_rows(file.metadata, groups)
            if reader is not None and trailer is not None:
                fetch_checked(reader, trailer, [file.schema_arrow.names.index(name) for name in stored], read)
            table = file.read_row_groups(read, columns=stored)
            places = None if groups is None else _places(file.metadata, read)
    except (pa.ArrowException, OSError, KeyError, TypeError) as error:
        raise CodecError(f"A stored Parquet frame cannot be read: {error}.") from error
    return _frame(table, wanted, told, places)


def _with_rows(metadata: Any, groups: Sequence[int] | None) -> list[int]:
    """Row groups, but for one without rows: where its bytes are, Arrow itself does not know."""
    numbers = range(metadata.num_row_groups) if groups is None else groups
    return [number for number in numbers if metadata.row_group(number).num_rows]


def _places(metadata: Any, groups: Sequence[int]) -> Any:
    """Where the rows of some row groups stand among all."""
    import numpy as np

    rows = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    ends = list(accumulate(rows))
    return np.concatenate([np.array([], "int64"), *(np.arange(ends[one] - rows[one], ends[one]) for one in groups)])


def _frame(table: Any, names: list[str], told: dict[str, Any], places: Any = None) -> Any:
    import pandas as pd

    arrays = {number: _from_arrow(table.column(name), told["columns"][name]) for number, name in enumerate(names)}
    frame = pd.DataFrame(arrays, index=_index(table, told["index"], places), copy=False)
    frame.columns = pd.Index(names, dtype="str", name=told["columns_name"])
    frame.attrs = told["attrs"]
    return frame


def _index(table: Any, told: dict[str, Any], places: Any) -> Any:
    """The row labels; of rows in some places those that they have among all."""
    import pandas as pd

    name, dtype = told["name"], told["dtype"]
    freq: Any = told["freq"] if places is None else None  # some of the rows have none
    if isinstance(dtype, list):
        start, stop, step = dtype
        labels = pd.RangeIndex(start, stop, step, name=name)
        return labels if places is None else labels.take(places)
    values = _from_arrow(table.column(INDEX), dtype)
    if dtype.startswith("datetime64"):
        return pd.DatetimeIndex(values, name=name, freq=freq)
    if dtype.startswith("timedelta64"):
        return pd.TimedeltaIndex(values, name=name, freq=freq)
    return pd.Index(values, name=name)


def _from_arrow(column: Any, dtype: Any) -> Any:
    import numpy as np
    import pandas as pd

    if isinstance(dtype, dict):
        return _categorical(column, dtype)
    if dtype in _NUMPY:
        values = column.to_numpy().astype(dtype, copy=False)
        return values if values.flags.writeable else np.array(values)
    kind: Any = pd.api.types.pandas_dtype(dtype)
    return kind.__from_arrow__(column)


def _categorical(column: Any, told: dict[str, Any]) -> Any:
    import numpy as np
    import pandas as pd

    categories = pd.Index(told["categories"], dtype="str", name=told["name"])
    dtype = pd.CategoricalDtype(categories, ordered=told["ordered"])
    stored = column.unify_dictionaries().combine_chunks()
    places = categories.get_indexer(pd.Index(stored.dictionary.to_pandas(), dtype="str"))
    indices = stored.indices.fill_null(-1).to_numpy()
    codes = np.append(places, -1)[indices]  # the last one is for what is missing
    return pd.Categorical.from_codes(codes, dtype=dtype)
