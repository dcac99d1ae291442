"""Rules of what changes a frame's columns or labels: ``assign``, ``drop``, ``rename``, ``astype``, ``set_index``."""

from __future__ import annotations

from typing import Any, Final

from cloudburst.graph.expr import Expr
from cloudburst.graph.frames.constants import UNKNOWN, constant, label_list
from cloudburst.graph.frames.known import NOTHING, Knowledge, Known
from cloudburst.graph.frames.picking import everything, own, passed
from cloudburst.graph.frames.rule import NEEDS_ALL, ByKind, Needs, Rule, Rules, Wanted, at
from cloudburst.graph.frames.spelled import MISSING, Spelled
from cloudburst.graph.frames.totals import family, is_total, needed
from cloudburst.graph.nodes import Build, FunctionValue, Literal

COLUMN_AXIS: Final = (1, "columns")
SCALAR_DTYPES: Final = {bool: "bool", int: "int64", float: "float64", str: "str"}
"""Of a column made of one scalar."""


def built_keys(arg: Any) -> list[str] | None:
    """The keys of a dict that is given, whatever its values; ``None`` where they are not known or not all ``str``.

    >>> from cloudburst.graph.expr import make
    >>> built_keys(make(Build("dict"), ("a", make(Build("list"), ()), "b", 2)))
    ['a', 'b']
    """
    if isinstance(arg, Expr) and isinstance(arg.what, Build) and arg.what.container == "dict":
        return label_list([constant(key) for key in arg.args[::2]])
    value = constant(arg)
    return label_list(list(value)) if type(value) is dict else None


def _values(one: Spelled) -> dict[str, Any]:
    return {name: one.node.args[place] for name, place in one.places.items() if name != "self"}


# ------------------------------------------------------------------------------------------------------------- assign


def _assign_known(one: Spelled, knowledge: Knowledge) -> Known:
    frame, values = own(one, knowledge), _values(one)
    kinds = {name: at(value, knowledge) for name, value in values.items()}
    if not all(_is_aligned(value, kinds[name], frame) for name, value in values.items()):
        # Other labels can make an empty frame longer, and then its columns have other dtypes.
        columns = None if frame.columns is None else dict.fromkeys([*frame.columns, *values], "")
        return Known("frame", columns)
    if frame.columns is None:
        return frame
    dtypes = {name: kinds[name].dtype or SCALAR_DTYPES.get(type(value), "") for name, value in values.items()}
    return frame._replace(columns={**frame.columns, **dtypes})


def _is_aligned(value: Any, known: Known, frame: Known) -> bool:
    """Whether a value has the frame's own labels, or none."""
    return known.rows == frame.rows if known.kind == "series" else type(value) in SCALAR_DTYPES


def _assign_needs(one: Spelled, wanted: Wanted, knowledge: Knowledge) -> Needs:
    return NEEDS_ALL if any(_may_be_called(value, knowledge) for value in _values(one).values()) else {0: wanted}


def _may_be_called(value: Any, knowledge: Knowledge) -> bool:
    """Whether a value may be a function, which gets the whole frame."""
    if not isinstance(value, Expr):
        return False
    if isinstance(value.what, Literal):
        return value.what.pickled or callable(value.what.value)
    return at(value, knowledge).kind not in ("series", "scalar", "array")


# --------------------------------------------------------------------------------------------------- drop and rename


def _dropped(one: Spelled) -> tuple[list[str], bool] | None:
    """The columns that are dropped, and whether they may lack; ``None`` where that is not known."""
    if not one.only("labels", "axis", "index", "columns", "errors"):
        return None
    errors = one.constant("errors", "raise")
    if errors is UNKNOWN or errors not in ("raise", "ignore"):
        return None
    labels, axis = one.given("labels"), one.constant("axis", 0)
    if axis is UNKNOWN:
        return None
    if labels is MISSING:
        given = one.given("columns")
    elif one.given("columns") is not MISSING or one.given("index") is not MISSING:
        return None
    else:
        given = labels if axis in COLUMN_AXIS else MISSING
    if given is MISSING:
        return [], errors == "ignore"
    dropped = label_list(constant(given))
    return None if dropped is None else (dropped, errors == "ignore")


