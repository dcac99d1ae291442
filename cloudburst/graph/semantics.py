"""What is known of pandas' own names: which make less of a value, which are views on it, which write, which are impure.

A name that is in no table is taken as the worst: it makes more, it may write, and it is worked out where it is used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cloudburst.graph.expr import Expr
from cloudburst.graph.nodes import Attribute, Build, FunctionValue, Literal, Method, Narrow, Operator, Relabel, Source

_URL = re.compile(r"[a-z][a-z0-9+]+://")

ACCESSORS = frozenset({"str", "dt", "cat", "sparse", "struct", "list", "loc", "iloc", "at", "iat", "plot", "style"})
"""Attributes that are views on a value and cannot leave the process."""

WINDOWS = frozenset({"groupby", "rolling", "expanding", "ewm", "resample", "items", "iterrows", "itertuples"})
"""Methods whose result is a view on the value beneath."""

REDUCTIONS = frozenset(
    "agg aggregate all any argmax argmin count describe first idxmax idxmin item kurt last max mean median min mode "
    "nunique prod product quantile sem size skew std sum unique value_counts var memory_usage to_list tolist".split()
)

FILTERS = frozenset(
    "drop drop_duplicates dropna filter first_valid_index get head nlargest nsmallest nth pop query sample tail "
    "last_valid_index truncate xs squeeze".split()
)

SHRINKING = REDUCTIONS | FILTERS
"""Methods whose result is smaller than the value."""

WRITING = frozenset(
    "append clear extend insert pop popitem remove reverse setdefault setflags sort update add discard fill put "
    "partition byteswap resize itemset write writelines fit partial_fit fit_transform train step".split()
)
"""Methods that may write to the value itself, on pandas or on other types."""

IMPURE_METHODS = frozenset(
    "to_csv to_parquet to_sql to_excel to_json to_feather to_pickle to_hdf to_orc to_stata to_html to_latex "
    "to_markdown to_xml to_clipboard to_iceberg".split()
)
"""Methods that write somewhere: each call is its own."""

IMPURE_READERS = frozenset("read_sql read_sql_query read_sql_table read_clipboard read_html read_iceberg".split())
"""Functions of pandas that read what may change under one name."""


def is_impure_method(name: str, keywords: Mapping[str, object]) -> bool:
    """Whether two equal calls of this method may differ.

    >>> is_impure_method("sample", {}), is_impure_method("sample", {"random_state": 1}), is_impure_method("sum", {})
    (True, False, False)
    """
    return name in IMPURE_METHODS or (name == "sample" and keywords.get("random_state") is None)


def is_impure_reader(name: str, args: Sequence[object], keywords: Mapping[str, object]) -> bool:
    """Whether a function of pandas reads what may change under one name: a database, the clipboard, a URL.

    >>> is_impure_reader("read_sql", (), {}), is_impure_reader("read_csv", ("https://a.org/b.csv",), {})
    (True, True)
    >>> is_impure_reader("read_csv", ("b.csv",), {}), is_impure_reader("to_datetime", ("https://a.org",), {})
    (False, False)
    """
    if name in IMPURE_READERS:
        return True
    given = (*args[:1], *keywords.values())
    return name.startswith("read_") and any(isinstance(one, str) and _URL.match(one) for one in given)


def is_view(node: Expr, views: set[bytes]) -> bool:
    """Whether the value is made again wherever it is used: it cannot be stored, or it is only structure."""
    what = node.what
    if isinstance(what, Build | Source):  # a file is read by each task that uses it, and only as far as that does
        return True
    if isinstance(what, Method):
        return what.name in WINDOWS
    if isinstance(what, Attribute) and what.name in ACCESSORS:
        return True
    if isinstance(what, Attribute) or (isinstance(what, Operator) and what.name == "getitem"):
        beneath = node.args[0]
        return type(beneath) is Expr and beneath.key in views and is_group_by(beneath)
    return False


def is_group_by(node: Expr) -> bool:
    """Whether a view is a group-by or a window, of which an item is a view again."""
    while isinstance(node.what, Attribute | Operator) and type(node.args[0]) is Expr:
        node = node.args[0]
    return isinstance(node.what, Method) and node.what.name in WINDOWS


def shrinks(node: Expr) -> bool:
    """Whether the value is known to be smaller than what it is made of."""
    what = node.what
    if isinstance(what, Method):
        return what.name in SHRINKING
    if isinstance(what, Attribute | Narrow | Relabel):
        return True
    return isinstance(what, Operator) and what.name == "getitem"


def is_projection(node: Expr) -> bool:
    """Whether the value is just a column, or columns, of what it is made of."""
    what = node.what
    if isinstance(what, Attribute | Narrow):
        return True
    if not (isinstance(what, Operator) and what.name == "getitem"):
        return False
    index = node.args[1]
    if type(index) is not Expr:
        return type(index) is str
    labels = index.what.value if isinstance(index.what, Literal) else None
    return type(labels) is list and all(type(label) is str for label in labels)


def may_write(node: Expr) -> bool:
    """Whether the op may write to its arguments; a function that it is given may do anything."""
    what = node.what
    if isinstance(what, Attribute | Build | Narrow | Operator | Relabel):
        return False
    if not isinstance(what, Method) or what.name in WRITING or what.name not in _PURE_METHODS:
        return True
    return any(isinstance(child.what, FunctionValue) for child in node.children)


_PURE_METHODS = SHRINKING | WINDOWS | frozenset(
    "abs add_prefix add_suffix apply applymap asfreq assign astype at_time between between_time bfill clip combine "
    "combine_first compare convert_dtypes copy corr cov cummax cummin cumprod cumsum cut diff div divide dot eq "
    "equals explode factorize ffill fillna floordiv ge gt infer_objects interpolate isin isna isnull join keys le lt "
    "map mask melt merge mod mul multiply ne notna notnull nunique pct_change pivot pivot_table pow radd rank rdiv "
    "reindex rename rename_axis reorder_levels replace reset_index rfloordiv rmod rmul round rpow rsub rtruediv "
    "searchsorted select_dtypes set_axis set_index shift sort_index sort_values stack sub subtract swaplevel "
    "to_dict to_frame to_numpy to_period to_records to_string to_timestamp transform transpose truediv "
    "tz_convert tz_localize unstack where lower upper strip contains startswith endswith len split extract zfill "
    "strftime normalize floor ceil to_pydatetime cumcount ngroup ngroups rolling cat get_group".split()
)  # fmt: skip
