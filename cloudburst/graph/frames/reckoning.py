"""Rules of what reckons with the values of a series: arithmetic, comparisons, logic, and what makes one of many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cloudburst.graph.frames.constants import UNKNOWN, constant
from cloudburst.graph.frames.dtypes import (
    ARITHMETIC,
    COMPARISONS,
    LOGIC,
    METHODS_OF,
    MISSING_TESTS,
    REDUCTIONS,
    REFLECTED,
    fits,
    is_plain_scalar,
    keeps_missing,
    membership,
    missing_told,
    where_total,
    with_scalar,
)  # fmt: skip
from cloudburst.graph.frames.known import NOTHING, Knowledge, Known
from cloudburst.graph.frames.picking import everything, own
from cloudburst.graph.frames.rule import ByKind, Rule, Rules, at
from cloudburst.graph.frames.spelled import Spelled
from cloudburst.graph.frames.totals import MASKS, PLAIN, compared, family, is_total

_TRUTHS: Final = Known("truths")


# ------------------------------------------------------------------------------------------------------------- series


def _binary_series(op: str, left: Any, right: Any, knowledge: Knowledge) -> Known:
    """What is known of an op on two values of which one is a series at least, and the other a series or a scalar."""
    one, other = at(left, knowledge), at(right, knowledge)
    series, value, opposite = (one, right, other) if one.kind == "series" else (other, left, one)
    if opposite.kind == "series":
        known = Known("series", dtype=_of_two(op, one, other))
        same = one.rows == other.rows
        name = one.name if one.name == other.name else None
        return known._replace(labels=one.labels if same else None, rows=one.rows if same else b"", name=name)
    scalar = constant(value)
    if opposite.kind == "scalar":
        is_sure = family(opposite.dtype) in PLAIN
        return series._replace(dtype="" if op not in COMPARISONS else compared(series.dtype) if is_sure else "mask")
    if scalar is not UNKNOWN and is_plain_scalar(scalar):
        is_turned = value is left and op in ("floordiv", "mod")
        return series._replace(dtype="" if is_turned else with_scalar(op, series.dtype, scalar))
    if op in COMPARISONS and not opposite.kind:
        return _TRUTHS
    return _TRUTHS if op in LOGIC and series.dtype in MASKS and opposite.kind == "truths" else NOTHING


def _of_two(op: str, one: Known, other: Known) -> str:
    families = {family(one.dtype), family(other.dtype)}
    if op in COMPARISONS:
        return "bool" if families <= PLAIN else "mask"
    if op in LOGIC:
        if one.dtype not in MASKS or other.dtype not in MASKS:
            return ""
        return one.dtype if one.dtype == other.dtype else "mask"
    if one.dtype == other.dtype == "float64" and op != "pow":
        return "float64"
    is_sure = one.dtype == other.dtype == "int64" and one.rows == other.rows
    return "" if not is_sure else "int64" if op in ("add", "sub", "mul") else "float64" if op == "truediv" else ""


def _truths(one: Spelled, knowledge: Knowledge) -> Known:
    other = at(one.node.args[1], knowledge)
    return _TRUTHS if other.kind == "truths" or (other.kind == "series" and other.dtype in MASKS) else NOTHING


def _operator(op: str) -> Rule:
    def known(one: Spelled, knowledge: Knowledge) -> Known:
        return _binary_series(op, one.node.args[0], one.node.args[1], knowledge)

    return Rule(known, everything)


def _method(op: str) -> Rule:
    def known(one: Spelled, knowledge: Knowledge) -> Known:
        if not one.only("other") or "other" not in one.places:
            return NOTHING
        result = _binary_series(op, one.node.args[0], one.given("other"), knowledge)
        # Unlike the operators these put two sets of labels together, and what is missing then is no truth value.
        is_sure = at(one.given("other"), knowledge).kind != "series" or result.rows
        return result if is_sure or op not in COMPARISONS else result._replace(dtype="mask")

    return Rule(known, everything, ("other", "level", "fill_value", "axis"))


def _series(dtype: Callable[[str], str], *parameters: str, names: tuple[str, ...] = (), same_rows: bool = True) -> Rule:
    """A rule of a method that gives a series of the same rows; ``dtype`` says its dtype from that of the object."""

    def known(one: Spelled, knowledge: Knowledge) -> Known:
        if one.kind != "operator" and not one.only(*parameters, *names):
            return NOTHING
        result = own(one, knowledge)
        result = result._replace(dtype=dtype(result.dtype))
        return result if same_rows else result._replace(labels=None, rows=b"")

    return Rule(known, everything, parameters)


def _between(one: Spelled, knowledge: Knowledge) -> Known:
    if not one.only("left", "right", "inclusive"):
        return NOTHING
    series = own(one, knowledge)
    bounds = [constant(one.given(bound)) for bound in ("left", "right")]
    is_sure = all(bound is not UNKNOWN and is_plain_scalar(bound) for bound in bounds)
    kinds = {at(one.given(bound), knowledge).kind for bound in ("left", "right")}
    return series._replace(dtype=compared(series.dtype) if is_sure else "mask") if kinds <= {"", "scalar"} else NOTHING


def _fillna_series(one: Spelled, knowledge: Knowledge) -> Known:
    if not one.only("value") or constant(one.given("value")) is UNKNOWN:
        return NOTHING
    series, value = own(one, knowledge), constant(one.given("value"))
    return series._replace(dtype=series.dtype if fits(series.dtype, value) else "")


def _cells(one: Spelled, knowledge: Knowledge) -> Known:
    return own(one, knowledge)._replace(dtype="", rows=b"", labels=None)


def _counts(one: Spelled, knowledge: Knowledge) -> Known:
    series = own(one, knowledge)
    normalize = one.constant("normalize", False)
    if not one.only("normalize", "sort", "ascending", "dropna") or normalize not in (True, False):
        return NOTHING
    dtype = "" if family(series.dtype) not in PLAIN else "float64" if normalize else "int64"
    labels = ((series.name, ""),) if series.name is not None else None
    return Known("series", dtype=dtype, labels=labels, name="proportion" if normalize else "count")


def _reduction(name: str) -> Rule:
    def known(one: Spelled, knowledge: Knowledge) -> Known:
        if not one.only("skipna", "ddof", "dropna", "numeric_only", "min_count"):
            return NOTHING
        dtype = own(one, knowledge).dtype
        if name in ("count", "nunique"):
            return Known("scalar", dtype="int64")
        if dtype not in ("int64", "float64") or name in ("any", "all"):
            return Known("scalar")
        if name in ("min", "max") and dtype == "int64":
            return Known("scalar")  # of no values at all it is NaN
        return Known("scalar", dtype=dtype if name in ("sum", "prod") else "float64")

    return Rule(known, everything)


# ---------------------------------------------------------------------------------------------------------- functions


def _of_series(dtype: Callable[[Spelled, Known], str], parameters: tuple[str, ...], *only: str) -> Rule:
    """A rule of a function of pandas that gives a series of the same rows for a series."""

    def known(one: Spelled, knowledge: Knowledge) -> Known:
        series = at(one.given(parameters[0]), knowledge)
        if series.kind != "series" or not one.only(*only, parameters[0]):
            return NOTHING
        return series._replace(dtype=dtype(one, series))

    return Rule(known, everything, parameters)


def _window(one: Spelled, knowledge: Knowledge) -> Known:
    """Windows that give one value for each row."""
    plain = one.only("window", "min_periods", "center", "win_type", "closed", "com", "span", "halflife", "alpha")
    return own(one, knowledge)._replace(kind="window") if plain else NOTHING


def _windowed(one: Spelled, knowledge: Knowledge) -> Known:
    return own(one, knowledge)._replace(kind="series", dtype="") if one.only("ddof", "numeric_only") else NOTHING


_WINDOWS: Final = ("rolling", "expanding", "ewm")
_OF_WINDOWS: Final = ("sum", "mean", "std", "var", "min", "max", "count", "median")
_CUT: Final = ("right", "labels", "precision", "include_lowest", "duplicates", "ordered")

METHODS: ByKind = {
    "series": {
        **dict.fromkeys(MISSING_TESTS, _series(missing_told)),
        **{method: _method(op) for method, op in (*METHODS_OF.items(), *REFLECTED.items()) if op != "pow"},
        **{name: _reduction(name) for name in REDUCTIONS},
        "isin": _series(membership, "values"),
        "between": Rule(_between, everything, ("left", "right", "inclusive")),
        "duplicated": Rule(
            lambda one, knowledge: (
                own(one, knowledge)._replace(dtype="bool", name=None) if one.only("keep") else NOTHING
            ),
            everything,
            ("keep",),
        ),
        "round": _series(where_total("round"), "decimals"),
        "abs": _series(where_total("abs")),
        "ffill": _series(where_total("fill"), names=("limit",)),
        "bfill": _series(where_total("fill"), names=("limit",)),
        "fillna": Rule(_fillna_series, everything, ("value",)),
        "shift": _series(keeps_missing, "periods"),
        "clip": _series(lambda dtype: "", "lower", "upper"),
        "replace": _series(lambda dtype: "", "to_replace", "value"),
        "pct_change": _series(lambda dtype: "", "periods"),
        "where": _series(keeps_missing, "cond"),
        "mask": _series(keeps_missing, "cond"),
        **{name: _series(lambda dtype: "") for name in ("cumsum", "cumprod", "cummin", "cummax")},
        "diff": _series(lambda dtype: ""),
        "rank": _series(lambda dtype: ""),
        **dict.fromkeys(_WINDOWS, Rule(_window, everything)),
        "map": Rule(_cells, everything, ("func", "na_action")),
        "value_counts": Rule(_counts, everything, ("normalize", "sort", "ascending", "bins", "dropna")),
    },
    "window": dict.fromkeys(_OF_WINDOWS, Rule(_windowed, everything)),
}
OPERATORS: ByKind = {
    "series": {
        **{op: _operator(op) for op in (*COMPARISONS, *ARITHMETIC, *LOGIC)},
        "abs": _series(where_total("abs")),
        "neg": _series(where_total("neg")),
        "pos": _series(where_total("neg")),
        "invert": _series(lambda dtype: dtype if dtype in MASKS or is_total("invert", dtype) else ""),
        "round": _series(where_total("round")),
    },
    "truths": {
        **dict.fromkeys(LOGIC, Rule(_truths, everything)),
        "invert": Rule(lambda one, knowledge: _TRUTHS, everything),
    },
}
FUNCTIONS: Rules = {
    "to_datetime": _of_series(
        lambda one, series: "", ("arg", "errors", "dayfirst", "yearfirst", "utc", "format"), "errors", "dayfirst",
        "yearfirst", "utc", "format", "exact", "unit", "origin", "cache",
    ),
    "to_timedelta": _of_series(lambda one, series: "", ("arg", "unit", "errors"), "unit", "errors"),
    "to_numeric": _of_series(
        lambda one, series: "", ("arg", "errors", "downcast", "dtype_backend"), "errors", "downcast", "dtype_backend"
    ),
    "cut": _of_series(lambda one, series: "", ("x", "bins", "right", "labels"), "bins", *_CUT),
    "qcut": _of_series(lambda one, series: "", ("x", "q", "labels"), "q", *_CUT),
}  # fmt: skip
ATTRIBUTES: ByKind = {}
