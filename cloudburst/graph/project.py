"""Pass: of each source only the columns are read that something uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cloudburst.graph.expr import Expr, make
from cloudburst.graph.facts import Facts, Reading, SourceFacts
from cloudburst.graph.frames.known import NOTHING, Known
from cloudburst.graph.frames.rule import Needs, Wanted, union
from cloudburst.graph.frames.rules import known_of, needs_of
from cloudburst.graph.graph import Graph
from cloudburst.graph.nodes import Narrow, Source, Stored


def project(graph: Graph, facts: Facts) -> Graph:
    """One sweep forward for what is known of each value, one back for the columns that are wanted of it.

    Every op stays, and gets what it needs to give exactly what pandas gives, or to raise what pandas raises.

    >>> from cloudburst.files import File
    >>> from cloudburst.graph.nodes import Operator
    >>> source = make(Source("parquet", (File("/data/a.parquet", 100, "1"),)))
    >>> top = make(Operator("getitem"), (source, "x"))
    >>> project(Graph.of((top,)), Facts()).nodes[0].what.columns
    ('x',)
    """
    known = facts.frames.keys() | facts.sources.keys()
    if not any(isinstance(node.what, Source) or node.key in known for node in graph.nodes):
        return graph
    knowledge = known_values(graph, facts)
    sweep = _Sweep(graph, knowledge)
    return _narrowed(graph, sweep, facts)


def known_values(graph: Graph, facts: Facts) -> dict[bytes, Known]:
    """What is known of every value of which something is."""
    knowledge: dict[bytes, Known] = {}
    for node in graph.nodes:
        about = facts.sources.get(node.key)
        if about is not None or isinstance(node.what, Source):
            known = Known("frame") if about is None else Known("frame", about.columns, labels=about.levels)
        elif node.key in facts.frames:
            known = Known("frame", facts.frames[node.key])
        elif isinstance(node.what, Narrow):
            known = _narrow(knowledge.get(node.children[0].key, NOTHING), node.what)
        else:
            known = known_of(node, knowledge)
        if known.kind:
            knowledge[node.key] = known
    return knowledge


def _narrow(known: Known, what: Narrow) -> Known:
    if known.kind != "frame" or known.columns is None:
        return known
    return Known("frame", {name: dtype for name, dtype in known.columns.items() if name in what.columns})


_NOT_WANTED: frozenset[str] = frozenset()


class _Sweep:
    """From the results back: which columns are wanted of each value, and who wants all of them."""

    def __init__(self, graph: Graph, knowledge: Mapping[bytes, Known]) -> None:
        self.wants: dict[bytes, Wanted] = {root.key: None for root in graph.roots}
        self.edges: dict[tuple[bytes, bytes], frozenset[str]] = {}
        """The columns that a node, the first, wants of an argument, where it does not want all."""
        self.whole: dict[bytes, str] = {root.key: "it is asked for whole" for root in graph.roots}
        """For a value that is wanted whole: why, in a sentence."""
        self._knowledge = knowledge
        for node in reversed(graph.nodes):
            if node.children:
                self._visit(node)

    def _visit(self, node: Expr) -> None:
        wants, whole = self.wants, self.whole
        needs = self._needs(node, wants.get(node.key))
        own: dict[bytes, Wanted] = {}
        for place, arg in enumerate(node.args):
            if type(arg) is Expr:
                need = needs.get(place)
                own[arg.key] = union(own.get(arg.key, _NOT_WANTED), need)
                if need is None and arg.key not in whole:
                    whole[arg.key] = self._why(node, place)
        for key, need in own.items():
            wants[key] = union(wants.get(key, _NOT_WANTED), need)
            if need is not None:
                self.edges[node.key, key] = need

    def _needs(self, node: Expr, wanted: Wanted) -> Needs:
        what = node.what
        return {0: frozenset(what.columns)} if isinstance(what, Narrow) else needs_of(node, wanted, self._knowledge)

    def _why(self, node: Expr, place: int) -> str:
        """Whether the op itself needs every column, or only hands on that somebody does."""
        if node.key in self.whole and self._needs(node, _NOT_WANTED).get(place) is not None:
            return self.whole[node.key]
        return f"{node.what.label} needs every column"


def _narrowed(graph: Graph, sweep: _Sweep, facts: Facts) -> Graph:
    """The graph with narrower sources. What is made of a narrower value, and is not wanted whole, has no digest.

    A stored value is narrower only for those who read it so, as what another task has made is: see the planner.
    """
    new: dict[bytes, Expr] = {}
    narrower: set[bytes] = set()
    nodes: list[Expr] = []
    digests: dict[bytes, bytes] = {}
    readings: list[Reading] = []
    for node in graph.nodes:
        what, wanted = node.what, sweep.wants.get(node.key)
        now = node
        if isinstance(what, Source) or (isinstance(what, Stored) and node.key in facts.sources):
            columns = None if wanted is None else _to_read(wanted, facts, node)
            if columns is not None and isinstance(what, Source):
                now = make(replace(what, columns=columns), node.args, node.names, node.code, node.lasti)
                narrower.add(node.key)
            why = sweep.whole.get(node.key, "") if columns is None and wanted is None else ""
            readings.append(_reading(now, columns, facts.sources.get(node.key), why))
        elif any(new[child.key] is not child for child in node.children):
            args = tuple(new[arg.key] if type(arg) is Expr else arg for arg in node.args)
            now = make(what, args, node.names, node.code, node.lasti)
        if wanted is not None and any(child.key in narrower for child in node.children):
            narrower.add(node.key)
        if node.key in graph.digests and node.key not in narrower:
            digests[now.key] = graph.digests[node.key]
        new[node.key] = now
        nodes.append(now)
    roots = tuple(new[root.key] for root in graph.roots)
    wanted_of = {(new[by].key, new[of].key): columns for (by, of), columns in sweep.edges.items()}
    return replace(graph, roots=roots, nodes=tuple(nodes), digests=digests, wanted=wanted_of, readings=tuple(readings))


def _to_read(wanted: frozenset[str], facts: Facts, node: Expr) -> tuple[str, ...] | None:
    """Columns in the order in which they lie in the file; ``None`` where that is all of them."""
    about = facts.sources.get(node.key)
    if about is None:
        return tuple(sorted(wanted))
    there = tuple(name for name in about.columns if name in wanted)
    return None if len(there) == len(about.columns) else there


def _reading(node: Expr, columns: tuple[str, ...] | None, about: SourceFacts | None, why: str) -> Reading:
    if about is None:
        return Reading(node.key, None if columns is None else (len(columns), None), None, None, why)
    total = len(about.columns)
    return Reading(
        node.key,
        (total if columns is None else len(columns), total),
        (len(about.groups), len(about.groups)) if about.groups else None,
        (about.nbytes(columns), about.nbytes()),
        why,
    )
