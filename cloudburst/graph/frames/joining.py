"""Rules of what puts frames together: ``merge``, ``join``, ``merge_asof`` and ``concat``.

What a join names its columns depends on the columns of both sides: names that meet get suffixes, and some meetings are
errors. It is worked out here as pandas does, and only where the columns of both sides are known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from cloudburst.graph.expr import Expr
from cloudburst.graph.frames.constants import label_list
from cloudburst.graph.frames.known import NOTHING, Knowledge, Known
from cloudburst.graph.frames.rule import NEEDS_ALL, ByKind, Needs, Rule, Rules, Wanted, at
from cloudburst.graph.frames.spelled import Spelled
from cloudburst.graph.nodes import Build

_KEEPS_LEFT: Final = frozenset({"inner", "left", "cross", "left_anti"})
"""Joins all of whose rows have one of the left side, so that its columns keep their dtypes."""
_KEEPS_RIGHT: Final = frozenset({"inner", "right", "cross", "right_anti"})
_HOW: Final = _KEEPS_LEFT | _KEEPS_RIGHT | {"outer"}
_HAVE_MISSING: Final = frozenset({"float64", "float32", "Float64", "Float32", "Int64", "boolean", "str"})
"""Dtypes that stay as they are when rows without a value come in. Dates do too."""


class _Join(NamedTuple):
    """A join whose spelling is understood."""

    left: Mapping[str, str]
    right: Mapping[str, str]
    places: tuple[int, int]
    """Of both sides in the node's arguments."""
    how: str
    left_on: tuple[str, ...]
    right_on: tuple[str, ...]
    shared: frozenset[str]
    """Keys of one name on both sides: they become one column."""
    suffixes: tuple[str | None, str | None]
    on_index: bool = False
    """Whether a side is joined by its index."""
    indicator: str = ""
    """The name of the column that tells where a row came from; empty without one."""


class _Origin(NamedTuple):
    """Where a column of the result comes from."""

    is_left: bool
    label: str
    met: bool
    """Whether the other side has a column of that name too, so that both have suffixes."""


def _origins(join: _Join) -> dict[str, _Origin] | None:
    """The columns of the result in order, but the indicator; ``None`` where pandas raises, or would name two alike."""
    right_labels = [label for label in join.right if label not in join.shared]
    met = join.left.keys() & set(right_labels)
    if met and not any(join.suffixes):
        return None
    if join.on_index and met & {*join.left_on, *join.right_on}:  # pandas adds the key once more
        return None
    if join.indicator and {join.indicator, "_left_indicator", "_right_indicator"} & (
        join.left.keys() | join.right.keys()
    ):
        return None
    every: dict[str, _Origin] = {}
    for is_left, labels, suffix in ((True, [*join.left], join.suffixes[0]), (False, right_labels, join.suffixes[1])):
        for label in labels:
            name = label + suffix if label in met and suffix is not None else label
            if name in every:
                return None
            every[name] = _Origin(is_left, label, label in met)
    return None if join.indicator in every else every


def _dtype(join: _Join, origin: _Origin) -> str:
    own, other = (join.left, join.right) if origin.is_left else (join.right, join.left)
    own_on, other_on = (join.left_on, join.right_on) if origin.is_left else (join.right_on, join.left_on)
    dtype = own[origin.label]
    if origin.label in own_on:
        matched = {other[theirs] for mine, theirs in zip(own_on, other_on, strict=False) if mine == origin.label}
        if matched != {dtype} or dtype in ("category", "object"):
            return ""  # pandas may bring both to another one, or fill it from the other side's index
        if origin.label in join.shared:
            return dtype
    elif not origin.is_left and origin.label in join.left_on:
        return ""
    if join.how in (_KEEPS_LEFT if origin.is_left else _KEEPS_RIGHT):
        return dtype
    has_missing = dtype in _HAVE_MISSING or dtype.startswith("datetime64")
    return dtype if has_missing and not join.how.endswith("anti") else ""


def _join_known(join: _Join | None) -> Known:
    origins = None if join is None else _origins(join)
    if join is None or origins is None:
        return NOTHING
    columns = {name: _dtype(join, origin) for name, origin in origins.items()}
    if join.indicator:
        columns[join.indicator] = "category"
    return Known("frame", columns, labels=None if join.on_index else ())


def _join_needs(join: _Join | None, wanted: Wanted) -> Needs:
    origins = None if join is None else _origins(join)
    if join is None or wanted is None or origins is None:
        return NEEDS_ALL
    of_left, of_right = set(join.left_on), set(join.right_on)
    of_right.update(label for label in join.left_on if label in join.right)  # pandas casts it as it casts the key
    for name, origin in origins.items():
        if origin.met:  # what meets something is to meet it again: else it has another name, and meets what comes later
            of_left.add(origin.label)  # to leave out both does not do: one may be there because another op wants it
            of_right.add(origin.label)
        elif name in wanted:
            (of_left if origin.is_left else of_right).add(origin.label)
    return {join.places[0]: frozenset(of_left), join.places[1]: frozenset(of_right)}


