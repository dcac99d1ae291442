"""Which values are used only through filters, told from the graph alone: of others every row is read anyway."""

from __future__ import annotations

from cloudburst.graph.expr import Expr
from cloudburst.graph.graph import Graph
from cloudburst.graph.nodes import Call, Method, Operator


def only_filtered(graph: Graph) -> frozenset[bytes]:
    """The keys of values of which every way to a result or a function of the user's goes through a filter.

    Whether the filters decide anything is another question: this one is whether it is worth to look.

    >>> from cloudburst.graph.expr import make
    >>> from cloudburst.graph.nodes import Attribute, Stored
    >>> frame = make(Stored(None, b"d", "frame"))
    >>> mask = make(Operator("gt"), (make(Attribute("x"), (frame,)), 3))
    >>> only = make(Operator("getitem"), (frame, mask))
    >>> frame.key in only_filtered(Graph.of((only,))), frame.key in only_filtered(Graph.of((only, mask)))
    (True, False)
    """
    unfiltered = {root.key for root in graph.roots}
    for node in reversed(graph.nodes):
        if isinstance(node.what, Call) or (node.key in unfiltered and not _filters(node)):
            unfiltered.update(child.key for child in node.children)
    return frozenset(child.key for node in graph.nodes for child in node.children if child.key not in unfiltered)


def _filters(node: Expr) -> bool:
    what = node.what
    if isinstance(what, Operator):
        return what.name == "getitem" and type(node.args[1]) is Expr
    return isinstance(what, Method) and what.name == "query"
