"""Files that pipelines read, in words that graph and runtime share: where they lie, and which rows are read of them."""

from __future__ import annotations

from typing import Any, NamedTuple

S3 = "s3://"
STORE = "store:"


class File(NamedTuple):
    """A file as it was when the call that names it was made: another size or version is another file."""

    path: str
    """Absolute on this machine, ``s3://bucket/key``, or ``store:key`` in the store of the run."""
    size: int
    """Bytes."""
    version: str
    """The time of its last change in nanoseconds, its ETag, or in the store of the run the SHA-256 of what is in it."""

    @property
    def is_local(self) -> bool:
        """Whether it lies on this machine's disk.

        >>> File("/data/a.csv", 9, "1").is_local, File("s3://bucket/a.csv", 9, "1").is_local
        (True, False)
        """
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


class Clause(NamedTuple):
    """What every row that is needed fulfils: a column compared with a constant. Rows that do not may be left unread."""

    column: str
    name: str
    """``"lt"``, ``"le"``, ``"gt"``, ``"ge"`` or ``"eq"``; ``"in"`` for one of several."""
    kind: str
    """``"int"``, ``"float"`` or ``"str"``; ``"time"`` without a zone, ``"zoned"`` with one; ``"date"``."""
    values: tuple[Any, ...]
    """One, or for ``"in"`` several: moments as nanoseconds since 1970, days as days since then."""
