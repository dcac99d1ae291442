"""What must hold after every pass, checked in tests and when debugging."""

from __future__ import annotations

from cloudburst.errors import InternalError
from cloudburst.graph.graph import Graph


def check(graph: Graph, after: str) -> None:
    """Raise if the graph is not sound: arguments before what uses them, each node once, roots among the nodes.

    Raises
    ------
    InternalError
        With the pass after which it was seen.
    """
    placed: set[bytes] = set()
    for node in graph.nodes:
        if node.key in placed:
            raise InternalError(f"after {after}: {node.name} stands twice among the nodes")
        for child in node.children:
            if child.key not in placed:
                raise InternalError(f"after {after}: {node.name} comes before its argument {child.name}")
        placed.add(node.key)
    for root in graph.roots:
        if root.key not in placed:
            raise InternalError(f"after {after}: the root {root.name} is not among the nodes")
    strangers = [key for key in graph.digests if key not in placed]
    if strangers:
        raise InternalError(f"after {after}: {len(strangers)} digests belong to no node")
