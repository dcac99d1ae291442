"""The one walker. Nothing in the graph recurses, so a chain may be as long as memory allows."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from operator import attrgetter

from cloudburst.graph.expr import Expr, make

_key: Callable[[Expr], Hashable] = attrgetter("key")


def topological(roots: Iterable[Expr], identity: Callable[[Expr], Hashable] = _key) -> list[Expr]:
    """Every distinct node beneath the roots, arguments before what uses them, in the order of the arguments.

    Parameters
    ----------
    roots : iterable of Expr
    identity : callable, optional
        What makes two nodes one: their key, or ``id`` to see equal nodes as often as they were written.

    Examples
    --------
    >>> from cloudburst.graph.nodes import Operator
    >>> one, same = make(Operator("neg"), (1,)), make(Operator("neg"), (1,))
    >>> both = make(Operator("add"), (one, same))
    >>> len(topological([both])), len(topological([both], id))
    (2, 3)
    """
    order: list[Expr] = []
    placed: dict[Hashable, bool] = {}
    stack = list(roots)
    stack.reverse()
    while stack:
        node = stack[-1]
        name = identity(node)
        state = placed.get(name)
        if state is None:
            placed[name] = False
            before = len(stack)
            for arg in node.args:
                if type(arg) is Expr and identity(arg) not in placed:
                    stack.append(arg)  # noqa: PERF401 - a generator costs more than one or two arguments do
            new = len(stack) - before
            if new > 1:
                stack[before:] = stack[: before - 1 : -1]
            if new:
                continue
        stack.pop()
        if not state:
            placed[name] = True
            order.append(node)
    return order


def transform(roots: Sequence[Expr], rule: Callable[[Expr], Expr]) -> tuple[Expr, ...]:
    """The roots with ``rule`` applied to every node, from the arguments up; what has not changed is kept as it is.

    A rule sees a node whose arguments are transformed already, and gives that node or another in its place.

    >>> from cloudburst.graph.nodes import Operator
    >>> leaf = make(Operator("neg"), (1,))
    >>> pair = make(Operator("add"), (leaf, leaf))
    >>> [new] = transform([pair], lambda node: make(Operator("neg"), (2,)) if node == leaf else node)
    >>> new.args[0].args
    (2,)
    """
    done: dict[bytes, Expr] = {}
    for node in topological(roots):
        changed = node
        for arg in node.args:
            if type(arg) is Expr and done[arg.key] is not arg:
                args = tuple(done[one.key] if type(one) is Expr else one for one in node.args)
                changed = make(node.what, args, node.names, node.code, node.lasti)
                break
        done[node.key] = rule(changed)
    return tuple(done[root.key] for root in roots)
