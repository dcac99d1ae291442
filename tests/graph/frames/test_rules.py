"""The rules against pandas itself: what is said to be known is so, and what is said not to be needed is not."""

from __future__ import annotations

import inspect
import warnings
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cloudburst as cb
from cloudburst.graph.expr import Expr
from cloudburst.graph.frames.known import Known
from cloudburst.graph.frames.picking import FRAME_NAMES
from cloudburst.graph.frames.rule import Wanted, union
from cloudburst.graph.frames.rules import FUNCTIONS, METHODS, known_of, needs_of
from cloudburst.graph.frames.totals import MASKS, TOTAL, is_total
from cloudburst.graph.walk import topological
from tests.amounts import tries
from tests.graph.frames.evaluation import worked_out
from tests.strategies.steps import CELLS, frame_step, labels_of, series_of, typed_frames


def check_known(known: Known, value: Any) -> None:
    kinds = {"frame": pd.DataFrame, "series": pd.Series, "index": pd.Index}
    if known.kind in kinds:
        assert isinstance(value, kinds[known.kind])
    if known.kind == "frame" and known.columns is not None:
        assert list(value.columns) == list(known.columns)
        for dtype, said in zip(value.dtypes, known.columns.values(), strict=True):
            check_dtype(said, str(dtype))
    if known.kind in ("series", "index"):
        check_dtype(known.dtype, str(value.dtype))
    if known.kind == "series" and known.name is not None:
        assert value.name == known.name
    if known.kind in ("frame", "series") and known.labels is not None:
        check_labels(known.labels, value.index)
    if known.kind == "scalar":
        assert pd.api.types.is_scalar(value)
        if known.dtype:
            assert getattr(value, "dtype", {int: "int64", float: "float64"}.get(type(value))) == known.dtype
    if known.kind == "truths":
        assert isinstance(value, pd.Series | pd.DataFrame)


def check_dtype(said: str, real: str) -> None:
    assert said == "" or said == real or (said == "mask" and real in MASKS), f"{said} is {real}"


def check_labels(said: tuple[tuple[str, str], ...], index: pd.Index) -> None:
    if not said:
        assert list(index.names) == [None]
        assert str(index.dtype) == "int64"
        return
    assert list(index.names) == [name for name, _ in said]
    for number, (_, dtype) in enumerate(said):
        check_dtype(dtype, str(index.get_level_values(number).dtype))


def check_rows(knowledge: dict[bytes, Known], values: dict[bytes, Any]) -> None:
    for key, known in knowledge.items():
        if known.kind in ("frame", "series") and known.rows in values and key in values:
            pd.testing.assert_index_equal(values[key].index, values[known.rows].index, exact=True)


def wants_of(nodes: list[Expr], root: Expr, wanted: Wanted, knowledge: dict[bytes, Known]) -> dict[bytes, Wanted]:
    wants: dict[bytes, Wanted] = {root.key: wanted}
    for node in reversed(nodes):
        needs = needs_of(node, wants[node.key], knowledge)
        for place, arg in enumerate(node.args):
            if type(arg) is Expr:
                wants[arg.key] = union(wants.get(arg.key, frozenset()), needs.get(place))
    return wants


def only(value: Any, wanted: Wanted) -> Any:
    if wanted is None or not isinstance(value, pd.DataFrame):
        return value
    return value.loc[:, [label in wanted for label in value.columns]]


def check_same(one: Any, other: Any) -> None:
    if isinstance(one, pd.DataFrame):
        assert isinstance(other, pd.DataFrame)
        pd.testing.assert_frame_equal(one, other, check_index_type="exact", check_column_type=False, check_exact=True)
        assert type(one.index) is type(other.index)
    elif isinstance(one, pd.Series):
        pd.testing.assert_series_equal(one, other, check_index_type="exact", check_exact=True)
        assert type(one.index) is type(other.index)
    elif isinstance(one, pd.Index):
        pd.testing.assert_index_equal(one, other, exact=True)
    elif isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other)
    else:
        assert type(one) is type(other)
        is_missing = pd.api.types.is_scalar(one) and pd.isna(one)
        assert pd.isna(other) if is_missing else one == other


SEEN: Counter[str] = Counter()


