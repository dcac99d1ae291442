"""Pass: what is taken out of a container right after it was put in is taken from where it was."""

from __future__ import annotations

from cloudburst.graph.expr import Expr, make
from cloudburst.graph.facts import Facts
from cloudburst.graph.graph import Graph
from cloudburst.graph.nodes import Build, Operator
from cloudburst.graph.walk import topological


def simplify(graph: Graph, _facts: Facts) -> Graph:
    """Replace ``[a, b][0]`` by ``a``, and the like for tuples and dicts.

    >>> from cloudburst.graph.nodes import Attribute
    >>> a, b = make(Attribute("a"), (1,)), make(Attribute("b"), (1,))
    >>> taken = make(Operator("getitem"), (make(Build("list"), (a, b)), 1))
    >>> simplify(Graph.of((taken,)), Facts()).roots == (b,)
    True
    """
    if not any(_taken(node) is not None for node in graph.nodes):
        return graph
    new: dict[bytes, Expr] = {}
    digests = dict(graph.digests)
    for node in graph.nodes:
        now = node
        if any(new[child.key] is not child for child in node.children):
            args = tuple(new[arg.key] if type(arg) is Expr else arg for arg in node.args)
            now = make(node.what, args, node.names, node.code, node.lasti)
            if node.key in digests:
                digests.setdefault(now.key, digests[node.key])
        new[node.key] = _taken(now) or now
    roots = tuple(new[root.key] for root in graph.roots)
    nodes = tuple(topological(roots))
    return Graph(roots, nodes, {n.key: digests[n.key] for n in nodes if n.key in digests}, graph.merged)


def _taken(node: Expr) -> Expr | None:
    """The member that an item of a container is, where that can be said and the member is a node."""
    if not (isinstance(node.what, Operator) and node.what.name == "getitem"):
        return None
    container, index = node.args
    if type(container) is not Expr or not isinstance(container.what, Build):
        return None
    members = container.args
    if container.what.container in ("list", "tuple") and type(index) is int and -len(members) <= index < len(members):
        found = members[index]
    elif container.what.container == "dict" and type(index) is str:
        pairs = zip(members[::2], members[1::2], strict=True)
        found = next((value for key, value in pairs if type(key) is str and key == index), None)
    else:
        return None
    return found if type(found) is Expr else None
