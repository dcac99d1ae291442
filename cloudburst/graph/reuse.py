"""Pass: what is stored already is read, and nothing beneath it is worked out."""

from __future__ import annotations

from cloudburst.graph.expr import Expr, make
from cloudburst.graph.facts import Facts
from cloudburst.graph.graph import Graph
from cloudburst.graph.nodes import Stored
from cloudburst.graph.walk import topological


def reuse(graph: Graph, facts: Facts) -> Graph:
    """Replace every node whose value is present by a leaf that reads it.

    >>> from cloudburst.graph.nodes import Operator
    >>> beneath = make(Operator("neg"), (1,))
    >>> top = make(Operator("neg"), (beneath,))
    >>> before = Graph((top,), (beneath, top), {beneath.key: b"d"})
    >>> [node.what.label for node in reuse(before, Facts(present={b"d": "an artifact"})).nodes]
    ['neg', 'neg']
    >>> type(reuse(before, Facts(present={b"d": "an artifact"})).nodes[0].what).__name__
    'Stored'
    """
    present = facts.present
    if not present:
        return graph
    digests = dict(graph.digests)
    new: dict[bytes, Expr] = {}
    for node in graph.nodes:
        digest = digests.get(node.key)
        now = node
        if digest is not None and digest in present and not isinstance(node.what, Stored):
            now = make(Stored(present[digest], digest, node.what.label), (), (), node.code, node.lasti)
        elif any(new[child.key] is not child for child in node.children):
            args = tuple(new[arg.key] if type(arg) is Expr else arg for arg in node.args)
            now = make(node.what, args, node.names, node.code, node.lasti)
        if digest is not None:
            digests[now.key] = digest
        new[node.key] = now
    roots = tuple(new[root.key] for root in graph.roots)
    nodes = tuple(topological(roots))
    return Graph(roots, nodes, {n.key: digests[n.key] for n in nodes if n.key in digests}, graph.merged)
