"""Assignments made by hand, for tests of what performs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cloudburst.runtime import artifacts
from cloudburst.runtime.capture import capture
from cloudburst.runtime.protocols import Assignment
from cloudburst.runtime.steps import Record, perform
from cloudburst.runtime.stores.memory import MemoryStore
from cloudburst.runtime.task import Artifact, Function, Output, Step, TaskId


def slot(number: int) -> slice:
    """Marks an argument of :func:`step` that comes from a slot."""
    return slice(number)


def step(
    kind: Any, what: str = "", *values: object, own: tuple[int, ...] = (), free: tuple[int, ...] = (), **named: object
) -> Step:
    """A step; arguments that :func:`slot` made are references."""
    both = [*values, *named.values()]
    refs = tuple((place, one.stop) for place, one in enumerate(both) if isinstance(one, slice))
    constants = tuple(None if isinstance(one, slice) else one for one in both)
    return Step(kind, what, constants, refs, tuple(named), own, free)


def assignment(
    *steps: Step,
    inputs: Sequence[Artifact] = (),
    outputs: Sequence[Output | int] | None = None,
    task: int = 0,
    attempt: int = 1,
    timeout_s: float | None = None,
    stage_step: int | None = None,
) -> Assignment:
    """An attempt at steps; its one output is the last step's value unless others are named."""
    numbers = [len(inputs) + len(steps) - 1] if outputs is None else outputs
    return Assignment(
        TaskId(task),
        attempt,
        tuple(steps),
        tuple(inputs),
        tuple(Output(one) if isinstance(one, int) else one for one in numbers),
        f"runs/test/{task}-{attempt}",
        timeout_s,
        stage_step,
    )


def captured(**functions: Callable[..., Any]) -> dict[str, Function]:
    """Functions by id, as they travel."""
    return {name: Function(capture(one, stage=name).payload, None) for name, one in functions.items()}


class Bench:
    """A store and functions in this process, to perform steps on."""

    def __init__(self, **functions: Callable[..., Any]) -> None:
        self.store = MemoryStore()
        self.functions = functions

    def write(self, value: object) -> Artifact:
        return artifacts.write(value, self.store, f"given/{len(self.store.list(''))}")

    def perform(self, *steps: Step, inputs: Sequence[object] = (), **rest: Any) -> Record:
        written = [self.write(one) for one in inputs]
        return perform(assignment(*steps, inputs=written, **rest), self.functions, self.store)

    def value(self, *steps: Step, **rest: Any) -> Any:
        return self.values(self.perform(*steps, **rest))[0]

    def values(self, record: Record) -> list[Any]:
        assert record.failure is None, record.failure
        return [artifacts.read(one, self.store) for one in record.artifacts]
