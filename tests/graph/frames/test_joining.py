"""Joins and concatenations keep the columns that they need, and what is known of them is so."""

from __future__ import annotations

import inspect
import random
from collections import Counter
from typing import Any

import pandas as pd
import pytest

import cloudburst as cb
from cloudburst import pandas as cpd
from cloudburst.graph.frames.joining import FUNCTIONS, METHODS
from cloudburst.graph.frames.known import Known
from cloudburst.graph.frames.rules import known_of, needs_of
from tests.amounts import tries
from tests.graph.frames.asked import check, frame

NAMES = ("k", "j", "a", "b", "a_x", "b_y", "c", "_merge")
HOWS = ("inner", "left", "right", "outer", "cross", "left_anti", "right_anti", "sideways")
KEYS = ("int64", "str", "float64", "datetime64[us]", "category", "Int64", "bool", "int8", "object")


def two_frames(rng: random.Random) -> list[pd.DataFrame]:
    names = [name for name in NAMES if name != "_merge" or rng.random() < 0.1]
    keys = {name: rng.choice(KEYS[:4] if rng.random() < 0.6 else KEYS) for name in ("k", "j")}
    others = {"rk": keys["k"], **keys, **({"j": rng.choice(KEYS)} if rng.random() < 0.1 else {})}
    renamed = [f"r{name}" if rng.random() < 0.3 else name for name in names if name != "j"]
    return [frame(rng, names, keys), frame(rng, [*dict.fromkeys(["k", "rk", "j", *renamed])], others)]


def keys_of(rng: random.Random) -> dict[str, Any]:
    how = rng.randrange(10)
    label = rng.choice(["k", "k", "k", "j", ["k"], ["k", "j"], ["j", "k"]] if rng.random() < 0.95 else ["i", "l", []])
    if how < 4:
        return {"on": label}
    if how == 4:
        return {
            "left_on": label,
            "right_on": rng.choice(["k", "j", "rk"] if type(label) is str else [["k", "j"], ["rk", "j"]]),
        }
    if how == 5:
        return {"left_on": ["k", "j"], "right_on": ["rk", "j"]}
    if how == 6:
        return {"left_on": label, "right_index": True}
    if how == 7:
        return {"left_index": True, "right_on": label}
    return {"left_index": True, "right_index": True} if how == 8 else {}


def merge(rng: random.Random) -> Any:
    options: dict[str, Any] = {"how": rng.choice(HOWS[:4] if rng.random() < 0.7 else HOWS)}
    options |= {} if options["how"] == "cross" and rng.random() < 0.9 else keys_of(rng)
    if rng.random() < 0.7:
        options["suffixes"] = rng.choice([("_l", "_r"), ("", "_r"), (None, "_r"), ["_l", None], ("", ""), ("_x", "_x")])
    if rng.random() < 0.2:
        options["indicator"] = rng.choice([True, "where", "a"])
    if rng.random() < 0.1:
        options["validate"] = rng.choice(["1:1", "m:1", "m:m"])
    if rng.random() < 0.2:
        options["sort"] = True
    if rng.random() < 0.1:
        how = options.pop("how")
        return lambda left, right: left.merge(right, how, **options)
    if rng.random() < 0.3:
        return lambda left, right: cpd.merge(left, right, **options)
    return lambda left, right: left.merge(right, **options)


def join(rng: random.Random) -> Any:
    options: dict[str, Any] = {}
    if rng.random() < 0.6:
        options["how"] = rng.choice(HOWS)
    if rng.random() < 0.7:
        options["suffixes"] = rng.choice([("_l", "_r"), ("", "_r"), ("_x", "_y"), ("", "")])
    elif rng.random() < 0.7:
        options |= {"lsuffix": "_l"} | ({"rsuffix": "_r"} if rng.random() < 0.5 else {})
    if rng.random() < 0.3:
        options["on"] = rng.choice(["k", "j", ["k"]])
    if rng.random() < 0.2:
        options["sort"] = True
    return lambda left, right: left.join(right, **options)


