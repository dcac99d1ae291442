"""Which nodes are worked out together: a partition of the graph into tasks, which changes no node and no key.

A stage, and a value that was given a size, opens a group. Everything else rides:

- a *view* (accessor, group-by, window, container) belongs to no group: it is made again wherever it is used;
- an op known to shrink rides with the producer of its input, and what stands between them rides along;
- another op rides with its one consumer, else with its producer;
- an op that needs the results of two groups rides with the group that uses it, else opens a group of its own;
- ops that only lead to a value with a size of its own ride with that: there they were asked to be worked out;
- ops of pandas that are made of files alone, and that no single stage uses, are one group with all that they are
  joined with: frames that were read are not stored and read again to be merged.

What a fan reads cannot ride in the fan, where it would be worked out once an item, and what reads a fan's list cannot
ride in it either. A value asked for by the user, or read by several groups, is stored by its producer.

Two sweeps do it: one from the results back, which finds for every op the one group that uses it; one forward, which
settles who stays where.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cloudburst.graph.expr import Expr
from cloudburst.graph.frames.spelled import pandas_name
from cloudburst.graph.graph import Graph
from cloudburst.graph.nodes import Call, FunctionValue, Literal, Sized, Source, Stored
from cloudburst.graph.semantics import is_projection, is_view, shrinks

_NOBODY, _SEVERAL = -1, -2
LEAVES = (Literal, FunctionValue, Stored)
_MADE_OF_FILES = "what is made of files alone, and used by no stage or by several, is one task"


@dataclass(frozen=True, slots=True)
class Grouping:
    """The partition: a group's number for each node that belongs to one, and the reasons."""

    group_of: Mapping[bytes, int]
    """By key. Leaves and views are not in it."""
    heads: tuple[Expr, ...]
    """The node that opened each group, by the group's number."""
    apart: Mapping[bytes, str]
    """By key of a node that could have ridden elsewhere: the sentence that says why it does not."""


def opens(node: Expr) -> bool:
    """Whether the node is a task's own: a stage, or a value with a size."""
    what = node.what
    return isinstance(what, Sized) or (isinstance(what, Call) and what.policy is not None)


def group(graph: Graph) -> Grouping:
    """Partition the nodes of a graph into groups of which each becomes one task."""
    shape = _Shape(graph)
    wishes = _backward(graph, shape)
    return _forward(graph, shape, wishes)


class _Shape:
    """What the sweeps need to know of each node, by key."""

    def __init__(self, graph: Graph) -> None:
        roots = {root.key for root in graph.roots}
        self.mapped: set[bytes] = set()
        """What fans read."""
        self.views: set[bytes] = set()
        self.leaves: set[bytes] = set()
        self.source: dict[bytes, bytes] = {}
        """The one opener, or op with a group of its own, from which a node comes."""
        self.stage_made: set[bytes] = set()
        """Openers that are no fans."""
        self.pipelines = _Pipelines()
        source = self.source
        for node in graph.nodes:
            key = node.key
            what = node.what
            if isinstance(what, LEAVES) and not (isinstance(what, FunctionValue) and key in roots):
                self.leaves.add(key)
            elif opens(node):
                source[key] = key
                if _fans(node):
                    self.mapped.update(child.key for child in node.children)
                else:
                    self.stage_made.add(key)
            else:
                if key not in roots and is_view(node, self.views):
                    self.views.add(key)
                self.pipelines.add(node)
                came = {source[child.key] for child in node.children if child.key in source}
                if len(came) == 1:
                    source[key] = came.pop()
                elif came or key not in self.views:
                    source[key] = key
        self.views -= self.mapped
        taken = {child.key for node in graph.nodes if opens(node) for child in node.children if opens(child)}
        self.pinned = (roots | self.mapped | taken) - self.leaves
        """What is stored in any case."""


class _Pipelines:
    """What is made of files by ops of pandas alone, each with all that it shares a value with."""

    def __init__(self) -> None:
        self._above: dict[bytes, bytes] = {}
        """For each such value another of the same pipeline, or itself."""

    def add(self, node: Expr) -> None:
        """Take in a node whose arguments were taken in before."""
        children = [child.key for child in node.children if not isinstance(child.what, LEAVES)]
        is_read = isinstance(node.what, Source)
        if not (is_read or (children and self._above.keys() >= set(children) and _is_pandas(node))):
            return
        self._above[node.key] = node.key
        for child in children:
            self._above[self._top(child)] = node.key

    def of(self, key: bytes) -> bytes | None:
        """What names the pipeline of a value, if it belongs to one."""
        return self._top(key) if key in self._above else None

    def _top(self, key: bytes) -> bytes:
        above = self._above
        while (next_one := above[key]) != key:
            above[key] = above[next_one]
            key = next_one
        return key


