"""Rules of what is reckoned for each group, or within it: ``g.sum()``, ``g.cumsum()``, ``g.head()``, ``g.size()``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from cloudburst.graph.frames.groups import Groups, groups_of
from cloudburst.graph.frames.known import NOTHING, Knowledge, Known
from cloudburst.graph.frames.rule import NEEDS_ALL, ByKind, Needs, Rule, Rules, Wanted, at
from cloudburst.graph.frames.spelled import Spelled
from cloudburst.graph.frames.totals import MASKED, PLAIN, family

_ALL: Final = PLAIN | MASKED
_NUMBERS: Final = MASKED | {"int", "float", "bool"}
_MOMENTS: Final = frozenset({"moment", "zoned"})

REDUCE: Final[Mapping[str, frozenset[str]]] = {
    "count": _ALL,
    "nunique": _ALL,
    "first": _ALL,
    "last": _ALL,
    "min": _ALL - {"category"},
    "max": _ALL - {"category"},
    "sum": _NUMBERS | {"str"},
    "prod": _NUMBERS,
    "mean": _NUMBERS | _MOMENTS,
    "median": _NUMBERS | _MOMENTS,
    "std": _NUMBERS,
    "var": _NUMBERS,
    "sem": _NUMBERS,
    "any": _NUMBERS | {"str"},
    "all": _NUMBERS | {"str"},
}
"""What gives one value for each group and column, and the families of dtypes for which it is total."""
RUN: Final[Mapping[str, frozenset[str]]] = {
    "shift": _ALL,
    "ffill": _ALL,
    "bfill": _ALL,
    "cumsum": _NUMBERS,
    "cumprod": _NUMBERS,
    "cummin": _NUMBERS,
    "cummax": _NUMBERS,
    "rank": _ALL - {"category"},
    "diff": frozenset({"int", "float"}),
}
"""What gives one value for each row and column."""
_OWN_DTYPE: Final = frozenset({"first", "last", "min", "max"})
_WIDE: Final = frozenset({"int64", "uint64", "float64", "float32", "str", "Int64", "UInt64", "Float64", "Float32"})


def reduced(op: str, dtype: str) -> str:
    """The dtype that reducing the groups of a column gives; empty where it is not certain.

    >>> reduced("sum", "bool"), reduced("mean", "Int64"), reduced("max", "str"), reduced("sum", "category")
    ('int64', 'Float64', 'str', '')
    """
    kind = family(dtype)
    if kind not in REDUCE.get(op, ()):
        return ""
    if op in _OWN_DTYPE:
        return dtype
    if op == "nunique":
        return "int64"
    if op == "count":
        return "Int64" if kind in MASKED else "int64"
    if op in ("any", "all"):
        return "boolean" if kind in MASKED else "bool"
    if op in ("sum", "prod"):
        return {"bool": "int64", "masked bool": "Int64"}.get(kind, dtype if dtype in _WIDE else "")
    if kind in _MOMENTS:
        return dtype
    if kind in ("float", "masked float"):
        return dtype if dtype in ("float64", "Float64") else ""
    return "Float64" if kind in MASKED else "float64"


def all_but_total(
    groups: Groups | None, wanted: Wanted, total: Iterable[str], numeric_only: object = False
) -> frozenset[str] | None:
    """The wanted columns, and those for which an op is not total; ``None`` for all."""
    if groups is None or wanted is None or groups.frame.columns is None or type(numeric_only) is not bool:
        return None
    passed = _ALL - _NUMBERS if numeric_only else frozenset[str]()
    total_for = {*total, *passed}
    columns = groups.frame.columns.items()
    others = {label for label, dtype in columns if label not in (groups.keys or ()) and family(dtype) not in total_for}
    return wanted | others


def reduce_known(groups: Groups, op: str, dtype: str, numeric_only: object = False, *, certain: bool = True) -> Known:
    """What is known of a reduction of all that groups have; ``dtype`` is that of their one column."""
    if groups.column is not None or groups.frame.kind == "series":
        given = reduced(op, dtype) if certain and groups.is_plain else ""
        if groups.as_index:
            return Known("series", dtype=given, labels=groups.levels, name=groups.column)
        return groups.result({groups.column: given}) if groups.column is not None else NOTHING
    columns = groups.columns
    if type(numeric_only) is not bool:
        return groups.result(None)
    if columns is not None and numeric_only:
        if not all(family(own) for own in columns.values()):
            return groups.result(None)
        columns = {label: own for label, own in columns.items() if family(own) in _NUMBERS}
    if columns is not None:
        columns = {label: reduced(op, own) if certain else "" for label, own in columns.items()}
    return groups.result(columns)


def run_known(groups: Groups, op: str, dtype: str) -> Known:
    """What is known of an op that gives a value for each row."""
    if groups.column is not None or groups.frame.kind == "series":
        return groups.same_rows(None)._replace(kind="series", name=groups.column, dtype=_ran(op, dtype))
    columns = groups.columns
    return groups.same_rows(None if columns is None else {label: _ran(op, own) for label, own in columns.items()})


def _ran(op: str, dtype: str) -> str:
    """Rows of no group have no value, so that whole numbers may become others."""
    if op in ("shift", "ffill", "bfill"):
        return dtype if family(dtype) in _ALL - {"int", "bool"} else ""
    return dtype if op in ("cumsum", "cumprod", "cummin", "cummax") and dtype in ("float64", "Float64") else ""


def _reduce(op: str) -> Rule:
    def known(one: Spelled, knowledge: Knowledge) -> Known:
        groups = groups_of(one.object, knowledge)
        if groups is None or not one.only("numeric_only", "min_count", "skipna", "ddof", "dropna"):
            return NOTHING
        numeric_only, certain = one.constant("numeric_only", False), one.only("numeric_only")
        return reduce_known(groups, op, at(one.object, knowledge).dtype, numeric_only, certain=certain)

    def needs(one: Spelled, wanted: Wanted, knowledge: Knowledge) -> Needs:
        groups, numeric_only = groups_of(one.object, knowledge), one.constant("numeric_only", False)
        need = all_but_total(groups, wanted, REDUCE[op], numeric_only) if one.only("numeric_only") else None
        return NEEDS_ALL if need is None else {0: need}

    return Rule(known, needs)


def _run(op: str) -> Rule:
    def is_plain(one: Spelled) -> bool:
        return one.only("periods") and type(one.constant("periods", 1)) is int

    def known(one: Spelled, knowledge: Knowledge) -> Known:
        groups = groups_of(one.object, knowledge)
        return (
            NOTHING if groups is None or not is_plain(one) else run_known(groups, op, at(one.object, knowledge).dtype)
        )

    def needs(one: Spelled, wanted: Wanted, knowledge: Knowledge) -> Needs:
        need = all_but_total(groups_of(one.object, knowledge), wanted, RUN[op]) if is_plain(one) else None
        return NEEDS_ALL if need is None else {0: need}

    return Rule(known, needs, ("periods",) if op in ("shift", "diff") else ())


def _pick_known(one: Spelled, knowledge: Knowledge) -> Known:
    groups = groups_of(one.object, knowledge)
    if groups is None or not one.only("n"):
        return NOTHING
    if groups.column is not None or groups.frame.kind == "series":
        return Known("series", dtype=at(one.object, knowledge).dtype, labels=groups.frame.labels, name=groups.column)
    columns = groups.frame.columns if groups.picked is None else groups.columns
    return Known("frame", columns, labels=groups.frame.labels)


def _pick_needs(one: Spelled, wanted: Wanted, _knowledge: Knowledge) -> Needs:
    return {0: wanted} if one.only("n") else NEEDS_ALL


def size_known(groups: Groups | None, dtype: str) -> Known:
    """What is known of how many rows the groups have."""
    if groups is None:
        return NOTHING
    is_series = groups.column is not None or groups.frame.kind == "series"
    given = "int64" if not is_series or family(dtype) in PLAIN else ""
    if groups.as_index:
        return Known("series", dtype=given, labels=groups.levels, name=groups.column)
    return groups.result({"size": given})


def _size_known(one: Spelled, knowledge: Knowledge) -> Known:
    return size_known(groups_of(one.object, knowledge), at(one.object, knowledge).dtype) if one.only() else NOTHING


def _number_known(one: Spelled, knowledge: Knowledge) -> Known:
    groups = groups_of(one.object, knowledge)
    if groups is None or not one.only("ascending"):
        return NOTHING
    return groups.same_rows(None)._replace(kind="series")


def _no_column(_one: Spelled, _wanted: Wanted, _knowledge: Knowledge) -> Needs:
    return {0: frozenset()}


_PICK: Final = Rule(_pick_known, _pick_needs, ("n",))
_NUMBER: Final = Rule(_number_known, _no_column)
_ASKED: Final[dict[str, Rule]] = {
    **{op: _reduce(op) for op in REDUCE},
    **{op: _run(op) for op in RUN},
    **dict.fromkeys(("head", "tail", "nth"), _PICK),
    **dict.fromkeys(("ngroup", "cumcount"), _NUMBER),
    "size": Rule(_size_known, _no_column),
}

METHODS: ByKind = {"groups": _ASKED, "column groups": _ASKED}
OPERATORS: ByKind = {}
FUNCTIONS: Rules = {}
ATTRIBUTES: ByKind = {"groups": {"ngroups": Rule(lambda one, knowledge: Known("scalar"), _no_column)}}
