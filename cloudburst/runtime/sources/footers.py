"""The footers of Parquet files: which columns lie where in them, and what pandas wrote of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

from cloudburst.files import File
from cloudburst.runtime.codecs.ranged import Gets
from cloudburst.runtime.sources.held import TAIL, Held, held, is_as_planned
from cloudburst.runtime.sources.latest import Latest
from cloudburst.runtime.sources.spec import Spec
from cloudburst.runtime.stores.ranges import Range

_KEPT_BYTES = 64 << 20
_AT_ONCE = 8


class Footer:
    """What stands at the end of a Parquet file.

    Parameters
    ----------
    metadata : pyarrow.parquet.FileMetaData
        As Arrow read it.
    """

    def __init__(self, metadata: Any) -> None:
        self.metadata = metadata
        self.schema = metadata.schema.to_arrow_schema()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the columns, as they lie in the file."""
        return tuple(self.schema.names)

    @cached_property
    def leaves(self) -> Mapping[str, range]:
        """By column: the numbers of what it is stored as, one or, where it is nested, more. Empty if that is odd."""
        if len(self.names) == self.metadata.num_columns:
            return {name: range(number, number + 1) for number, name in enumerate(self.names)}
        leaves = {}
        place = 0
        for field in self.schema:
            count = _leaf_count(field.type)
            leaves[field.name] = range(place, place + count)
            place += count
        return leaves if place == self.metadata.num_columns else {}

    @cached_property
    def pandas(self) -> Mapping[str, Any]:
        """What pandas wrote of itself; empty where another program wrote the file. May raise anything."""
        text = (self.schema.metadata or {}).get(b"pandas")
        told = {} if text is None else json.loads(text)
        if type(told) is not dict:
            raise ValueError("pandas wrote no such thing")
        return told

    @cached_property
    def index(self) -> Sequence[Any]:
        """Where the row labels are: names of columns, or records of ranges."""
        return list(self.pandas.get("index_columns", ()))

    @cached_property
    def index_columns(self) -> tuple[str, ...]:
        """The columns that hold row labels."""
        return tuple(one for one in self.index if isinstance(one, str) and one in self.leaves)

    def chunks(self, columns: Sequence[str] | None, groups: Sequence[int] | None) -> list[Range]:
        """Where the bytes of columns lie in the file; those of all where left out."""
        metadata = self.metadata
        numbers: Sequence[int] = range(metadata.num_columns)
        if columns is not None and self.leaves:
            numbers = sorted({leaf for name in columns for leaf in self.leaves.get(name, ())})
        places = []
        for number in range(metadata.num_row_groups) if groups is None else groups:
            group = metadata.row_group(number)
            for leaf in numbers:
                chunk = group.column(leaf)
                start = chunk.data_page_offset
                if chunk.has_dictionary_page and chunk.dictionary_page_offset:
                    start = min(start, chunk.dictionary_page_offset)
                places.append((start, start + chunk.total_compressed_size))
        return places


_footers: Latest[Footer] = Latest(_KEPT_BYTES, lambda footer: 2 * int(footer.metadata.serialized_size))


def footer_of(file: File, spec: Spec, store: Gets | None = None) -> Footer:
    """A file's footer, read once a process. Raises whatever goes wrong."""
    return _footers.get(file, lambda: _read(file, spec, store))


def footers_of(files: Sequence[File], spec: Spec, store: Gets | None = None) -> list[Footer]:
    """The footers of files; those that lie elsewhere are read several at a time."""
    if len(files) < 2 or all(file.is_local for file in files):
        return [footer_of(file, spec, store) for file in files]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda file: footer_of(file, spec, store), files))


def footer_in(reader: Held) -> Footer:
    """The footer of a file that lies elsewhere, whose end is then held."""
    import pyarrow.parquet as pq

    reader.fetch([(max(0, reader.size - TAIL), reader.size)])
    return Footer(pq.read_metadata(reader.file()))


def _read(file: File, spec: Spec, store: Gets | None) -> Footer:
    import pyarrow.parquet as pq

    if not file.is_local:
        return footer_in(held(file, spec, store))
    footer = Footer(pq.read_metadata(file.path))
    if not is_as_planned(file):
        raise ValueError(f"{file.path} has changed")
    return footer


def _leaf_count(kind: Any) -> int:
    import pyarrow as pa

    if isinstance(kind, pa.BaseExtensionType):
        return _leaf_count(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return 1
    return sum(_leaf_count(kind.field(number).type) for number in range(kind.num_fields)) or 1
