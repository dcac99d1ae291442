"""The passes, in order, and the loop that runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cloudburst.graph.check import check
from cloudburst.graph.dedupe import dedupe
from cloudburst.graph.facts import Facts
from cloudburst.graph.graph import Graph
from cloudburst.graph.project import project
from cloudburst.graph.prune import prune
from cloudburst.graph.reuse import reuse
from cloudburst.graph.simplify import simplify

Pass = Callable[[Graph, Facts], Graph]

PASSES: tuple[Pass, ...] = (
    dedupe,
    reuse,
    simplify,
    project,
    prune,
)


def optimize(graph: Graph, facts: Facts, passes: Sequence[Pass] = PASSES, *, checked: bool = False) -> Graph:
    """The graph after every pass.

    Parameters
    ----------
    graph : Graph
        ``Graph.of(roots)`` to begin with.
    facts : Facts
        What is known of the world.
    passes : sequence of callables, optional
        Some of them, where what one finds is needed to learn facts for the next; all of them by default.
    checked : bool
        Check the graph's invariants after each.
    """
    for step in passes:
        graph = step(graph, facts)
        if checked:
            check(graph, step.__name__)
    return graph
