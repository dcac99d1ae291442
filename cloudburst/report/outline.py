"""A plan in rows: tasks that differ only in what they read are one row, so that ten thousand of them can be read."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from cloudburst.resources import Size
from cloudburst.runtime.task import GIVEN, Plan, Task

_UNTOLD = ("function", "build", "relabel")
"""Steps that say nothing to a reader: a function given as a value, a list made of arguments, labels put right."""


@dataclass(frozen=True, slots=True)
class Row:
    """Equal tasks of one stage."""

    number: int
    """From 1, in plan order of the first of them."""
    stage: str
    """The stage's name, or the first op's where no stage is in it."""
    tasks: tuple[int, ...]
    """Their places in the plan."""
    names: tuple[str, ...]
    """The tasks' full names, digits included."""
    size: Size
    first: tuple[str, ...]
    """Ops that ride before the stage, in order."""
    then: tuple[str, ...]
    """Ops that ride behind it, in order."""
    reads: tuple[int, ...]
    """Numbers of the rows whose values they read."""
    is_fan: bool
    """Whether each is performed once for each item of a list."""
    over: int | None
    """The row that gives this list; ``None`` where it is there from the start."""
    timeout_s: float | None
    retries: int
    is_chained: bool
    """Whether some of them read what others of this row give."""
    is_target: bool
    """Whether one gives a value that the user asked for."""
    stores: tuple[str, ...]
    """What is stored of it: the labels of the steps whose values these are."""


def outline(plan: Plan) -> tuple[Row, ...]:
    """The rows of a plan, in an order in which they could be run.

    Tasks fold into one row if they are alike and read from the same rows, or if one is alike and reads the other: thus
    wide plans become short, and long chains too.

    Returns
    -------
    tuple of Row
    """
    targets = {target.task for target in plan.targets}
    drafts: list[_Draft] = []
    row_of: list[int] = []
    known: dict[Hashable, int] = {}
    for task in plan.tasks:
        first, then = riders(task)
        reads = tuple(sorted({row_of[read.task] for read in task.inputs if read.task != GIVEN}))
        fans_over = task.inputs[task.fan].task if task.fan is not None else None
        over = row_of[fans_over] if fans_over is not None and fans_over != GIVEN else None
        look = (task.stage, task.size, first, then, task.timeout_s, task.retries, fans_over is not None, over)
        number = known.get((look, reads))
        if number is None:
            number = _row_continued(look, reads, drafts)
        if number is None:
            number = len(drafts)
            drafts.append(_Draft(look, first, then, reads, over))
            known[look, reads] = number
        else:
            drafts[number].is_chained |= number in reads
        drafts[number].tasks.append(task)
        row_of.append(number)
    return tuple([draft.row(number, targets) for number, draft in enumerate(drafts)])


def riders(task: Task) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Labels of the ops that ride with a task: those before its stage or first op, and those behind it.

    Returns
    -------
    tuple of two tuples of str
    """
    labels = [
        (number, origin.label)
        for number, (step, origin) in enumerate(zip(task.steps, task.origins, strict=True))
        if step.kind not in _UNTOLD
    ]
    head = task.stage_step
    if head is None:
        head = next((number for number, label in labels if label == task.stage), -1)
    before = tuple([label for number, label in labels if number < head])
    return before, tuple([label for number, label in labels if number > head])


@dataclass(slots=True)
class _Draft:
    """A row in the making."""

    look: Hashable
    first: tuple[str, ...]
    then: tuple[str, ...]
    reads: tuple[int, ...]
    over: int | None
    tasks: list[Task] = field(default_factory=list)
    is_chained: bool = False

    def row(self, number: int, targets: set[int]) -> Row:
        task = self.tasks[0]
        return Row(
            number=number + 1,
            stage=task.stage,
            tasks=tuple([one.index for one in self.tasks]),
            names=tuple([one.name for one in self.tasks]),
            size=task.size,
            first=self.first,
            then=self.then,
            reads=tuple([one + 1 for one in self.reads]),
            is_fan=task.fan is not None,
            over=self.over + 1 if self.over is not None else None,
            timeout_s=task.timeout_s,
            retries=task.retries,
            is_chained=self.is_chained,
            is_target=any(one.index in targets for one in self.tasks),
            stores=_stored(task),
        )


def _stored(task: Task) -> tuple[str, ...]:
    steps = sorted({output.slot - len(task.inputs) for output in task.outputs if not output.rescue})
    return tuple([task.origins[step].label for step in steps if step >= 0])


def _row_continued(look: Hashable, reads: tuple[int, ...], drafts: list[_Draft]) -> int | None:
    """The row that a task goes on with: it reads tasks of that row, is like them, and reads no others than they do."""
    for number in reversed(reads):
        draft = drafts[number]
        if draft.look == look and all(one == number or one in draft.reads for one in reads):
            return number
    return None