def asof(rng: random.Random) -> Any:
    options: dict[str, Any] = rng.choice(
        [
            {"on": "k"},
            {"left_on": "k", "right_on": "rk"},
            {"left_on": "k", "right_index": True},
            {"left_index": True, "right_index": True},
        ]
    )
    options = {**options, **rng.choice([{}, {"by": "j"}, {"by": ["j"]}, {"left_by": "j", "right_by": "a"}])}
    if rng.random() < 0.5:
        options["suffixes"] = rng.choice([("_l", "_r"), ("", "_r"), ("_x", "_y")])
    if rng.random() < 0.3:
        options["direction"] = rng.choice(["forward", "nearest"])

    def program(left: Any, right: Any) -> Any:
        by_left = left.sort_index() if "left_index" in options else left.sort_values("k")
        other = right.sort_index() if "right_index" in options else right.sort_values(options.get("right_on", "k"))
        return cpd.merge_asof(by_left, other, **options)

    return program


def concat(rng: random.Random) -> Any:
    options: dict[str, Any] = {}
    if rng.random() < 0.5:
        options["join"] = rng.choice(["outer", "inner", "inner", "left"])
    if rng.random() < 0.4:
        options["ignore_index"] = True
    if rng.random() < 0.2:
        options["sort"] = rng.random() < 0.5
    if rng.random() < 0.2:
        options["keys"] = ["p", "q", "r"]
    if rng.random() < 0.1:
        options["verify_integrity"] = True
    if rng.random() < 0.1:
        options["axis"] = rng.choice([0, 1, "index", "columns"])
    times = rng.choice([1, 1, 1, 2])
    made = rng.choice([list, tuple])
    return lambda left, right: cpd.concat(made([left, right, left][: times + 1]), **options)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("make", "seeds", "narrowed", "raised"),
    [(merge, 400, 0.2, 0.1), (join, 200, 0.2, 0.1), (asof, 150, 0.2, 0.1), (concat, 300, 0.4, 0.1)],
    ids=["merge", "join", "asof", "concat"],
)
def test_what_is_put_together_needs_no_more_than_it_says(make: Any, seeds: int, narrowed: float, raised: float) -> None:
    seeds = tries(seeds)
    seen: Counter[str] = Counter()
    for seed in range(seeds):
        rng = random.Random(seed)
        frames = two_frames(rng)
        try:
            seen += check(rng, frames, make(rng), has_schema=rng.random() < 0.95)
        except AssertionError as error:
            raise AssertionError(f"seed {seed} of {make.__name__}") from error
    assert seen["narrowed"] > narrowed * seeds, seen
    assert seen["raised"] > raised * seeds, seen
    assert seen["known frame"] > 0.1 * seeds, seen


LEFT = Known("frame", {"k": "int64", "a": "float64", "b": "str", "c": "int64"})
RIGHT = Known("frame", {"k": "int64", "a": "float64", "d": "str", "e": "int64"})


def asked(program: Any, wanted: set[str] | None, left: Known = LEFT, right: Known = RIGHT) -> Any:
    """What is known of a program's value, and what it needs of the two frames that it is given."""
    one, other = cb.defer(pd.DataFrame({"one": []})), cb.defer(pd.DataFrame({"other": []}))
    root = program(one, other)._expr
    knowledge = {one._expr.key: left, other._expr.key: right}
    needs = needs_of(root, None if wanted is None else frozenset(wanted), knowledge)
    keys = [arg.key if hasattr(arg, "key") else b"" for arg in root.args]
    return known_of(root, knowledge), *(needs.get(keys.index(side._expr.key)) for side in (one, other))


def test_a_merge_wants_its_keys_and_what_is_wanted_of_each_side():
    known, left, right = asked(lambda one, other: one.merge(other, on="k"), {"b", "e"})
    assert list(known.columns) == ["k", "a_x", "b", "c", "a_y", "d", "e"]
    assert known.columns["a_y"] == "float64"
    assert (left, right) == ({"k", "a", "b"}, {"k", "a", "e"})


