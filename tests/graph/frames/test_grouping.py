"""What is asked of groups needs no more columns than it says, and what is known of the answer is so."""

from __future__ import annotations

import inspect
import random
from collections import Counter
from typing import Any

import pandas as pd
import pytest

import cloudburst as cb
from cloudburst import pandas as cpd
from cloudburst.graph.frames import aggregating, grouping, groups
from cloudburst.graph.frames.grouping import REDUCE, RUN, reduced
from cloudburst.graph.frames.known import Known
from cloudburst.graph.frames.rules import known_of, needs_of
from tests.amounts import tries
from tests.graph.frames.asked import DTYPES, check, column, frame

KEYS = ("int64", "str", "float64", "datetime64[us]", "category", "Int64", "bool", "object", "int8")
NAMES = ("k", "j", "v", "w", "x", "y", "z")
TOTAL_DTYPES = ("int64", "int64", "float64", "bool", "Int64", "Float64")


def frames_of(rng: random.Random) -> list[pd.DataFrame]:
    keys = {name: rng.choice(KEYS[:4] if rng.random() < 0.6 else KEYS) for name in ("k", "j")}
    if rng.random() < 0.6:
        keys |= {name: rng.choice(TOTAL_DTYPES) for name in NAMES[2:]}
    return [frame(rng, NAMES, keys)]


def grouped(rng: random.Random) -> Any:
    chances = {"as_index": 0.35, "sort": 0.2, "dropna": 0.25, "observed": 0.25, "group_keys": 0.1}
    options = {name: False for name, chance in chances.items() if rng.random() < chance}
    how = rng.randrange(12)
    if how == 0:
        return lambda d: d.groupby(d["k"], **options)
    if how == 1:
        return lambda d: d.groupby(["j", d["k"]], **options)
    if how == 2:
        return lambda d: d.groupby(level=0, **options)
    by = rng.choice(
        ["k", "k", "k", ["k"], ["k", "j"], ["j", "k"]] if rng.random() < 0.95 else ["i", "l", [], ["k", "k"]]
    )
    return lambda d: d.groupby(by, **options)


def picked(rng: random.Random) -> Any:
    """A column of groups, some columns, or all."""
    how = rng.randrange(10)
    if how < 4:
        return lambda g: g
    label = rng.choice(["v", "w", "x", "k"] if rng.random() < 0.9 else ["nowhere", "i"])
    if how < 7:
        return lambda g: g[label]
    if how == 7 and label != "nowhere":
        return lambda g: getattr(g, label)
    labels = rng.choice([["v"], ["w", "v"], ["x", "v", "w"]] if rng.random() < 0.9 else [["k", "v"], ["v", "v"]])
    return lambda g: g[labels]


def asked(rng: random.Random) -> Any:
    """A method of groups."""
    how = rng.randrange(14)
    op = rng.choice([*REDUCE])
    if how < 4:
        options: dict[str, Any] = {}
        if op not in ("count", "nunique", "any", "all") and rng.random() < 0.3:
            options["numeric_only"] = True
        if op in ("sum", "prod", "min", "max", "first", "last") and rng.random() < 0.1:
            options["min_count"] = 2
        return lambda g: getattr(g, op)(**options)
    if how < 6:
        run = rng.choice([*RUN])
        options = {"periods": rng.choice([1, -1, 2])} if run in ("shift", "diff") and rng.random() < 0.5 else {}
        return lambda g: getattr(g, run)(**options)
    if how == 6:
        name, rows = rng.choice(["head", "tail", "nth"]), rng.choice([0, 1, 2])
        return lambda g: getattr(g, name)(rows)
    if how == 7:
        name = rng.choice(["size", "ngroup", "cumcount", "describe", "value_counts", "quantile", "idxmax"])
        return lambda g: getattr(g, name)()
    if how == 8:
        return lambda g: g.transform(op)
    return aggregated(rng)


def aggregated(rng: random.Random) -> Any:
    ops = rng.sample([*REDUCE], 2)
    how = rng.randrange(9)
    name = rng.choice(["agg", "aggregate"])
    if how == 0:
        func: Any = rng.choice([ops[0], "size", "cumsum", "nowhere"])
    elif how == 1:
        func = ops
    elif how == 2:
        func = {"v": ops[0], rng.choice(["w", "x", "k", "nowhere"]): ops[1]}
    elif how == 3:
        func = {"v": ops, "w": ops[0]}
    elif how == 4:
        func = {"w": first_of, "v": ops[0]}
    elif how == 5:
        return lambda g: getattr(g, name)(a=("v", ops[0]), b=("w", ops[1]), c=("v", ops[1]))
    elif how == 6:
        return lambda g: getattr(g, name)(a=ops[0], b=ops[1])
    elif how == 7:
        return lambda g: getattr(g, name)(a=("v", first_of), v=("x", ops[1]))
    else:
        return lambda g: getattr(g, name)(ops[0], numeric_only=True)
    return lambda g: getattr(g, name)(func)


