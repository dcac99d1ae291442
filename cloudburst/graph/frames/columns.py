"""A column of a source, or what is made of it row by row: which ops on it are total, and what they tell of row groups.

An op is total where it cannot raise because of what is in a row, looks at no other row, and gives a dtype that does not
depend on the values. Whole numbers divided with ``//`` or ``%`` are not (a zero anywhere makes floats of them), nor is
``**``. What is not known to be total gives ``None`` here.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from cloudburst.files import Bounds
from cloudburst.graph.facts import SourceFacts
from cloudburst.graph.frames.clauses import NO_CLAUSES, Clauses, all_of, clauses_of, common
from cloudburst.graph.frames.predicates import (
    UNSURE,
    Sort,
    Truth,
    both,
    compared,
    contained,
    differing,
    either,
    inverted,
    missing,
    sort_of,
)


class Column(NamedTuple):
    """A column or series that has one value for each row of a source."""

    dtype: str
    """In pandas' words, empty where it is not known."""
    about: SourceFacts | None = None
    """Of the source whose values these are, unchanged."""
    name: str = ""
    """The column's name in that source."""
    truth: Truth | None = None
    """Of what comparing gave: in which row groups it may be true, and in which false."""
    clauses: Clauses = NO_CLAUSES
    """Of what comparing gave: what every row fulfils of which it is true."""

    @property
    def sort(self) -> Sort:
        """What its values are."""
        return sort_of(self.dtype, self.bounds if self.about is not None else None)

    def bounds(self) -> Sequence[Bounds]:
        """For each row group."""
        return () if self.about is None else self.about.bounds(self.name)

    def rows(self) -> list[int | None]:
        """How many rows each row group has; that of the last is not told."""
        groups = () if self.about is None else self.about.groups
        return [*(after.offset - before.offset for before, after in pairwise(groups)), None]


_FLOATS: Final = Column("float64")
"""Numbers that were reckoned; which they are is of no account."""

Operand = Column | int | float | bool | str | datetime.date


def truth_of(column: Column) -> Truth | None:
    """In which row groups a condition may hold; ``None`` where the column is none.

    >>> truth_of(Column("int64")), truth_of(Column("bool"))
    (None, Truth(true=-1, false=-1))
    """
    if column.truth is not None or column.sort != "bool":
        return column.truth
    if column.about is None:
        return UNSURE
    return compared("eq", True, column.dtype, column.bounds(), column.rows())


def compare(name: str, left: Operand, right: Operand) -> Column | None:
    """One of ``COMPARISONS``; one of its sides at least is a column.

    >>> compare("gt", Column("int64"), 3).truth
    Truth(true=-1, false=-1)
    >>> compare("gt", Column("int64"), "3")
    """
    if not isinstance(left, Column):
        return compare(_MIRRORED.get(name, name), right, left) if isinstance(right, Column) else None
    if isinstance(right, Column):
        return _condition((left, right), UNSURE) if _are_comparable(left, right) else None
    value = _as_compared(left, right)
    if value is None:
        return None
    if left.about is None:
        return _condition((left,), UNSURE)
    truth = compared(name, value, left.dtype, left.bounds(), left.rows(), left.sort)
    return _condition((left,), truth, clauses_of(left.name, name, [value], left.dtype))


_MIRRORED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}


def between(column: Column, low: Operand, high: Operand, inclusive: object) -> Column | None:
    """``Series.between``."""
    names = {"both": ("ge", "le"), "neither": ("gt", "lt"), "left": ("ge", "lt"), "right": ("gt", "le")}
    if type(inclusive) is not str or inclusive not in names or isinstance(low, Column) or isinstance(high, Column):
        return None
    above, below = (compare(name, column, value) for name, value in zip(names[inclusive], (low, high), strict=True))
    return None if above is None or below is None else joined("and_", above, below)


def is_in(column: Column, values: object) -> Column | None:
    """``Series.isin`` of a list or the like of constants."""
    if type(values) not in (list, tuple, set, frozenset):
        return None
    given: list[Any] = list(values)  # type: ignore[call-overload]
    sort = column.sort
    if not all(_is_found(value, sort, column.dtype) for value in given) or len({*map(type, given)} & {bool, int}) > 1:
        return None
    if column.about is None:
        return Column("bool", truth=UNSURE)
    dtype = "boolean" if _is_masked(column) else "bool"
    truth = contained(given, column.dtype, column.bounds(), column.rows(), sort)
    return Column(dtype, truth=truth, clauses=clauses_of(column.name, "in", given, column.dtype))


