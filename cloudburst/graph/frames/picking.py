"""Rules of what picks columns or rows: ``d["a"]``, ``d[["a", "b"]]``, ``d[mask]``, ``d.a``, ``d.head()``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from cloudburst.graph.expr import Expr
from cloudburst.graph.frames.constants import UNKNOWN, constant, label_list
from cloudburst.graph.frames.known import NOTHING, Kind, Knowledge, Known
from cloudburst.graph.frames.rule import NEEDS_ALL, ByKind, Needs, Rule, Rules, Wanted, at
from cloudburst.graph.frames.spelled import Spelled
from cloudburst.graph.frames.totals import MASKS
from cloudburst.graph.nodes import Build

FRAME_NAMES: Final = frozenset(
    "T abs add add_prefix add_suffix agg aggregate align all any apply asfreq asof assign astype at at_time attrs "
    "axes between_time bfill boxplot clip columns combine combine_first compare convert_dtypes copy corr corrwith "
    "count cov cummax cummin cumprod cumsum describe diff div divide dot drop drop_duplicates droplevel dropna dtypes "
    "duplicated empty eq equals eval ewm expanding explode ffill fillna filter first_valid_index flags floordiv "
    "from_arrow from_dict from_records ge get groupby gt head hist iat idxmax idxmin iloc index infer_objects info "
    "insert interpolate isetitem isin isna isnull items iterrows itertuples join keys kurt kurtosis last_valid_index "
    "le loc lt map mask max mean median melt memory_usage merge min mod mode mul multiply ndim ne nlargest notna "
    "notnull nsmallest nunique pct_change pipe pivot pivot_table plot pop pow prod product quantile query radd rank "
    "rdiv reindex reindex_like rename rename_axis reorder_levels replace resample reset_index rfloordiv rmod rmul "
    "rolling round rpow rsub rtruediv sample select select_dtypes sem set_axis set_flags set_index shape shift size "
    "skew sort_index sort_values sparse squeeze stack std style sub subtract sum swaplevel tail take to_clipboard "
    "to_csv to_dict to_excel to_feather to_hdf to_html to_iceberg to_json to_latex to_markdown to_numpy to_orc "
    "to_parquet to_period to_pickle to_records to_sql to_stata to_string to_timestamp to_xarray to_xml transform "
    "transpose truediv truncate tz_convert tz_localize unstack update value_counts values var where xs".split()
)
"""What an attribute of a frame means before it means a column."""


def passed(_one: Spelled, wanted: Wanted, _knowledge: Knowledge) -> Needs:
    """What is wanted of the value is what is needed of the object."""
    return {0: wanted}


def everything(_one: Spelled, _wanted: Wanted, _knowledge: Knowledge) -> Needs:
    """All of every argument."""
    return NEEDS_ALL


def unknown(_one: Spelled, _knowledge: Knowledge) -> Known:
    """Nothing is known of the value."""
    return NOTHING


def own(one: Spelled, knowledge: Knowledge) -> Known:
    """What is known of the object."""
    return at(one.node.args[0], knowledge)


def other_rows(known: Known) -> Known:
    """The same columns in other rows of the same levels."""
    return known._replace(rows=b"")


def is_mask(arg: Any, knowledge: Knowledge) -> bool:
    """Whether an argument is certain to choose rows by a truth value for each."""
    known = at(arg, knowledge)
    if known.kind:
        return known.kind == "truths" or (known.kind == "series" and known.dtype in MASKS)
    value = constant(arg)
    if type(value) is list:
        return bool(value) and all(type(one) is bool for one in value)
    return getattr(value, "ndim", 0) == 1 and str(getattr(value, "dtype", "")) == "bool" and not hasattr(value, "names")


def is_slice(arg: Any) -> bool:
    """Whether an argument is a slice, whatever its bounds.

    >>> from cloudburst.graph.expr import make
    >>> is_slice(make(Build("slice"), (None, 3, None))), is_slice(3)
    (True, False)
    """
    return isinstance(constant(arg), slice) or (
        isinstance(arg, Expr) and isinstance(arg.what, Build) and arg.what.container == "slice"
    )


def column(frame: Known, label: str) -> Known:
    """What is known of a column of a frame."""
    if frame.columns is None:
        return Known("series", labels=frame.labels, name=label, rows=frame.rows)
    if label not in frame.columns:
        return NOTHING
    return Known("series", dtype=frame.columns[label], labels=frame.labels, name=label, rows=frame.rows)


def columns(frame: Known, labels: list[str]) -> Known:
    """What is known of a list of columns of a frame."""
    if len(set(labels)) != len(labels):
        return NOTHING
    if frame.columns is None:
        return frame._replace(columns=dict.fromkeys(labels, ""))
    return frame._replace(columns={label: frame.columns[label] for label in labels if label in frame.columns})


def _item_known(one: Spelled, knowledge: Knowledge) -> Known:
    frame, index = at(one.node.args[0], knowledge), one.node.args[1]
    if at(index, knowledge).kind == "truths" and frame.columns is not None:
        return other_rows(frame)._replace(columns=dict.fromkeys(frame.columns, ""))  # a frame of them takes out cells
    if is_mask(index, knowledge) or is_slice(index):
        return other_rows(frame)
    value = constant(index)
    if type(value) is str:
        return column(frame, value)
    labels = label_list(value) if type(value) is list else None
    return NOTHING if labels is None else columns(frame, labels)


def _item_needs(one: Spelled, wanted: Wanted, knowledge: Knowledge) -> Needs:
    index = one.node.args[1]
    if is_mask(index, knowledge) or is_slice(index):
        return {0: wanted}
    value = constant(index)
    labels = label_list(value) if value is not UNKNOWN and type(value) in (str, list) else None
    return NEEDS_ALL if labels is None else {0: frozenset(labels)}


def _series_item(one: Spelled, knowledge: Knowledge) -> Known:
    index = one.node.args[1]
    if at(index, knowledge).kind == "truths" or not (is_mask(index, knowledge) or is_slice(index)):
        return NOTHING
    return other_rows(own(one, knowledge))


def _get_known(one: Spelled, knowledge: Knowledge) -> Known:
    frame, value = own(one, knowledge), one.constant("key")
    if type(value) is not str or frame.columns is None or value not in frame.columns:
        return NOTHING
    return column(frame, value)


def _get_needs(one: Spelled, _wanted: Wanted, _knowledge: Knowledge) -> Needs:
    value = one.constant("key")
    labels = label_list(value) if value is not UNKNOWN and type(value) in (str, list) else None
    return NEEDS_ALL if labels is None or not one.only("key", "default") else {0: frozenset(labels)}


def _attribute_known(one: Spelled, knowledge: Knowledge) -> Known:
    frame = own(one, knowledge)
    return NOTHING if frame.columns is None or one.name in FRAME_NAMES else column(frame, one.name)


def _attribute_needs(one: Spelled, _wanted: Wanted, knowledge: Knowledge) -> Needs:
    frame = own(one, knowledge)
    if frame.columns is None or one.name in FRAME_NAMES or one.name not in frame.columns:
        return NEEDS_ALL
    return {0: frozenset({one.name})}


def row_picker(*parameters: str, also: tuple[str, ...] = ()) -> Rule:
    """A rule of a method that picks rows by their place or label alone.

    Parameters
    ----------
    *parameters : str
        Those that can be given by place.
    also : tuple of str
        Those that are given by name.
    """

    def is_plain(one: Spelled) -> bool:
        return one.only(*parameters, *also) and type(one.constant("weights")) is not str

    def known(one: Spelled, knowledge: Knowledge) -> Known:
        if not is_plain(one):
            return NOTHING
        return relabelled(one, other_rows(own(one, knowledge)))

    def needs(one: Spelled, wanted: Wanted, _knowledge: Knowledge) -> Needs:
        return {0: wanted} if is_plain(one) and one.constant("weights") is not UNKNOWN else NEEDS_ALL

    return Rule(known, needs, parameters)


def relabelled(one: Spelled, known: Known) -> Known:
    """With the labels that ``ignore_index=`` leaves: a range, the old ones, or nobody knows."""
    ignore = one.constant("ignore_index", False)
    if ignore is False:
        return known
    return known._replace(rows=b"", labels=() if ignore is True else None)


def same_kind(known: Callable[[Spelled, Knowledge], Known]) -> Rule:
    """A rule of an op on a series, which needs all of it."""
    return Rule(known, everything)


def _index_known(one: Spelled, knowledge: Knowledge) -> Known:
    labels = own(one, knowledge).labels
    dtype = "" if labels is None or len(labels) > 1 else "int64" if not labels else labels[0][1]
    return Known("index", dtype=dtype)


_SAMPLE = row_picker("n", "frac", "replace", "weights", "random_state", also=("ignore_index",))
ROW_PICKERS: dict[str, Rule] = {
    "head": row_picker("n"),
    "tail": row_picker("n"),
    "sample": _SAMPLE,
    "take": row_picker("indices"),
    "truncate": row_picker("before", "after"),
}
_COPY = Rule(lambda one, knowledge: own(one, knowledge) if one.only("deep") else NOTHING, passed, ("deep",))

METHODS: ByKind = {
    "frame": {**ROW_PICKERS, "copy": _COPY, "get": Rule(_get_known, _get_needs, ("key", "default"))},
    "series": {**ROW_PICKERS, "copy": _COPY},
}
OPERATORS: ByKind = {
    "frame": {"getitem": Rule(_item_known, _item_needs)},
    "series": {"getitem": Rule(_series_item, everything)},
}
FUNCTIONS: Rules = {}
ATTRIBUTES: ByKind = {
    "frame": {"index": Rule(_index_known, lambda one, wanted, knowledge: {0: frozenset()})},
    "series": {"index": Rule(_index_known, everything)},
}
COLUMN_AS_ATTRIBUTE: Mapping[Kind, Rule] = {"frame": Rule(_attribute_known, _attribute_needs)}
"""For an attribute that no table has: where it is a column's name and no name of pandas'."""
