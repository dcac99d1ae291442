"""Plans performed right here, one task after another: the graph and the planner without processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cloudburst.graph.expr import Expr
from cloudburst.graph.facts import Facts
from cloudburst.graph.graph import Graph
from cloudburst.graph.group import group
from cloudburst.graph.nodes import ANY_SIZE, Call, FunctionValue
from cloudburst.graph.optimize import PASSES, optimize
from cloudburst.graph.walk import topological
from cloudburst.keys import digest
from cloudburst.materials import Captures, materials
from cloudburst.planner import make_plan
from cloudburst.resources import Size
from cloudburst.runtime.artifacts import read
from cloudburst.runtime.capture import Captured
from cloudburst.runtime.protocols import Assignment
from cloudburst.runtime.steps import perform
from cloudburst.runtime.stores.memory import MemoryStore
from cloudburst.runtime.task import GIVEN, Artifact, Input, Plan, TaskId

Functions = dict[str, Callable[..., Any]]


def planned(
    roots: Sequence[Expr],
    store: MemoryStore,
    passes: Any = PASSES,
    present: dict[bytes, Any] | None = None,
    default: Size = ANY_SIZE,
) -> tuple[Plan, Graph, Functions]:
    """A plan whose functions are named by digests of their identities, and the functions themselves."""
    found = {
        node.what.identity: node.what.function
        for node in topological(roots)
        if isinstance(node.what, Call | FunctionValue)
    }
    digests = {identity: digest(b"captured", identity) for identity in found}
    graph = optimize(Graph.of(tuple(roots)), Facts(digests, {}, present or {}), passes, checked=True)
    captures = Captures({one: Captured(b"", written, "", frozenset()) for one, written in digests.items()}, {})
    made_of = materials(graph, captures, store, "runs/test")
    plan = make_plan(graph, group(graph), made_of, name="test", default=default)
    return plan, graph, {digests[identity].hex(): function for identity, function in found.items()}


def run_inline(roots: Sequence[Expr], passes: Any = PASSES) -> list[Any]:
    """The values of the roots."""
    store = MemoryStore()
    plan, _, functions = planned(roots, store, passes)
    return run_plan(plan, functions, store)


def run_plan(plan: Plan, functions: Functions, store: MemoryStore) -> list[Any]:
    """Perform the tasks in their order and read the targets."""
    made: list[tuple[Artifact, ...]] = []

    def at(place: Input) -> Artifact:
        return plan.given[place.output] if place.task == GIVEN else made[place.task][place.output]

    for task in plan.tasks:
        inputs = [at(one) for one in task.inputs]
        if task.fan is None:
            made.append(_performed(task, inputs, functions, store, -1))
            continue
        parts = inputs[task.fan].body
        assert isinstance(parts, tuple)
        items = [
            _performed(task, [*inputs[: task.fan], part, *inputs[task.fan + 1 :]], functions, store, number)
            for number, part in enumerate(parts)
        ]
        outputs = range(len(task.outputs))
        made.append(tuple(Artifact("parts", tuple(item[number] for item in items), 0) for number in outputs))
    return [read(at(target), store) for target in plan.targets]


def _performed(task: Any, inputs: Any, functions: Functions, store: MemoryStore, item: int) -> tuple[Artifact, ...]:
    prefix = f"runs/test/a/{task.index}.{item + 1}"
    record = perform(
        Assignment(
            TaskId(task.index, item),
            1,
            task.steps,
            tuple(inputs),
            task.outputs,
            prefix,
            None,
            task.stage_step,
            stage=task.stage,
            columns=task.columns,
            reads=task.reads,
        ),
        functions,
        store,
    )
    if record.failure is not None:
        raise AssertionError(record.failure)
    return record.artifacts
