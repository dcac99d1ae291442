"""What the statistics of row groups say of a comparison: in which groups it may hold, and in which it may not.

An answer is two sets of row groups, so that ``and``, ``or`` and ``not`` are a few bits each, however deep they nest. A
group is left out of a set only where it is certain; a comparison of which nothing is known may be anything everywhere.

What is missing decides by itself. Of a row whose value is missing ``!=`` holds, and so does ``not`` of any other
comparison. Bounds count the missing values of a column, but not the NaN among its floats: of floats neither ``!=`` nor
``not`` nor ``isna`` is ever ruled out.
"""

from __future__ import annotations

import datetime
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, Literal, NamedTuple

from cloudburst.files import Bounds

EVERYWHERE: Final = -1
"""All row groups, however many there are."""

Sort = Literal["int", "float", "bool", "str", "time", "date", ""]
"""What a column's values are, as far as comparing goes: ``date`` is days in an object column, empty anything else."""

_EXACT = 2**53
"""Up to here every whole number is a float too: pandas compares some whole numbers as floats."""


class Truth(NamedTuple):
    """Of a condition: in which row groups it may hold of some row, and in which it may not."""

    true: int
    """A bit for each group, the first the lowest: set if it may be true of a row."""
    false: int
    """Set if it may be false of a row."""


UNSURE: Final = Truth(EVERYWHERE, EVERYWHERE)


def inverted(one: Truth) -> Truth:
    """``not``."""
    return Truth(one.false, one.true)


def both(one: Truth, other: Truth) -> Truth:
    """``and``.

    >>> both(Truth(0b011, 0b100), Truth(0b110, 0b001))
    Truth(true=2, false=5)
    """
    return Truth(one.true & other.true, one.false | other.false)


def either(one: Truth, other: Truth) -> Truth:
    """``or``."""
    return Truth(one.true | other.true, one.false & other.false)


def differing(one: Truth, other: Truth) -> Truth:
    """``^``: one of the two and not the other."""
    return either(both(one, inverted(other)), both(inverted(one), other))


def sort_of(dtype: str, bounds: Callable[[], Sequence[Bounds]] | None = None) -> Sort:
    """What the values of a column are.

    Parameters
    ----------
    dtype : str
        In pandas' words, as the column has it when everything is read.
    bounds : callable, optional
        Gives the bounds of its groups: those of an object column tell whether all its values are days.

    Examples
    --------
    >>> sort_of("uint8"), sort_of("datetime64[us, UTC]"), sort_of("category")
    ('int', 'time', '')
    """
    if dtype.startswith("datetime64["):
        return "time"
    if dtype == "object" and bounds is not None:
        kinds = {type(value) for one in bounds() for value in (one.low, one.high)} - {type(None)}
        return "date" if kinds == {datetime.date} else ""
    return _SORTS.get(dtype, "")


_WIDTHS = (8, 16, 32, 64)
_SORTS: dict[str, Sort] = {
    **{f"{name}{width}": "int" for name in ("int", "uint", "Int", "UInt") for width in _WIDTHS},
    **dict.fromkeys(("float16", "float32", "float64", "Float32", "Float64"), "float"),
    "bool": "bool",
    "boolean": "bool",
    "str": "str",
}

_ORDERED: dict[str, Callable[[Any, Any, Any], tuple[bool, bool]]] = {
    "lt": lambda low, high, value: (low < value, high >= value),
    "le": lambda low, high, value: (low <= value, high > value),
    "gt": lambda low, high, value: (high > value, low <= value),
    "ge": lambda low, high, value: (high >= value, low < value),
    "eq": lambda low, high, value: (low <= value <= high, not low == high == value),
}
"""By comparison: whether it may be true, and whether it may be false, of a value between two bounds."""

COMPARISONS: Final = frozenset({*_ORDERED, "ne"})


def compared(
    name: str, value: Any, dtype: str, bounds: Sequence[Bounds], rows: Sequence[int | None] = (), sort: Sort = ""
) -> Truth:
    """Where a column compared with a constant may be true, and where it may be false.

    Parameters
    ----------
    name : str
        One of ``COMPARISONS``.
    value : object
        The constant, of a type that the column is compared with by value.
    dtype : str
        The column's.
    bounds : sequence of Bounds
        For each row group.
    rows : sequence of int or None, optional
        How many rows each group has, where that is known.
    sort : str, optional
        What the values are, where the dtype does not tell.

    Examples
    --------
    >>> groups = [Bounds(0, 9, 0), Bounds(10, 19, 0), Bounds(20, 29, 1)]
    >>> compared("gt", 12, "int64", groups)
    Truth(true=6, false=7)
    """
    if name == "ne":
        return inverted(compared("eq", value, dtype, bounds, rows, sort))
    sort = sort or sort_of(dtype)
    may_be = _ORDERED[name]
    if not _decides(value, dtype, sort):
        return UNSURE

    def one(bound: Bounds) -> tuple[bool, bool]:
        return may_be(bound.low, bound.high, value) if _is_sound(bound, dtype, sort, value) else (True, True)

    return _gathered(one, sort, bounds, rows)


