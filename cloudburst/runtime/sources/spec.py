"""What a source is told to read: plain data, which travels as text in the step of a task."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from cloudburst.files import Clause, File, Labels, RowGroup


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
    clauses: tuple[Clause, ...] = ()
    """With ``groups``: what every row fulfils that is needed; the others may be left out, or not."""
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
        told["clauses"] = tuple(Clause(one[0], one[1], one[2], tuple(one[3])) for one in told["clauses"])
        return Spec(**told)
