"""Nodes are immutable, named by their content, and no chain of them is too long."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys
from typing import Any

import pytest

import cloudburst as cb
from cloudburst.graph.expr import make
from cloudburst.graph.nodes import (
    Attribute,
    Build,
    Call,
    FunctionValue,
    Literal,
    Method,
    Operator,
    Policy,
    Sized,
    Stored,
    nonce,
)
from cloudburst.resources import Size
from tests.graph.graphs import load, neg

KINDS = [
    Policy(),
    Call(len, "len", b"len", None),
    Method("head"),
    Attribute("x"),
    Operator("add"),
    Build("list"),
    Literal([1], False, b"w"),
    FunctionValue(len, "len", b"len"),
    Sized(Policy()),
    Stored("artifact", b"w", "kept"),
    Stored("artifact", b"w", "kept", None, (0, 2)),
    neg(1),
]


@pytest.mark.parametrize("record", KINDS, ids=lambda record: type(record).__name__)
def test_no_field_can_be_changed(record: Any) -> None:
    for field in dataclasses.fields(record):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, field.name, None)
        with pytest.raises(dataclasses.FrozenInstanceError):
            delattr(record, field.name)
    with pytest.raises((AttributeError, TypeError)):
        record.something_new = 1
    assert not hasattr(record, "__dict__")


def test_a_stored_value_that_is_read_in_part_is_another_one() -> None:
    whole = Stored("artifact", b"w", "kept")
    parts = [dataclasses.replace(whole, groups=groups) for groups in (None, (), (0,), (1,), (0, 1))]
    assert len({make(what).key for what in parts}) == 5
    assert make(parts[0]) == make(whole)


def test_equality_and_hash_are_the_key() -> None:
    one, same, another = neg(1), neg(1), neg(True)
    assert one == same
    assert hash(one) == hash(same)
    assert one != another
    assert one != one.key


def test_the_place_in_the_program_is_no_part_of_the_key() -> None:
    code = test_equality_and_hash_are_the_key.__code__
    assert make(Operator("neg"), (1,), (), code, 3) == neg(1)


def test_order_and_number_of_arguments_matter() -> None:
    pairs = [(1, 2), (2, 1), (1, 2, 2), (12,), ("1", 2), (1,), ()]
    assert len({make(Operator("add"), pair).key for pair in pairs}) == len(pairs)


def test_keyword_names_cannot_be_mistaken_for_one_another() -> None:
    what = Method("m")
    keys = {
        make(what, (1, 2), names).key for names in [(), ("a",), ("b",), ("a", "b"), ("b", "a"), ("a,b",), ("a', 'b",)]
    }
    assert len(keys) == 7


def test_kinds_with_one_name_differ() -> None:
    whats = [Method("x"), Attribute("x"), Operator("x"), Build("x")]
    assert len({make(what, (1,)).key for what in whats}) == len(whats)


def test_a_stage_of_another_size_is_another_call() -> None:
    sizes = [load(1), load.options(memory=2048)(1), load.options(retries=1)(1), load.options(cache=True)(1)]
    assert len({one._expr.key for one in sizes}) == len(sizes)


def test_impure_nodes_are_each_their_own() -> None:
    assert make(Method("sample", pure=False), (1,)) != make(Method("sample", pure=False), (1,))
    assert nonce() != nonce()


@pytest.mark.parametrize(
    ("deferred", "name"),
    [
        (load(1), "load-"),
        (load(1).head(2), "head-"),
        (load(1).shape, "shape-"),
        (load(1)["a"], "item-"),
        (load(1) + 1, "add-"),
        (cb.defer([load(1)]), "list-"),
        (cb.defer(lambda x: x)(1), "lambda-"),
        (load(1).head().options(memory=2048), "options-"),
        (cb.defer(5), "int-"),
    ],
)
def test_names_are_a_head_and_twelve_digits(deferred: Any, name: str) -> None:
    expr = deferred._expr
    assert expr.name == name + expr.key.hex()[:12]
    assert repr(expr) == expr.name


def test_a_function_given_as_a_value_is_named_by_its_name() -> None:
    value = load(1).map(load.func)._expr.children[1]
    assert value.what.label == "load"
    assert Stored("artifact", b"w", "kept").label == "kept"


def test_a_policy_knows_another_size() -> None:
    policy = Policy(Size(1024, 2048), 5.0, 2, True)
    assert policy.resized(None, "4 GB") == Policy(Size(1024, 4096), 5.0, 2, True)
    assert policy.resized(None, None) is policy
    assert policy.written() != policy.resized(2048, 4096).written()


def test_a_node_pickles_by_itself() -> None:
    node = neg(neg(1))
    assert pickle.loads(pickle.dumps(node)) == node


CHAIN = """
import gc, pickle, sys
import cloudburst as cb
from cloudburst.graph.facts import Facts
from cloudburst.graph.graph import Graph
from cloudburst.graph.group import group
from cloudburst.graph.optimize import optimize

@cb.stage
def start():
    return 0

def build(n):
    chain = start()
    for _ in range(n):
        chain = chain + 1
    return chain

build(1), pickle.loads(pickle.dumps(build(3))), cb.__version__
sys.setrecursionlimit({limit})
chain = build(100_000)
text = repr(chain)
graph = optimize(Graph.of((chain._expr,)), Facts(), checked=True)
heads = group(graph).heads
again = pickle.loads(pickle.dumps(chain))
print(text.startswith("<Deferred add-"), len(graph.nodes), len(heads), again._expr == chain._expr)
del chain, again, graph, heads
gc.collect()
print("freed")
"""


@pytest.mark.parametrize("limit", [1000, 200])
def test_a_chain_of_100k_nodes_is_built_pickled_optimized_and_freed(limit: int) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHAIN.format(limit=limit)], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split("\n")[:2] == ["True 100001 1 True", "freed"]
