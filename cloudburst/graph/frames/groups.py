"""What groups are: ``d.groupby("k")``, and columns of it, ``g["v"]``, ``g[["v", "w"]]``, ``g.v``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from cloudburst.graph.expr import Expr
from cloudburst.graph.frames.constants import UNKNOWN, constant, label_list
from cloudburst.graph.frames.known import NOTHING, Kind, Knowledge, Known
from cloudburst.graph.frames.rule import NEEDS_ALL, ByKind, Needs, Rule, Rules, Wanted, at
from cloudburst.graph.frames.spelled import Spelled, spelled
from cloudburst.graph.frames.totals import MASKED, PLAIN, family
from cloudburst.graph.nodes import Build, Method

GROUPS_NAMES: Final = frozenset(
    "agg aggregate all any apply bfill boxplot corr corrwith count cov cumcount cummax cummin cumprod cumsum describe "
    "diff ewm expanding ffill filter first get_group groups head hist idxmax idxmin indices keys kurt last level max "
    "mean median min ndim ngroup ngroups nth nunique ohlc pct_change pipe plot prod quantile rank resample rolling "
    "sample sem shift size skew std sum tail take transform value_counts var".split()
)
"""What an attribute of groups means before it means a column."""


class Groups(NamedTuple):
    """What a group-by is made of."""

    frame: Known
    base: Expr
    """The frame, or the series, that is grouped."""
    keys: tuple[str, ...] | None
    """The columns that it is grouped by; ``None`` where it is grouped by something else too."""
    levels: tuple[tuple[str, str], ...] | None
    """Of the index that has a group's keys: names and dtypes."""
    as_index: bool
    is_plain: bool
    """Whether there are no groups without rows."""
    picked: tuple[str, ...] | None = None
    """The columns that are picked of it, by a list of them."""
    column: str | None = None
    """The one column that is picked of it."""

    @property
    def columns(self) -> Mapping[str, str] | None:
        """What is reckoned with, dtypes by label; ``None`` where it is not known."""
        if self.frame.columns is None:
            return None if self.picked is None else dict.fromkeys(self.picked, "")
        if self.picked is not None:
            return {label: self.frame.columns.get(label, "") for label in self.picked}
        if self.keys is None:
            return None
        return {label: dtype for label, dtype in self.frame.columns.items() if label not in self.keys}

    def result(self, columns: Mapping[str, str] | None) -> Known:
        """What is known of a frame that has these columns and a row for each group."""
        given = None if columns is None else dict(columns) if self.is_plain else dict.fromkeys(columns, "")
        if self.as_index:
            return Known("frame", given, labels=self.levels)
        if given is None or self.keys is None or self.levels is None:
            return Known("frame", None)
        return NOTHING if given.keys() & set(self.keys) else Known("frame", {**dict(self.levels), **given}, labels=())

    def same_rows(self, columns: Mapping[str, str] | None) -> Known:
        """What is known of a frame that has these columns and the rows of what is grouped."""
        return Known("frame", columns, labels=self.frame.labels, rows=self.frame.rows or self.base.key)


# ------------------------------------------------------------------------------------------------------------ groupby

_OPTIONS: Final = ("sort", "group_keys", "dropna")


def _parts(by: Any, knowledge: Knowledge) -> list[str | Known] | None:
    """What a group-by is by: labels of columns, and series; ``None`` where it is by something else."""
    members = [_part(one, knowledge) for one in _members(by)]
    parts = [one for one in members if one is not None]
    return parts if parts and len(parts) == len(members) else None


def _members(by: Any) -> list[Any]:
    if isinstance(by, Expr) and isinstance(by.what, Build) and by.what.container == "list":
        return list(by.args)
    value = constant(by)
    return value if type(value) is list else [by]


def _part(one: Any, knowledge: Knowledge) -> str | Known | None:
    """A column's label, or what is known of a series or of what takes its place."""
    if type(one) is str:
        return one
    if grouper_key(one) is not None:
        return Known("series")
    known = at(one, knowledge)
    return known if known.kind == "series" else None


def grouper_key(value: Any) -> str | None:
    """The column that a ``pd.Grouper`` goes by; ``None`` where a value is none, or goes by something else.

    >>> import pandas as pd
    >>> grouper_key(pd.Grouper(key="day", freq="MS")), grouper_key(pd.Grouper(level=0)), grouper_key("day")
    ('day', None, None)
    """
    value = constant(value)
    if type(value).__name__ not in ("Grouper", "TimeGrouper") or value.level is not None:
        return None
    return value.key if type(value.key) is str else None


