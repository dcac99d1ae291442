"""What the footers of a source's files say of the frame that pandas makes of them: its columns, rows and bounds.

A source without facts is read whole, so where anything is odd there are none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from cloudburst.files import Bounds, Labels, RowGroup
from cloudburst.runtime.codecs.ranged import Gets
from cloudburst.runtime.sources.bounds import NOTHING, bounds_of, null_count, reader_for
from cloudburst.runtime.sources.dtypes import Dtypes, dtypes_of, labels_reason, reason_to_read_all
from cloudburst.runtime.sources.footers import Footer, footer_of, footers_of
from cloudburst.runtime.sources.latest import Latest
from cloudburst.runtime.sources.partitions import partition_keys
from cloudburst.runtime.sources.spec import Spec

MOST_FILES = 512
"""Files whose footers are read; of more, only the first one's is."""

_STORED_AS = frozenset(("NONE", "INT", "STRING", "TIMESTAMP", "DATE", "TIME", "DECIMAL", "FLOAT16"))
"""Logical types of Parquet that Arrow reads as the type that its schema tells."""


def read_facts(spec: Spec, store: Gets | None = None) -> Facts | None:
    """What is known of a source without reading its rows.

    Parameters
    ----------
    spec : Spec
        The source, not narrowed.
    store : Store, optional
        Where files lie that were uploaded.

    Returns
    -------
    Facts or None
        ``None`` where the format tells nothing, or a file cannot be read, or anything is odd.
    """
    if spec.format != "parquet" or not spec.files:
        return None
    try:
        return _latest.get((spec.files, spec.root), lambda: _facts(spec, store))
    except Exception:  # noqa: BLE001 - whatever is wrong, reading the file says it better
        return None


