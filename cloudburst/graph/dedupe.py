"""Pass: equal expressions become one."""

from __future__ import annotations

from cloudburst.graph.expr import Expr, make, written
from cloudburst.graph.facts import Facts, Merged
from cloudburst.graph.graph import Graph
from cloudburst.graph.nodes import Call, FunctionValue, Literal, Stored, What
from cloudburst.graph.walk import topological
from cloudburst.keys import digest


def dedupe(graph: Graph, facts: Facts) -> Graph:
    """Merge nodes that have the same digest and the same policy, and note how many each stands for.

    Two nodes with one key are one already. Two with different keys, such as calls of two lambdas that were written
    alike, are one if what their functions captured is the same.

    >>> from cloudburst.graph.expr import make
    >>> from cloudburst.graph.nodes import Operator
    >>> pair = make(Operator("add"), (make(Operator("neg"), (1,)), make(Operator("neg"), (1,))))
    >>> after = dedupe(Graph((pair,)), Facts())
    >>> len(after.nodes), [(merged.label, merged.times) for merged in after.merged]
    (2, [('neg', 2)])
    """
    times: dict[bytes, int] = {}
    nodes: list[Expr] = []
    for node in topological(graph.roots, id):
        if node.key in times:
            times[node.key] += 1
        else:
            times[node.key] = 1
            nodes.append(node)
    digests, reusable = node_digests(nodes, facts)
    first: dict[tuple[bytes, bytes], Expr] = {}
    new: dict[bytes, Expr] = {}
    stands_for: dict[bytes, int] = {}
    kept_digests: dict[bytes, bytes] = {}
    kept: list[Expr] = []
    changed = False
    for node in nodes:
        key = node.key
        one = first.setdefault((digests[key], _policy(node)), node)
        if one is not node:
            changed = True
            new[key] = new[one.key]
            stands_for[new[key].key] += times[key]
            continue
        now = _with_new_arguments(node, new) if changed else node
        new[key] = now
        kept.append(now)
        stands_for[now.key] = times[key]
        if key in reusable:
            kept_digests[now.key] = digests[key]
    roots = tuple(new[root.key] for root in graph.roots)
    merged = tuple(_merged(node, stands_for[node.key], facts) for node in kept if stands_for[node.key] > 1)
    return Graph(roots, tuple(kept), kept_digests, merged)


def node_digests(nodes: list[Expr], facts: Facts) -> tuple[dict[bytes, bytes], set[bytes]]:
    """A digest for each node, by key, and the keys of those whose digest says the same in every process."""
    digests: dict[bytes, bytes] = {}
    reusable: set[bytes] = set()
    heads: dict[bytes, tuple[bytes, bool]] = {}
    for node in nodes:
        what = node.what
        key = node.key
        head = what.head
        known = heads.get(head)
        if known is None:
            known = heads[head] = _captured_head(what, facts)
        portable = known[1]
        if portable:
            for arg in node.args:
                if type(arg) is Expr and arg.key not in reusable:
                    portable = False
                    break
        if portable:
            reusable.add(key)
        if not what.pure:
            digests[key] = key
        elif type(what) is Stored:
            digests[key] = what.written
        else:
            digests[key] = written(known[0], node.args, node.names, of=digests)
    return digests, reusable


def _captured_head(what: What, facts: Facts) -> tuple[bytes, bool]:
    """What stands for the kind of node in a digest, and whether that says the same in every process."""
    if isinstance(what, Call | FunctionValue):
        captured = facts.digests.get(what.identity)
        if captured is None:
            return what.head, False
        if isinstance(what, FunctionValue):
            return digest(b"F", captured), what.pure
        around = what.policy.surroundings() if what.policy is not None else b""
        return digest(b"M" if what.fans else b"C", captured, *filter(None, (around,))), what.pure
    if isinstance(what, Literal):
        return what.head, what.portable
    return what.head, what.pure


def _policy(node: Expr) -> bytes:
    what = node.what
    return what.policy_written if type(what) is Call else b""


def _with_new_arguments(node: Expr, new: dict[bytes, Expr]) -> Expr:
    if all(new[child.key] is child for child in node.children):
        return node
    args = tuple(new[arg.key] if type(arg) is Expr else arg for arg in node.args)
    return make(node.what, args, node.names, node.code, node.lasti)


def _merged(node: Expr, times: int, facts: Facts) -> Merged:
    what = node.what
    if type(what) is not Call:
        return Merged(what.label, node.key, times, False)
    reaches = facts.impure.get(what.identity, _NOTHING)
    return Merged(what.label, node.key, times, what.policy is not None, reaches)


_NOTHING: frozenset[str] = frozenset()
