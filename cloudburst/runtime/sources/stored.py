"""What the trailer of a stored frame says of it: columns, rows and bounds, as a file's footer does of a source.

Dtypes come back from what the codec wrote, whatever rows are read, so that none depends on a missing value.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

from cloudburst.files import Bounds, Labels, RowGroup
from cloudburst.runtime.artifacts import trailer_told
from cloudburst.runtime.codecs.checked import Trailer, chunks, open_checked
from cloudburst.runtime.codecs.parquet import INDEX, METADATA
from cloudburst.runtime.codecs.ranged import Gets, RangeReader
from cloudburst.runtime.sources.bounds import NOTHING, bounds_of, reader_for
from cloudburst.runtime.sources.latest import Latest
from cloudburst.runtime.task import Artifact

_KEPT_BYTES = 64 << 20


def read_stored_facts(artifact: Artifact, store: Gets) -> StoredFacts | None:
    """What is known of a stored frame without reading its rows: one request, the first time that a process asks.

    Parameters
    ----------
    artifact : Artifact
        Where it lies.
    store : Store
        In which store.

    Returns
    -------
    StoredFacts or None
        ``None`` where it lies in a way that is read whole, or its trailer is not what was written, or cannot be read.
    """
    told, key = trailer_told(artifact), artifact.body
    if not told or type(key) is not str:
        return None

    def read() -> StoredFacts:
        return StoredFacts(open_checked(RangeReader(store, key, artifact.nbytes), told))

    try:
        return _latest.get((key, artifact.checksum), read)
    except Exception:  # noqa: BLE001 - whatever is wrong, the run says it better when it reads the value
        return None


class StoredFacts:
    """What the trailer of a stored frame says; nothing of a column is looked up before it is asked for."""

    def __init__(self, trailer: Trailer) -> None:
        self._metadata = trailer.metadata
        self._told: Mapping[str, Any] = json.loads(trailer.metadata.metadata[METADATA])
        self._schema = trailer.metadata.schema.to_arrow_schema()
        self._places = {name: place for place, name in enumerate(self._schema.names)}
        self._bounds: dict[str, Sequence[Bounds]] = {}
        self.kept_bytes = 3 * trailer.nbytes

    @cached_property
    def columns(self) -> Mapping[str, str]:
        """The frame's columns in order, each with its dtype, in pandas' words."""
        return {name: dtype if type(dtype) is str else "category" for name, dtype in self._told["columns"].items()}

    @cached_property
    def labels(self) -> Labels | None:
        """The frame's row labels, where they are a range."""
        dtype = self._told["index"]["dtype"]
        return Labels(*dtype) if type(dtype) is list else None

    @cached_property
    def levels(self) -> tuple[tuple[str, str], ...] | None:
        """The level of the row labels by name and dtype; none for a range without a name."""
        name, dtype = self._told["index"]["name"], self._told["index"]["dtype"]
        if type(dtype) is list:
            return () if name is None else None
        return ((name, dtype),) if type(name) is str else None

    @cached_property
    def groups(self) -> Sequence[RowGroup]:
        """All row groups, in the order of the rows."""
        groups, rows = [], 0
        for number in range(self._metadata.num_row_groups):
            groups.append(RowGroup(0, number, rows))
            rows += self._metadata.row_group(number).num_rows
        return tuple(groups)

    @property
    def all_rows(self) -> str:
        """Why no row group may be skipped, in a sentence; empty where they may."""
        return "its row labels have a frequency" if self._told["index"]["freq"] is not None else ""

    def has_nulls(self, column: str) -> bool | None:
        """Whether a value of the column is missing anywhere; ``None`` where that is not told."""
        counts = [one.nulls for one in self.bounds(column)]
        return True if any(counts) else None if None in counts else False

    def skippable(self, column: str) -> str:
        """Why no row may be skipped where this column is read: there is no reason for any column."""
        return "" if column in self._places else f"{column} is not a column of it"

    def bounds(self, column: str) -> Sequence[Bounds]:
        """For each of ``groups`` what is known of a column."""
        if column not in self._bounds:
            self._bounds[column] = tuple(self._read_bounds(column))
        return self._bounds[column]

    def nbytes(self, columns: Collection[str] | None = None, groups: Collection[RowGroup] | None = None) -> int:
        """Compressed bytes of these columns, with the row labels, and groups; of all where left out."""
        names = self._places if columns is None else {INDEX, *columns}
        places = [place for name, place in self._places.items() if name in names]
        numbers = None if groups is None else [group.number for group in groups]
        return sum(end - start for start, end in chunks(self._metadata, places, numbers))

    def _read_bounds(self, column: str) -> list[Bounds]:
        place = self._places.get(column)
        if place is None:
            return [NOTHING] * len(self.groups)
        import pandas as pd

        kind, dtype = self._schema.field(place).type, self.columns[column]
        described = self._metadata.schema.column(place)
        read = reader_for(described, kind, pd.api.types.pandas_dtype(dtype), self._metadata.created_by) or _unread
        groups = map(self._metadata.row_group, range(self._metadata.num_row_groups))
        return [bounds_of(group.column(place).statistics, kind, read) for group in groups]


_latest: Latest[StoredFacts] = Latest(_KEPT_BYTES, lambda facts: facts.kept_bytes)


def _unread(_raw: Any, _side: int) -> None:
    return None