class Facts:
    """What the footers of some Parquet files say; nothing of a column is looked up before it is asked for."""

    def __init__(
        self,
        footers: Sequence[Footer],
        keys: Sequence[str],
        why: str,
        are_alike: bool,
        chosen: Sequence[str] | None = None,
    ) -> None:
        self._footers = footers
        self._chosen = chosen
        self._first = footers[0]
        self._why = why
        self._are_alike = are_alike
        self._keys = keys
        self._dtypes: dict[str, str] = {}
        self._nulls: dict[str, bool | None] = {}
        self._bounds: dict[str, Sequence[Bounds]] = {}

    @cached_property
    def columns(self) -> Mapping[str, str]:
        """The frame's columns in order, each with the dtype that it has when everything is read, in pandas' words."""
        labels = frozenset(self._first.index_columns)
        names = (*self._first.names, *self._keys) if self._chosen is None else self._chosen
        return _Columns(tuple(name for name in names if name not in labels), self)

    def chosen(self, names: object) -> Facts | None:
        """The same where the reader is told ``columns=``; ``None`` where it is not certain what it gives."""
        if type(names) is not list or not names or len(set(names)) < len(names) or self._keys:
            return None
        if any(type(name) is not str or name not in self.columns for name in names):
            return None
        return Facts(self._footers, self._keys, self._why, self._are_alike, names)

    @cached_property
    def labels(self) -> Labels | None:
        """The frame's row labels, where they are a range."""
        if self._why or self._first.index_columns:
            return None
        rows = sum(footer.metadata.num_rows for footer in self._footers)
        for told in self._first.index:
            labels = Labels(told["start"], told["stop"], told["step"])
            if len(range(*labels)) == rows:
                return labels
        return Labels(0, rows, 1)

    @cached_property
    def levels(self) -> tuple[tuple[str, str], ...] | None:
        """The levels of the row labels, each as its name and its dtype, empty where that is not told.

        None for a range without a name; ``None`` where a level of another kind has no name that is its own.
        """
        index, columns = self._first.index, self._first.index_columns
        if self._why or len(columns) not in (0, len(index)):
            return None
        if not columns:
            return () if all(told.get("name") is None for told in index) else None
        names: list[Any] = [(self._told(name) or {}).get("name") for name in columns]
        distinct = {name for name in names if type(name) is str}
        return tuple([(name, "") for name in names]) if len(distinct) == len(names) else None

    @cached_property
    def groups(self) -> Sequence[RowGroup]:
        """All row groups, in the order of the rows."""
        if self._why:
            return ()
        groups = []
        rows = 0
        for number, footer in enumerate(self._footers):
            for group in range(footer.metadata.num_row_groups):
                groups.append(RowGroup(number, group, rows))
                rows += footer.metadata.row_group(group).num_rows
        return tuple(groups)

    @cached_property
    def all_rows(self) -> str:
        """Why no row group may be skipped, in a sentence; empty where they may."""
        if self._why:
            return self._why
        if len(self._first.index) > 1:
            return "its row labels have several levels"
        for name in self._first.index:
            if isinstance(name, str):
                return self._reason_of_labels(name)
        return ""

    def has_nulls(self, column: str) -> bool | None:
        """Whether a value of the column is missing anywhere; ``None`` where that is not told."""
        has = self._has_nulls_in_arrow(column)
        if has is False and self._is_floating(column):
            return None if any(footer.metadata.num_rows for footer in self._footers) else False
        return has

    def skippable(self, column: str) -> str:
        """Why no row may be skipped where this column is read, in a sentence; empty where they may."""
        if column not in self._first.leaves:
            return f"{column} is not a column of the file"
        kind, told = self._kind(column), self._told(column)
        if not self._is_plainly_stored(column):
            return f"{column} is stored in a way of its own"
        if why := reason_to_read_all(kind, told):
            return f"{column}: {why}"
        if not self.columns.get(column):
            return f"{column}: the file does not tell whether a value is missing, on which its dtype depends"
        return ""

    def bounds(self, column: str) -> Sequence[Bounds]:
        """For each of ``groups`` what is known of a column."""
        if column not in self._bounds:
            self._bounds[column] = self._read_bounds(column)
        return self._bounds[column]

    def nbytes(self, columns: Collection[str] | None = None, groups: Collection[RowGroup] | None = None) -> int:
        """Compressed bytes of these columns, with the row labels, and groups; of all where left out."""
        total = 0
        for number, footer in enumerate(self._footers):
            names = None if columns is None else [*columns, *footer.index_columns]
            of_file = None if groups is None else sorted(group for file, group, _ in groups if file == number)
            total += sum(end - start for start, end in footer.chunks(names, of_file))
        return total

    # ------------------------------------------------------------ of one column

    def dtype(self, column: str) -> str:
        """The dtype of a column in pandas' words; empty where it is not known."""
        if column in self._dtypes:
            return self._dtypes[column]
        if column in self._keys:
            text = "category"
        elif not self._is_plainly_stored(column):
            text = ""
        else:
            dtypes = self._two_dtypes(column)
            text = str(dtypes.full) if dtypes.full == dtypes.missing else dtypes.text(self._has_nulls_in_arrow(column))
        self._dtypes[column] = text
        return text

    @cached_property
    def _told_by_column(self) -> Mapping[str, Mapping[str, Any]]:
        return {one.get("field_name") or one["name"]: one for one in self._first.pandas.get("columns", ())}

    def _told(self, column: str) -> Mapping[str, Any] | None:
        return self._told_by_column.get(column)

    def _kind(self, column: str) -> Any:
        return self._first.schema.field(column).type

    def _two_dtypes(self, column: str) -> Dtypes:
        return dtypes_of(self._kind(column), self._told(column))

    def _is_floating(self, column: str) -> bool:
        import pyarrow as pa

        return column in self._first.leaves and pa.types.is_floating(self._kind(column))

    def _is_plainly_stored(self, column: str) -> bool:
        import pyarrow as pa

        leaves = self._first.leaves[column]
        if len(leaves) > 1 or pa.types.is_null(self._kind(column)):
            return True
        return self._first.metadata.schema.column(leaves[0]).logical_type.type in _STORED_AS

    def _has_nulls_in_arrow(self, column: str) -> bool | None:
        if column not in self._nulls:
            self._nulls[column] = self._look_for_nulls(column)
        return self._nulls[column]

    def _look_for_nulls(self, column: str) -> bool | None:
        leaves = self._first.leaves.get(column, ())
        if not self._are_alike or len(leaves) != 1:
            return None
        if self._first.metadata.schema.column(leaves[0]).max_definition_level == 0:
            return False
        kind = self._kind(column)
        counts = [null_count(one, kind) if rows else 0 for rows, one in self._statistics(leaves[0])]
        return True if any(counts) else None if None in counts else False

    def _statistics(self, leaf: int) -> Iterator[tuple[int, Any]]:
        """Of each group: its rows, and what is told of the column there."""
        for footer in self._footers:
            for number in range(footer.metadata.num_row_groups):
                group = footer.metadata.row_group(number)
                yield group.num_rows, group.column(leaf).statistics

    def _read_bounds(self, column: str) -> Sequence[Bounds]:
        leaves = self._first.leaves.get(column, ())
        if not self.groups or len(leaves) != 1 or not self._is_plainly_stored(column):
            return (NOTHING,) * len(self.groups)
        kind, dtypes = self._kind(column), self._two_dtypes(column)
        dtype = dtypes.full if self._has_nulls_in_arrow(column) is False else dtypes.missing
        described = self._first.metadata.schema.column(leaves[0])
        writers = [footer.metadata.created_by for footer in self._footers]
        reads = {writer: reader_for(described, kind, dtype, writer) or _unread for writer in set(writers)}
        of_groups = [reads[writers[group.file]] for group in self.groups]
        return tuple(
            bounds_of(one, kind, read) for (_, one), read in zip(self._statistics(leaves[0]), of_groups, strict=True)
        )

    def _reason_of_labels(self, name: str) -> str:
        if name not in self._first.leaves:
            return "its row labels are not there"
        kind = self._kind(name)
        if why := labels_reason(kind):
            return why
        dtypes = dtypes_of(kind, None)
        if dtypes.full != dtypes.missing and self._has_nulls_in_arrow(name) is not False:
            return "row labels may be missing, on which their dtype depends"
        return ""


