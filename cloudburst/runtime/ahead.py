"""What is sent ahead: tasks that a worker gets before what they read is made, because it makes that itself.

A letter to a worker is a row of attempts that it performs one after another. Behind a task its successor may stand in
the same letter if the worker will have made all that is missing by then. So a chain costs one letter, and between its
tasks nobody is asked.

The rule that both sides keep: when an attempt fails, every attempt behind it that awaits what it should have made,
directly or by way of another, is taken off the worker's queue without a word. The worker sends no record of it; the
state machine takes it for one that never began, and its task waits again. All others stay.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable

from cloudburst.resources import Size
from cloudburst.runtime.course import Course
from cloudburst.runtime.phases import Phase
from cloudburst.runtime.task import Plan, TaskId

DEEPEST = 8
"""How many tasks may stand behind one another, each reading what the one before it makes."""


def successor(course: Course, maker: int, letter: Container[TaskId], fits: Callable[[Size], bool]) -> TaskId | None:
    """The first task in the plan that reads what ``maker`` makes and may stand in the same letter.

    Parameters
    ----------
    course : Course
        How far the run has come.
    maker : int
        A task in the letter.
    letter : container of TaskId
        What the letter has so far.
    fits : callable
        Whether the worker takes tasks of a size.
    """
    for consumer in course.results.consumers[maker]:
        task = course.plan.tasks[consumer]
        if (
            course.phases.tasks[consumer] == Phase.WAITING
            and task.fan is None
            and course.results.missing[consumer] <= DEEPEST
            and fits(task.size)
            and all(read in course.results or TaskId(read.task) in letter for read in task.inputs)
        ):
            return TaskId(consumer)
    return None


def awaiting(plan: Plan, queue: Iterable[TaskId], failed: TaskId) -> list[TaskId]:
    """What of a queue awaits a task that has failed, directly or by way of another."""
    unmade = {failed}
    found = []
    for task in queue:
        described = plan.tasks[task.task]
        if described.fan is None and any(TaskId(read.task) in unmade for read in described.inputs):
            unmade.add(task)
            found.append(task)
    return found
