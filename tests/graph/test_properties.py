"""What holds for every graph: optimizing changes no value, equal expressions are one, nothing is changed by use."""

from __future__ import annotations

import pickle
from typing import Any

from hypothesis import given, settings

from cloudburst.graph.expr import Expr
from cloudburst.graph.facts import Facts
from cloudburst.graph.flat import flatten, unflatten
from cloudburst.graph.graph import Graph
from cloudburst.graph.group import group, opens
from cloudburst.graph.nodes import Call
from cloudburst.graph.optimize import PASSES, optimize
from cloudburst.graph.walk import topological
from cloudburst.runtime.stores.memory import MemoryStore
from tests.inline import planned, run_inline, run_plan
from tests.strategies.expressions import boxes, graphs

Drawn = tuple[list[Any], list[Any]]


def exprs(drawn: Drawn) -> list[Expr]:
    return [deferred._expr for deferred in drawn[0]]


@given(graphs())
@settings(max_examples=300, deadline=None)
def test_optimized_unoptimized_and_plain_python_agree(drawn: Drawn) -> None:
    roots = exprs(drawn)
    assert run_inline(roots) == run_inline(roots, passes=()) == drawn[1]


@given(boxes())
@settings(max_examples=300, deadline=None)
def test_riding_changes_no_value_stores_no_view_and_makes_no_cycle(drawn: Drawn) -> None:
    roots = exprs(drawn)
    plan, _, functions = planned(roots, store := MemoryStore())
    for task in plan.tasks:
        assert all(one.task < task.index for one in task.inputs)
    assert run_plan(plan, functions, store) == run_inline(roots, passes=()) == drawn[1]


def test_the_boxes_met_every_way_of_making_one() -> None:
    met: set[str] = set()

    @given(boxes())
    @settings(max_examples=100, deadline=None, database=None, derandomize=True)
    def meet(drawn: Drawn) -> None:
        for node in topological(exprs(drawn)):
            met.add(node.what.label)

    meet()
    assert met >= {
        ".append()", ".assign()", ".copy()", ".first", ".groupby()", ".head()", ".str", ".sum()", ".upper()", "[...]",
        "add", "dict", "fill", "lambda", "list", "options", "pack", "three", "tuple",
    }  # fmt: skip


@given(graphs())
@settings(max_examples=200, deadline=None)
def test_each_distinct_stage_call_is_one_task(drawn: Drawn) -> None:
    plan, graph, _ = planned(exprs(drawn), MemoryStore())
    keys = [node.key for node in graph.nodes]
    assert len(set(keys)) == len(keys)
    stages = [node for node in graph.nodes if opens(node)]
    assert sum(task.stage_step is not None for task in plan.tasks) == len(stages)
    for task in plan.tasks:
        assert all(one.task < task.index for one in task.inputs)


@given(graphs())
@settings(max_examples=200, deadline=None)
def test_digests_do_not_depend_on_the_order_of_the_roots(drawn: Drawn) -> None:
    roots = exprs(drawn)
    digests = {n.what.identity: b"d" * 16 for n in topological(roots) if isinstance(n.what, Call)}
    one = optimize(Graph.of(tuple(roots)), Facts(digests), PASSES[:1])
    other = optimize(Graph.of(tuple(reversed(roots))), Facts(digests), PASSES[:1])
    assert sorted(one.digests.values()) == sorted(other.digests.values())


@given(graphs())
@settings(max_examples=200, deadline=None)
def test_flat_form_gives_the_same_graph_again(drawn: Drawn) -> None:
    roots = exprs(drawn)
    assert unflatten(flatten(roots)) == roots
    again = pickle.loads(pickle.dumps(drawn[0][0]))
    assert again._expr == roots[0]


@given(graphs())
@settings(max_examples=100, deadline=None)
def test_groups_partition_the_nodes(drawn: Drawn) -> None:
    graph = optimize(Graph.of(tuple(exprs(drawn))), Facts(), PASSES, checked=True)
    grouping = group(graph)
    assert set(grouping.group_of.values()) <= set(range(len(grouping.heads)))
    for number, head in enumerate(grouping.heads):
        assert grouping.group_of[head.key] == number
    openers = [node for node in graph.nodes if opens(node)]
    assert len({grouping.group_of[node.key] for node in openers}) == len(openers)