def _made(one: Spelled, knowledge: Knowledge) -> Groups | None:
    """The groups that a ``groupby`` makes, where its spelling is understood."""
    base = one.object
    frame = at(base, knowledge)
    as_index, observed = one.constant("as_index", True), one.constant("observed", True)
    if base is None or type(as_index) is not bool or not one.only("by", "level", "as_index", "observed", *_OPTIONS):
        return None
    if one.constant("by") is None:
        level = one.constant("level")
        if not as_index or level is None or level is UNKNOWN:
            return None
        return Groups(frame, base, None, None, True, False)
    parts = _parts(one.given("by"), knowledge) if one.constant("level") is None else None
    if parts is None:
        return None
    keys = tuple(part for part in parts if type(part) is str)
    is_by_columns = len(keys) == len(parts)
    if len(set(keys)) != len(keys) or (frame.columns is not None and not frame.columns.keys() >= set(keys)):
        return None
    if (keys and frame.kind == "series") or not (as_index or (is_by_columns and frame.kind == "frame")):
        return None
    if any(grouper_key(member) is not None for member in _members(one.given("by"))):
        return Groups(frame, base, None, None, as_index, False)
    levels = [_level(part, frame) for part in parts]
    known = tuple(level for level in levels if level is not None)
    is_plain = observed is True or all(dtype not in ("", "category", "object") for _, dtype in known)
    all_known = len(known) == len(levels) == len({name for name, _ in known})
    return Groups(
        frame,
        base,
        keys if is_by_columns else None,
        known if all_known and (frame.columns is not None or frame.kind == "series") else None,
        as_index,
        is_plain and (observed is True or all_known),
    )


def _level(part: str | Known, frame: Known) -> tuple[str, str] | None:
    if isinstance(part, Known):
        return None if part.name is None else (part.name, _level_dtype(part.dtype))
    return part, _level_dtype((frame.columns or {}).get(part, ""))


def _level_dtype(dtype: str) -> str:
    return dtype if family(dtype) in PLAIN | MASKED else ""


def groups_of(node: Expr | None, knowledge: Knowledge) -> Groups | None:
    """What a node of kind ``groups`` or ``column groups`` is made of."""
    if node is None or at(node, knowledge).kind not in ("groups", "column groups"):
        return None
    if isinstance(node.what, Method):
        made = _made(spelled(node, {"groupby": ("by", "level")}), knowledge)
        return made if made is None or made.frame.kind == "frame" else made._replace(column=made.frame.name)
    under = groups_of(node.args[0] if isinstance(node.args[0], Expr) else None, knowledge)
    picked = constant(node.args[1]) if len(node.args) > 1 else getattr(node.what, "name", "")
    if under is None:
        return None
    return under._replace(column=picked) if type(picked) is str else under._replace(picked=tuple(picked))


def _groupby_known(one: Spelled, knowledge: Knowledge) -> Known:
    groups = _made(one, knowledge)
    if groups is None:
        return NOTHING
    if groups.frame.kind == "series":
        return Known("column groups", dtype=groups.frame.dtype, name=groups.frame.name)
    return Known("groups", groups.frame.columns, keys=groups.keys)


def _groupby_needs(one: Spelled, wanted: Wanted, knowledge: Knowledge) -> Needs:
    if wanted is None or _made(one, knowledge) is None:
        return NEEDS_ALL
    members = _members(one.given("by")) if "by" in one.places else []
    keys = [member if type(member) is str else grouper_key(member) for member in members]
    return {0: wanted | {key for key in keys if key is not None}}


# ------------------------------------------------------------------------------------------------- columns of groups


def _column(one: Spelled, knowledge: Knowledge, label: str) -> Known:
    groups = at(one.node.args[0], knowledge)
    if groups.columns is not None and label not in groups.columns:
        return NOTHING
    return Known("column groups", dtype="" if groups.columns is None else groups.columns[label], name=label)


def _picked(one: Spelled) -> str | list[str] | None:
    value = constant(one.node.args[1])
    if type(value) is str:
        return value
    return label_list(value) if type(value) is list else None


def _item_known(one: Spelled, knowledge: Knowledge) -> Known:
    picked, groups = _picked(one), at(one.node.args[0], knowledge)
    if isinstance(picked, str):
        return _column(one, knowledge, picked)
    return groups if picked and len(set(picked)) == len(picked) else NOTHING


def _item_needs(one: Spelled, _wanted: Wanted, _knowledge: Knowledge) -> Needs:
    picked = _picked(one)
    return NEEDS_ALL if picked is None else {0: frozenset([picked] if isinstance(picked, str) else picked)}


def _is_column(one: Spelled, knowledge: Knowledge) -> bool:
    return one.name not in GROUPS_NAMES and one.name in (at(one.node.args[0], knowledge).columns or ())


def _attribute_known(one: Spelled, knowledge: Knowledge) -> Known:
    return _column(one, knowledge, one.name) if _is_column(one, knowledge) else NOTHING


def _attribute_needs(one: Spelled, _wanted: Wanted, knowledge: Knowledge) -> Needs:
    return {0: frozenset({one.name})} if _is_column(one, knowledge) else NEEDS_ALL


_GROUPBY: Final = ("by", "level")

METHODS: ByKind = {
    "frame": {"groupby": Rule(_groupby_known, _groupby_needs, _GROUPBY)},
    "series": {"groupby": Rule(_groupby_known, lambda one, wanted, knowledge: NEEDS_ALL, _GROUPBY)},
}
OPERATORS: ByKind = {"groups": {"getitem": Rule(_item_known, _item_needs)}}
FUNCTIONS: Rules = {}
ATTRIBUTES: ByKind = {}
COLUMN_AS_ATTRIBUTE: Mapping[Kind, Rule] = {"groups": Rule(_attribute_known, _attribute_needs)}
"""For an attribute that no table has: where it is a column's name and no name of pandas'."""
