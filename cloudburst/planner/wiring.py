"""Which values pass between groups, and who reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cloudburst.graph.expr import Expr
from cloudburst.graph.graph import Graph
from cloudburst.graph.group import Grouping
from cloudburst.graph.nodes import Call, Narrow
from cloudburst.runtime.task import Input


@dataclass(slots=True)
class Draft:
    """A task in the making."""

    head: Expr
    members: list[Expr] = field(default_factory=list)
    outputs: dict[tuple[bytes, bool], int] = field(default_factory=dict)
    """By key and whether in parts: which output it is."""


class Wiring:
    """Who reads what across groups."""

    def __init__(self, graph: Graph, grouping: Grouping) -> None:
        self.place = {node.key: number for number, node in enumerate(graph.nodes)}
        self.group_of = grouping.group_of
        self.digests = graph.digests
        self.wanted = graph.wanted
        self._wanted_of = graph.wanted_of() if graph.wanted else {}
        order = sorted(range(len(grouping.heads)), key=lambda number: self.place[grouping.heads[number].key])
        self.task_of = {number: index for index, number in enumerate(order)}
        self.drafts = [Draft(grouping.heads[number]) for number in order]
        group_of = grouping.group_of
        for node in graph.nodes:
            number = group_of.get(node.key)
            if number is not None:
                self.drafts[self.task_of[number]].members.append(node)
                fans = type(node.what) is Call and node.what.fans
                for position, arg in enumerate(node.args):
                    if type(arg) is Expr:
                        self._read(arg, number, parts=fans and position == 0)
        for root in graph.roots:
            self._read(root, None, parts=False)

    def _read(self, value: Expr, by: int | None, *, parts: bool) -> None:
        """Mark as outputs the values of other groups that a value is or, where it is a view, is made of."""
        todo = [value]
        while todo:
            one = todo.pop()
            owner = self.group_of.get(one.key)
            if owner is None:
                todo.extend(one.children)
            elif owner != by:
                outputs = self.drafts[self.task_of[owner]].outputs
                in_parts = parts or self.is_fan(one)
                outputs.setdefault((one.key, in_parts), len(outputs))

    def is_fan(self, node: Expr) -> bool:
        return type(node.what) is Call and node.what.fans

    def digest(self, key: bytes, inputs: Sequence[Input]) -> bytes | None:
        """What names a value across runs: nothing where it may lack columns, as it is read by columns and so made."""
        is_in_part = self._wanted_of.get(key) is not None and any(one.columns is not None for one in inputs)
        return None if is_in_part else self.digests.get(key)

    def columns(self, reader: Expr, value: Expr) -> tuple[str, ...] | None:
        """The columns that a node needs of a value, ``None`` where it needs all."""
        narrow = reader.what
        wanted = narrow.columns if isinstance(narrow, Narrow) else self.wanted.get((reader.key, value.key))
        return None if wanted is None else tuple(sorted(wanted))

    def input_for(self, value: Expr, *, parts: bool) -> Input:
        index = self.task_of[self.group_of[value.key]]
        return Input(index, self.drafts[index].outputs[value.key, parts or self.is_fan(value)])
