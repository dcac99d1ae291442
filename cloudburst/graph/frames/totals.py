"""THE table of what is total: which ops cannot fail, nor warn, on a column of which dtype, and what dtype they give.

An op on a whole frame that is total for the dtype of a column that nothing wants does without that column. What is not
said here is not total.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from cloudburst.graph.frames.known import Known
from cloudburst.graph.frames.rule import Wanted

_INTS: Final = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_MASKED_INTS: Final = ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
_BY_DTYPE: Final[Mapping[str, str]] = {
    "bool": "bool", **dict.fromkeys(_INTS, "int"), "float32": "float", "float64": "float",
    "boolean": "masked bool", **dict.fromkeys(_MASKED_INTS, "masked int"),
    "Float32": "masked float", "Float64": "masked float", "str": "str", "string": "string", "category": "category",
}  # fmt: skip

PLAIN: Final = frozenset({"bool", "int", "float", "str", "moment", "zoned", "span", "category"})
"""Families whose comparisons give ``bool``."""
MASKED: Final = frozenset({"masked bool", "masked int", "masked float"})
"""Families whose comparisons give ``boolean``."""
EVERY: Final = PLAIN | MASKED | {"string"}
NUMBERS: Final = frozenset({"int", "float", "masked int", "masked float"})
MASKS: Final = frozenset({"bool", "boolean", "bool[pyarrow]", "mask"})
"""Dtypes of truth values."""

TOTAL: Final[Mapping[str, frozenset[str]]] = {
    "isna": EVERY,
    "fill": EVERY,  # ffill, bfill
    "shift": EVERY,
    "round": NUMBERS | {"bool", "masked bool", "str", "string", "category"},
    "abs": NUMBERS | {"bool", "masked bool", "span"},
    "neg": NUMBERS | {"span"},
    "invert": frozenset({"bool", "masked bool", "int", "masked int"}),
    "same": EVERY - {"string"},  # == and != with a number or text
    "order number": NUMBERS | {"bool", "masked bool"},  # < <= > >= with a number
    "order text": frozenset({"str"}),
    "isin": EVERY - {"moment", "zoned", "span"},  # those read text as moments
    "clip": frozenset({"float", "masked float"}),
    "to text": EVERY,  # astype(str)
}
"""By op: the families of dtypes for which it is total. Arithmetic is in ``arithmetic`` below."""


def family(dtype: str) -> str:
    """The family of a dtype; empty for one that is not known, or of which nothing is said.

    >>> family("int32"), family("Int32"), family("datetime64[us, UTC]"), family("object")
    ('int', 'masked int', 'zoned', '')
    """
    if dtype.startswith("datetime64["):
        return "zoned" if "," in dtype else "moment"
    return "span" if dtype.startswith("timedelta64[") else _BY_DTYPE.get(dtype, "")


def is_total(op: str, dtype: str) -> bool:
    """Whether an op cannot fail on a column of this dtype.

    >>> is_total("isna", "str"), is_total("abs", "str"), is_total("isna", "")
    (True, False, False)
    """
    return family(dtype) in TOTAL[op]


def needed(frame: Known, wanted: Wanted, is_total_for: Callable[[str], bool]) -> Wanted:
    """The wanted columns, and those on which an op could fail.

    >>> frame = Known("frame", {"a": "int64", "b": "str", "c": "int64"})
    >>> sorted(needed(frame, frozenset("c"), lambda dtype: is_total("abs", dtype)))
    ['b', 'c']
    """
    if wanted is None or frame.columns is None:
        return None
    return wanted | {name for name, dtype in frame.columns.items() if not is_total_for(dtype)}


def compared(dtype: str) -> str:
    """The dtype that comparing a series of this dtype with a scalar gives.

    >>> compared("int32"), compared("Int32"), compared("")
    ('bool', 'boolean', 'mask')
    """
    return "bool" if family(dtype) in PLAIN else "boolean" if family(dtype) in MASKED else "mask"


def is_number(value: Any) -> bool:
    """Whether a value is a plain number that 64 bits hold.

    >>> is_number(3), is_number(True), is_number(2**63), is_number(0.5)
    (True, False, False, True)
    """
    return (type(value) is int and -(2**63) <= value < 2**63) or type(value) is float


def arithmetic(op: str, dtype: str, number: Any) -> str:
    """The dtype that arithmetic of a column with a plain number gives where that is total, else empty.

    >>> arithmetic("add", "int64", 1), arithmetic("truediv", "int64", 2), arithmetic("pow", "int64", -1)
    ('int64', 'float64', '')
    """
    if not is_number(number) or dtype not in ("int64", "float64", "Int64", "Float64"):
        return ""
    floats = "float64" if dtype.islower() else "Float64"
    if op == "truediv":
        return floats
    if op in ("add", "sub", "mul"):
        return dtype if type(number) is int else floats
    if op in ("floordiv", "mod") and number != 0:
        return dtype if type(number) is int else floats
    return ""
