"""Small plans for tests of the state machine: by hand, and at random."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from cloudburst.resources import Size
from cloudburst.runtime.task import GIVEN, Artifact, Input, Output, Plan, Task

SMALL = Size(1024, 2048)
SIZES = (SMALL, Size(2048, 4096), Size(256, 512), Size(4096, 16384), Size())
SHAPES = (SMALL, Size(2048, 4096), Size(1024, 3072), SMALL._replace(spot=True), Size(1024, 2048, 50), Size(8192, 16384))
"""Sizes of machines: some take tasks of others, some are too dear, too small or not to be relied on."""


def task(index: int, *inputs: Input | int, **fields: Any) -> Task:
    """A task with one output, unless told otherwise; an input is an ``Input`` or the number of a task."""
    read = tuple([one if isinstance(one, Input) else Input(one) for one in inputs])
    fields = {"stage": "work", "steps": (), "outputs": (Output(0),), "origins": (), "size": SMALL, **fields}
    return Task(index, f"work-{index}", inputs=read, **fields)


def plan(*tasks: Task, targets: Sequence[Input | int] | None = None, given: Sequence[Artifact] = ()) -> Plan:
    """A plan whose target is the last task, unless told otherwise."""
    wanted = targets if targets is not None else [len(tasks) - 1][: len(tasks)]
    return Plan(
        "test", tasks, {}, tuple(given), tuple([one if isinstance(one, Input) else Input(one) for one in wanted])
    )


def artifact(key: str) -> Artifact:
    """An artifact that lies in the store."""
    return Artifact("pickle", key, 10)


def parts(*keys: str) -> Artifact:
    """An artifact in parts that lie in the store."""
    return Artifact("parts", tuple([artifact(key) for key in keys]), 10 * len(keys))


def random_plan(random: Random, most: int = 12, sizes: Sequence[Size] = SIZES, chained: float = 0.0) -> Plan:
    """A plan with fans, tasks of many outputs, sizes up to more than a machine, retries, and values that are given.

    ``chained`` is how likely a task is to read what the one before it makes, and nothing else.
    """
    given = (artifact("given/0"), parts(*[f"given/1/{part}" for part in range(random.randrange(4))]))
    plain, fannable = [Input(GIVEN, 0)], [Input(GIVEN, 1)]
    tasks = []
    for index in range(random.randint(1, most)):
        inputs = random.choices(plain + fannable, k=random.randrange(4))
        if random.random() < chained and tasks:
            inputs = [Input(index - 1)]
        is_fan = random.random() < 0.3 - chained / 3
        if is_fan:
            inputs.insert(random.randint(0, len(inputs)), random.choice(fannable))
        outputs = [Output(0, parts=not is_fan and random.random() < 0.4) for _ in range(random.choice((1, 1, 1, 2, 3)))]
        for number, output in enumerate(outputs):
            (fannable if is_fan or output.parts else plain).append(Input(index, number))
        if random.random() < 0.2:
            outputs.append(Output(0, rescue=True))
        tasks.append(
            task(
                index,
                *inputs,
                stage=random.choice("fgh"),
                outputs=tuple(outputs),
                size=random.choice(sizes),
                retries=random.choice((0, 0, 1, 2)),
                fan=next(slot for slot, read in enumerate(inputs) if read in fannable) if is_fan else None,
                stage_step=0,
            )
        )
    made = [Input(each.index, number) for each in tasks for number, one in enumerate(each.outputs) if not one.rescue]
    return plan(*tasks, targets=random.sample(made, random.randint(1, min(3, len(made)))), given=given)
