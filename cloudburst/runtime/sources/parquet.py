"""Parquet files as the frame that ``pandas.read_parquet`` makes of them, or as some of its columns and rows.

All rows are read by pandas itself, from files that lie elsewhere too. Some row groups are read by the same machinery of
Arrow's as pandas uses, and get what pandas would know of the rest: labels, and dtypes that depend on what is missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from cloudburst.errors import StoreError, UsageError
from cloudburst.files import S3, STORE
from cloudburst.runtime.codecs.ranged import Gets
from cloudburst.runtime.sources.clauses import fulfilling
from cloudburst.runtime.sources.dtypes import dtypes_of
from cloudburst.runtime.sources.finding import find
from cloudburst.runtime.sources.footers import Footer, footer_in, footer_of
from cloudburst.runtime.sources.held import Held, held
from cloudburst.runtime.sources.narrowing import is_plain, narrowed, to_read
from cloudburst.runtime.sources.spec import Spec

_AT_ONCE = 8
_ANYWHERE = ("", "/", S3, STORE)
"""Roots that are no directories: values are in the names of any folders, or of none."""


def read_parquet(spec: Spec, kwargs: Mapping[str, Any], store: Gets | None) -> Any:
    """What a Parquet source says, read; see :func:`cloudburst.runtime.sources.read`."""
    if spec.groups is None:
        return _all_rows(spec, kwargs, store)
    if not is_plain(kwargs) or not {"columns", "engine"}.issuperset(kwargs):
        return _all_rows(spec, kwargs, store).iloc[_positions_in_all(spec, store)]
    return _some_rows(spec, kwargs, store)


# ---------------------------------------------------------------- all rows


def _all_rows(spec: Spec, kwargs: Mapping[str, Any], store: Gets | None) -> Any:
    import pandas as pd

    arguments = dict(kwargs)
    if all(file.is_local for file in spec.files):
        columns = to_read(spec, kwargs, _local_footers(spec)) if spec.columns is not None else None
        path = _local_path(spec)
    else:
        if taken := sorted({"filesystem", "storage_options"}.intersection(kwargs)):
            raise UsageError(
                f"{spec.files[0].path} is read through cloudburst's own connection: leave out {taken[0]}=."
            )
        elsewhere = _elsewhere(spec, store, range(len(spec.files)))
        columns = to_read(spec, kwargs, [footer for footer in elsewhere.footers if footer is not None])
        asked = columns if columns is not None else kwargs.get("columns") if is_plain(kwargs) else None
        elsewhere.fetch(asked if "filters" not in kwargs else None, {})
        arguments["filesystem"] = elsewhere.filesystem()
        path = elsewhere.paths if len(spec.files) > 1 or spec.root else elsewhere.paths[0]
    if columns is not None:
        arguments["columns"] = columns
    return narrowed(pd.read_parquet(path, **arguments), spec.columns)


def _local_footers(spec: Spec) -> list[Footer]:
    """As many as can be read: what is wrong with a file, pandas says when it reads it."""
    import pyarrow as pa

    footers = []
    with suppress(pa.ArrowException, OSError, ValueError):
        for file in spec.files:
            footers += [footer_of(file, spec)]
    return footers


def _local_path(spec: Spec) -> Any:
    if spec.root in _ANYWHERE:
        paths = [file.path for file in spec.files]
        return paths if len(paths) > 1 or spec.root else paths[0]
    if find(spec.format, spec.root).files != spec.files:
        raise StoreError(
            f"The files in {spec.root} are others than when the pipeline was planned: make the call that reads them "
            "again, and what is made of it."
        )
    return spec.root


# ---------------------------------------------------------------- some rows


def _some_rows(spec: Spec, kwargs: Mapping[str, Any], store: Gets | None) -> Any:
    import pyarrow.parquet as pq
    from pyarrow import dataset

    assert spec.groups is not None
    of_file = {file: [group.number for group in groups] for file, groups in groupby(spec.groups, itemgetter(0))}
    first = footer_of(spec.files[0], spec, store)
    columns = _some_columns(spec, kwargs, first)
    lengths: list[int] = []
    if of_file:
        paths, filesystem = _opened(spec, columns, of_file, store)
        whole = pq.ParquetDataset(paths, filesystem=filesystem, partitioning=None).fragments
        parts = [part.subset(row_group_ids=numbers) for numbers, part in zip(of_file.values(), whole, strict=True)]
        rows = dataset.FileSystemDataset(parts, first.schema, parts[0].format, parts[0].filesystem)
        table = rows.to_table(columns=columns)
        lengths = [group.num_rows for part in parts for group in part.row_groups]
    else:
        table = first.schema.empty_table()
        table = table if columns is None else table.select(columns)
    mask = fulfilling(table, spec.clauses)
    if mask is not None:
        table = table.filter(mask)
    frame = _converted(table, spec, first)
    told = (first.schema.metadata or {}).get(b"PANDAS_ATTRS")
    if told is not None:
        frame.attrs = json.loads(told)
    if spec.labels is not None:
        frame.index = _labels(spec, first, lengths, mask)
    return narrowed(frame, spec.columns)


def _opened(
    spec: Spec, columns: Sequence[str] | None, of_file: Mapping[int, Sequence[int]], store: Gets | None
) -> tuple[list[str], Any]:
    """What Arrow calls the files of which something is read, and the file system that they are in."""
    if all(file.is_local for file in spec.files):
        return [spec.files[number].path for number in of_file], None
    elsewhere = _elsewhere(spec, store, list(of_file))
    elsewhere.fetch(columns, of_file)
    return elsewhere.paths, elsewhere.filesystem()


def _some_columns(spec: Spec, kwargs: Mapping[str, Any], first: Footer) -> list[str] | None:
    """The columns to read, row labels among them."""
    # That all files have this schema is known: else no row group would have been left out.
    columns = to_read(replace(spec, files=spec.files[:1]), kwargs, [first])
    if columns is None:
        columns = kwargs.get("columns")
    return None if columns is None else [*columns, *(name for name in first.index_columns if name not in columns)]


def _converted(table: Any, spec: Spec, first: Footer) -> Any:
    """Rows as a frame, with the dtypes that they have among all rows, and in blocks as these are.

    Where values are missing only in rows that are not read, they are put into one row more, which is then taken away.
    """
    import pandas as pd
    import pyarrow as pa

    frames: Any = pd.DataFrame
    told = {one.get("field_name") or one["name"]: one for one in first.pandas.get("columns", ())}
    changes = {}
    for name in spec.nullable:
        if name in table.column_names and not table.column(name).null_count:
            dtypes = dtypes_of(table.schema.field(name).type, told.get(name))
            if dtypes.full != dtypes.missing:
                changes[name] = dtypes.missing
    if not changes:
        return frames.from_arrow(table)
    if not table.num_rows:
        return frames.from_arrow(table).astype(changes)
    row = table.slice(0, 1)
    for name in changes:
        field = table.schema.field(name)
        row = row.set_column(table.column_names.index(name), field, pa.nulls(1, field.type))
    more = pa.concat_tables([table, row.replace_schema_metadata(table.schema.metadata)])
    return frames.from_arrow(more).iloc[:-1]


def _labels(spec: Spec, first: Footer, lengths: Sequence[int], mask: Any) -> Any:
    """The labels that rows have among all rows: all of some groups, or those of them for which a mask holds."""
    import numpy as np
    import pandas as pd

    assert spec.groups is not None
    assert spec.labels is not None
    labels = pd.RangeIndex(*spec.labels, name=_name_of_range(spec, first))
    kept = None if mask is None else np.flatnonzero(mask.fill_null(False).to_numpy())
    if sum(lengths) == len(labels):
        return labels if kept is None else labels.take(kept)
    starts = [group.offset for group in spec.groups]
    places = [np.arange(start, start + length) for start, length in zip(starts, lengths, strict=True)]
    positions = np.concatenate(places) if places else np.array([], "int64")
    return labels.take(positions if kept is None else positions[kept])


def _name_of_range(spec: Spec, first: Footer) -> Any:
    for told in first.index:
        if isinstance(told, dict) and (told["start"], told["stop"], told["step"]) == spec.labels:
            return told["name"]
    return None


def _positions_in_all(spec: Spec, store: Gets | None) -> Any:
    import numpy as np

    assert spec.groups is not None
    places = []
    for file, number, offset in spec.groups:
        rows = footer_of(spec.files[file], spec, store).metadata.row_group(number).num_rows
        places.append(np.arange(offset, offset + rows))
    return np.concatenate(places) if places else np.array([], "int64")


# ---------------------------------------------------------------- files that lie elsewhere


class _Elsewhere(NamedTuple):
    """Files in S3 or in the store of the run."""

    paths: list[str]
    """Without what stands before the folders with values in their names."""
    files: list[Held]
    footers: list[Footer | None]
    """``None`` for a file that is none of Parquet's."""
    numbers: list[int]
    """Of the files among those of the source."""

    def filesystem(self) -> Any:
        """They as a file system."""
        from cloudburst.runtime.sources.virtual import filesystem

        return filesystem(dict(zip(self.paths, self.files, strict=True)))

    def fetch(self, columns: Sequence[str] | None, groups: Mapping[int, Sequence[int]]) -> None:
        """Have the bytes of these columns and groups, of all groups of a file for which none are named."""

        def fetch(place: int) -> None:
            footer = self.footers[place]
            if footer is not None:
                names = None if columns is None else [*columns, *footer.index_columns]
                self.files[place].fetch(footer.chunks(names, groups.get(self.numbers[place])))

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(fetch, range(len(self.files))))


def _elsewhere(spec: Spec, store: Gets | None, numbers: Sequence[int]) -> _Elsewhere:
    files = [held(spec.files[number], spec, store) for number in numbers]
    paths = [spec.files[number].path.removeprefix(spec.root).removeprefix(S3).lstrip("/") for number in numbers]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        footers = list(pool.map(_footer_or_none, files))
    return _Elsewhere(paths, files, footers, list(numbers))


def _footer_or_none(file: Held) -> Footer | None:
    import pyarrow as pa

    try:
        return footer_in(file)
    except (pa.ArrowException, OSError):  # pandas says what is wrong
        return None
