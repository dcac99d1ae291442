"""Which rows of which source a value has: frames, series and conditions that have a row for each of them.

A value has a lineage where only ops that are total and look at one row at a time lie between it and a source, and
filters by conditions on the very rows that are filtered. Any other value has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

from cloudburst.graph.expr import Expr
from cloudburst.graph.facts import SourceFacts
from cloudburst.graph.frames import columns as of_columns
from cloudburst.graph.frames.clauses import NO_CLAUSES, Clauses
from cloudburst.graph.frames.columns import Column, Operand, truth_of
from cloudburst.graph.frames.conditions import condition
from cloudburst.graph.frames.constants import UNKNOWN, constant, label_list
from cloudburst.graph.frames.picking import FRAME_NAMES
from cloudburst.graph.frames.predicates import COMPARISONS, EVERYWHERE
from cloudburst.graph.frames.spelled import MISSING, Spelled, spelled
from cloudburst.graph.nodes import Attribute, Build, Method, Narrow, Operator, Sized, Source, Stored


class Line(NamedTuple):
    """The rows that a value has, and what is known of it."""

    source: bytes
    """The key of the source."""
    rows: int
    """Values with the same number have the same rows in the same order."""
    kind: Literal["frame", "series", "loc", "place"]
    """``loc`` is that of a frame or series; a ``place`` is a condition and labels, as ``loc`` takes them."""
    columns: Mapping[str, Column]
    """Of a frame, and of the frame beneath its ``loc``: all of its columns by label."""
    column: Column | None = None
    """Of a series, of the series beneath its ``loc``, and the condition of a place."""
    labels: Any = None
    """Of a place."""
    within: int = EVERYWHERE
    """The row groups that its rows may be from, one bit each."""
    keeps: int | None = None
    """Of a filter: the row groups with a row that it may keep."""
    clauses: Clauses = NO_CLAUSES
    """Of a filter: what every row fulfils that it keeps."""
    held: Clauses = NO_CLAUSES
    """What every one of its rows fulfils, because of the filters between the source and it."""
    first: bytes = b""
    """The key of the first filter between the source and it, or of itself where that is it; empty if there is none."""


Lines = Mapping[bytes, Line]


def lineage(nodes: Iterable[Expr], sources: Mapping[bytes, SourceFacts]) -> dict[bytes, Line]:
    """The lines of all values that have one, by key.

    Parameters
    ----------
    nodes : iterable of Expr
        Arguments before what uses them.
    sources : mapping
        What is known of sources, by the key of their nodes; the others begin no line.
    """
    tracer = _Tracer(sources)
    for node in nodes:
        tracer.visit(node)
    return tracer.lines


class _Tracer:
    def __init__(self, sources: Mapping[bytes, SourceFacts]) -> None:
        self.lines: dict[bytes, Line] = {}
        self._sources = sources
        self._numbers: dict[tuple[int, bytes], int] = {}

    def visit(self, node: Expr) -> None:
        line = self._line(node)
        if line is not None:
            self.lines[node.key] = line

    def _line(self, node: Expr) -> Line | None:
        what = node.what
        if isinstance(what, Source | Stored):
            return self._source(node, what.columns if isinstance(what, Source) else None)
        lines = self.lines
        if all(type(arg) is not Expr or arg.key not in lines for arg in node.args):
            return None
        if isinstance(what, Operator):
            return self._item(node) if what.name == "getitem" else self._operator(node, what.name)
        if isinstance(what, Attribute):
            return self._attribute(node, what.name)
        if isinstance(what, Method):
            return self._method(node)
        if isinstance(what, Build):
            return self._place(node, what)
        line = self._at(node.args[0])
        if line is None:
            return None
        if isinstance(what, Sized):
            return line._replace(keeps=None)
        return _narrowed(line, what.columns) if isinstance(what, Narrow) else None

    def _at(self, arg: Any) -> Line | None:
        return self.lines.get(arg.key) if type(arg) is Expr else None

    def _source(self, node: Expr, read: tuple[str, ...] | None) -> Line | None:
        about = self._sources.get(node.key)
        if about is None:
            return None
        there = {
            name: Column(dtype, about, name) for name, dtype in about.columns.items() if read is None or name in read
        }
        return Line(node.key, self._number(EVERYWHERE, node.key), "frame", there)

    def _number(self, rows: int, by: bytes) -> int:
        return self._numbers.setdefault((rows, by), len(self._numbers))

    # ------------------------------------------------------------ filters

    def _filter(self, node: Expr, of: Line, by: Line | None, asked: bytes = b"") -> Line | None:
        """The rows of which a condition on the very same rows holds."""
        if by is None or by.column is None or (by.source, by.rows) != (of.source, of.rows):
            return None
        return self._filtered(node, of, by.column, asked)

    def _filtered(self, node: Expr, of: Line, by: Column, asked: bytes) -> Line | None:
        truth = truth_of(by)
        if truth is None:
            return None
        return of._replace(
            rows=self._number(of.rows, asked or node.key),
            kind="frame" if of.column is None else "series",
            within=of.within & truth.true,
            keeps=truth.true,
            clauses=by.clauses,
            held=of.held | by.clauses,
            first=of.first or node.key,
        )

    def _item(self, node: Expr) -> Line | None:
        of, index = self._at(node.args[0]), node.args[1]
        if of is None or of.kind == "place":
            return None
        by = self._at(index)
        if by is not None and by.kind == "series":
            return self._filter(node, of, by, index.key)
        if by is not None and by.kind == "place" and of.kind == "loc" and of.column is None:
            picked = _picked(of, by.labels)
            return None if picked is None else self._filter(node, picked, by, index.args[0].key)
        if by is not None or of.kind != "frame":
            return None
        return _picked(of, constant(index))

    def _place(self, node: Expr, what: Build) -> Line | None:
        """``(condition, labels)`` as it stands in ``d.loc[condition, labels]``."""
        if what.container != "tuple" or len(node.args) != 2:
            return None
        by, labels = self._at(node.args[0]), constant(node.args[1])
        if by is None or by.kind != "series" or labels is UNKNOWN:
            return None
        return by._replace(kind="place", labels=labels, keeps=None)

    def _query(self, one: Spelled, of: Line) -> Line | None:
        if not one.only("expr", "local_dict"):
            return None
        found = condition(one.constant("expr"), of.columns, _variables(one.given("local_dict")))
        return None if found is None else self._filtered(one.node, of, found, b"")

    # ------------------------------------------------------------ row by row

    def _attribute(self, node: Expr, name: str) -> Line | None:
        of = self._at(node.args[0])
        if of is None or of.kind not in ("frame", "series"):
            return None
        if name == "loc":
            return of._replace(kind="loc", keeps=None)
        if of.kind == "series" or name in FRAME_NAMES or name not in of.columns:
            return None
        return _series(of, of.columns[name])

    def _operator(self, node: Expr, name: str) -> Line | None:
        of = next(line for line in map(self._at, node.args) if line is not None)
        operands = [self._operand(arg, of) for arg in node.args]
        if len(operands) == 1 and isinstance(operands[0], Column) and name in _UNARY:
            return _series(of, _UNARY[name](operands[0]))
        if len(operands) != 2 or operands[0] is None or operands[1] is None:
            return None
        return _series(of, _of_two(name, operands[0], operands[1]))

    def _operand(self, arg: Any, of: Line) -> Operand | None:
        """A series with the same rows, or a constant; ``None`` for anything else."""
        line = self._at(arg)
        if line is not None:
            return line.column if line.kind == "series" and line.rows == of.rows else None
        value = constant(arg)
        return None if value is UNKNOWN else value

    def _method(self, node: Expr) -> Line | None:
        one = spelled(node, _PARAMETERS)
        of = self._at(node.args[0])
        if of is None or not one.is_clear:
            return None
        if one.name == "copy":
            return of._replace(keeps=None) if one.only() and of.kind in ("frame", "series") else None
        if of.kind == "series" and of.column is not None:
            return _series(of, self._of_series(one, of, of.column))
        if of.kind != "frame":
            return None
        if one.name == "query":
            return self._query(one, of)
        return self._assigned(one, of) if one.name == "assign" else _relabelled(one, of)

    def _of_series(self, one: Spelled, of: Line, column: Column) -> Column | None:
        name = one.name
        if name in COMPARISONS:
            other = self._operand(one.given("other"), of) if one.only("other") and "other" in one.places else None
            return None if other is None else of_columns.compare(name, column, other)
        if name == "isin" and one.only("values"):
            return of_columns.is_in(column, one.constant("values"))
        if name == "between" and one.only("left", "right", "inclusive"):
            low, high = one.constant("left"), one.constant("right")
            if low is UNKNOWN or high is UNKNOWN:
                return None
            return of_columns.between(column, low, high, one.constant("inclusive", "both"))
        if name in ("isna", "isnull") and one.only():
            return of_columns.is_missing(column)
        if name in ("notna", "notnull") and one.only():
            return of_columns.opposite(of_columns.is_missing(column))
        return None

    def _assigned(self, one: Spelled, of: Line) -> Line | None:
        columns = dict(of.columns)
        for name, place in one.places.items():
            if name == "self":
                continue
            value = self._operand(one.node.args[place], of)
            if isinstance(value, Column):
                columns[name] = value
            elif type(value) in (bool, float, str) or (type(value) is int and -(2**63) <= value < 2**63):
                columns[name] = Column("")
            else:
                return None
        return of._replace(columns=columns, keeps=None)


_UNARY: Final[Mapping[str, Callable[[Column], Column | None]]] = {
    "invert": of_columns.opposite,
    "neg": of_columns.changed_in_sign,
    "abs": of_columns.changed_in_sign,
}
_PARAMETERS: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(COMPARISONS, ("other",)),
    "isin": ("values",),
    "between": ("left", "right", "inclusive"),
    "query": ("expr",),
}


def _of_two(name: str, left: Operand, right: Operand) -> Column | None:
    if name in COMPARISONS:
        return of_columns.compare(name, left, right)
    return of_columns.joined(name, left, right) or of_columns.reckoned(name, left, right)


def _series(of: Line, column: Column | None) -> Line | None:
    return None if column is None else of._replace(kind="series", columns={}, column=column, keeps=None)


def _narrowed(line: Line, names: tuple[str, ...]) -> Line | None:
    if line.kind != "frame":
        return None
    columns = {name: column for name, column in line.columns.items() if name in names}
    return line._replace(columns=columns, keeps=None)


def _picked(of: Line, labels: Any) -> Line | None:
    """One column, or a frame of some, that are there."""
    if type(labels) is str:
        return _series(of, of.columns.get(labels))
    several = label_list(labels) if type(labels) is list else None
    if several is None or len(set(several)) < len(several) or any(label not in of.columns for label in several):
        return None
    return of._replace(columns={label: of.columns[label] for label in several}, keeps=None)


def _relabelled(one: Spelled, of: Line) -> Line | None:
    """``rename(columns=...)`` and ``drop(columns=...)``."""
    if not (one.only("columns") and "columns" in one.places):
        return None
    given = one.constant("columns")
    if one.name == "drop":
        gone = label_list(given) if type(given) in (str, list) else None
        if gone is None or any(label not in of.columns for label in gone):
            return None
        return of._replace(columns={n: c for n, c in of.columns.items() if n not in gone}, keeps=None)
    if one.name != "rename" or type(given) is not dict or not all(type(part) is str for part in given.values()):
        return None
    columns = {given.get(name, name): column for name, column in of.columns.items()}
    return of._replace(columns=columns, keeps=None) if len(columns) == len(of.columns) else None


def _variables(arg: Any) -> dict[str, Any]:
    """The variables of a ``query``, those whose values are known."""
    if arg is MISSING:
        return {}
    if type(arg) is Expr and isinstance(arg.what, Build) and arg.what.container == "dict":
        pairs = {constant(name): constant(value) for name, value in zip(arg.args[::2], arg.args[1::2], strict=True)}
        return {name: value for name, value in pairs.items() if type(name) is str and value is not UNKNOWN}
    value = constant(arg)
    return value if type(value) is dict else {}
