"""Checksums by which the columns of a stored Parquet file can be trusted one by one, without a look at the others.

What tells a whole file can only be checked by reading all of it. So beside that stand the SHA-256 of the file's footer,
which says where everything lies, and 16 bytes of that of each column's chunks, one after another. Nothing of a footer
or a column is parsed before its own checksum holds.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import Any

from cloudburst.runtime.codecs.ranged import NotAsWritten, RangeReader
from cloudburst.runtime.protocols import Buffer

MOST_COLUMNS = 1000
"""Files with more have no such checksums, which travel with every mention of the file: they are read whole."""

_FOOTER_SUM, _COLUMN_SUM = 32, 16
_TAIL = 64 * 1024
_END = 8  # four bytes of the footer's length and four of magic


def column_sums(parts: Sequence[Buffer]) -> bytes:
    """The checksums of a Parquet file: of its footer, then of each column; none where there are too many.

    Parameters
    ----------
    parts : sequence of buffers
        The file is their concatenation.

    Examples
    --------
    >>> import pandas as pd
    >>> from cloudburst.runtime.codecs.parquet import CODEC
    >>> len(column_sums(CODEC.encode(pd.DataFrame({"a": [1], "b": [2]}))))
    64
    """
    footer = _footer_of(parts)
    metadata = _parsed(footer)
    if metadata.num_columns > MOST_COLUMNS:
        return b""
    columns = range(metadata.num_columns)
    spans = sorted((start, end, column) for column in columns for start, end in chunks(metadata, [column]))
    sums = [sha256() for _ in columns]
    place = number = 0
    for part in parts:
        view = memoryview(part).cast("B")
        begin, place = place, place + len(view)
        while number < len(spans) and spans[number][0] < place:
            start, end, column = spans[number]
            sums[column].update(view[max(start - begin, 0) : end - begin])
            if end > place:
                break
            number += 1
    return b"".join([sha256(footer).digest(), *[one.digest()[:_COLUMN_SUM] for one in sums]])


def open_checked(reader: RangeReader, sums: bytes) -> Any:
    """The metadata in a file's footer, once that is what was written.

    Raises
    ------
    NotAsWritten
        If it is not.
    """
    size = reader.size()
    start = max(0, size - _TAIL)
    footer = bytes(reader.at(start, size))
    length = _length_of(footer)
    if length > size:
        raise NotAsWritten
    if length > len(footer):
        footer = bytes(reader.at(size - length, start)) + footer
    footer = footer[-length:]
    reader.forget()
    if sha256(footer).digest() != sums[:_FOOTER_SUM]:
        raise NotAsWritten
    return _parsed(footer)


def fetch_checked(reader: RangeReader, metadata: Any, columns: Collection[int], sums: bytes) -> None:
    """Have a reader fetch these columns and nothing else from then on, once they are what was written.

    Raises
    ------
    NotAsWritten
        If one of them is not.
    """
    reader.fetch([span for column in columns for span in chunks(metadata, [column])])
    for column in columns:
        told = sha256()
        for start, end in chunks(metadata, [column]):
            told.update(reader.at(start, end))
        place = _FOOTER_SUM + column * _COLUMN_SUM
        if told.digest()[:_COLUMN_SUM] != sums[place : place + _COLUMN_SUM]:
            raise NotAsWritten
    reader.seal()


def chunks(metadata: Any, columns: Collection[int]) -> list[tuple[int, int]]:
    """Where the bytes of columns lie in a file, by row group."""
    found = []
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for column in columns:
            chunk = group.column(column)
            start = chunk.dictionary_page_offset or chunk.data_page_offset
            found.append((start, start + chunk.total_compressed_size))
    return found


def _footer_of(parts: Sequence[Buffer]) -> bytes:
    tail = b""
    for part in reversed(parts):
        tail = bytes(part) + tail
        if len(tail) >= _END and len(tail) >= _length_of(tail):
            break
    return tail[-_length_of(tail) :]


def _length_of(tail: bytes) -> int:
    """Bytes of the footer that a file's last bytes are the end of."""
    return int.from_bytes(tail[-_END : -_END // 2], "little") + _END


def _parsed(footer: bytes) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.read_metadata(pa.BufferReader(footer))
