"""Rules of what chooses rows, orders or labels them by columns: ``sort_values``, ``dropna``, ``set_index``."""

from __future__ import annotations

from cloudburst.graph.frames.constants import UNKNOWN, constant, label_list
from cloudburst.graph.frames.known import NOTHING, Knowledge, Known
from cloudburst.graph.frames.picking import everything, other_rows, own, relabelled
from cloudburst.graph.frames.rule import NEEDS_ALL, ByKind, Needs, Rule, Rules, Wanted
from cloudburst.graph.frames.spelled import MISSING, Spelled
from cloudburst.graph.frames.totals import family


def _by_columns(parameter: str, parameters: tuple[str, ...], also: tuple[str, ...]) -> Rule:
    """A rule of a method that looks at the columns that a parameter names, and at no other."""

    def labels(one: Spelled) -> list[str] | None:
        given = one.given(parameter)
        is_on_rows = one.constant("axis", 0) in (0, "index") if one.constant("axis", 0) is not UNKNOWN else False
        if given is MISSING or not is_on_rows or not one.only(*parameters, *also):
            return None
        return label_list(constant(given))

    def known(one: Spelled, knowledge: Knowledge) -> Known:
        return relabelled(one, other_rows(own(one, knowledge))) if labels(one) is not None else NOTHING

    def needs(one: Spelled, wanted: Wanted, _knowledge: Knowledge) -> Needs:
        names = labels(one)
        if names is None:
            return NEEDS_ALL
        return {0: None if wanted is None else wanted | frozenset(names)}

    return Rule(known, needs, parameters)


_DROP_MISSING = _by_columns("subset", (), ("subset", "axis", "how", "thresh", "ignore_index"))
_DROP_REPEATED = _by_columns("subset", ("subset", "keep"), ("ignore_index",))
_NEVER_MISSING = frozenset({"bool", "int"})


def _looks_at_all(one: Spelled, *parameters: str) -> bool:
    return one.given("subset") is MISSING and one.only(*parameters)


def _dropna_known(one: Spelled, knowledge: Knowledge) -> Known:
    if _looks_at_all(one, "how", "thresh", "ignore_index"):
        return relabelled(one, other_rows(own(one, knowledge)))
    return _DROP_MISSING.known(one, knowledge)


def _dropna_needs(one: Spelled, wanted: Wanted, knowledge: Knowledge) -> Needs:
    if not _looks_at_all(one, "how", "ignore_index"):
        return _DROP_MISSING.needs(one, wanted, knowledge)
    frame = own(one, knowledge)
    how = one.constant("how", "any")
    if wanted is None or frame.columns is None or how is UNKNOWN or how != "any":
        return NEEDS_ALL
    return {0: wanted | {name for name, dtype in frame.columns.items() if family(dtype) not in _NEVER_MISSING}}


def _drop_repeated_needs(one: Spelled, wanted: Wanted, knowledge: Knowledge) -> Needs:
    """A frame without columns counts as empty, and then nobody asks whether the column is there."""
    labels, frame = label_list(one.constant("subset", UNKNOWN)), own(one, knowledge)
    if labels is None or frame.columns is None or not all(label in frame.columns for label in labels):
        return NEEDS_ALL
    return _DROP_REPEATED.needs(one, wanted, knowledge) if labels else NEEDS_ALL


def _drop_repeated_known(one: Spelled, knowledge: Knowledge) -> Known:
    frame = own(one, knowledge)
    if _looks_at_all(one, "keep", "ignore_index"):
        known = relabelled(one, other_rows(frame))
    else:
        known = _DROP_REPEATED.known(one, knowledge)
    # An empty frame keeps its labels, whatever is asked for.
    return known if known.labels == frame.labels else known._replace(labels=None)


def _repeated_known(one: Spelled, knowledge: Knowledge) -> Known:
    if not one.only("subset", "keep"):
        return NOTHING
    frame = own(one, knowledge)
    return Known("series", dtype="bool", labels=frame.labels, rows=frame.rows)


def _repeated_needs(one: Spelled, _wanted: Wanted, knowledge: Knowledge) -> Needs:
    return _drop_repeated_needs(one, frozenset(), knowledge)


def _sort_index_plain(one: Spelled) -> bool:
    axis = one.constant("axis", 0)
    return axis is not UNKNOWN and axis in (0, "index") and one.only(*_SORT_INDEX, "axis")


_SORT_INDEX = ("level", "ascending", "kind", "na_position", "sort_remaining", "ignore_index")


def _sort_index_known(one: Spelled, knowledge: Knowledge) -> Known:
    return relabelled(one, other_rows(own(one, knowledge))) if _sort_index_plain(one) else NOTHING


def _sort_index_needs(one: Spelled, wanted: Wanted, _knowledge: Knowledge) -> Needs:
    return {0: wanted} if _sort_index_plain(one) else NEEDS_ALL


def _kept(*parameters: str, by_place: tuple[str, ...] = ()) -> Rule:
    """A rule of a method of a series that picks or orders its rows."""

    def known(one: Spelled, knowledge: Knowledge) -> Known:
        if not one.only(*parameters, *by_place):
            return NOTHING
        return relabelled(one, other_rows(own(one, knowledge)))

    return Rule(known, everything, by_place)


# ------------------------------------------------------------------------------------------- the index and the columns


def _keys(one: Spelled) -> list[str] | None:
    if not one.only("keys", "drop", "append", "verify_integrity"):
        return None
    return label_list(constant(one.given("keys")))


def _level(frame: Known, key: str) -> str:
    """The dtype of a level made of a column: of no rows, small integers become others; ``object`` is looked through."""
    dtype = (frame.columns or {}).get(key, "")
    return dtype if dtype == "int64" or family(dtype) not in ("", "int") else ""


