"""What the passes may know of the world. They do no I/O: all of it is worked out before and handed in."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from cloudburst.files import Bounds, Labels, RowGroup


@dataclass(frozen=True, slots=True)
class Facts:
    """The world as a run finds it.

    ``digests`` says for each function's identity what it captured, ``None`` where that has no digest; ``impure`` what
    it reaches that differs from call to call; ``present`` which values are stored already, by digest; ``sources`` what
    is known of files and of stored frames, by the key of the node that reads them; ``frames`` which other nodes are
    known to be plain DataFrames, by key, each with dtypes by column where these are known.
    """

    digests: Mapping[bytes, bytes | None] = field(default_factory=dict)
    impure: Mapping[bytes, frozenset[str]] = field(default_factory=dict)
    present: Mapping[bytes, Any] = field(default_factory=dict)
    sources: Mapping[bytes, SourceFacts] = field(default_factory=dict)
    frames: Mapping[bytes, Mapping[str, str] | None] = field(default_factory=dict)


class Merged(NamedTuple):
    """Equal expressions that became one."""

    label: str
    key: bytes
    times: int
    """How often it was written, the one that is left included."""
    is_stage: bool
    reaches: frozenset[str] = frozenset()
    """What differs from call to call and is reached by its code: reason for a warning."""


class Reading(NamedTuple):
    """What is read of a source or a stored frame, and of how much."""

    key: bytes
    """Of the node that reads it."""
    columns: tuple[int, int | None] | None
    """How many columns are read of how many; ``None`` for all of a number that is not known."""
    groups: tuple[int, int] | None
    """How many row groups are read of how many, where it has such."""
    nbytes: tuple[int, int] | None
    """Compressed bytes that are read, and those of everything."""
    why_columns: str = ""
    """What wants every column, in a sentence; empty where some are left out, or there is nothing to leave out."""
    why_rows: str = ""
    """Why no row group is skipped."""


class SourceFacts(Protocol):
    """What the footers of a source's files say, or of a stored frame. All of it is read before: asking does no I/O."""

    @property
    def columns(self) -> Mapping[str, str]:
        """The frame's columns in order, each with the dtype that it has when everything is read, in pandas' words."""
        ...

    @property
    def labels(self) -> Labels | None:
        """The frame's row labels, where they are a range."""
        ...

    @property
    def levels(self) -> tuple[tuple[str, str], ...] | None:
        """The levels of the row labels by name and dtype, as ``Known.labels`` says them."""
        ...

    @property
    def groups(self) -> Sequence[RowGroup]:
        """All row groups, in the order of the rows."""
        ...

    @property
    def all_rows(self) -> str:
        """Why no row group may be skipped, in a sentence; empty where they may."""
        ...

    def has_nulls(self, column: str) -> bool | None:
        """Whether a value of the column is missing anywhere; ``None`` where that is not told."""
        ...

    def skippable(self, column: str) -> str:
        """Why no row may be skipped where this column is read, in a sentence; empty where they may."""
        ...

    def bounds(self, column: str) -> Sequence[Bounds]:
        """For each of ``groups`` what is known of a column."""
        ...

    def nbytes(self, columns: Collection[str] | None = None, groups: Collection[RowGroup] | None = None) -> int:
        """Compressed bytes of these columns and groups; of all where left out."""
        ...