def contained(
    values: Collection[Any], dtype: str, bounds: Sequence[Bounds], rows: Sequence[int | None] = (), sort: Sort = ""
) -> Truth:
    """Where ``isin`` may be true, and where it may be false. A missing value among them finds what is missing.

    >>> contained([3, 4, 40], "int64", [Bounds(0, 9, 0), Bounds(10, 19, 0), Bounds(4, 4, 0)])
    Truth(true=5, false=3)
    """
    sort = sort or sort_of(dtype)
    if any(value is None or value != value for value in values):
        return UNSURE
    if any(type(value) in (int, float) and abs(value) > _EXACT for value in values):
        return UNSURE  # which of them pandas compares as floats depends on all of them
    try:
        ordered = sorted(values)
    except (TypeError, ValueError):
        return UNSURE

    def one(bound: Bounds) -> tuple[bool, bool]:
        if not all(_is_sound(bound, "float64" if sort == "int" else dtype, sort, value) for value in ordered[:1]):
            return True, True
        there = bisect_left(ordered, bound.low) < bisect_right(ordered, bound.high)
        return there, not (there and bound.low == bound.high)

    return _gathered(one, sort, bounds, rows)


def missing(dtype: str, bounds: Sequence[Bounds], rows: Sequence[int | None] = (), sort: Sort = "") -> Truth:
    """Where ``isna`` may be true, and where it may be false.

    >>> missing("str", [Bounds("a", "b", 0), Bounds("a", "b", 2), Bounds(None, None, 5)], [3, 3, 5])
    Truth(true=6, false=3)
    """
    sort = sort or sort_of(dtype)
    if sort == "":
        return UNSURE
    true = false = 0
    for number, bound in enumerate(bounds):
        if bound.nulls != 0 or sort == "float":
            true |= 1 << number
        if not _is_void(bound, number, rows):
            false |= 1 << number
    return Truth(true, false)


def _gathered(
    one: Callable[[Bounds], tuple[bool, bool]], sort: Sort, bounds: Sequence[Bounds], rows: Sequence[int | None]
) -> Truth:
    """What holds of the values of each group, and of those that are missing: of them a comparison is false."""
    true = false = 0
    for number, bound in enumerate(bounds):
        if _is_void(bound, number, rows):
            may_be = (False, True)
        else:
            try:
                may_be = one(bound)
            except (TypeError, ValueError, ArithmeticError):
                may_be = (True, True)
        if may_be[0]:
            true |= 1 << number
        if may_be[1] or bound.nulls != 0 or sort == "float":
            false |= 1 << number
    return Truth(true, false)


def _is_void(bound: Bounds, number: int, rows: Sequence[int | None]) -> bool:
    """Whether every value of a group is missing."""
    return number < len(rows) and rows[number] is not None and rows[number] == bound.nulls


def _decides(value: Any, dtype: str, sort: Sort) -> bool:
    """Whether a comparison with a constant can be ruled out by bounds at all."""
    if sort == "" or dtype == "float16" or value != value:
        return False
    if dtype in ("float32", "Float32"):  # pandas compares with the constant as it is in 32 bits
        try:
            return bool(struct.unpack("f", struct.pack("f", value))[0] == value)
        except (OverflowError, struct.error):
            return False
    return True


_VALUES: dict[Sort, tuple[type, ...]] = {
    "int": (int, bool),
    "float": (float, int),
    "bool": (bool,),
    "str": (str,),
    "date": (datetime.date,),
}


def _is_sound(bound: Bounds, dtype: str, sort: Sort, value: Any) -> bool:
    """Whether bounds are there, are of the column's own type, and compare with the constant as pandas compares it."""
    low, high = bound.low, bound.high
    if sort == "time":
        if not (isinstance(low, datetime.datetime) and isinstance(high, datetime.datetime)):
            return False
        if (low.tzinfo is None) != (value.tzinfo is None):
            return False
    elif type(low) not in _VALUES[sort] or type(high) not in _VALUES[sort]:
        return False
    if not low <= high:  # NaN, or not told as they should be
        return False
    if sort in ("int", "float") and (type(value) is float or sort == "float" or dtype == "float64"):
        return all(type(one) is float or -_EXACT <= one <= _EXACT for one in (low, high, value))
    return True
