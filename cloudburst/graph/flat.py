"""Expressions as one flat list and back, so that a chain of any length is pickled without recursion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from cloudburst.graph.expr import Expr, make
from cloudburst.graph.identity import identify, process
from cloudburst.graph.nodes import Call, FunctionValue, What
from cloudburst.graph.walk import topological


class Row(NamedTuple):
    """A node with its arguments that are nodes given by their rows' numbers."""

    what: What
    plain: tuple[Any, ...]
    refs: tuple[tuple[int, int], ...]
    names: tuple[str, ...]
    key: bytes


@dataclass(frozen=True, slots=True)
class Flat:
    """All nodes beneath some roots, arguments first, and the numbers of the roots."""

    rows: tuple[Row, ...]
    roots: tuple[int, ...]
    process: bytes


def flatten(roots: Sequence[Expr]) -> Flat:
    """The nodes beneath the roots as rows."""
    numbers: dict[bytes, int] = {}
    rows: list[Row] = []
    for node in topological(roots):
        refs = tuple((place, numbers[arg.key]) for place, arg in enumerate(node.args) if type(arg) is Expr)
        plain = tuple(None if type(arg) is Expr else arg for arg in node.args)
        numbers[node.key] = len(rows)
        rows.append(Row(node.what, plain, refs, node.names, node.key))
    return Flat(tuple(rows), tuple(numbers[root.key] for root in roots), process())


def unflatten(flat: Flat) -> list[Expr]:
    """The roots again; in another process their functions get the identities that they have there.

    >>> from cloudburst.graph.nodes import Operator
    >>> node = make(Operator("neg"), (make(Operator("pos"), (1,)),))
    >>> unflatten(flatten([node])) == [node]
    True
    """
    nodes: list[Expr] = []
    whats: dict[int, What] = {}
    is_from_here = flat.process == process()
    for what, plain, refs, names, key in flat.rows:
        args = list(plain)
        for place, number in refs:
            args[place] = nodes[number]
        if is_from_here:
            nodes.append(Expr(what, tuple(args), names, key))
        else:
            if id(what) not in whats:
                whats[id(what)] = _identified_here(what)
            nodes.append(make(whats[id(what)], tuple(args), names))
    return [nodes[number] for number in flat.roots]


def unflatten_one(flat: Flat) -> Expr:
    """The one root again."""
    return unflatten(flat)[0]


def _identified_here(what: What) -> What:
    if isinstance(what, Call | FunctionValue):
        return replace(what, identity=identify(what.function))
    return what
