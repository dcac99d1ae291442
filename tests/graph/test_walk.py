"""Every node is visited once, arguments first, however deep the graph."""

from __future__ import annotations

import pytest

from cloudburst.graph.expr import Expr, make
from cloudburst.graph.nodes import Operator
from cloudburst.graph.walk import topological, transform
from tests.graph.graphs import neg


def add(left: object, right: object) -> Expr:
    return make(Operator("add"), (left, right))


def test_arguments_come_before_what_uses_them_in_their_order() -> None:
    one, two, three = neg(1), neg(2), neg(3)
    inner = add(one, two)
    top = add(inner, three)
    assert topological([top]) == [one, two, inner, three, top]
    assert topological([three, top]) == [three, one, two, inner, top]


def test_what_is_used_at_two_depths_is_visited_once_and_first() -> None:
    shared = neg(1)
    chain = neg(neg(shared))
    top = add(chain, shared)
    order = topological([top])
    assert order.count(shared) == 1
    assert order[0] is shared


def test_equal_nodes_are_one_by_key_and_several_by_identity() -> None:
    top = add(neg(1), neg(1))
    assert len(topological([top])) == 2
    assert len(topological([top], id)) == 3


def test_a_node_twice_among_the_arguments_is_one_by_identity_too() -> None:
    shared = neg(1)
    assert topological([add(shared, shared)], id) == [shared, add(shared, shared)]


def test_no_roots_give_no_nodes() -> None:
    assert topological([]) == []


@pytest.mark.parametrize("size", [1, 20_000])
def test_depth_is_no_limit(size: int) -> None:
    top = neg(1)
    for _ in range(size):
        top = neg(top)
    assert len(topological([top])) == size + 1
    [again] = transform([top], lambda node: node)
    assert again is top


def test_transform_keeps_what_has_not_changed() -> None:
    kept, changed = neg(neg(1)), neg(2)
    [top] = transform([add(kept, changed)], lambda node: neg(3) if node == changed else node)
    assert top.args[0] is kept
    assert top.args[1] == neg(3)
    assert top == add(kept, neg(3))


def test_transform_shows_a_rule_nodes_with_transformed_arguments() -> None:
    seen = []

    def rule(node: Expr) -> Expr:
        seen.append(node)
        return neg(5) if node == neg(1) else node

    [top] = transform([neg(neg(1))], rule)
    assert top == neg(neg(5))
    assert seen == [neg(1), neg(neg(5))]
