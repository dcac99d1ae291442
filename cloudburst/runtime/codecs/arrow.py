"""Arrow tables, batches and arrays, and polars frames and series, as an Arrow IPC stream.

The stream is one that any Arrow reader reads; what the value was stands in the schema's metadata under ``cloudburst``.
Writing copies nothing but slices' odd ends, and reading copies nothing at all: Arrow's memory is immutable by contract.

Left to pickle is what IPC does not bring back: extension types defined in Python, which a reader would have to register
first, polars' 128-bit integers and objects, and rows without columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cloudburst.errors import CodecError
from cloudburst.runtime.codecs.sink import Sink
from cloudburst.runtime.protocols import Buffer

_KIND = b"cloudburst"
_BLOAT = 1 << 16
"""Bytes that a polars slice may drag along before its strings are copied."""


class ArrowCodec:
    """Arrow IPC for what is Arrow in memory already."""

    name = "arrow"

    def takes(self, value: object) -> bool:
        """Whether it is a table, batch, array, frame or series whose types all come back."""
        library = type(value).__module__.partition(".")[0]
        if library == "pyarrow":
            types = _arrow_types(value)
            return bool(types) and all(map(_comes_back, types))
        return library == "polars" and _is_plain_polars(value)

    def encode(self, value: object) -> list[Buffer]:
        """The value as an IPC stream whose buffers are the value's own."""
        kind = _pyarrow_kind(value)
        if kind is None:
            kind, value = _from_polars(value)
        return _stream(kind, _tabular(value))

    def decode(self, data: memoryview, columns: Sequence[str] | None = None) -> object:  # noqa: ARG002 - of frames of pandas
        """The value again, over the same memory; always whole, because columns are chosen of frames of pandas alone."""
        import pyarrow as pa

        try:
            with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
                metadata = dict(reader.schema.metadata or {})
                kind, rows = metadata.pop(_KIND).decode().split()
                table = reader.read_all()
            if table.num_rows != int(rows):
                raise CodecError(f"A stored Arrow value is cut off: {table.num_rows} of {rows} rows are there.")
            return _restored(kind, table.replace_schema_metadata(metadata or None))
        except (pa.ArrowException, OSError, KeyError) as error:
            raise CodecError(f"A stored Arrow value cannot be read: {error}.") from error


CODEC = ArrowCodec()


def _pyarrow_kind(value: object) -> str | None:
    import pyarrow as pa

    for kind in (pa.Table, pa.RecordBatch, pa.ChunkedArray, pa.Array):
        if isinstance(value, kind):
            return f"pyarrow.{kind.__name__}"
    return None


def _arrow_types(value: Any) -> list[Any]:
    """Types of the columns, or of the one that an array is; none for anything else."""
    if _pyarrow_kind(value) is None:
        return []
    return list(value.schema.types) if hasattr(value, "schema") else [value.type]


def _comes_back(arrow_type: Any) -> bool:
    """Whether a type and all that it is made of need nothing registered to be read."""
    import pyarrow as pa

    todo = [arrow_type]
    while todo:
        one = todo.pop()
        if isinstance(one, (pa.ExtensionType, pa.lib.UnknownExtensionType)):
            return False
        todo += _inner_types(one)
    return True


def _inner_types(arrow_type: Any) -> Iterator[Any]:
    import pyarrow as pa

    if isinstance(arrow_type, pa.BaseExtensionType):
        yield arrow_type.storage_type
    elif isinstance(arrow_type, (pa.DictionaryType, pa.RunEndEncodedType)):
        yield arrow_type.value_type
    else:
        yield from (arrow_type.field(number).type for number in range(arrow_type.num_fields))


def _is_plain_polars(value: Any) -> bool:
    import polars as pl

    dtypes: list[Any]
    if type(value) is pl.Series:
        dtypes = [value.dtype]
    elif type(value) is pl.DataFrame and value.width:
        dtypes = list(value.dtypes)
    else:
        return False
    while dtypes:
        dtype = dtypes.pop()
        if dtype in (pl.Object, pl.Int128, pl.UInt128) or isinstance(dtype, pl.datatypes.BaseExtension):
            return False
        if isinstance(dtype, pl.Struct):
            dtypes += [field.dtype for field in dtype.fields]
        elif isinstance(dtype, (pl.List, pl.Array)):
            dtypes.append(dtype.inner)
    return True


def _from_polars(value: Any) -> tuple[str, Any]:
    import polars as pl

    kind = f"polars.{type(value).__name__}"
    frame = value.to_frame() if isinstance(value, pl.Series) else value
    table = frame.to_arrow(compat_level=pl.CompatLevel.newest())
    if table.get_total_buffer_size() > 2 * frame.estimated_size() + _BLOAT:  # a slice, with all strings of the whole
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    return kind, table


def _tabular(value: Any) -> Any:
    """A table or record batch that holds the value."""
    import pyarrow as pa

    if isinstance(value, pa.Array):
        return pa.RecordBatch.from_arrays([value], names=[""])
    if isinstance(value, pa.ChunkedArray):
        return pa.table([value], names=[""])
    return value


def _stream(kind: str, table: Any) -> list[Buffer]:
    import pyarrow as pa

    told = {_KIND: f"{kind} {table.num_rows}".encode()}
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **told})
    sink = Sink()
    with pa.ipc.new_stream(sink.file(), table.schema) as writer:
        writer.write(table)
    return sink.parts


def _restored(kind: str, table: Any) -> object:
    import pyarrow as pa

    if kind == "pyarrow.Table":
        return table
    if kind == "pyarrow.RecordBatch":
        return pa.RecordBatch.from_arrays([_one_chunk(column) for column in table.columns], schema=table.schema)
    if kind == "pyarrow.ChunkedArray":
        return table.column(0)
    if kind == "pyarrow.Array":
        return _one_chunk(table.column(0))
    if kind not in ("polars.DataFrame", "polars.Series"):
        raise CodecError(f"A stored Arrow value is a {kind}, which this version does not know.")
    import polars as pl

    frame: Any = pl.from_arrow(table, rechunk=False)
    frame.columns = table.column_names  # polars gives a column without a name another one
    return frame if kind == "polars.DataFrame" else frame.to_series()


def _one_chunk(column: Any) -> Any:
    import pyarrow as pa

    return column.chunk(0) if column.num_chunks else pa.array([], column.type)