def check(frame: pd.DataFrame, root: Expr, source: Expr, is_schema_known: bool, chosen: int) -> None:
    nodes = list(topological((root,)))
    dtypes = {name: str(dtype) for name, dtype in frame.dtypes.items()}
    knowledge: dict[bytes, Known] = {}
    for node in nodes:
        known = known_of(node, knowledge)
        if node.key == source.key:
            known = Known(
                "frame", dtypes if is_schema_known else None, labels=labels_of(frame) if is_schema_known else None
            )
        if known.kind:
            knowledge[node.key] = known
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values, error = worked_out(nodes, {source.key: frame})
        for key, known in knowledge.items():
            if key in values:
                check_known(known, values[key])
        check_rows(knowledge, values)

        result = values.get(root.key)
        wanted: Wanted = None
        if knowledge.get(root.key, Known()).kind == "frame" and chosen:
            labels = list(result.columns) if isinstance(result, pd.DataFrame) else list(dtypes)
            wanted = frozenset(label for place, label in enumerate(labels) if chosen >> place & 1)
        wants = wants_of(nodes, root, wanted, knowledge)
        needed = wants.get(source.key, frozenset())
        narrow = only(frame, needed)
        again, error_again = worked_out(nodes, {source.key: narrow})
    SEEN["all"] += 1
    SEEN["narrowed"] += len(narrow.columns) < len(frame.columns)
    SEEN["raised"] += error is not None
    SEEN["narrowed and raised"] += error is not None and len(narrow.columns) < len(frame.columns)
    assert type(error_again) is type(error), f"{error!r} became {error_again!r}"
    if error is None:
        check_same(only(result, wanted), only(again[root.key], wanted))


CHAINS = {
    "frame": typed_frames(),
    "steps": st.lists(frame_step(), min_size=1, max_size=3),
    "last": st.one_of(st.none(), series_of()),
    "is_schema_known": st.sampled_from([True, True, True, False]),
    "chosen": st.integers(0, 255),
}


def chain(frame, steps, last, is_schema_known, chosen):
    made = cb.defer(frame)
    source = made._expr
    for step in steps:
        made = step(made)
    if last is not None:
        made = last(made)
    if isinstance(made, cb.Deferred):
        check(frame, made._expr, source, is_schema_known, chosen)


@pytest.mark.timeout(300)
def test_chains_know_what_they_give_and_need_what_they_say():
    SEEN.clear()
    settings(max_examples=max(tries(1000), 500), deadline=None, suppress_health_check=list(HealthCheck))(
        given(**CHAINS)(chain)
    )()
    assert SEEN["narrowed"] > 0.3 * SEEN["all"], SEEN
    assert SEEN["raised"] > 0.1 * SEEN["all"], SEEN
    assert SEEN["narrowed and raised"] > 0.02 * SEEN["all"], SEEN


