"""A graph that is not sound is told apart from one that is, and the pass that made it is named."""

from __future__ import annotations

import pytest

from cloudburst.errors import InternalError
from cloudburst.graph.check import check
from cloudburst.graph.facts import Facts
from cloudburst.graph.graph import Graph
from cloudburst.graph.optimize import optimize
from tests.graph.graphs import neg

LEAF = neg(1)
TOP = neg(LEAF)


def test_a_graph_as_it_was_written_is_sound() -> None:
    graph = Graph.of((TOP, LEAF))
    check(graph, "writing")
    assert optimize(graph, Facts(), checked=True).roots == graph.roots


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        (Graph((TOP,), (LEAF, TOP, LEAF)), "stands twice"),
        (Graph((TOP,), (TOP, LEAF)), "comes before its argument neg-"),
        (Graph((TOP,), (TOP,)), "comes before its argument neg-"),
        (Graph((TOP,), (LEAF,)), "the root neg-.* is not among the nodes"),
        (Graph((LEAF,), (LEAF,), {b"stranger": b"d"}), "1 digests belong to no node"),
    ],
)
def test_an_unsound_graph_is_our_bug_and_says_where(graph: Graph, said: str) -> None:
    with pytest.raises(InternalError, match=f"after planting: .*{said}"):
        check(graph, "planting")


def test_the_pass_that_breaks_a_graph_is_caught_when_checking_and_only_then() -> None:
    def planting(graph: Graph, facts: Facts) -> Graph:
        return Graph(graph.roots, tuple(reversed(graph.nodes)))

    graph = Graph.of((TOP,))
    with pytest.raises(InternalError, match="after planting"):
        optimize(graph, Facts(), [planting], checked=True)
    assert optimize(graph, Facts(), [planting]).nodes == (TOP, LEAF)