def first_of(values: pd.Series) -> Any:
    return len(values)


def groups_program(rng: random.Random) -> Any:
    make, pick, ask = grouped(rng), picked(rng), asked(rng)
    after = rng.randrange(6)
    if after == 0:
        return lambda d: ask(pick(make(d))).reset_index()
    return lambda d: ask(pick(make(d)))


def series_program(rng: random.Random) -> Any:
    ask, dropna = asked(rng), rng.random() < 0.8
    if rng.random() < 0.3:
        return lambda d: ask(d["v"].groupby([d["k"], d["j"]], dropna=dropna))
    return lambda d: ask(d["v"].groupby(d["k"], dropna=dropna))


def table_program(rng: random.Random) -> Any:
    if rng.random() < 0.3:
        subset = rng.choice(["k", ["k"], ["k", "j"], ["v", "k"], None, ["nowhere"]])
        options: dict[str, Any] = {} if subset is None else {"subset": subset}
        if rng.random() < 0.3:
            options["normalize"] = True
        return lambda d: d.value_counts(**options)
    options = {
        "values": rng.choice(["v", ["v"], ["w", "v"], ["x", "v"], None, "nowhere"]),
        "index": rng.choice(["k", ["k"], ["k", "x"], "v"]),
        "columns": rng.choice(["j", ["j"], None, None]),
        "aggfunc": rng.choice(["count", "first", "nunique", "max", ["count", "first"], {"v": "count"}, first_of]),
    }
    for name, value in (("margins", True), ("dropna", False), ("observed", False), ("sort", False), ("fill_value", 0)):
        if rng.random() < 0.2:
            options[name] = value
    if rng.random() < 0.3:
        return lambda d: cpd.pivot_table(d, **options)
    return lambda d: d.pivot_table(**options)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("make", "seeds", "narrowed", "raised", "known"),
    [(groups_program, 500, 0.5, 0.1, 0.3), (series_program, 60, 0.9, 0.1, 0.3), (table_program, 120, 0.3, 0.1, 0.05)],
    ids=["groups", "groups of a series", "tables"],
)
def test_what_is_asked_of_groups_needs_no_more_than_it_says(
    make: Any, seeds: int, narrowed: float, raised: float, known: float
):
    seeds = tries(seeds)
    seen: Counter[str] = Counter()
    for seed in range(seeds):
        rng = random.Random(seed)
        frames = frames_of(rng)
        try:
            seen += check(rng, frames, make(rng), has_schema=rng.random() < 0.95)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error
    assert seen["narrowed"] > narrowed * seeds, seen
    assert seen["raised"] > raised * seeds, seen
    assert seen["known frame"] + seen["known series"] > known * seeds, seen


@pytest.mark.parametrize("op", [*REDUCE, *RUN])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_ops_said_to_be_total_raise_for_no_values(op):
    rng = random.Random(op)
    total = {**REDUCE, **RUN}[op]
    met = 0
    for dtype in dict.fromkeys(DTYPES):
        for rows in (0, 1, 2, 7, 7):
            frame = pd.DataFrame({"k": column(rng, rows, "float64"), "v": column(rng, rows, dtype)})
            said = str(frame["v"].dtype)
            if grouping.family(said) not in total:
                continue
            met += 1
            for dropna in (True, False):
                value = getattr(frame.groupby("k", dropna=dropna), op)()
                assert list(value.columns) == ["v"]
                assert reduced(op, said) in ("", str(value["v"].dtype))
                if op in REDUCE and (frame["k"].notna().any() or not dropna):  # else pandas raises for any dtype
                    frame.groupby("k", dropna=dropna).transform(op)
    assert met


WHOLE = Known("frame", {"k": "int64", "v": "int64", "w": "float64", "s": "str", "c": "category", "o": "object"})


def of(program: Any, wanted: set[str] | None, whole: Known = WHOLE) -> tuple[Known, Any]:
    """What is known of a program's value, and what it needs of the frame that it is given."""
    given = cb.defer(pd.DataFrame({"frame": []}))
    root = program(given)._expr
    knowledge = {given._expr.key: whole}
    chain = [root]
    while chain[-1].key != given._expr.key:
        chain.append(chain[-1].args[0])
    for node in reversed(chain[:-1]):
        knowledge[node.key] = known_of(node, knowledge)
    need = None if wanted is None else frozenset(wanted)
    for node in chain[:-1]:
        need = needs_of(node, need, knowledge).get(0)
    return knowledge[root.key], need


