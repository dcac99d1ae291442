"""Pass: of each source only rows are read that can reach what uses it: groups of them are skipped, and single ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from cloudburst.files import RowGroup
from cloudburst.graph.expr import Expr, make
from cloudburst.graph.facts import Facts, Reading, SourceFacts
from cloudburst.graph.frames.clauses import NO_CLAUSES, Clauses, all_of, common
from cloudburst.graph.frames.lineage import Line, Lines, lineage
from cloudburst.graph.frames.predicates import EVERYWHERE
from cloudburst.graph.graph import Graph
from cloudburst.graph.nodes import Relabel, Source, Stored


def prune(graph: Graph, facts: Facts) -> Graph:
    """One sweep forward for what rows each value has, one back for the row groups that are needed of it.

    A group is skipped where every way from the source up goes through filters of which one is known to exclude its
    rows, and only ops that are total and look at one row at a time lie between. Of a group that is read, rows may be
    left out that fulfil no clause which each of these ways demands. The filters stay, and still decide.

    >>> from cloudburst.files import File
    >>> from cloudburst.graph.nodes import Operator
    >>> source = make(Source("parquet", (File("/data/a.parquet", 100, "1"),)))
    >>> prune(Graph.of((make(Operator("getitem"), (source, "x")),)), Facts()).readings[0].why_rows
    'what its row groups hold is not known'
    """
    sources = [node for node in graph.nodes if _is_read(node, facts)]
    if not sources:
        return graph
    about = {node.key: found for node in sources if (found := _facts_of(node, facts)) is not None}
    lines = lineage(graph.nodes, about)
    sweep = _Sweep(graph, lines, about)
    cuts: dict[bytes, _Cut] = {}
    whys: dict[bytes, str] = {}
    for node in sources:
        cut = _cut(node, about.get(node.key), sweep)
        if isinstance(cut, _Cut):
            cuts[node.key] = cut
            if not cut.skipped:
                whys[node.key] = _why_every_group(node, len(cut.groups), sweep)
        else:
            whys[node.key] = cut
    pruned = _Rewriting(graph, lines, cuts).graph()
    now = dict(zip([node.key for node in graph.nodes if _is_leaf(node)], filter(_is_leaf, pruned.nodes), strict=True))
    already = {reading.key: reading for reading in graph.readings}
    wanted = graph.wanted_of() if any(isinstance(node.what, Stored) for node in sources) else {}
    readings = tuple(
        _reading(now[old.key], about.get(old.key), already.get(old.key), whys.get(old.key, ""), wanted.get(old.key))
        for old in sources
    )
    return replace(pruned, readings=readings)


def _is_leaf(node: Expr) -> bool:
    return isinstance(node.what, Source | Stored)


def _is_read(node: Expr, facts: Facts) -> bool:
    """Whether a node reads a source, or a stored frame of which something is known."""
    return isinstance(node.what, Source) or (isinstance(node.what, Stored) and node.key in facts.sources)


def _facts_of(node: Expr, facts: Facts) -> SourceFacts | None:
    """What is known of a source; its facts are those of the node as it was written, with all columns."""
    what = node.what
    if node.key in facts.sources or not isinstance(what, Source) or what.columns is None:
        return facts.sources.get(node.key)
    return facts.sources.get(make(replace(what, columns=None), node.args, node.names).key)


class _Sweep:
    """From the results back: which row groups are needed of each value that has a line, and who needs all of them."""

    def __init__(self, graph: Graph, lines: Lines, about: Mapping[bytes, SourceFacts]) -> None:
        self.needed: dict[bytes, int] = dict.fromkeys((root.key for root in graph.roots), EVERYWHERE)
        """One bit each."""
        self.clauses: dict[bytes, Clauses] = dict.fromkeys((root.key for root in graph.roots), NO_CLAUSES)
        """What every row fulfils that is needed."""
        self.whole: dict[bytes, str] = {root.key: "every row is asked for" for root in graph.roots}
        """For a value of which every row is needed: why, in a sentence."""
        for node in reversed(graph.nodes):
            children = [child for child in node.children if child.key in lines]
            if children:
                line = lines.get(node.key)
                self._hand_down(node, children, line, about[line.source] if line is not None else None)

    def _hand_down(self, node: Expr, children: list[Expr], line: Line | None, about: SourceFacts | None) -> None:
        if line is None or about is None:
            need, clauses, why = EVERYWHERE, NO_CLAUSES, f"{node.what.label} needs every row"
        else:
            need, clauses = self.needed.get(node.key, 0), self.clauses.get(node.key, NO_CLAUSES)
            why = self.whole.get(node.key, "")
            if line.keeps is not None:
                # which rows a later filter keeps cannot tell whether the labels of all that this one keeps are a range
                if line.first == node.key and about.labels is not None:
                    need, clauses = EVERYWHERE, NO_CLAUSES
                need, clauses = need & line.keeps, all_of(clauses, line.clauses)
                why = "nothing rules out a row group" if need == EVERYWHERE else ""
        for child in children:
            self.needed[child.key] = self.needed.get(child.key, 0) | need
            self.clauses[child.key] = common(self.clauses.get(child.key, clauses), clauses)
            if why:
                self.whole.setdefault(child.key, why)


@dataclass(frozen=True, slots=True)
class _Cut:
    """What is read of a source."""

    groups: tuple[RowGroup, ...]
    nullable: tuple[str, ...]
    about: SourceFacts
    skipped: int
    """The row groups that are not read, one bit each."""
    clauses: Clauses
    """What rows of the others fulfil that are needed."""

    def leaves_whole(self, line: Line) -> bool:
        """Whether a value has all of its rows nevertheless, because of the filters before it."""
        return line.within & self.skipped == 0 and self.clauses <= line.held


def _cut(node: Expr, about: SourceFacts | None, sweep: _Sweep) -> _Cut | str:
    """What is read of a source, or why all of it is."""
    what = node.what
    if about is None or not isinstance(what, Source | Stored) or what.groups is not None:
        return "what its row groups hold is not known"
    if about.all_rows:
        return about.all_rows
    every = (1 << len(about.groups)) - 1
    needed = sweep.needed.get(node.key, 0) & every
    clauses = NO_CLAUSES if isinstance(what, Stored) else sweep.clauses.get(node.key, NO_CLAUSES)
    if not every or (needed == every and not clauses):
        return _why_every_group(node, every, sweep)
    groups = tuple(group for number, group in enumerate(about.groups) if needed >> number & 1)
    if isinstance(what, Stored):
        return _Cut(groups, (), about, every & ~needed, clauses)
    read = [name for name in about.columns if what.columns is None or name in what.columns]
    for name in read:
        why = about.skippable(name)
        if not why and about.has_nulls(name) is None and _depends_on_nulls(about.columns[name]):
            why = f"whether a value of {name} is missing is not known"
        if why:
            return why
    return _Cut(groups, tuple(name for name in read if about.has_nulls(name)), about, every & ~needed, clauses)


def _why_every_group(node: Expr, every: int, sweep: _Sweep) -> str:
    if not every:
        return ""
    return sweep.whole.get(node.key) or "each row group has rows that a filter may keep"


def _depends_on_nulls(dtype: str) -> bool:
    """Whether a missing value would have made another dtype."""
    return not dtype or dtype.startswith(("int", "uint", "bool"))


@dataclass(slots=True)
class _Rewriting:
    """The graph with sources that are read in part, and a new index where they are filtered first.

    What is made of too few rows has no digest; from a filter on that leaves no row out, all is as it was.
    """

    _before: Graph
    _lines: Lines
    _cuts: Mapping[bytes, _Cut]
    _now: dict[bytes, Expr] = field(default_factory=dict)
    """By old key: the node itself, of its new arguments."""
    _given: dict[bytes, Expr] = field(default_factory=dict)
    """By old key: what its users get."""
    _digests: dict[bytes, bytes] = field(default_factory=dict)

    def graph(self) -> Graph:
        if not self._cuts:
            return self._before
        nodes = [new for node in self._before.nodes for new in self._rewritten(node)]
        roots = tuple(self._given[root.key] for root in self._before.roots)
        return replace(
            self._before, roots=roots, nodes=tuple(nodes), digests=self._digests, wanted=self._wanted_columns()
        )

    def _rewritten(self, node: Expr) -> Iterator[Expr]:
        line = self._lines.get(node.key)
        cut = self._cuts.get(line.source) if line is not None else None
        now = self._made_again(node, self._cuts.get(node.key))
        self._now[node.key] = self._given[node.key] = now
        yield now
        lacks_rows = cut is not None and line is not None and not cut.leaves_whole(line)
        digest = None if lacks_rows else self._before.digests.get(node.key)
        if cut is not None and line is not None and line.keeps is not None and line.first == node.key:
            labels = cut.about.labels
            if labels is not None:
                now = make(Relabel(labels), (now,), (), node.code, node.lasti)
                self._given[node.key] = now
                yield now
        if digest is not None:
            self._digests[now.key] = digest

    def _made_again(self, node: Expr, cut: _Cut | None) -> Expr:
        what, given = node.what, self._given
        if cut is not None and isinstance(what, Source):
            clauses = tuple(sorted(cut.clauses))
            what = replace(what, groups=cut.groups, labels=cut.about.labels, nullable=cut.nullable, clauses=clauses)
        elif cut is not None and isinstance(what, Stored):
            what = replace(what, groups=tuple(group.number for group in cut.groups))
        elif all(given[child.key] is child for child in node.children):
            return node
        args = tuple(given[arg.key] if type(arg) is Expr else arg for arg in node.args)
        return make(what, args, node.names, node.code, node.lasti)

    def _wanted_columns(self) -> dict[tuple[bytes, bytes], frozenset[str]]:
        """The same by the new keys; a new index needs of a filter's value what all its users want."""
        before, wanted = self._before, {}
        of_users: dict[bytes, frozenset[str] | None] = dict.fromkeys((root.key for root in before.roots), None)
        for node in before.nodes:
            for child in node.children:
                columns = before.wanted.get((node.key, child.key))
                if columns is not None:
                    wanted[self._now[node.key].key, self._given[child.key].key] = columns
                others = of_users.get(child.key, frozenset())
                of_users[child.key] = None if columns is None or others is None else columns | others
        for key, given in self._given.items():
            columns = of_users.get(key)
            if given is not self._now[key] and columns is not None:
                wanted[given.key, self._now[key].key] = columns
        return wanted


def _reading(
    node: Expr, about: SourceFacts | None, already: Reading | None, why: str, wanted: frozenset[str] | None
) -> Reading:
    """What is read of a source or a stored frame, and why all of its rows are."""
    what = node.what
    assert isinstance(what, Source | Stored)
    names = what.columns if isinstance(what, Source) else wanted
    columns = None if names is None else (len(names), None if about is None else len(about.columns))
    if already is not None:
        columns = already.columns
    why_columns = "" if already is None else already.why_columns
    if about is None:
        return Reading(node.key, columns, None, None if already is None else already.nbytes, why_columns, why)
    of = len(about.groups)
    groups = (of if what.groups is None else len(what.groups), of)
    read = what.groups if isinstance(what, Source) else _by_number(about, what)
    nbytes = (about.nbytes(names, read), about.nbytes())
    return Reading(node.key, columns, groups, nbytes, why_columns, why)


def _by_number(about: SourceFacts, what: Stored) -> list[RowGroup] | None:
    return None if what.groups is None else [about.groups[number] for number in what.groups]
