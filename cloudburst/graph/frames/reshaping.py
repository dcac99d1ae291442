"""Rules of what turns columns into rows and back: ``melt`` and ``pivot``; and of ``filter``, which picks by name."""

from __future__ import annotations

from typing import Any, Final

from cloudburst.graph.frames.constants import label_list
from cloudburst.graph.frames.known import NOTHING, Knowledge, Known
from cloudburst.graph.frames.picking import columns, own, unknown
from cloudburst.graph.frames.rule import NEEDS_ALL, ByKind, Needs, Rule, Rules, Wanted, at
from cloudburst.graph.frames.spelled import Spelled


def _labels(one: Spelled, parameter: str) -> list[str] | None:
    """The labels given, none where nothing is; ``None`` for what are not labels."""
    value = one.constant(parameter)
    if value is None:
        return []
    return label_list(value) if type(value) in (str, list) else None


def _melt_needs(one: Spelled, _wanted: Wanted, _knowledge: Knowledge) -> Needs:
    """The columns that are named, and that of the name that the values get: pandas refuses a frame that has it."""
    kept, melted, name = _labels(one, "id_vars"), _labels(one, "value_vars"), one.constant("value_name", "value")
    only = one.only("frame", "id_vars", "value_vars", "var_name", "value_name", "ignore_index")
    if not only or kept is None or not melted or type(name) is not str:
        return NEEDS_ALL
    return {one.places.get("frame", 0): frozenset([*kept, *melted, name])}


def _pivot_needs(one: Spelled, _wanted: Wanted, knowledge: Knowledge) -> Needs:
    place = one.places.get("data", 0)
    named = [_labels(one, parameter) for parameter in ("columns", "index", "values")]
    if not one.only("data", "columns", "index", "values") or "columns" not in one.places or not named[2]:
        return NEEDS_ALL
    labels = [label for part in named for label in part or ()]
    there = at(one.node.args[place], knowledge).columns
    if None in named or there is None or not there.keys() >= set(labels):
        return NEEDS_ALL
    return {place: frozenset(labels)}


def _filtered(one: Spelled, known: Known) -> list[str] | None:
    """The columns that ``filter`` leaves, or, where those of the frame are not known, may leave."""
    if one.constant("axis") not in (None, 1, "columns") or len(one.places.keys() - {"self", "axis"}) != 1:
        return None
    if "items" in one.places or "arg" in one.places:
        items: Any = one.constant("items" if "items" in one.places else "arg")
        labels = label_list(items) if type(items) is list else None
        if labels is None or len(set(labels)) != len(labels):
            return None
        return labels if known.columns is None else [label for label in labels if label in known.columns]
    like: Any = one.constant("like")
    return [label for label in known.columns if like in label] if known.columns and type(like) is str else None


def _filter_known(one: Spelled, knowledge: Knowledge) -> Known:
    frame = own(one, knowledge)
    labels = _filtered(one, frame)
    return NOTHING if labels is None or frame.columns is None else columns(frame, labels)


def _filter_needs(one: Spelled, wanted: Wanted, knowledge: Knowledge) -> Needs:
    labels = _filtered(one, own(one, knowledge))
    if labels is None:
        return NEEDS_ALL
    return {0: frozenset(labels) if wanted is None else wanted.intersection(labels)}


# The first is called ``items`` by pandas 3.0.
_FILTER: Final = ("arg", "like", "regex", "axis")
_MELT: Final = ("id_vars", "value_vars", "var_name", "value_name", "col_level", "ignore_index")

METHODS: ByKind = {
    "frame": {
        "melt": Rule(unknown, _melt_needs, _MELT),
        "pivot": Rule(unknown, _pivot_needs),
        "filter": Rule(_filter_known, _filter_needs, _FILTER),
    }
}
OPERATORS: ByKind = {}
FUNCTIONS: Rules = {
    "melt": Rule(unknown, _melt_needs, ("frame", *_MELT)),
    "pivot": Rule(unknown, _pivot_needs, ("data",)),
}
ATTRIBUTES: ByKind = {}