def _is_pandas(node: Expr) -> bool:
    return not isinstance(node.what, Call) or bool(pandas_name(node.what))


def _backward(graph: Graph, shape: _Shape) -> dict[bytes, int]:
    """For each op the group it would ride with as its one consumer, else ``_SEVERAL``; openers get their numbers."""
    wishes: dict[bytes, int] = {}
    heads = [node for node in graph.nodes if opens(node)]
    numbers = {node.key: number for number, node in enumerate(heads)}
    users: dict[bytes, int] = {}
    stays: set[bytes] = set()
    for node in reversed(graph.nodes):
        key = node.key
        if key in shape.leaves:
            continue
        user = users.get(key, _NOBODY)
        if key in numbers:
            own = numbers[key]
        elif key in shape.views:
            own = user
        elif (
            key in shape.pinned
            or user < 0
            or (
                shape.source.get(key) in shape.stage_made
                and (shrinks(node) or key in stays)
                and not _goes_on(node, heads[user], shape)
            )
        ):
            own = _SEVERAL
        else:
            own = user
        wishes[key] = own
        keeps = key not in numbers and (own == _SEVERAL or (key in shape.views and key in stays))
        for child in node.children:
            before = users.get(child.key, _NOBODY)
            users[child.key] = own if before in (_NOBODY, own) else _SEVERAL
            if keeps and shape.source.get(child.key) == shape.source.get(key):
                stays.add(child.key)
    return wishes


def _forward(graph: Graph, shape: _Shape, wishes: dict[bytes, int]) -> Grouping:
    heads = [node for node in graph.nodes if opens(node)]
    group_of: dict[bytes, int] = {}
    apart: dict[bytes, str] = {}
    below: dict[bytes, frozenset[int] | int] = {}
    homes: dict[bytes, int] = {}
    for node in graph.nodes:
        key = node.key
        if key in shape.leaves:
            continue
        if key in shape.views:
            below[key] = _inputs(node, below)
            continue
        home = wish = wishes[key]
        if not opens(node):
            inputs = _inputs(node, below)
            stay = next(iter(inputs)) if len(inputs) == 1 else _NOBODY
            if stay >= 0 and _fans(heads[stay]):
                stay = _NOBODY
            if stay >= 0 and (wish < 0 or (shrinks(node) and not _goes_on(node, heads[wish], shape))):
                home = stay
            elif wish < 0:
                pipeline = shape.pipelines.of(key)
                home = len(heads) if pipeline is None else homes.setdefault(pipeline, len(heads))
                if home == len(heads):
                    apart[key] = _why_apart(node, inputs, heads, shape) if pipeline is None else _MADE_OF_FILES
                    heads.append(node)
        group_of[key] = home
        below[key] = home
    return Grouping(group_of, tuple(heads), apart)


def _inputs(node: Expr, below: dict[bytes, frozenset[int] | int]) -> frozenset[int]:
    """The groups whose values a node reads, through the views beneath it."""
    found: set[int] = set()
    for child in node.children:
        group = below.get(child.key)
        if isinstance(group, int):
            found.add(group)
        elif group is not None:
            found |= group
    return frozenset(found)


def _goes_on(node: Expr, user: Expr, shape: _Shape) -> bool:
    """Whether an op that shrinks rides with its user all the same: what it reads is stored anyway, or it was asked."""
    return isinstance(user.what, Sized) or (is_projection(node) and node.children[0].key in shape.pinned)


def _fans(head: Expr) -> bool:
    return isinstance(head.what, Call) and head.what.fans


def _why_apart(node: Expr, inputs: frozenset[int], heads: list[Expr], shape: _Shape) -> str:
    names = " and ".join(heads[number].what.label for number in sorted(inputs)[:3])
    if node.key in shape.mapped:
        return f"{node.what.label} feeds a map and would be worked out once an item"
    if len(inputs) > 1:
        return f"{node.what.label} needs the results of {names}, and not one stage alone uses it"
    if inputs:
        return f"{node.what.label} reads the whole list of {names}, which is worked out item by item"
    return f"{node.what.label} belongs to no stage"