@pytest.mark.parametrize("op", [lambda d: 5 // d, lambda d: 5 % d, lambda d: 5 - d, lambda d: d // 5, lambda d: d % 5])
def test_a_number_divided_by_whole_numbers_may_give_floats(op):
    frame = pd.DataFrame({"a": [0, 1], "b": [2, 3]})
    made = cb.defer(frame)
    check(frame, op(made)._expr, made._expr, True, 1)


@pytest.mark.parametrize(("kind", "owner"), [("frame", pd.DataFrame), ("series", pd.Series)])
def test_parameters_of_methods_are_those_of_pandas(kind, owner):
    for name, rule in METHODS[kind].items():
        real = list(inspect.signature(getattr(owner, name)).parameters)[1:]
        assert tuple(real[: len(rule.parameters)]) == rule.parameters, f"{name}{real}"


def test_parameters_of_functions_are_those_of_pandas():
    of_pandas = {name: rule for name, rule in FUNCTIONS.items() if not name.startswith("np.")}
    for name, rule in of_pandas.items():
        real = list(inspect.signature(getattr(pd, name)).parameters)
        assert tuple(real[: len(rule.parameters)]) == rule.parameters, f"{name}{real}"


def test_attributes_that_are_no_columns_are_those_of_a_frame():
    assert {name for name in dir(pd.DataFrame) if not name.startswith("_")} == set(FRAME_NAMES)


@pytest.mark.parametrize("dtype", sorted(CELLS))
@pytest.mark.parametrize("rows", [0, 3])
def test_a_total_op_neither_fails_nor_warns(dtype, rows):
    """Warnings are errors here."""
    spelled = {
        "isna": [lambda d: d.isna()],
        "fill": [lambda d: d.ffill(), lambda d: d.bfill()],
        "shift": [lambda d: d.shift(), lambda d: d.shift(-2)],
        "round": [lambda d: d.round(), lambda d: d.round(2)],
        "abs": [abs],
        "neg": [lambda d: -d],
        "invert": [lambda d: ~d],
        "same": [lambda d: d == 1, lambda d: d != 1.5, lambda d: d == "a", lambda d: d != "2024-01-01"],
        "order number": [lambda d: d > 1, lambda d: d <= 2.5],
        "order text": [lambda d: d > "a"],
        "isin": [lambda d: d.isin([1, "a", True]), lambda d: d.isin([])],
        "clip": [lambda d: d.clip(0, 1), lambda d: d.clip(lower=0.5)],
        "to text": [lambda d: d.astype(str)],
    }
    assert set(spelled) == set(TOTAL)
    column = pd.Series((EXAMPLES[dtype] * 3)[:rows], dtype=dtype)
    for op, makes in spelled.items():
        if is_total(op, dtype):
            for make in makes:
                make(pd.DataFrame({"a": column}))


EXAMPLES: dict[str, list[Any]] = {
    "int64": [-(2**63), 2**63 - 1], "int8": [-128, 127], "uint32": [0, 2**32 - 1], "float64": [float("nan"), -0.0],
    "float32": [float("nan"), 1.5], "bool": [True, False], "str": ["a", None], "string": ["a", None],
    "object": [(1,), None], "Int64": [2**62, None], "Float64": [0.5, None], "boolean": [True, None],
    "datetime64[us]": [pd.Timestamp(2024, 1, 1), None],
    "datetime64[ns, UTC]": [pd.Timestamp(2024, 1, 1, tz="UTC"), None],
    "timedelta64[ns]": [pd.Timedelta(1), None], "category": ["a", None],
}  # fmt: skip


FAULTS: dict[str, Any] = {
    "drop": lambda d: d.drop(columns="a"),
    "rename": lambda d: d.rename(columns={"a": "b", "b": "a"}),
    "sort_values": lambda d: d.sort_values("a"),
    "nlargest": lambda d: d.nlargest(1, "a"),
    "query": lambda d: d.query("a > 1"),
    "eval": lambda d: d.eval("b = a + 1"),
    "set_index": lambda d: d.set_index("a"),
    "dropna": lambda d: d.dropna(),
    "drop_duplicates": lambda d: d.drop_duplicates("a"),
    "duplicated": lambda d: d[~d.duplicated("a")],
    "astype": lambda d: d.astype({"a": "int8"}),
    "fillna": lambda d: d.fillna({"a": pd.Timestamp(0)}),
    "explode": lambda d: d.explode("a"),
    "get": lambda d: d.get(["b", "a"]).dropna(),
    "agg": lambda d: d.agg({"a": "max"}),
    "add": lambda d: d.add(1),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_rule_that_forgets_a_column_is_noticed(name, monkeypatch):
    text = name in ("add", "astype")
    frame = pd.DataFrame({"a": ["x", "y", "x"] if text else [3.0, 1.0, float("nan")], "b": [1, 2, 3], "c": [1, 2, 3]})
    rule = METHODS["frame"][name]
    noticed = 0
    for forgotten in ("a", "b"):

        def forgetful(one: Any, wanted: Wanted, knowledge: Any, forgotten: str = forgotten) -> Any:
            needs = rule.needs(one, wanted, knowledge).get(0)
            return {0: None if needs is None else needs - {forgotten}}

        monkeypatch.setitem(METHODS["frame"], name, rule._replace(needs=forgetful))
        made = cb.defer(frame)
        try:
            check(frame, FAULTS[name](made)._expr, made._expr, True, 0b010)
        except AssertionError:
            noticed += 1
    assert noticed


def test_a_rule_may_leave_out_what_is_not_wanted():
    frame = pd.DataFrame({"a": [3, 1, 2], "b": [1, 2, 3], "c": ["x", "y", None]})
    source = cb.defer(frame)
    programs = [
        ("a", source[source["a"] > 1][["a"]]),
        ("ab", source.query("b > 1")["a"]),
        ("ac", source.fillna(0)["a"]),
        ("b", source.dropna(subset=["b"]).b),
        ("ac", source.loc[source.c.str.contains("x"), "a"]),
        ("abc", source.rename(columns={"c": "a", "a": "z"})[["a", "b"]].sort_values("b")),
        ("", source.drop(columns=["x"], errors="ignore").index),
    ]
    for columns, made in programs:
        nodes = list(topological((made._expr,)))
        knowledge = {source._expr.key: Known("frame", {"a": "int64", "b": "int64", "c": "str"}, labels=())}
        for node in nodes:
            knowledge.setdefault(node.key, known_of(node, knowledge))
        wanted = wants_of(nodes, made._expr, None, knowledge)[source._expr.key]
        assert wanted is not None
        assert "".join(sorted(wanted)) == columns
