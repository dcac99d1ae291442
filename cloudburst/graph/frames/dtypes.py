"""Arithmetic, comparisons and missing values: how pandas spells them, and what dtypes they give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cloudburst.graph.frames.totals import MASKED, MASKS, PLAIN, arithmetic, compared, family, is_number, is_total

COMPARISONS: Final = ("eq", "ne", "lt", "le", "gt", "ge")
ARITHMETIC: Final = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow")
LOGIC: Final = ("and_", "or_", "xor")

METHODS_OF: Final = {
    **{name: name for name in (*COMPARISONS, *ARITHMETIC)},
    "subtract": "sub",
    "multiply": "mul",
    "div": "truediv",
    "divide": "truediv",
}
REFLECTED: Final = {"radd": "add", "rsub": "sub", "rmul": "mul", "rtruediv": "truediv", "rdiv": "truediv"}
REDUCTIONS: Final = (
    "sum", "mean", "min", "max", "median", "std", "var", "sem", "count", "nunique", "any", "all", "prod", "skew", "kurt"
)  # fmt: skip
MISSING_TESTS: Final = ("isna", "isnull", "notna", "notnull")


def is_plain_scalar(value: Any) -> bool:
    """Whether a value is one that a column is compared with cell by cell.

    >>> is_plain_scalar(1.5), is_plain_scalar([1.5]), is_plain_scalar(None)
    (True, False, False)
    """
    return type(value) in (bool, int, float, str) or type(value).__name__ in (
        "Timestamp", "Timedelta", "datetime", "date", "timedelta", "datetime64", "timedelta64"
    )  # fmt: skip


def with_scalar(op: str, dtype: str, scalar: Any) -> str:
    """The dtype that an op on a column and a scalar gives; empty where it is not known.

    >>> with_scalar("gt", "Int64", 1), with_scalar("and_", "bool", True), with_scalar("add", "str", "a")
    ('boolean', 'bool', '')
    """
    if op in COMPARISONS:
        return compared(dtype)
    if op in LOGIC:
        return dtype if dtype in MASKS and type(scalar) is bool else ""
    return arithmetic(op, dtype, scalar)


def fits(dtype: str, value: Any) -> bool:
    """Whether missing values of a column can be filled with a value, and its dtype stays.

    >>> fits("float64", 0), fits("str", 0), fits("Int64", 0.5)
    (True, False, False)
    """
    kind = family(dtype)
    if kind in ("bool", "int"):
        return type(value) in (bool, int, float, str)
    if kind in ("float", "masked float"):
        return is_number(value) and dtype.endswith("64")
    if kind == "masked int":
        return type(value) is int and 0 <= value < 128
    return type(value) is str and kind == "str"


def keeps_missing(dtype: str) -> str:
    """The dtype of a column of which some values are taken away.

    >>> keeps_missing("str"), keeps_missing("int64")
    ('str', '')
    """
    return dtype if family(dtype) in MASKED | {"float", "str", "string", "moment", "zoned", "span", "category"} else ""


def missing_told(dtype: str) -> str:
    """The dtype of what tells which values of a column are missing.

    >>> missing_told("Int64"), missing_told("")
    ('bool', 'mask')
    """
    return "bool" if family(dtype) else "mask"


def membership(dtype: str) -> str:
    """The dtype of what tells which values of a column are among some.

    >>> membership("Int64"), membership("str")
    ('boolean', 'bool')
    """
    return "bool" if family(dtype) in PLAIN else "boolean" if family(dtype) in MASKED else "mask"


def where_total(op: str) -> Callable[[str], str]:
    """The dtype of a column after an op that keeps it where it is total.

    >>> where_total("abs")("int64"), where_total("abs")("str")
    ('int64', '')
    """
    return lambda dtype: dtype if is_total(op, dtype) else ""
