"""What is stored already is read, and nothing beneath it is worked out."""

from __future__ import annotations

from cloudburst.graph.facts import Facts
from cloudburst.graph.graph import Graph
from cloudburst.graph.nodes import Stored
from cloudburst.graph.optimize import optimize
from cloudburst.graph.reuse import reuse
from tests.graph.graphs import expr, labels, load, neg, use

TOP = expr(use(load(1).head(), load(2)))
LOADED, HEAD, SECOND, _ = Graph.of((TOP,)).nodes


def test_nothing_present_changes_nothing() -> None:
    graph = Graph.of((TOP,))
    assert reuse(graph, Facts()) is graph


def test_what_is_present_becomes_a_leaf_and_what_was_beneath_is_gone() -> None:
    graph = Graph((TOP,), Graph.of((TOP,)).nodes, {HEAD.key: b"head", TOP.key: b"top"})
    after = reuse(graph, Facts(present={b"head": "artifact"}))
    assert [type(node.what).__name__ for node in after.nodes] == ["Stored", "Call", "Call"]
    leaf = after.nodes[0]
    assert isinstance(leaf.what, Stored)
    assert (leaf.what.artifact, leaf.what.written) == ("artifact", b"head")
    assert after.digests == {leaf.key: b"head", after.roots[0].key: b"top"}


def test_a_root_that_is_present_leaves_nothing_to_do() -> None:
    graph = Graph((TOP, SECOND), Graph.of((TOP, SECOND)).nodes, {TOP.key: b"top"})
    after = reuse(graph, Facts(present={b"top": "artifact"}))
    assert [type(node.what).__name__ for node in after.nodes] == ["Stored", "Call"]
    assert after.roots == after.nodes


def test_what_is_present_but_not_in_the_graph_is_nothing_to_it() -> None:
    graph = Graph((TOP,), Graph.of((TOP,)).nodes, {HEAD.key: b"head"})
    after = reuse(graph, Facts(present={b"another": "artifact"}))
    assert labels(after.nodes) == labels(graph.nodes)
    assert after.digests == graph.digests


def test_a_persisted_value_is_not_wrapped_again() -> None:
    from cloudburst.graph.expr import make

    kept = make(Stored("mine", b"kept", "kept"))
    graph = Graph.of((neg(kept),))
    after = optimize(graph, Facts(present={b"kept": "another"}))
    assert after.nodes[0] is kept


def test_shared_leaves_stay_shared() -> None:
    loaded = load(1)
    top = expr(use(loaded.head(), loaded.tail()))
    graph = Graph((top,), Graph.of((top,)).nodes, {expr(loaded).key: b"loaded"})
    after = reuse(graph, Facts(present={b"loaded": "artifact"}))
    assert len(after.nodes) == 4
    assert after.nodes[1].args[0] is after.nodes[0] is after.nodes[2].args[0]
