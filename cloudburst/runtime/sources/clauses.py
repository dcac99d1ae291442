"""Rows left out as they are read, before pandas makes anything of them: those that fulfil no clause of a source.

Whether they are is a matter of time alone: pandas filters what it gets, and gives the same of more rows. So a clause is
passed over where the file's type is another than the one that it was said for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cloudburst.files import Clause

WORTH_IT = 0.8
"""Of more rows than this share pandas filters as fast, and with less memory."""


def fulfilling(table: Any, clauses: Sequence[Clause]) -> Any:
    """Which rows of a table fulfil all clauses, or ``None`` where leaving out the others is not worth it.

    Parameters
    ----------
    table : pyarrow.Table
        With the columns that the clauses are about, as they lie in the file.
    clauses : sequence of Clause
        What is asked of each row.

    Returns
    -------
    pyarrow.ChunkedArray or None
        A mask; what is missing fulfils no clause, and may be missing in the mask, too.

    Examples
    --------
    >>> import pyarrow as pa
    >>> table = pa.table({"x": [1, 5, None, 7, 2]})
    >>> fulfilling(table, [Clause("x", "gt", "int", (4,))]).to_pylist()
    [False, True, None, True, False]
    """
    import pyarrow.compute as pc

    mask: Any = None
    for clause in clauses:
        one = _mask(table, clause)
        if one is not None:
            mask = one if mask is None else pc.and_(mask, one)
    if mask is None or (pc.sum(mask).as_py() or 0) > WORTH_IT * table.num_rows:
        return None
    return mask


def _mask(table: Any, clause: Clause) -> Any:
    """Where a clause is fulfilled: what is missing fulfils none. ``None`` where that is not for Arrow to say."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if clause.column not in table.column_names:
        return None
    column = table.column(clause.column)
    read = _KINDS[clause.kind](column.type)
    if read is None:
        return None
    try:
        values = pa.array([read(value) for value in clause.values], column.type)
    except (pa.ArrowException, OverflowError, ArithmeticError):  # no value of such a column is equal to it
        return None
    if clause.name == "in":
        return pc.is_in(column, value_set=values)
    return _COMPARE[clause.name](column, values[0])


def _compare(name: str) -> Callable[[Any, Any], Any]:
    def compare(column: Any, value: Any) -> Any:
        import pyarrow.compute as pc

        return getattr(pc, name)(column, value)

    return compare


_COMPARE = {
    "lt": _compare("less"),
    "le": _compare("less_equal"),
    "gt": _compare("greater"),
    "ge": _compare("greater_equal"),
    "eq": _compare("equal"),
}

Read = Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _integer(kind: Any) -> Read | None:
    import pyarrow as pa

    return _same if pa.types.is_integer(kind) else None


def _float(kind: Any) -> Read | None:
    import pyarrow as pa

    return _same if pa.types.is_float64(kind) else None


def _text(kind: Any) -> Read | None:
    import pyarrow as pa

    return _same if pa.types.is_string(kind) or pa.types.is_large_string(kind) else None


def _day(kind: Any) -> Read | None:
    import pyarrow as pa

    return _same if pa.types.is_date32(kind) else None


_PER_UNIT = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


def _moment(kind: Any, *, zoned: bool) -> Read | None:
    import pyarrow as pa

    if not pa.types.is_timestamp(kind) or (kind.tz is not None) != zoned:
        return None
    nanoseconds = _PER_UNIT[kind.unit]

    def read(value: int) -> int:
        units, rest = divmod(value, nanoseconds)
        if rest:
            raise ArithmeticError("finer than the column")
        return units

    return read


_KINDS: dict[str, Callable[[Any], Read | None]] = {
    "int": _integer,
    "float": _float,
    "str": _text,
    "date": _day,
    "time": lambda kind: _moment(kind, zoned=False),
    "zoned": lambda kind: _moment(kind, zoned=True),
}
