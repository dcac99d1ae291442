"""Ops on frames given only what their rules say that they need, held against the same ops on all of it."""

from __future__ import annotations

import random
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

import cloudburst as cb
from cloudburst.graph.expr import Expr
from cloudburst.graph.frames.known import Known
from cloudburst.graph.frames.rule import Wanted, union
from cloudburst.graph.frames.rules import known_of, needs_of
from cloudburst.graph.walk import topological
from tests.graph.frames.evaluation import worked_out

DTYPES = (
    *("int64", "int64", "int8", "uint64", "float64", "float32", "bool", "str", "datetime64[us]", "datetime64[ns, UTC]"),
    *("timedelta64[us]", "Int64", "Int8", "Float64", "boolean", "category", "ordered", "numbers", "object"),
)


def column(rng: random.Random, rows: int, dtype: str) -> pd.Series:
    """Random values of a dtype, few and with missing ones where it has such."""
    numbers = [rng.randrange(4) for _ in range(rows)]
    gaps = [rng.random() < 0.25 for _ in range(rows)]
    if dtype in ("int64", "int8", "uint64"):
        return pd.Series(numbers, dtype=dtype)
    if dtype in ("float64", "float32"):
        return pd.Series([np.nan if gap else n / 2 for n, gap in zip(numbers, gaps, strict=True)], dtype=dtype)
    if dtype == "bool":
        return pd.Series([n > 1 for n in numbers], dtype="bool")
    texts = [None if gap else "abcd"[n] for n, gap in zip(numbers, gaps, strict=True)]
    if dtype in ("str", "category"):
        return pd.Series(texts, dtype="str").astype(dtype)
    if dtype == "ordered":
        return pd.Series(pd.Categorical(texts, ["d", "c", "b", "a", "z"], ordered=True))
    if dtype == "numbers":
        return pd.Series(numbers, dtype="int64").astype(pd.CategoricalDtype([0, 1, 2, 3, 4]))
    if dtype == "object":
        values = [None, "a", 1, 2.5] if rng.random() < 0.5 else ["a", "b", "c", "d"]
        return pd.Series([values[n] for n in numbers], dtype="object")
    if dtype.startswith("datetime64"):
        stamps = pd.Series(pd.to_datetime(numbers, unit="D", utc="UTC" in dtype), dtype=None).astype(dtype)
        return stamps.mask(pd.Series(gaps, dtype=bool))
    if dtype.startswith("timedelta64"):
        return pd.Series(numbers, dtype="int64").astype(dtype).mask(pd.Series(gaps, dtype=bool))
    return (
        pd.Series(numbers, dtype="int64")
        .astype("bool" if dtype == "boolean" else "int64")
        .astype(dtype)
        .mask(pd.Series(gaps, dtype=bool))
    )


def frame(rng: random.Random, names: Sequence[str], keys: dict[str, str], rows: int | None = None) -> pd.DataFrame:
    """A random frame that has some of these columns; ``keys`` says the dtypes of some."""
    rows = rng.choice([0, 1, 2, 3, 5, 6, 9]) if rows is None else rows
    labels = [name for name in names if rng.random() < (0.97 if name in keys else 0.7)] or list(names[:1])
    rng.shuffle(labels)
    made = pd.DataFrame({label: column(rng, rows, keys.get(label, rng.choice(DTYPES))) for label in labels})
    how = rng.randrange(5)
    if how == 0:
        made.index = pd.Index([rng.randrange(4) for _ in range(rows)], dtype="int64")
    elif how == 1:
        made.index = pd.Index([rng.randrange(4) for _ in range(rows)], dtype="int64", name="i")
    elif how == 2:
        made.index = pd.Index(column(rng, rows, "str"), name="l")
    return made