def _set_index_known(one: Spelled, knowledge: Knowledge) -> Known:
    frame, keys, drop, append = (
        own(one, knowledge),
        _keys(one),
        one.constant("drop", True),
        one.constant("append", False),
    )
    if keys is None or drop is UNKNOWN or append is UNKNOWN:
        return NOTHING
    levels: tuple[tuple[str, str], ...] | None = tuple((key, _level(frame, key)) for key in keys)
    if append or len(set(keys)) < len(keys):
        levels = None
    frame = frame._replace(labels=levels, rows=b"")
    if frame.columns is None or not drop:
        return frame
    return frame._replace(columns={name: dtype for name, dtype in frame.columns.items() if name not in keys})


def _set_index_needs(one: Spelled, wanted: Wanted, _knowledge: Knowledge) -> Needs:
    keys = _keys(one)
    if keys is None or wanted is None:
        return NEEDS_ALL
    return {0: wanted | frozenset(keys)}


def _inserted(known: Known) -> tuple[tuple[str, str], ...] | None:
    """The columns that ``reset_index`` makes of the levels, where no column may be in their way."""
    if known.labels is None or known.columns is None:
        return None
    if known.labels:
        return None if any(name in known.columns for name, _ in known.labels) else known.labels
    return (("index" if "index" not in known.columns else "level_0", "int64"),)


def _reset_known(one: Spelled, knowledge: Knowledge) -> Known:
    frame, drop = own(one, knowledge), one.constant("drop", False)
    if not one.only("drop") or drop is UNKNOWN:
        return NOTHING
    if drop:
        return frame._replace(labels=(), rows=b"")
    levels = _inserted(frame)
    if levels is None or frame.columns is None or any(name in frame.columns for name, _ in levels):
        return NOTHING
    return frame._replace(columns={**dict(levels), **frame.columns}, labels=(), rows=b"")


def _reset_needs(one: Spelled, wanted: Wanted, knowledge: Knowledge) -> Needs:
    drop, labels = one.constant("drop", False), own(one, knowledge).labels
    if not one.only("drop") or drop is UNKNOWN or wanted is None:
        return NEEDS_ALL
    if drop:
        return {0: wanted}
    if labels is None:
        return NEEDS_ALL
    return {0: wanted | {name for name, _ in labels} | ({"index", "level_0"} if not labels else set())}


def _reset_series(one: Spelled, knowledge: Knowledge) -> Known:
    series, drop = own(one, knowledge), one.constant("drop", False)
    if not one.only("drop", "name") or drop is UNKNOWN:
        return NOTHING
    if drop:
        return series._replace(labels=(), rows=b"")
    name = one.constant("name", series.name)
    if type(name) is not str:
        return NOTHING
    frame = Known("frame", {name: series.dtype}, labels=series.labels)
    levels = _inserted(frame)
    if levels is None or any(level == name for level, _ in levels):
        return NOTHING
    return Known("frame", {**dict(levels), name: series.dtype}, labels=())


def _to_frame(one: Spelled, knowledge: Knowledge) -> Known:
    series = own(one, knowledge)
    name = one.constant("name", series.name)
    if not one.only("name") or type(name) is not str:
        return NOTHING
    return Known("frame", {name: series.dtype}, labels=series.labels, rows=series.rows)


def _explode_labels(one: Spelled) -> list[str] | None:
    return label_list(constant(one.given("column"))) if one.only("column", "ignore_index") else None


def _explode_known(one: Spelled, knowledge: Knowledge) -> Known:
    labels, frame = _explode_labels(one), own(one, knowledge)
    if labels is None:
        return NOTHING
    frame = relabelled(one, other_rows(frame))
    if frame.columns is None:
        return frame
    return frame._replace(columns={**frame.columns, **{name: "" for name in labels if name in frame.columns}})


def _explode_needs(one: Spelled, wanted: Wanted, _knowledge: Knowledge) -> Needs:
    labels = _explode_labels(one)
    return NEEDS_ALL if labels is None or wanted is None else {0: wanted | frozenset(labels)}


_SORT = ("axis", "ascending", "kind", "na_position", "ignore_index")

METHODS: ByKind = {
    "frame": {
        "sort_values": _by_columns("by", ("by",), _SORT),
        "sort_index": Rule(_sort_index_known, _sort_index_needs),
        "nlargest": _by_columns("columns", ("n", "columns", "keep"), ()),
        "nsmallest": _by_columns("columns", ("n", "columns", "keep"), ()),
        "dropna": Rule(_dropna_known, _dropna_needs),
        "drop_duplicates": Rule(_drop_repeated_known, _drop_repeated_needs, ("subset",)),
        "duplicated": Rule(_repeated_known, _repeated_needs, ("subset", "keep")),
        "set_index": Rule(_set_index_known, _set_index_needs, ("keys",)),
        "reset_index": Rule(_reset_known, _reset_needs, ("level",)),
        "explode": Rule(_explode_known, _explode_needs, ("column", "ignore_index")),
    },
    "series": {
        "sort_values": _kept("ascending", "kind", "na_position", "ignore_index"),
        "sort_index": _kept(*_SORT_INDEX),
        "nlargest": _kept(by_place=("n", "keep")),
        "nsmallest": _kept(by_place=("n", "keep")),
        "dropna": _kept("ignore_index"),
        "drop_duplicates": _kept("keep", "ignore_index"),
        "reset_index": Rule(_reset_series, everything, ("level",)),
        "to_frame": Rule(_to_frame, everything, ("name",)),
    },
}
OPERATORS: ByKind = {}
FUNCTIONS: Rules = {}
ATTRIBUTES: ByKind = {}
