"""Clauses: what every row fulfils that a condition keeps, so simply said that a reader of files can look by itself.

A clause never decides which rows a filter keeps: that is left to pandas. It says of some rows only that no filter keeps
them, and where it is not certain that pandas sees it so, there is none.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Collection
from typing import Any, Final

from cloudburst.files import Clause

Clauses = frozenset[Clause]
NO_CLAUSES: Final[Clauses] = frozenset()

_EPOCH = datetime.datetime(1970, 1, 1)  # noqa: DTZ001 - all moments are counted from here, by the clock of UTC
_FIRST_DAY = _EPOCH.toordinal()
_MOST_VALUES = 1000
_EXACT = 2**53
"""Up to here every whole number is a float too."""


def clauses_of(column: str, name: str, values: Collection[Any], dtype: str) -> Clauses:
    """The clause that a comparison of a column with a constant is, if it is one.

    Parameters
    ----------
    column : str
        Its name in the source.
    name : str
        ``"lt"``, ``"le"``, ``"gt"``, ``"ge"``, ``"eq"``, or ``"in"`` for one of several.
    values : collection
        The constant, or for ``"in"`` all of them.
    dtype : str
        The column's when everything is read, in pandas' words.

    Examples
    --------
    >>> clauses_of("x", "gt", [3], "int64")
    frozenset({Clause(column='x', name='gt', kind='int', values=(3,))})
    >>> clauses_of("x", "gt", [2.5], "int64"), clauses_of("x", "ne", [3], "int64")
    (frozenset(), frozenset())
    """
    if name not in _NAMES or len(values) > _MOST_VALUES:
        return NO_CLAUSES
    pairs = [_written(value, dtype) for value in values]
    kinds = {kind for kind, _ in pairs}
    kind = kinds.pop() if len(kinds) == 1 else ""
    if not kind or (name == "in" and kind == "float"):  # Arrow tells -0.0 from 0.0 among several
        return NO_CLAUSES
    return frozenset([Clause(column, name, kind, tuple(value for _, value in pairs))])


_SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "in": "in"}
_SHOWN = 3


def worded(clause: Clause) -> str:
    """A clause as one writes it in a ``query``.

    >>> worded(Clause("x", "gt", "int", (3,))), worded(Clause("day", "in", "date", (0, 1)))
    ('x > 3', 'day in [1970-01-01, 1970-01-02]')
    """
    values = [_shown(value, clause.kind) for value in clause.values[:_SHOWN]]
    if clause.name == "in":
        more = ", …" if len(clause.values) > _SHOWN else ""
        return f"{clause.column} in [{', '.join(values)}{more}]"
    return f"{clause.column} {_SIGNS[clause.name]} {values[0]}"


def _shown(value: Any, kind: str) -> str:
    try:
        if kind == "date":
            return str(datetime.date.fromordinal(value + _FIRST_DAY))
        if kind in ("time", "zoned"):
            return str(_EPOCH + datetime.timedelta(microseconds=value / 1000)).removesuffix(" 00:00:00")
    except OverflowError:
        pass
    return repr(value)


def all_of(one: Clauses, other: Clauses) -> Clauses:
    """What a row fulfils of which both are said."""
    return one | other


def common(one: Clauses, other: Clauses) -> Clauses:
    """What a row fulfils of which one or the other is said."""
    return one & other


_NAMES = frozenset(("lt", "le", "gt", "ge", "eq", "in"))


def _written(value: Any, dtype: str) -> tuple[str, Any]:
    """A constant's kind and what stands for it; an empty kind where pandas may compare it otherwise than by value."""
    if dtype in _INTEGERS:
        return ("int", value) if type(value) is int else ("", None)
    if dtype == "float64":
        if type(value) is float and math.isfinite(value):
            return "float", value
        return ("float", float(value)) if type(value) is int and abs(value) <= _EXACT else ("", None)
    if dtype == "str":
        return ("str", value) if type(value) is str else ("", None)
    if dtype.startswith("datetime64[") and isinstance(value, datetime.datetime):
        return _moment(value)
    if dtype == "object" and type(value) is datetime.date:
        return "date", value.toordinal() - _FIRST_DAY
    return "", None


_INTEGERS = frozenset(f"{name}{width}" for name in ("int", "uint", "Int", "UInt") for width in (8, 16, 32, 64))


def _moment(value: datetime.datetime) -> tuple[str, int]:
    """Nanoseconds since 1970; pandas' own moments know more of them than ``datetime`` does."""
    zone = value.tzinfo
    since = value if zone is None else value.astimezone(datetime.UTC)
    whole = datetime.datetime(*since.timetuple()[:6], since.microsecond) - _EPOCH  # noqa: DTZ001
    micros = (whole.days * 86_400 + whole.seconds) * 1_000_000 + whole.microseconds
    return ("time" if zone is None else "zoned"), micros * 1000 + getattr(value, "nanosecond", 0)