def _keys(one: Spelled, parameter: str) -> tuple[str, ...] | None:
    """The labels given as keys, none where none are; ``None`` for what are not labels."""
    value = one.constant(parameter)
    if value is None:
        return ()
    labels = label_list(value) if type(value) in (str, list) else None
    return tuple(labels) if labels else None


def _matched(
    one: Spelled, left: Mapping[str, str], right: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The keys of both sides by ``on`` and what goes with it; those of a side that goes by its index are none."""
    on, left_on, right_on = _keys(one, "on"), _keys(one, "left_on"), _keys(one, "right_on")
    by_left, by_right = one.constant("left_index", False), one.constant("right_index", False)
    if on is None or left_on is None or right_on is None or not type(by_left) is type(by_right) is bool:
        return None
    if on:
        return None if left_on or right_on or by_left or by_right else (on, on)
    if not (left_on or right_on or by_left or by_right):
        common = tuple(label for label in left if label in right)
        return (common, common) if common else None
    if (
        bool(left_on) == by_left
        or bool(right_on) == by_right
        or (left_on and right_on and len(left_on) != len(right_on))
    ):
        return None
    return left_on, right_on


def _columns(
    one: Spelled, left: str, right: str, knowledge: Knowledge
) -> tuple[Mapping[str, str], Mapping[str, str]] | None:
    """The columns of both sides, where those of both are known."""
    one_side, other_side = at(one.given(left), knowledge), at(one.given(right), knowledge)
    if one_side.kind != "frame" or other_side.kind != "frame":
        return None
    if one_side.columns is None or other_side.columns is None:
        return None
    return one_side.columns, other_side.columns


def _suffixes(value: Any) -> tuple[str | None, str | None] | None:
    if type(value) not in (list, tuple) or len(value) != 2:
        return None
    return tuple(value) if all(one is None or type(one) is str for one in value) else None


def _made(join: _Join) -> _Join | None:
    """The join, where all its keys are columns: else they may be names of the index's levels."""
    return join if join.left.keys() >= set(join.left_on) and join.right.keys() >= set(join.right_on) else None


def _merge(one: Spelled, left: str, knowledge: Knowledge) -> _Join | None:
    sides = _columns(one, left, "right", knowledge)
    how, indicator = one.constant("how", "inner"), one.constant("indicator", False)
    suffixes = _suffixes(one.constant("suffixes", ("_x", "_y")))
    if sides is None or suffixes is None or type(how) is not str or how not in _HOW or "copy" in one.places:
        return None
    if type(indicator) not in (bool, str):
        return None
    if how != "cross":
        keys = _matched(one, *sides)
    else:
        keys = ((), ()) if not {"on", "left_on", "right_on", "left_index", "right_index"} & one.places.keys() else None
    if keys is None:
        return None
    shared = frozenset(one for one, other in zip(*keys, strict=False) if one == other)
    on_index = how != "cross" and not all(keys)
    indicator = "_merge" if indicator is True else indicator or ""
    places = (one.places[left], one.places["right"])
    return _made(_Join(*sides, places, how, *keys, shared, suffixes, on_index, indicator))


def _asof(one: Spelled, knowledge: Knowledge) -> _Join | None:
    sides = _columns(one, "left", "right", knowledge)
    suffixes = _suffixes(one.constant("suffixes", ("_x", "_y")))
    by, left_by, right_by = _keys(one, "by"), _keys(one, "left_by"), _keys(one, "right_by")
    if sides is None or suffixes is None or by is None or left_by is None or right_by is None:
        return None
    keys = _matched(one, *sides)
    if keys is None or len(left_by) != len(right_by) or (by and (left_by or right_by)):
        return None
    left_by, right_by = left_by or by, right_by or by
    pairs = [*zip(left_by, right_by, strict=True), *zip(*keys, strict=False)]
    shared = frozenset(one for one, other in pairs if one == other)
    places = (one.places["left"], one.places["right"])
    left_on, right_on = left_by + keys[0], right_by + keys[1]
    return _made(_Join(*sides, places, "left", left_on, right_on, shared, suffixes, not all(keys)))


def _join(one: Spelled, knowledge: Knowledge) -> _Join | None:
    sides = _columns(one, "self", "other", knowledge)
    how, on = one.constant("how", "left"), _keys(one, "on")
    if sides is None or type(how) is not str or how not in _HOW or on is None or (how == "cross" and on):
        return None
    if "suffixes" in one.places:
        given = None if {"lsuffix", "rsuffix"} & one.places.keys() else one.constant("suffixes")
    else:
        given = (one.constant("lsuffix", ""), one.constant("rsuffix", ""))
    suffixes = _suffixes(given)
    if suffixes is None:
        return None
    places = (one.places["self"], one.places["other"])
    return _made(_Join(*sides, places, how, on, (), frozenset(), suffixes, how != "cross"))


def _rule(understood: Callable[[Spelled, Knowledge], _Join | None], parameters: Iterable[str]) -> Rule:
    names = tuple(parameters)

    def known(one: Spelled, knowledge: Knowledge) -> Known:
        return _join_known(understood(one, knowledge))

    def needs(one: Spelled, wanted: Wanted, knowledge: Knowledge) -> Needs:
        return _join_needs(understood(one, knowledge), wanted)

    return Rule(known, needs, names)


def _members(one: Spelled, knowledge: Knowledge) -> list[Mapping[str, str]] | None:
    """The columns of each frame of those that are put below one another, where all is known of them."""
    objs = one.given("objs")
    if not isinstance(objs, Expr) or not isinstance(objs.what, Build) or objs.what.container not in ("list", "tuple"):
        return None
    axis = one.constant("axis", 0)
    if type(axis) not in (int, str) or axis not in (0, "index", "rows") or one.constant("sort", False) is not False:
        return None
    if one.constant("join", "outer") not in ("outer", "inner") or "copy" in one.places:
        return None
    frames = [at(member, knowledge) for member in objs.args]
    columns = [frame.columns for frame in frames if frame.kind == "frame" and frame.columns is not None]
    return columns if columns and len(columns) == len(frames) else None


def _concat_known(one: Spelled, knowledge: Knowledge) -> Known:
    members = _members(one, knowledge)
    if members is None:
        return NOTHING
    every = dict.fromkeys(label for member in members for label in member)
    if one.constant("join", "outer") == "inner":
        every = dict.fromkeys(label for label in every if all(label in member for member in members))
    columns: dict[str, str] = {}
    for label in every:
        dtypes = {member.get(label, "") for member in members}
        (dtype,) = dtypes if len(dtypes) == 1 else ("",)
        columns[label] = "" if dtype == "category" else dtype
    return Known("frame", columns, labels=_concat_labels(one, knowledge))


def _concat_labels(one: Spelled, knowledge: Knowledge) -> tuple[tuple[str, str], ...] | None:
    """The levels of the index: those of each frame, where they all have the same."""
    if one.constant("ignore_index", False) is True:
        return ()
    objs = one.given("objs")
    every = {at(member, knowledge).labels for member in objs.args}
    if len(every) != 1 or not one.only("objs", "axis", "join", "sort", "verify_integrity"):
        return None
    (labels,) = every
    return None if labels is None else tuple((name, "" if dtype == "category" else dtype) for name, dtype in labels)


def _concat_needs(one: Spelled, wanted: Wanted, knowledge: Knowledge) -> Needs:
    """A frame that has none of the wanted columns keeps its first: without a column or a row it is passed over."""
    members = _members(one, knowledge)
    if members is None or wanted is None:
        return NEEDS_ALL
    first = {next(iter(member)) for member in members if member and not wanted & member.keys()}
    return {one.places["objs"]: wanted | first}


def _container_known(_one: Spelled, _knowledge: Knowledge) -> Known:
    return NOTHING


def _container_needs(one: Spelled, wanted: Wanted, knowledge: Knowledge) -> Needs:
    """Only ``concat`` wants less than all of a list, and that of each frame in it."""
    return {place: wanted for place, member in enumerate(one.node.args) if at(member, knowledge).kind == "frame"}


_MERGE: Final = (
    *("right", "how", "on", "left_on", "right_on", "left_index", "right_index"),
    *("sort", "suffixes", "copy", "indicator", "validate"),
)
_ASOF: Final = (
    *("left", "right", "on", "left_on", "right_on", "left_index", "right_index", "by", "left_by", "right_by"),
    *("suffixes", "tolerance", "allow_exact_matches", "direction"),
)
_CONTAINER: Final = Rule(_container_known, _container_needs)

METHODS: ByKind = {
    "frame": {
        "merge": _rule(lambda one, knowledge: _merge(one, "self", knowledge), _MERGE),
        "join": _rule(_join, ("other", "on", "how", "lsuffix", "rsuffix", "sort", "validate")),
    }
}
OPERATORS: ByKind = {}
ATTRIBUTES: ByKind = {}
FUNCTIONS: Rules = {
    "merge": _rule(lambda one, knowledge: _merge(one, "left", knowledge), ("left", *_MERGE)),
    "merge_asof": _rule(_asof, _ASOF),
    "concat": Rule(_concat_known, _concat_needs, ("objs",)),
}
CONTAINERS: Rules = {"list": _CONTAINER, "tuple": _CONTAINER}
"""Rules of what is built of frames, by the kind of container."""
