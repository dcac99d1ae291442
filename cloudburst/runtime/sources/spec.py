"""What a source is told to read: plain data, which travels as text in the step of a task.

The records have the fields of those that the graph knows sources by, and compare equal to them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple


class File(NamedTuple):
    """A file as it was when the pipeline was planned: another size or version is another file."""

    path: str
    """Absolute on this machine, ``s3://bucket/key``, or ``store:key`` in the store of the run."""
    size: int
    """Bytes."""
    version: str
    """The time of its last change in nanoseconds, its ETag, or in the store of the run the SHA-256 of what is in it."""

    @property
    def is_local(self) -> bool:
        """Whether it lies on this machine's disk."""
        return not self.path.startswith((S3, STORE))


class RowGroup(NamedTuple):
    """Rows of a Parquet file that are read together."""

    file: int
    """The file's number among those of the source."""
    number: int
    """The group's number in its file."""
    offset: int
    """How many rows of the source lie before it, in all files."""


class Labels(NamedTuple):
    """Row labels that are a range: those of ``pd.RangeIndex(start, stop, step)``."""

    start: int
    stop: int
    step: int


class Bounds(NamedTuple):
    """What the statistics of one row group say of one column."""

    low: Any
    """No value is less, as a Python value; ``None`` where that is not told, or not to be trusted."""
    high: Any
    """No value is greater."""
    nulls: int | None
    """How many are missing; ``None`` where that is not told, as with floats, any of which may be NaN."""


S3 = "s3://"
STORE = "store:"


@dataclass(frozen=True, slots=True)
class Spec:
    """Files read as one frame.

    Examples
    --------
    >>> spec = Spec("parquet", (File("/data/a.parquet", 100, "1"),), columns=("x",), groups=(RowGroup(0, 2, 6),))
    >>> Spec.from_text(spec.to_text()) == spec
    True
    """

    format: str
    """The reader of pandas without its ``read_``: ``"parquet"``, ``"csv"``."""
    files: tuple[File, ...]
    root: str = ""
    """Where the names of folders hold values (``year=2024``): the directory that they begin in."""
    columns: tuple[str, ...] | None = None
    """Read only these, where they are there; ``None`` reads all."""
    groups: tuple[RowGroup, ...] | None = None
    """Read only these rows; ``None`` reads all."""
    labels: Labels | None = None
    """With ``groups``: the labels that all rows have together, where they are a range."""
    nullable: tuple[str, ...] = ()
    """With ``groups``: columns that have a missing value somewhere, in what is read or not."""
    endpoint_url: str | None = None
    """Of S3; whatever boto3's own settings say if ``None``."""
    region: str | None = None
    """Of S3, as well."""

    def to_text(self) -> str:
        """All of it as JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @staticmethod
    def from_text(text: str) -> Spec:
        """What was written as text."""
        told = json.loads(text)
        groups, labels, columns = told["groups"], told["labels"], told["columns"]
        told["files"] = tuple(File(*one) for one in told["files"])
        told["columns"] = None if columns is None else tuple(columns)
        told["groups"] = None if groups is None else tuple(RowGroup(*one) for one in groups)
        told["labels"] = None if labels is None else Labels(*labels)
        told["nullable"] = tuple(told["nullable"])
        return Spec(**told)