def check_known(known: Known, value: Any) -> None:
    """What is said to be known is so."""
    kinds = {
        "frame": pd.DataFrame,
        "series": pd.Series,
        "groups": pd.api.typing.DataFrameGroupBy,
        "column groups": pd.api.typing.SeriesGroupBy,
    }
    if known.kind in kinds:
        assert isinstance(value, kinds[known.kind]), (known, type(value))
    if known.kind == "frame" and known.columns is not None:
        assert list(value.columns) == list(known.columns)
        for label, dtype in known.columns.items():
            assert dtype in ("", str(value[label].dtype)), (label, dtype, value[label].dtype)
    if known.kind == "series":
        assert known.dtype in ("", str(value.dtype)), (known.dtype, value.dtype)
        assert known.name in (None, value.name)
    if known.kind in ("frame", "series") and known.labels is not None:
        levels = [value.index.get_level_values(number) for number in range(value.index.nlevels)]
        if known.labels:
            assert list(value.index.names) == [name for name, _ in known.labels]
            for level, (_, dtype) in zip(levels, known.labels, strict=True):
                assert dtype in ("", str(level.dtype)), (level, dtype)
        else:
            assert [(level.name, str(level.dtype)) for level in levels] == [(None, "int64")]


def only(value: Any, wanted: Wanted) -> Any:
    """The wanted columns of a frame."""
    if wanted is None or not isinstance(value, pd.DataFrame):
        return value
    return value.loc[:, [label in wanted for label in value.columns]]


def check_same(one: Any, other: Any) -> None:
    """Equal in values, dtypes, labels and their type, and in the order of columns."""
    assert type(one) is type(other), (one, other)
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_index_type="exact", check_column_type="exact", check_exact=True)
        assert type(one.index) is type(other.index)
    elif isinstance(one, pd.Series):
        pd.testing.assert_series_equal(one, other, check_index_type="exact", check_exact=True)
        assert type(one.index) is type(other.index)
    else:
        assert one == other or (pd.isna(one) and pd.isna(other))


def labels_of(frame: pd.DataFrame) -> tuple[tuple[str, str], ...] | None:
    """What is known of a frame's row labels."""
    if frame.index.name is None:
        return () if frame.index.dtype == "int64" else None
    return ((frame.index.name, str(frame.index.dtype)),)


def check(
    rng: random.Random, frames: Sequence[pd.DataFrame], program: Callable[..., Any], *, has_schema: bool = True
) -> Counter[str]:
    """Hold a program of frames against itself with only what it needs of each, and count what was met."""
    given = [cb.defer(frame) for frame in frames]
    root = program(*given)._expr
    nodes = list(topological((root,)))
    sources = {one._expr.key: frame for one, frame in zip(given, frames, strict=True)}
    knowledge: dict[bytes, Known] = {}
    for node in nodes:
        known = known_of(node, knowledge)
        if node.key in sources:
            own = sources[node.key]
            dtypes = {str(label): str(dtype) for label, dtype in own.dtypes.items()}
            known = Known("frame", dtypes, labels=labels_of(own), rows=node.key) if has_schema else Known("frame")
        if known.kind:
            knowledge[node.key] = known
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values, error = worked_out(nodes, sources)
        for key in knowledge.keys() & values.keys():
            check_known(knowledge[key], values[key])
        result, wanted = values.get(root.key), None
        if knowledge.get(root.key, Known()).kind == "frame" and rng.random() < 0.8:
            labels = list(result.columns) if isinstance(result, pd.DataFrame) else list(frames[0].columns)
            wanted = frozenset(label for label in labels if rng.random() < 0.4)
        wants: dict[bytes, Wanted] = {root.key: wanted}
        for node in reversed(nodes):
            needs = needs_of(node, wants[node.key], knowledge)
            for place, arg in enumerate(node.args):
                if type(arg) is Expr:
                    wants[arg.key] = union(wants.get(arg.key, frozenset()), needs.get(place))
        narrow = {key: only(frame, wants.get(key)) for key, frame in sources.items()}
        again, error_again = worked_out(nodes, narrow)
    is_narrow = any(len(narrow[key].columns) < len(frame.columns) for key, frame in sources.items())
    assert type(error_again) is type(error), f"{error!r} became {error_again!r}"
    if error is None:
        check_same(only(result, wanted), only(again[root.key], wanted))
    kind = knowledge.get(root.key, Known()).kind
    return Counter(
        {
            "all": 1,
            "narrowed": is_narrow,
            "raised": error is not None,
            "narrowed and raised": error is not None and is_narrow,
            f"known {kind}": error is None,
        }
    )