@pytest.mark.parametrize(
    ("program", "wanted", "needed"),
    [
        (lambda d: d.groupby("k")["v"].sum(), None, {"k", "v"}),
        (lambda d: d.groupby(["k", "s"])[["v", "w"]].sum(), {"v"}, {"k", "s", "v", "w"}),
        (lambda d: d.groupby("k").v.mean(), None, {"k", "v"}),
        (lambda d: d.groupby("k").sum(), {"v"}, {"k", "v", "c", "o"}),
        (lambda d: d.groupby("k").sum(numeric_only=True), {"v"}, {"k", "v", "o"}),
        (lambda d: d.groupby("k").count(), {"v"}, {"k", "v", "o"}),
        (lambda d: d.groupby("k").size(), None, {"k"}),
        (lambda d: d.groupby("k").ngroups, None, {"k"}),
        (lambda d: d.groupby("k").head(2), {"v"}, {"k", "v"}),
        (lambda d: d.groupby("k").agg(total=("v", "sum"), n=("w", "count")), {"n"}, {"k", "v", "w"}),
        (lambda d: d.groupby("k").agg({"v": "sum", "w": first_of}), None, {"k", "v", "w"}),
        (lambda d: d.groupby("k").agg({"v": first_of}), None, {"k", "v"}),
        (lambda d: d.groupby("k")["v"].agg(first_of), None, {"k", "v"}),
        (lambda d: d.groupby("k")["v"].apply(first_of), None, {"k", "v"}),
        (lambda d: d.groupby("k").agg("first"), {"s"}, {"k", "s", "o"}),
        (lambda d: d.groupby("k").transform("sum"), {"v"}, {"k", "v", "c", "o"}),
        (lambda d: d.value_counts(["k", "s"]), None, {"k", "s"}),
        (lambda d: d.pivot_table("v", "k", "s"), None, {"k", "v", "s", "w"}),
    ],
)
def test_groups_want_their_keys_and_what_is_asked_for(program, wanted, needed):
    assert of(program, wanted)[1] == needed


@pytest.mark.parametrize(
    "program",
    [
        lambda d: d.groupby("k").agg(first_of),
        lambda d: d.groupby("k").agg(["sum", "min"]),
        lambda d: d.groupby("k").agg("sum", engine="numba"),
        lambda d: d.groupby("k").agg({1: "sum"}),
        lambda d: d.groupby("k").agg(a=("v", "sum"), b=3),
        lambda d: d.groupby("k").apply(first_of),
        lambda d: d.groupby("k").sum(min_count=1),
        lambda d: d.groupby("k").transform(first_of),
        lambda d: d.groupby("k").describe(),
        lambda d: d.groupby("k").shift([1, 2]),
        lambda d: d.groupby("k").size,
        lambda d: d.groupby("nowhere")["v"],
        lambda d: d.groupby(["k", "k"])["v"],
        lambda d: d.groupby(first_of)["v"],
        lambda d: d.groupby("k", as_index=None)["v"],
        lambda d: d.groupby("k", level=0)["v"],
        lambda d: d.groupby("k")["v", "w"],
        lambda d: d.value_counts(),
        lambda d: d.pivot_table(index="k"),
        lambda d: d.pivot_table("v", index=["k", "k"]),
        lambda d: d.pivot_table("v", index="nowhere"),
    ],
)
def test_what_is_not_understood_wants_everything(program):
    assert of(program, {"v"})[1] is None


def test_columns_of_groups_that_are_not_known_are_all_wanted_but_by_name():
    assert of(lambda d: d.groupby("k").sum(), {"v"}, Known("frame"))[1] is None
    assert of(lambda d: d.groupby("k")["v"].sum(), None, Known("frame")) == (Known("series", name="v"), {"k", "v"})


def test_keys_are_columns_or_the_index():
    program = lambda d: d.groupby(["s", "k"]).agg(total=("v", "sum"))  # noqa: E731
    assert of(program, None)[0] == Known("frame", {"total": "int64"}, labels=(("s", "str"), ("k", "int64")))
    program = lambda d: d.groupby("k", as_index=False)["w"].mean()  # noqa: E731
    assert of(program, None)[0] == Known("frame", {"k": "int64", "w": "float64"}, labels=())


def test_names_of_groups_that_mean_no_column_are_those_of_pandas():
    names = {name for name in dir(pd.api.typing.DataFrameGroupBy) if not name.startswith("_")}
    assert names == groups.GROUPS_NAMES


@pytest.mark.parametrize("family", [groups, grouping, aggregating])
def test_the_names_of_parameters_are_those_of_pandas(family):
    frame = pd.DataFrame({"k": [1], "v": [2]})
    made = frame.groupby("k")
    objects = {"frame": frame, "series": frame["v"], "groups": made, "column groups": made["v"]}
    for kind, rules in family.METHODS.items():
        for name, rule in rules.items():
            check_parameters(rule.parameters, getattr(objects[kind], name))
    for name, rule in family.FUNCTIONS.items():
        check_parameters(rule.parameters, getattr(pd, name))


def check_parameters(said: tuple[str, ...], function: Any) -> None:
    parameters = inspect.signature(function).parameters.values()
    assert list(said) == [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD][: len(said)]
