"""Rules of what reckons with each column of a frame alone, and of what makes one value of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cloudburst.graph.expr import Expr
from cloudburst.graph.frames.changing import built_keys
from cloudburst.graph.frames.constants import UNKNOWN, constant
from cloudburst.graph.frames.dtypes import (
    ARITHMETIC,
    COMPARISONS,
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
from cloudburst.graph.frames.picking import own, passed
from cloudburst.graph.frames.rule import NEEDS_ALL, ByKind, Needs, Rule, Rules, Wanted, at
from cloudburst.graph.frames.spelled import Spelled
from cloudburst.graph.frames.totals import arithmetic, family, is_number, is_total, needed


def _columnwise(op: Callable[[Spelled], Callable[[str], str] | None], total: Callable[[Spelled, str], bool]) -> Rule:
    """A rule of an op that works on each column alone: the dtype that it gives for each, and where it cannot fail."""

    def known(one: Spelled, knowledge: Knowledge) -> Known:
        # Of ``1 - d`` the frame is the second.
        frame, dtype = _frame_of(one, knowledge)[1], op(one)
        if dtype is None or frame.kind != "frame":
            return NOTHING
        if frame.columns is None:
            return frame
        return frame._replace(columns={name: dtype(old) for name, old in frame.columns.items()})

    def needs(one: Spelled, wanted: Wanted, knowledge: Knowledge) -> Needs:
        place, frame = _frame_of(one, knowledge)
        if op(one) is None or frame.kind != "frame":
            return NEEDS_ALL
        return {place: needed(frame, wanted, lambda dtype: total(one, dtype))}

    return Rule(known, needs)


def _frame_of(one: Spelled, knowledge: Knowledge) -> tuple[int, Known]:
    first = at(one.node.args[0], knowledge)
    if first.kind == "frame" or len(one.node.args) < 2:
        return 0, first
    return 1, at(one.node.args[1], knowledge)


def _scalar_beside(one: Spelled) -> Any:
    """The scalar with which an op on a frame reckons, or ``UNKNOWN``."""
    if one.kind == "method" and not one.only("other"):
        return UNKNOWN
    values = [value for value in map(constant, one.node.args) if value is not UNKNOWN and is_plain_scalar(value)]
    return values[0] if len(values) == 1 and len(one.node.args) == 2 else UNKNOWN


def _frame_binary(op: str) -> Rule:
    def dtype(one: Spelled) -> Callable[[str], str] | None:
        scalar = _scalar_beside(one)
        if scalar is UNKNOWN:
            return None
        if op in ("floordiv", "mod") and not isinstance(one.node.args[0], Expr):
            return lambda dtype: ""  # a zero among whole numbers makes floats
        return lambda dtype: with_scalar(op, dtype, scalar)

    def total(one: Spelled, dtype: str) -> bool:
        scalar = _scalar_beside(one)
        if op not in COMPARISONS:
            is_first = not isinstance(one.node.args[0], Expr) or one.name.startswith("r")
            return not is_first and arithmetic(op, dtype, scalar) != ""
        if op in ("eq", "ne"):
            return is_total("same", dtype) and (is_number(scalar) or type(scalar) is str)
        return is_total("order text" if type(scalar) is str else "order number", dtype) and (
            type(scalar) is str or is_number(scalar)
        )

    return _columnwise(dtype, total)._replace(parameters=("other", "axis", "level"))


def _frame_plain(op: str, dtype: Callable[[str], str], *parameters: str) -> Rule:
    def plain(one: Spelled) -> Callable[[str], str] | None:
        # ``round`` of an operator has its argument as a place.
        values = [constant(value) for value in one.node.args[1:]]
        is_plain = one.kind != "method" or one.only(*parameters)
        numbers = (int, float) if op == "clip" else (int,)
        is_plain = is_plain and all(type(value) in numbers for value in values)
        return None if not is_plain or (op == "round" and any(value < 0 for value in values)) else dtype

    return _columnwise(plain, lambda one, dtype: is_total(op, dtype))._replace(parameters=parameters)


def _fillna_known(one: Spelled, knowledge: Knowledge) -> Known:
    frame, value = own(one, knowledge), one.given("value")
    if not one.only("value"):
        return NOTHING
    labels = built_keys(value)
    if frame.columns is None:
        return frame if labels is not None or constant(value) is not UNKNOWN else NOTHING
    if labels is not None:
        given = constant(value)
        fills = dict.fromkeys(labels, UNKNOWN) if given is UNKNOWN else given
        new = {name: _filled(dtype, fills[name]) for name, dtype in frame.columns.items() if name in fills}
        return frame._replace(columns={**frame.columns, **new})
    if not is_plain_scalar(constant(value)):
        return NOTHING
    return frame._replace(columns={name: _filled(dtype, constant(value)) for name, dtype in frame.columns.items()})


def _filled(dtype: str, value: Any) -> str:
    return dtype if value is not UNKNOWN and fits(dtype, value) else ""


def _fillna_needs(one: Spelled, wanted: Wanted, knowledge: Knowledge) -> Needs:
    value = one.given("value")
    if not one.only("value") or wanted is None:
        return NEEDS_ALL
    labels = built_keys(value)
    if labels is not None:
        return {0: wanted | frozenset(labels)}
    if not is_plain_scalar(constant(value)):
        return NEEDS_ALL
    return {0: needed(own(one, knowledge), wanted, lambda dtype: fits(dtype, constant(value)))}


def _isin_plain(one: Spelled) -> Callable[[str], str] | None:
    values = one.constant("values", UNKNOWN)
    is_plain = one.only("values") and type(values) in (list, tuple, set) and all(map(is_plain_scalar, values))
    return membership if is_plain else None


def _numbers_only(name: str) -> Rule:
    """A rule of a method that makes a series of a frame; columns that are no numbers may lack where it passes them."""
    is_whole = name in ("count", "nunique")

    def known(one: Spelled, knowledge: Knowledge) -> Known:
        given = ("axis", "skipna", "numeric_only", "ddof", "min_count", "dropna")
        axis = one.constant("axis", 0)
        if axis is UNKNOWN or axis != 0 or not one.only(*given):
            return NOTHING
        # Of no columns at all it may be a series of anything.
        is_sure = is_whole and "numeric_only" not in one.places and bool(own(one, knowledge).columns)
        return Known("series", dtype="int64" if is_sure else "")

    def needs(one: Spelled, _wanted: Wanted, knowledge: Knowledge) -> Needs:
        columns = own(one, knowledge).columns
        numeric_only, axis = one.constant("numeric_only", False), one.constant("axis", 0)
        if numeric_only is not True or axis is UNKNOWN or axis != 0 or columns is None:
            return NEEDS_ALL
        passed_over = ("str", "moment", "zoned", "category")
        return {0: frozenset(label for label, dtype in columns.items() if family(dtype) not in passed_over)}

    return Rule(known, needs, ("axis",) if name in ("count", "nunique") else ())


def _agg_needs(one: Spelled, _wanted: Wanted, _knowledge: Knowledge) -> Needs:
    labels = built_keys(one.given("func"))
    return NEEDS_ALL if labels is None or not one.only("func") or not labels else {0: frozenset(labels)}


def _isna_function() -> Rule:
    def known(one: Spelled, knowledge: Knowledge) -> Known:
        value = at(one.given("obj"), knowledge)
        if value.kind == "series":
            return value._replace(dtype=missing_told(value.dtype))
        if value.kind == "frame" and value.columns is not None:
            return value._replace(columns={name: missing_told(dtype) for name, dtype in value.columns.items()})
        return value if value.kind == "frame" else NOTHING

    def needs(one: Spelled, wanted: Wanted, knowledge: Knowledge) -> Needs:
        return {0: wanted} if at(one.given("obj"), knowledge).kind == "frame" else NEEDS_ALL

    return Rule(known, needs, ("obj",))


_ISNA: Final = _frame_plain("isna", missing_told)

METHODS: ByKind = {
    "frame": {
        **dict.fromkeys(MISSING_TESTS, Rule(_ISNA.known, passed)),
        **{method: _frame_binary(op) for method, op in (*METHODS_OF.items(), *REFLECTED.items()) if op != "pow"},
        **{name: _numbers_only(name) for name in REDUCTIONS},
        "round": _frame_plain("round", where_total("round"), "decimals"),
        "abs": _frame_plain("abs", where_total("abs")),
        "ffill": _frame_plain("fill", where_total("fill")),
        "bfill": _frame_plain("fill", where_total("fill")),
        "shift": _frame_plain("shift", keeps_missing, "periods"),
        "clip": _frame_plain("clip", where_total("clip"), "lower", "upper"),
        "fillna": Rule(_fillna_known, _fillna_needs, ("value",)),
        "isin": _columnwise(_isin_plain, lambda one, dtype: is_total("isin", dtype))._replace(parameters=("values",)),
        "agg": Rule(lambda one, knowledge: NOTHING, _agg_needs, ("func", "axis")),
        "aggregate": Rule(lambda one, knowledge: NOTHING, _agg_needs, ("func", "axis")),
    },
}
OPERATORS: ByKind = {
    "frame": {
        **{op: _frame_binary(op) for op in (*COMPARISONS, *ARITHMETIC) if op != "pow"},
        "abs": _frame_plain("abs", where_total("abs")),
        "neg": _frame_plain("neg", where_total("neg")),
        "invert": _frame_plain("invert", where_total("invert")),
        "round": _frame_plain("round", where_total("round")),
    },
}
FUNCTIONS: Rules = dict.fromkeys(("isna", "notna"), _isna_function())
ATTRIBUTES: ByKind = {}