def is_missing(column: Column) -> Column:
    """``Series.isna``, which is total for every dtype."""
    if column.about is None:
        return Column("bool", truth=UNSURE)
    return Column("bool", truth=missing(column.dtype, column.bounds(), column.rows(), column.sort))


def opposite(column: Column) -> Column | None:
    """``~`` of a condition."""
    truth = truth_of(column)
    return None if truth is None else _condition((column,), inverted(truth))


_JOINED: dict[str, Callable[[Truth, Truth], Truth]] = {"and_": both, "or_": either, "xor": differing}
_FULFILLED: dict[str, Callable[[Clauses, Clauses], Clauses]] = {
    "and_": all_of,
    "or_": common,
    "xor": lambda one, other: NO_CLAUSES,
}


def joined(name: str, left: Operand, right: Operand) -> Column | None:
    """``&``, ``|`` and ``^`` of two conditions."""
    if name not in _JOINED or not (isinstance(left, Column) and isinstance(right, Column)):
        return None
    one, other = truth_of(left), truth_of(right)
    if one is None or other is None:
        return None
    fulfilled = _FULFILLED[name](left.clauses, right.clauses)
    return _condition((left, right), _JOINED[name](one, other), fulfilled)


def reckoned(name: str, left: Operand, right: Operand) -> Column | None:
    """Arithmetic that is total, of numbers that are no masked ones.

    >>> reckoned("mul", Column("int64"), 2.5) is not None, reckoned("floordiv", Column("int64"), Column("int64"))
    (True, None)
    """
    total = name in ("add", "sub", "mul", "truediv") and _is_number(left) and _is_number(right)
    return _FLOATS if total and (isinstance(left, Column) or isinstance(right, Column)) else None


def changed_in_sign(column: Column) -> Column | None:
    """``-`` and ``abs`` of numbers."""
    return _FLOATS if _is_number(column) else None


def _condition(of: tuple[Column, ...], truth: Truth, clauses: Clauses = NO_CLAUSES) -> Column:
    return Column("boolean" if any(map(_is_masked, of)) else "bool", truth=truth, clauses=clauses)


def _is_masked(column: Column) -> bool:
    return column.dtype in ("boolean", "Float32", "Float64") or column.dtype.startswith(("Int", "UInt"))


def _is_number(operand: Operand) -> bool:
    if isinstance(operand, Column):
        return operand.sort in ("int", "float") and not _is_masked(operand)
    return type(operand) is float or (type(operand) is int and -(2**63) <= operand < 2**63)


def _are_comparable(left: Column, right: Column) -> bool:
    one, other = left.sort, right.sort
    if {one, other} <= {"int", "float"}:
        return True
    return one == other and one in ("bool", "str", "time") and left.dtype == right.dtype


_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?)?")


def _as_compared(column: Column, value: Any) -> Any:
    """The constant as pandas compares it with the column; ``None`` where it may raise, or it is not certain how."""
    sort = column.sort
    if sort in ("int", "float"):
        fits = type(value) in (float, bool) or (type(value) is int and -(2**63) <= value < 2**63)
    elif sort == "time":
        is_naive = "," not in column.dtype
        if type(value) is str and is_naive and _ISO.fullmatch(value):
            return _moment(value)
        fits = _is_moment(value) and (value.tzinfo is None) == is_naive
    else:
        fits = type(value) is {"bool": bool, "str": str, "date": datetime.date}.get(sort)
    return value if fits else None


def _moment(text: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        return None


def _is_moment(value: Any) -> bool:
    """Whether it is a ``datetime``, or pandas' own kind of it; not its ``NaT``."""
    return isinstance(value, datetime.datetime) and value == value


_UNITS = ("s", "ms", "us", "ns")


def _is_found(value: Any, sort: Sort, dtype: str) -> bool:
    """Whether ``isin`` looks for a constant in such a column by value, and cannot raise."""
    if sort in ("int", "float"):
        return value is None or type(value) is float or (type(value) is int and -(2**63) <= value < 2**63)
    if sort == "time":  # a finer unit than the column's makes pandas convert the column, which may overflow
        unit = dtype.removeprefix("datetime64[").rstrip("]").partition(",")[0]
        finer = getattr(value, "unit", "us")
        if not _is_moment(value) or unit not in _UNITS or finer not in _UNITS:
            return False
        return (value.tzinfo is None) == ("," not in dtype) and _UNITS.index(finer) <= _UNITS.index(unit)
    if sort == "str":
        return value is None or type(value) is str
    return type(value) is {"bool": bool, "date": datetime.date}.get(sort)
