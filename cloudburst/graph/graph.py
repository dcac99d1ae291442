"""What passes from one pass to the next: the nodes, and what has been found out about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cloudburst.graph.expr import Expr
from cloudburst.graph.facts import Merged
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

    @classmethod
    def of(cls, roots: tuple[Expr, ...]) -> Graph:
        """The graph beneath these roots, as it was written."""
        return cls(roots, tuple(topological(roots)))