class _Columns(Mapping[str, str]):
    """Dtypes by name, each found out when it is asked for."""

    def __init__(self, names: tuple[str, ...], facts: Facts) -> None:
        self._names = dict.fromkeys(names)
        self._facts = facts

    def __getitem__(self, name: str) -> str:
        if name not in self._names:
            raise KeyError(name)
        return self._facts.dtype(name)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


_latest: Latest[Facts | None] = Latest(32)


def _unread(_raw: Any, _side: int) -> None:
    return None


def _facts(spec: Spec, store: Gets | None) -> Facts | None:
    why, are_alike = "", True
    if len(spec.files) > MOST_FILES:
        footers = [footer_of(spec.files[0], spec, store)]
        why = f"there are {len(spec.files)} files, of which only the first was looked at"
        are_alike = False
    else:
        footers = footers_of(spec.files, spec, store)
    first = footers[0]
    if not _is_usual(first):
        return None
    keys = partition_keys(spec, first.names)
    if keys is None:
        return None
    if any(not other.schema.equals(first.schema) for other in footers[1:]):
        why, are_alike = "the schemas of its files differ", False
    elif spec.root:  # row groups have nothing of them
        why = "the names of its folders hold values"
    return Facts(footers, keys, why, are_alike)


def _is_usual(footer: Footer) -> bool:
    """Whether the frame has the columns that the file has, by the same names."""
    names, told = footer.names, footer.pandas
    if len(set(names)) != len(names) or not footer.leaves:
        return False
    across = told.get("column_indexes", ())
    if len(across) > 1 or any(one["pandas_type"] not in ("unicode", "string") for one in across):
        return False
    if any(
        one.get("field_name", one["name"]) != one["name"] for one in told.get("columns", ()) if _is_column(footer, one)
    ):
        return False
    return all(_is_known_label(one) for one in footer.index)


def _is_column(footer: Footer, told: Mapping[str, Any]) -> bool:
    return told.get("field_name") not in footer.index and told["name"] not in footer.index


def _is_known_label(told: Any) -> bool:
    if isinstance(told, str):
        return True
    return told["kind"] == "range" and all(type(told[name]) is int for name in ("start", "stop", "step"))
