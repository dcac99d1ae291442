"""What passes from one pass to the next: the nodes, and what has been found out about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cloudburst.graph.expr import Expr
from cloudburst.graph.facts import Merged, Reading
from cloudburst.graph.walk import topological


@dataclass(frozen=True, slots=True)
class Graph:
    """Expressions to be worked out, and all that is beneath them, arguments first."""

    roots: tuple[Expr, ...]
    nodes: tuple[Expr, ...] = ()
    digests: Mapping[bytes, bytes] = field(default_factory=dict)
    """By key, for the nodes whose value can be named across runs and processes."""
    merged: tuple[Merged, ...] = ()
    """Nodes that stand for several equal ones."""
    wanted: Mapping[tuple[bytes, bytes], frozenset[str]] = field(default_factory=dict)
    """By the key of a node and of an argument of it: the columns that it needs of it, where it does not need all."""
    readings: tuple[Reading, ...] = ()
    """What is read of each source, for people."""

    def wanted_of(self) -> dict[bytes, frozenset[str] | None]:
        """By the key of a value: the columns that all its users need of it together, ``None`` where one needs all."""
        found: dict[bytes, frozenset[str] | None] = dict.fromkeys((root.key for root in self.roots), None)
        for node in self.nodes:
            for child in node.children:
                columns = self.wanted.get((node.key, child.key))
                others = found.get(child.key, frozenset())
                found[child.key] = None if columns is None or others is None else columns | others
        return found

    @classmethod
    def of(cls, roots: tuple[Expr, ...]) -> Graph:
        """The graph beneath these roots, as it was written."""
        return cls(roots, tuple(topological(roots)))