def _drop_known(one: Spelled, knowledge: Knowledge) -> Known:
    frame, dropped = own(one, knowledge), _dropped(one)
    if dropped is None:
        return NOTHING
    drops_rows = one.given("index") is not MISSING or (
        one.given("labels") is not MISSING and one.constant("axis", 0) not in COLUMN_AXIS
    )
    rows = b"" if drops_rows else frame.rows
    if frame.columns is None:
        return frame._replace(rows=rows)
    kept = {label: dtype for label, dtype in frame.columns.items() if label not in dropped[0]}
    return frame._replace(columns=kept, rows=rows)


def _drop_needs(one: Spelled, wanted: Wanted, _knowledge: Knowledge) -> Needs:
    dropped = _dropped(one)
    if dropped is None:
        return NEEDS_ALL
    labels, may_lack = dropped
    if wanted is None:
        return {0: None}
    return {0: wanted - frozenset(labels) if may_lack else wanted | frozenset(labels)}


def _renamed(one: Spelled) -> dict[Any, Any] | None:
    """New names by old ones, none where only rows are renamed; ``None`` where that is not known."""
    if not one.only("mapper", "index", "columns", "axis", "errors", "copy"):
        return None
    axis, errors = one.constant("axis", 0), one.constant("errors", "ignore")
    if axis is UNKNOWN or errors is UNKNOWN:
        return None
    given = one.given("columns")
    if one.given("mapper") is not MISSING:
        if given is not MISSING or one.given("index") is not MISSING:
            return None
        given = one.given("mapper") if axis in COLUMN_AXIS else MISSING
    elif one.given("axis") is not MISSING:
        return None
    if given is MISSING:
        return {}
    names = constant(given)
    return names if type(names) is dict else None


def _rename_known(one: Spelled, knowledge: Knowledge) -> Known:
    frame, names = own(one, knowledge), _renamed(one)
    if names is None or (names and frame.columns is None):
        return NOTHING
    is_columns_only = one.given("index") is MISSING and bool(names)
    frame = frame if is_columns_only else frame._replace(rows=b"", labels=None)
    if frame.columns is None:
        return frame
    new = [names.get(label, label) for label in frame.columns]
    if any(type(label) is not str for label in new) or len(set(new)) < len(new):
        return NOTHING
    return frame._replace(columns=dict(zip(new, frame.columns.values(), strict=True)))


def _rename_needs(one: Spelled, wanted: Wanted, _knowledge: Knowledge) -> Needs:
    names = _renamed(one)
    if names is None:
        return NEEDS_ALL
    if wanted is None:
        return {0: None}
    must_be = names if one.constant("errors", "ignore") != "ignore" else ()
    of_wanted = {old for old, new in names.items() if new in wanted or old in must_be}
    return {0: wanted | {old for old in of_wanted if type(old) is str}}


def _affixed(before: bool) -> Rule:
    parameter = "prefix" if before else "suffix"

    def new(one: Spelled) -> str | None:
        text = one.constant(parameter)
        return text if one.only(parameter) and type(text) is str else None

    def known(one: Spelled, knowledge: Knowledge) -> Known:
        frame, text = own(one, knowledge), new(one)
        if text is None or frame.columns is None:
            return NOTHING
        names = {(text + name if before else name + text): dtype for name, dtype in frame.columns.items()}
        return frame._replace(columns=names)

    def needs(one: Spelled, wanted: Wanted, _knowledge: Knowledge) -> Needs:
        text = new(one)
        if text is None or wanted is None:
            return NEEDS_ALL
        if before:
            return {0: frozenset(name[len(text) :] for name in wanted if name.startswith(text))}
        return {0: frozenset(name[: len(name) - len(text)] for name in wanted if name.endswith(text))}

    return Rule(known, needs, (parameter, "axis"))


# ------------------------------------------------------------------------------------------------------------- dtypes


def dtype_named(arg: Any) -> str:
    """The dtype that ``astype`` is given, in pandas' words; empty where that is not certain.

    >>> dtype_named("int"), dtype_named("Int64"), dtype_named("datetime64[s]"), dtype_named("banana")
    ('int64', 'Int64', 'datetime64[s]', '')
    """
    if isinstance(arg, Expr) and isinstance(arg.what, FunctionValue):
        kind = arg.what.function
        module = getattr(kind, "__module__", "")
        name = getattr(kind, "__name__", "")
        if kind in SCALAR_DTYPES:
            return SCALAR_DTYPES[kind]
        return name if module == "numpy" and family(name) in ("int", "float") else ""
    name = constant(arg)
    if type(name) is not str:
        return ""
    name = {"int": "int64", "float": "float64"}.get(name, name)
    if family(name) in ("bool", "int", "float", "masked bool", "masked int", "masked float", "str", "category"):
        return name
    return name if name in {f"{kind}64[{unit}]" for kind in ("datetime", "timedelta") for unit in MOMENT_UNITS} else ""


