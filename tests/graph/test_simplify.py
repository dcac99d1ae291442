"""What is taken out of a container right after it was put in is taken from where it was."""

from __future__ import annotations

from typing import Any

import pytest

import cloudburst as cb
from cloudburst.graph.facts import Facts
from cloudburst.graph.graph import Graph
from cloudburst.graph.simplify import simplify
from tests.graph.graphs import expr, labels, load, other, use

A, B = load(1), other(2)


def simplified(deferred: Any) -> Graph:
    return simplify(Graph.of((expr(deferred),)), Facts())


@pytest.mark.parametrize(
    ("taken", "left"),
    [
        (cb.defer([A, B])[0], A),
        (cb.defer([A, B])[-1], B),
        (cb.defer((A, B))[1], B),
        (cb.defer({"a": A, "b": B})["b"], B),
        (cb.defer({1: B, "b": A})["b"], A),
        (cb.defer([A, [B]])[1][0], B),
    ],
)
def test_a_member_is_what_it_was(taken: Any, left: Any) -> None:
    assert simplified(taken).roots == (expr(left),)


@pytest.mark.parametrize(
    "taken",
    [
        cb.defer([A, B])[2],
        cb.defer([A, B])[-3],
        cb.defer([A, B])[0:1],
        cb.defer([A, B])[True],
        cb.defer([A, 5])[1],
        cb.defer([A, B])[load(0)],
        cb.defer({"a": A})["b"],
        cb.defer({1: A})[1],
        cb.defer({A, B})[0],
        load([A])[0],
    ],
)
def test_what_cannot_be_said_now_is_left_to_python(taken: Any) -> None:
    graph = Graph.of((expr(taken),))
    assert simplify(graph, Facts()) is graph


def test_what_uses_the_member_uses_it_directly_and_keeps_its_digest() -> None:
    before = Graph.of((expr(use(cb.defer([A, B])[0], B)),))
    digests = {node.key: node.what.label.encode() for node in before.nodes}
    after = simplify(Graph(before.roots, before.nodes, digests, ()), Facts())
    assert labels(after.nodes) == ["load", "other", "use"]
    assert after.roots[0] == expr(use(A, B))
    assert after.digests[after.roots[0].key] == b"use"


def test_an_expression_that_was_there_already_keeps_its_own_digest() -> None:
    plain, taken = expr(use(A)), expr(use(cb.defer([A, B])[0]))
    for roots in ((plain, taken), (taken, plain)):
        before = Graph.of(roots)
        digests = {plain.key: b"plain", taken.key: b"taken"}
        after = simplify(Graph(before.roots, before.nodes, digests, ()), Facts())
        assert labels(after.nodes) == ["load", "use"]
        assert after.digests == {plain.key: b"plain"}