def test_names_that_meet_are_kept_on_both_sides():
    _, left, right = asked(lambda one, other: one.merge(other, on="k"), {"a_x"})
    assert (left, right) == ({"k", "a"}, {"k", "a"})


def test_without_keys_all_common_columns_are():
    known, left, right = asked(lambda one, other: one.merge(other), {"b"})
    assert list(known.columns) == ["k", "a", "b", "c", "d", "e"]
    assert (left, right) == ({"k", "a", "b"}, {"k", "a"})


def test_a_side_whose_columns_are_not_known_makes_both_wanted_whole():
    known, left, right = asked(lambda one, other: one.merge(other, on="k"), {"b"}, right=Known("frame"))
    assert (known.kind, left, right) == ("", None, None)


@pytest.mark.parametrize(
    "program",
    [
        lambda one, other: one.merge(other, on="k", suffixes=("", "")),
        lambda one, other: one.merge(other, on="k", suffixes=("x", "_y"), indicator="b"),
        lambda one, other: one.merge(other, on="nowhere"),
        lambda one, other: one.merge(other, on="k", how="sideways"),
        lambda one, other: one.merge(other, how="cross", on="k"),
        lambda one, other: one.merge(other, left_on="k"),
        lambda one, other: one.merge(other, on="k", suffixes="xy"),
        lambda one, other: one.join(other),
        lambda one, other: cpd.merge_asof(one, other, on="k", by="k", left_by="k"),
    ],
)
def test_what_raises_or_is_not_understood_wants_everything(program):
    known, left, right = asked(program, {"b"})
    assert (known.kind, left, right) == ("", None, None)


def test_a_join_of_several_frames_wants_everything():
    one, other = cb.defer(pd.DataFrame({"one": []})), cb.defer(pd.DataFrame({"other": []}))
    knowledge = {one._expr.key: LEFT, other._expr.key: RIGHT}
    root = one.join([other])._expr
    assert known_of(root, knowledge) == Known()
    assert needs_of(root, frozenset({"b"}), knowledge) == {}


def test_a_suffix_that_makes_a_name_that_is_there_wants_everything():
    left = Known("frame", {"k": "int64", "a": "int64", "a_x": "int64"})
    known, of_left, of_right = asked(lambda one, other: one.merge(other, on="k"), {"k"}, left=left)
    assert (known.kind, of_left, of_right) == ("", None, None)


def test_columns_that_meet_are_kept_on_both_sides_whatever_is_wanted():
    left = Known("frame", {"k": "int64", "a": "int64", "b": "int64"})
    right = Known("frame", {"k": "int64", "a": "int64", "c": "int64"})
    known, of_left, of_right = asked(lambda one, other: one.merge(other, on="k"), {"c"}, left=left, right=right)
    assert [*known.columns] == ["k", "a_x", "b", "a_y", "c"]
    assert (of_left, of_right) == ({"k", "a"}, {"k", "a", "c"})


def test_a_list_of_frames_hands_the_demand_on():
    one, other = cb.defer(pd.DataFrame({"one": []})), cb.defer(pd.DataFrame({"other": []}))
    knowledge = {one._expr.key: LEFT, other._expr.key: RIGHT}
    root = cpd.concat([one, other])._expr
    assert needs_of(root, frozenset({"b"}), knowledge) == {0: {"b", "k"}}
    assert needs_of(root.args[0], frozenset({"b", "k"}), knowledge) == {0: {"b", "k"}, 1: {"b", "k"}}
    assert needs_of(cb.defer([one, 3])._expr, frozenset({"b"}), knowledge) == {0: {"b"}}


def test_the_names_of_parameters_are_those_of_pandas():
    for name, rule in {**METHODS["frame"], **FUNCTIONS}.items():
        function = FUNCTIONS.get(name) is rule and getattr(pd, name)
        signature = inspect.signature(function or getattr(pd.DataFrame, name)).parameters.values()
        names = [one.name for one in signature if one.kind is one.POSITIONAL_OR_KEYWORD and one.name != "self"]
        assert [*rule.parameters] == names, name
