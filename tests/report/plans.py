"""Plans and runs made by hand, for tests of what shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudburst.resources import Size
from cloudburst.runtime.driver import Failed, Outcome
from cloudburst.runtime.events import Assign, Ended, Failure
from cloudburst.runtime.task import GIVEN, WHOLE, Artifact, Input, Origin, Output, Plan, Step, Task, TaskId

SMALL = Size(1024, 2048)


def task(
    index: int,
    stage: str,
    *reads: int,
    then: Sequence[str] = (),
    fan: int | None = None,
    size: Size = SMALL,
    is_stage: bool = True,
    outputs: int = 1,
    **policy: Any,
) -> Task:
    """A task that reads the first output of others, or the first given value."""
    labels = [stage, *then]
    return Task(
        index=index,
        name=f"{stage}-{index:012x}",
        stage=stage,
        steps=tuple(Step("call" if label[0] != "." else "method", label, ()) for label in labels),
        inputs=tuple(Input(maker) for maker in reads),
        outputs=tuple(Output(slot) for slot in range(outputs)),
        origins=tuple(Origin(label, None, -1) for label in labels),
        size=size,
        fan=fan,
        stage_step=0 if is_stage else None,
        **policy,
    )


def plan(*tasks: Task, given: Sequence[Artifact] = (), targets: Sequence[int] | None = None) -> Plan:
    """A plan whose last task is asked for."""
    asked = [len(tasks) - 1] if targets is None else targets
    return Plan("nightly", tasks, {}, tuple(given), tuple(Input(one) for one in asked))


def value(nbytes: int = 10) -> Artifact:
    return Artifact("pickle", b"", nbytes)


def parts(items: int) -> Artifact:
    return Artifact("parts", (value(),) * items, 10 * items)


def ended(
    index: int, *artifacts: Artifact, item: int = WHOLE, attempt: int = 1, failure: str = "", worker: str = "w1"
) -> Ended:
    told = Failure("raised", failure) if failure else None
    return Ended(worker, TaskId(index, item), attempt, artifacts or (value(),), told, 0.5, 100.0)


def assigned(index: int, item: int = WHOLE, attempt: int = 1) -> Assign:
    return Assign("w1", ((TaskId(index, item), attempt),))


def outcome(status: Any = "done", failures: int = 0, skipped: int = 0, **figures: Any) -> Outcome:
    shown = {"targets": (), "partial": {}, "tasks_done": 0, "attempts": 0, "nbytes": 0, "seconds": 0.0}
    shown |= {"workers_started": 0, "warnings": ()} | figures
    for name in Outcome._fields:
        shown.setdefault(name, ())
    shown["status"] = status
    shown["failures"] = tuple(Failed(TaskId(n), 1, Failure("raised", "no"), None) for n in range(failures))
    shown["skipped"] = tuple(TaskId(n) for n in range(skipped))
    return Outcome(**{name: shown[name] for name in Outcome._fields})


__all__ = ["GIVEN", "SMALL", "assigned", "ended", "outcome", "parts", "plan", "task", "value"]
