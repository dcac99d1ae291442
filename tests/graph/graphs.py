"""Small stages and ways to look at what becomes of their graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cloudburst as cb
from cloudburst.deferred import Deferred
from cloudburst.graph.expr import Expr
from cloudburst.graph.graph import Graph
from cloudburst.graph.group import Grouping, group
from cloudburst.graph.nodes import Attribute, Operator
from cloudburst.runtime.stores.memory import MemoryStore
from cloudburst.runtime.task import Plan
from tests.inline import planned


@cb.stage
def load(n: int = 0) -> Any:
    return list(range(n))


@cb.stage
def other(n: int = 0) -> Any:
    return [n]


@cb.stage
def use(*values: Any) -> Any:
    return values


@cb.stage
def train(*values: Any) -> Any:
    return values


@cb.stage
def each(item: Any, plus: Any = 0) -> Any:
    return item


merge = cb.defer(lambda left, right: [left, right])


def expr(deferred: Deferred[Any]) -> Expr:
    return deferred._expr


def neg(arg: Any) -> Expr:
    from cloudburst.graph.expr import make

    return make(Operator("neg"), (arg,))


def attribute(name: str, arg: Any) -> Expr:
    from cloudburst.graph.expr import make

    return make(Attribute(name), (arg,))


def plan_of(*deferreds: Deferred[Any]) -> Plan:
    return planned([expr(one) for one in deferreds], MemoryStore())[0]


def grouped(*deferreds: Deferred[Any]) -> tuple[Graph, Grouping]:
    graph = Graph.of(tuple(expr(one) for one in deferreds))
    return graph, group(graph)


def tasks_of(*deferreds: Deferred[Any]) -> list[list[str]]:
    """What each task does, step by step."""
    return [[origin.label for origin in task.origins] for task in plan_of(*deferreds).tasks]


def apart(*deferreds: Deferred[Any]) -> list[str]:
    return list(grouped(*deferreds)[1].apart.values())


def stored(plan: Plan) -> list[list[str]]:
    """By task: what it stores, by the label of the step that makes it; in brackets what is stored after a failure."""
    said = []
    for task in plan.tasks:
        labels = [""] * len(task.inputs) + [origin.label for origin in task.origins]
        said.append([f"({labels[out.slot]})" if out.rescue else labels[out.slot] for out in task.outputs])
    return said


def labels(nodes: Sequence[Expr]) -> list[str]:
    return [node.what.label for node in nodes]
