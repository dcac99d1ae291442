"""Rules of ``agg`` and ``transform`` of groups in their many spellings, ``value_counts`` and ``pivot_table``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from cloudburst.graph.expr import Expr
from cloudburst.graph.frames.constants import UNKNOWN, constant, label_list
from cloudburst.graph.frames.grouping import REDUCE, all_but_total, reduce_known, reduced, run_known, size_known
from cloudburst.graph.frames.groups import Groups, groups_of
from cloudburst.graph.frames.known import NOTHING, Knowledge, Known
from cloudburst.graph.frames.rule import NEEDS_ALL, ByKind, Needs, Rule, Rules, Wanted, at
from cloudburst.graph.frames.spelled import MISSING, Spelled
from cloudburst.graph.nodes import Build, FunctionValue

_KEYWORDS: Final = frozenset({"engine", "engine_kwargs"})


class _Aggregations(NamedTuple):
    """Columns of the result that are named one by one."""

    sources: tuple[str, ...]
    """The columns that they are made of."""
    ops: dict[str, Any] | None
    """By name in the result: the op as it was given; ``None`` where the names are not known."""


def _named(one: Spelled, *, is_column: bool) -> _Aggregations | None:
    """``agg(total=("x", "sum"))``, of one column ``agg(total="sum")``."""
    given = {name: one.node.args[place] for name, place in one.places.items() if name != "self"}
    if not given or given.keys() & (_KEYWORDS | {"func"}):
        return None
    if is_column:
        return _Aggregations((), {name: _op(value) for name, value in given.items()})
    pairs = {name: _pair(value) for name, value in given.items()}
    known = {name: pair for name, pair in pairs.items() if pair is not None}
    if len(known) != len(pairs):
        return None
    return _Aggregations(tuple(pair[0] for pair in known.values()), {name: pair[1] for name, pair in known.items()})


def _pair(value: Any) -> tuple[str, Any] | None:
    """A column and what is done with it."""
    if isinstance(value, Expr) and isinstance(value.what, Build) and value.what.container == "tuple":
        pair = value.args
    else:
        whole = constant(value)
        pair = whole if type(whole) is tuple else _named_agg(whole)
    return (pair[0], _op(pair[1])) if len(pair) == 2 and type(pair[0]) is str else None


def _named_agg(value: Any) -> tuple[Any, ...]:
    """What ``pd.NamedAgg`` names, where it says nothing more; nothing for any other value."""
    if type(value).__name__ != "NamedAgg" or value.args or value.kwargs:
        return ()
    return value.column, value.aggfunc


def _op(value: Any) -> Any:
    """A name, a function that is not looked into, or ``UNKNOWN``."""
    if isinstance(value, Expr) and isinstance(value.what, FunctionValue):
        return value.what
    return constant(value)


def _by_column(func: Any) -> _Aggregations | None:
    """``agg({"x": "sum", "y": ["min", "max"]})``, whatever is to be done with each."""
    if isinstance(func, Expr) and isinstance(func.what, Build) and func.what.container == "dict":
        pairs = dict(zip(func.args[::2], map(_op, func.args[1::2]), strict=True))
    else:
        value = constant(func)
        pairs = value if type(value) is dict else {}
    if not pairs or not all(type(label) is str for label in pairs):
        return None
    is_flat = all(type(op) is str or isinstance(op, FunctionValue) for op in pairs.values())
    return _Aggregations(tuple(pairs), pairs if is_flat else None)


def _only_func(one: Spelled) -> Any:
    """The only argument, or ``MISSING``."""
    return one.given("func") if one.only("func") else MISSING


def _is_column(groups: Groups) -> bool:
    return groups.column is not None or groups.frame.kind == "series"


def _agg_known(one: Spelled, knowledge: Knowledge) -> Known:
    groups, dtype = groups_of(one.object, knowledge), at(one.object, knowledge).dtype
    if groups is None:
        return NOTHING
    func, is_column = _only_func(one), _is_column(groups)
    op = MISSING if func is MISSING else constant(func)
    if type(op) is str:
        return _alone_known(groups, op, dtype)
    if is_column and type(op) is list:
        labels = label_list(op)
        known = labels is not None and len(set(labels)) == len(labels) > 0
        several = _Aggregations((), {name: name for name in labels or ()}) if known else None
    else:
        several = _named(one, is_column=is_column)
        if several is None and func is not MISSING and not is_column:
            several = _by_column(func)
    if several is None or several.ops is None or not all(map(_is_reduction, several.ops.values())):
        return NOTHING
    if set(several.sources) & set(groups.keys or ()):
        return NOTHING
    dtypes = groups.columns or {}
    of = dict.fromkeys(several.ops, dtype) if is_column else _of(several, dtypes)
    return groups.result({name: reduced(op, of[name]) if type(op) is str else "" for name, op in several.ops.items()})


def _of(several: _Aggregations, dtypes: Mapping[str, str]) -> dict[str, str]:
    names = several.ops or {}
    return {name: dtypes.get(label, "") for name, label in zip(names, several.sources, strict=True)}


def _is_reduction(op: Any) -> bool:
    return op in REDUCE if type(op) is str else isinstance(op, FunctionValue)


def _alone_known(groups: Groups, op: str, dtype: str) -> Known:
    if op == "size":
        return size_known(groups, dtype)
    return reduce_known(groups, op, dtype) if op in REDUCE else NOTHING


def _agg_needs(one: Spelled, wanted: Wanted, knowledge: Knowledge) -> Needs:
    groups = groups_of(one.object, knowledge)
    if groups is None or _is_column(groups):
        return NEEDS_ALL
    op = constant(_only_func(one)) if one.only("func") else UNKNOWN
    if type(op) is str:
        need = frozenset[str]() if op == "size" else all_but_total(groups, wanted, REDUCE.get(op, ()))
        return NEEDS_ALL if need is None or (op != "size" and op not in REDUCE) else {0: need}
    several = _named(one, is_column=False)
    if several is None and "func" in one.places and not _KEYWORDS & one.places.keys():
        several = _by_column(one.given("func"))
    return NEEDS_ALL if several is None else {0: frozenset(several.sources)}


def _transform_known(one: Spelled, knowledge: Knowledge) -> Known:
    groups, op = groups_of(one.object, knowledge), one.constant("func")
    if groups is None or type(op) is not str or op not in REDUCE or not one.only("func"):
        return NOTHING
    return run_known(groups, op, "")


def _transform_needs(one: Spelled, wanted: Wanted, knowledge: Knowledge) -> Needs:
    op = one.constant("func")
    if type(op) is not str or op not in REDUCE or not one.only("func"):
        return NEEDS_ALL
    need = all_but_total(groups_of(one.object, knowledge), wanted, REDUCE[op])
    return NEEDS_ALL if need is None else {0: need}


# ------------------------------------------------------------------------------------------ value_counts, pivot_table


def _counts_known(one: Spelled, knowledge: Knowledge) -> Known:
    is_frame = at(one.object, knowledge).kind == "frame"
    groups = groups_of(one.object, knowledge)
    dtype = "int64" if one.only("subset", "sort", "ascending", "dropna") else ""
    if is_frame:
        return Known("series", dtype=dtype, name="count") if dtype else NOTHING
    return Known("series", dtype="", name="count") if dtype and groups is not None and groups.as_index else NOTHING


def _counts_needs(one: Spelled, _wanted: Wanted, knowledge: Knowledge) -> Needs:
    subset = one.constant("subset")
    labels = label_list(subset) if type(subset) in (str, list) else None
    return NEEDS_ALL if not labels or at(one.object, knowledge).kind != "frame" else {0: frozenset(labels)}


def _pivot_needs(one: Spelled, _wanted: Wanted, knowledge: Knowledge) -> Needs:
    """The columns that it names, and one more: pandas puts them in the order named only where the frame has others."""
    frame_place = one.places.get("data", 0)
    columns = at(one.node.args[frame_place], knowledge).columns
    named: list[str] = []
    for parameter in ("values", "index", "columns"):
        value = one.constant(parameter)
        labels = [] if value is None else label_list(value) if type(value) in (str, list) else None
        if labels is None or (parameter == "values" and not labels):
            return NEEDS_ALL
        named += labels
    if columns is None or len(set(named)) != len(named) or not columns.keys() >= set(named):
        return NEEDS_ALL
    other = next((label for label in columns if label not in named), None)
    return {frame_place: frozenset(named if other is None else [*named, other])}


def _pivot_known(_one: Spelled, _knowledge: Knowledge) -> Known:
    return NOTHING


_AGG: Final = Rule(_agg_known, _agg_needs, ("func",))
_TRANSFORM: Final = Rule(_transform_known, _transform_needs, ("func",))
_COUNTS: Final = ("normalize", "sort", "ascending")
_PIVOT: Final = (
    *("values", "index", "columns", "aggfunc", "fill_value", "margins"),
    *("dropna", "margins_name", "observed", "sort"),
)
_ASKED: Final[dict[str, Rule]] = {"agg": _AGG, "aggregate": _AGG, "transform": _TRANSFORM}

METHODS: ByKind = {
    "frame": {
        "value_counts": Rule(_counts_known, _counts_needs, ("subset", *_COUNTS, "dropna")),
        "pivot_table": Rule(_pivot_known, _pivot_needs, _PIVOT),
    },
    "groups": _ASKED,
    "column groups": {**_ASKED, "value_counts": Rule(_counts_known, _counts_needs, (*_COUNTS, "bins", "dropna"))},
}
OPERATORS: ByKind = {}
FUNCTIONS: Rules = {"pivot_table": Rule(_pivot_known, _pivot_needs, ("data", *_PIVOT))}
ATTRIBUTES: ByKind = {}