MOMENT_UNITS: Final = ("s", "ms", "us", "ns")


def _by_column(arg: Any) -> dict[str, Any] | None:
    """The arguments in a dict by column; ``None`` where it is none, or its keys are not known."""
    labels = built_keys(arg)
    if labels is None:
        return None
    if isinstance(arg, Expr) and isinstance(arg.what, Build):
        return dict(zip(labels, arg.args[1::2], strict=True))
    return dict(constant(arg))


def _astype_known(one: Spelled, knowledge: Knowledge) -> Known:
    frame, given = own(one, knowledge), one.given("dtype")
    if not one.only("dtype", "copy"):
        return NOTHING
    by_column = _by_column(given)
    if frame.columns is None:
        return frame
    if by_column is None:
        return frame._replace(columns=dict.fromkeys(frame.columns, dtype_named(given)))
    new = {name: dtype_named(dtype) for name, dtype in by_column.items() if name in frame.columns}
    return frame._replace(columns={**frame.columns, **new})


def _astype_needs(one: Spelled, wanted: Wanted, knowledge: Knowledge) -> Needs:
    given = one.given("dtype")
    if not one.only("dtype", "copy") or wanted is None:
        return NEEDS_ALL
    labels = built_keys(given)
    if labels is not None:
        return {0: wanted | frozenset(labels)}
    if dtype_named(given) == "str":
        return {0: needed(own(one, knowledge), wanted, lambda dtype: is_total("to text", dtype))}
    return NEEDS_ALL


def _astype_series(one: Spelled, knowledge: Knowledge) -> Known:
    if not one.only("dtype", "copy") or built_keys(one.given("dtype")) is not None:
        return NOTHING
    return own(one, knowledge)._replace(dtype=dtype_named(one.given("dtype")))


# ------------------------------------------------------------------------------------------------------------ columns


def _reindex_labels(one: Spelled) -> list[str] | None:
    labels = label_list(constant(one.given("columns"))) if one.only("columns") else None
    return labels if type(constant(one.given("columns"))) is list else None


def _reindex_known(one: Spelled, knowledge: Knowledge) -> Known:
    labels, frame = _reindex_labels(one), own(one, knowledge)
    if labels is None or len(set(labels)) < len(labels):
        return NOTHING
    return frame._replace(columns={label: (frame.columns or {}).get(label, "") for label in labels})


def _reindex_needs(one: Spelled, _wanted: Wanted, knowledge: Knowledge) -> Needs:
    """A label that the frame lacks gets a dtype that depends on all others."""
    labels, frame = _reindex_labels(one), own(one, knowledge)
    if labels is None or frame.columns is None or not frame.columns.keys() >= set(labels):
        return NEEDS_ALL
    return {0: frozenset(labels)}


def _renamed_series(one: Spelled, knowledge: Knowledge) -> Known:
    if not one.only("index"):
        return NOTHING
    name, series = one.constant("index"), own(one, knowledge)
    if type(name) is str:
        return series._replace(name=name)
    return series._replace(labels=None, rows=b"") if type(name) is dict else NOTHING


METHODS: ByKind = {
    "frame": {
        "assign": Rule(_assign_known, _assign_needs),
        "drop": Rule(_drop_known, _drop_needs, ("labels",)),
        "rename": Rule(_rename_known, _rename_needs, ("mapper",)),
        "add_prefix": _affixed(before=True),
        "add_suffix": _affixed(before=False),
        "astype": Rule(_astype_known, _astype_needs, ("dtype", "copy", "errors")),
        "reindex": Rule(_reindex_known, _reindex_needs, ("labels",)),
        "infer_objects": Rule(
            lambda one, knowledge: own(one, knowledge)._replace(columns=None) if one.only() else NOTHING, passed
        ),
    },
    "series": {
        "astype": Rule(_astype_series, everything, ("dtype", "copy", "errors")),
        "rename": Rule(_renamed_series, everything, ("index",)),
    },
}
OPERATORS: ByKind = {}
FUNCTIONS: Rules = {}
ATTRIBUTES: ByKind = {}
