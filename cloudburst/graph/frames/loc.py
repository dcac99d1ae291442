"""Rules of ``d.loc[rows, columns]`` and ``d.iloc[rows]``."""

from __future__ import annotations

from typing import Any, Final

from cloudburst.graph.expr import Expr
from cloudburst.graph.frames.constants import UNKNOWN, constant, label_list
from cloudburst.graph.frames.known import NOTHING, Knowledge, Known
from cloudburst.graph.frames.picking import column, columns, is_mask, is_slice, other_rows, own, passed
from cloudburst.graph.frames.rule import NEEDS_ALL, ByKind, Needs, Rule, Rules, Wanted, at
from cloudburst.graph.frames.spelled import Spelled
from cloudburst.graph.nodes import Attribute, Build

_ALL: Final = slice(None)


def _rows(one: Spelled, knowledge: Knowledge) -> Known:
    frame = own(one, knowledge)
    return Known("rows", frame.columns, labels=frame.labels, rows=frame.rows)


def _split(index: Any) -> tuple[Any, Any]:
    """Rows and columns that are asked for; all columns where only rows are."""
    if isinstance(index, Expr) and isinstance(index.what, Build) and index.what.container == "tuple":
        return tuple(index.args) if len(index.args) == 2 else (UNKNOWN, UNKNOWN)
    value = constant(index)
    if type(value) is tuple:
        return value if len(value) == 2 else (UNKNOWN, UNKNOWN)
    return index, _ALL


def _is_by_place(one: Spelled) -> bool:
    rows = one.object
    return rows is not None and isinstance(rows.what, Attribute) and rows.what.name == "iloc"


def _many(rows: Any, is_by_place: bool, knowledge: Knowledge) -> bool:
    """Whether these are certain to be rows and not one row, and to be chosen without looking at a column."""
    if rows is UNKNOWN:
        return False
    if is_slice(rows):
        return True
    value = constant(rows)
    if type(value) is list:
        return all(type(one) in (int, str, bool, float) for one in value)
    return not is_by_place and (is_mask(rows, knowledge) or at(rows, knowledge).kind == "series")


def _is_sure(one: Spelled, index: Any, frame: Known) -> bool:
    """Whether a pair is rows and columns: of an index of several levels it may be one row's label."""
    return _split(index)[0] is index or (frame.labels is not None and len(frame.labels) <= 1) or _is_by_place(one)


def _item_known(one: Spelled, knowledge: Knowledge) -> Known:
    beneath, index = own(one, knowledge), one.node.args[1]
    rows, which = _split(index)
    if not _is_sure(one, index, beneath) or not _many(rows, _is_by_place(one), knowledge):
        return NOTHING
    if at(rows, knowledge).kind == "truths":
        return NOTHING
    frame = other_rows(beneath)._replace(kind="frame")
    value = which if isinstance(which, slice) else constant(which)
    if isinstance(value, slice):
        return frame if value == _ALL else NOTHING
    if _is_by_place(one):
        return NOTHING
    if type(value) is str:
        return column(frame, value)
    labels = label_list(value) if type(value) is list else None
    return NOTHING if labels is None else columns(frame, labels)


def _item_needs(one: Spelled, wanted: Wanted, knowledge: Knowledge) -> Needs:
    index = one.node.args[1]
    rows, which = _split(index)
    if not _is_sure(one, index, own(one, knowledge)) or at(rows, knowledge).kind == "truths":
        return NEEDS_ALL
    value = which if isinstance(which, slice) else constant(which)
    if isinstance(value, slice):
        return {0: wanted} if value == _ALL and _many(rows, _is_by_place(one), knowledge) else NEEDS_ALL
    if _is_by_place(one) or value is UNKNOWN or type(value) not in (str, list):
        return NEEDS_ALL
    labels = label_list(value)
    is_label = type(rows) in (int, str, float)
    if labels is None or not (is_label or _many(rows, False, knowledge)):
        return NEEDS_ALL
    return {0: frozenset(labels)}


METHODS: ByKind = {}
ATTRIBUTES: ByKind = {"frame": {name: Rule(_rows, passed) for name in ("loc", "iloc")}}
OPERATORS: ByKind = {"rows": {"getitem": Rule(_item_known, _item_needs)}}
FUNCTIONS: Rules = {}
