"""Checksums by which parts of a stored Parquet file can be trusted one by one, without a look at the others.

What tells a whole file can only be checked by reading all of it. So 16 bytes of SHA-256 of every chunk, which is what a
row group has of a column, stand in the file itself, between the last of them and the footer. Offsets in a footer count
from the beginning and the footer is found from the end: it stays a Parquet file that anyone reads. These sums and the
footer are the file's *trailer*. Its SHA-256 and its length are all that has to travel with a mention of the file, and
nothing of a trailer or a chunk is parsed before its own checksum holds.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from hashlib import sha256
from itertools import accumulate
from typing import Any, NamedTuple

from cloudburst.runtime.codecs.ranged import TOLD, NotAsWritten, RangeReader
from cloudburst.runtime.protocols import Buffer

_DIGEST, _SUM = 32, 16
_END = 8  # four bytes of the footer's length and four of magic
_MOST_THREADS = 4

Span = tuple[int, int]


class Trailer(NamedTuple):
    """What stands at the end of a file, as it was written."""

    metadata: Any
    """The footer, as Arrow reads it."""
    sums: bytes
    """Those of the chunks: of all columns of a row group, then of the next."""
    nbytes: int
    """Of sums and footer together."""

    def sum_of(self, group: int, column: int) -> bytes:
        """What tells a chunk."""
        place = (group * self.metadata.num_columns + column) * _SUM
        return self.sums[place : place + _SUM]


def with_sums(parts: Sequence[Buffer]) -> tuple[list[Buffer], bytes]:
    """A Parquet file with the checksums of its chunks in it, and what tells the trailer that it has then.

    Parameters
    ----------
    parts : sequence of buffers
        The file is their concatenation.

    Returns
    -------
    parts : list of buffers
        The same, with some bytes before the footer.
    told : bytes
        For :func:`open_checked`; ``TOLD`` of them.

    Examples
    --------
    >>> import pandas as pd
    >>> from cloudburst.runtime.codecs.parquet import CODEC
    >>> parts = CODEC.encode(pd.DataFrame({"a": [1], "b": [2]}))
    >>> more, told = with_sums(parts)
    >>> sum(map(len, more)) - sum(map(len, parts)), len(told)
    (32, 40)
    """
    from concurrent.futures import ThreadPoolExecutor

    footer = _footer_of(parts)
    spans = list(chunks(_parsed(footer)))
    views = [memoryview(part).cast("B") for part in parts]
    ends = list(accumulate(map(len, views)))
    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads, thread_name_prefix="cloudburst-sums") as pool:
        sums = b"".join(pool.map(lambda span: _sum(_cut(views, ends, span)), spans))
    body = list(_cut(views, ends, (0, ends[-1] - len(footer))))
    length = len(sums) + len(footer)
    return [*body, sums, footer], sha256(sums + footer).digest() + length.to_bytes(TOLD - _DIGEST, "little")


def open_checked(reader: RangeReader, told: bytes) -> Trailer:
    """A file's trailer, read by one request, once that is what was written.

    Raises
    ------
    NotAsWritten
        If it is not.
    """
    size, length = reader.size(), int.from_bytes(told[_DIGEST:], "little")
    if length > size:
        raise NotAsWritten
    trailer = bytes(reader.at(size - length, size))
    reader.forget()
    if sha256(trailer).digest() != told[:_DIGEST]:
        raise NotAsWritten
    place = length - _length_of(trailer)
    return Trailer(_parsed(trailer[place:]), trailer[:place], length)


def fetch_checked(
    reader: RangeReader, trailer: Trailer, columns: Collection[int], groups: Collection[int] | None = None
) -> None:
    """Have a reader fetch these columns of these row groups and nothing else from then on, once they are as written.

    Raises
    ------
    NotAsWritten
        If one chunk is not.
    """
    metadata = trailer.metadata
    numbers = range(metadata.num_row_groups) if groups is None else groups
    places = [(group, column) for group in numbers for column in columns]
    spans = list(chunks(metadata, columns, numbers))
    reader.fetch(spans)
    for place, span in zip(places, spans, strict=True):
        if _sum([reader.at(*span)]) != trailer.sum_of(*place):
            raise NotAsWritten
    reader.seal()


def chunks(
    metadata: Any, columns: Collection[int] | None = None, groups: Collection[int] | None = None
) -> Iterator[Span]:
    """Where the bytes of columns lie in a file, of one row group after another; of all where left out."""
    for number in range(metadata.num_row_groups) if groups is None else groups:
        group = metadata.row_group(number)
        for column in range(metadata.num_columns) if columns is None else columns:
            chunk = group.column(column)
            start = chunk.dictionary_page_offset or chunk.data_page_offset
            yield start, start + chunk.total_compressed_size


def _sum(pieces: Collection[Buffer] | Iterator[Buffer]) -> bytes:
    digest = sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()[:_SUM]


def _cut(views: Sequence[memoryview], ends: Sequence[int], span: Span) -> Iterator[memoryview]:
    """These bytes of what the views are together."""
    start, end = span
    number = bisect_right(ends, start)
    while start < end:
        view, first = views[number], ends[number] - len(views[number])
        yield view[start - first : end - first]
        start, number = ends[number], number + 1


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
