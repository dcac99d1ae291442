"""How far a run has come."""

from __future__ import annotations

import pytest

from cloudburst.errors import InternalError
from cloudburst.runtime.course import Course
from cloudburst.runtime.phases import Phase
from cloudburst.runtime.task import GIVEN, Awaited, Input, TaskId
from tests.runtime.plans import SMALL, artifact, parts, plan, task


def begun(*tasks, given=()):
    course = Course.of(plan(*tasks, given=given), lambda size: (0, 0))
    course.begin()
    return course


def assigned(course, *numbers):
    for number in numbers:
        course.phases.move(TaskId(number), Phase.ASSIGNED)
    return course


def test_what_waits_for_nothing_is_ready_and_the_rest_waits():
    course = begun(task(0), task(1, 0), task(2))
    assert [course.phases[TaskId(number)] for number in range(3)] == [Phase.READY, Phase.WAITING, Phase.READY]
    assert course.ready.count == 2


def test_an_input_is_there_or_awaited_from_the_attempt_that_makes_it():
    course = assigned(begun(task(0), task(1), task(2, 0, Input(GIVEN), 1), given=[artifact("g")]), 0, 1, 2)
    course.succeed(TaskId(0), (artifact("a"),))
    awaited = Awaited(TaskId(1), 7, 0)
    assert course.inputs(TaskId(2), lambda task: 7) == (artifact("a"), artifact("g"), awaited)
    assert course.present(TaskId(2)) == [artifact("a"), artifact("g")]


def test_what_is_neither_there_nor_in_the_making_cannot_be_read():
    with pytest.raises(InternalError, match="Output 0 of task 0"):
        begun(task(0), task(1, 0)).inputs(TaskId(1), lambda task: 1)


def test_one_sent_ahead_stays_where_it_is_when_all_is_made():
    course = assigned(begun(task(0), task(1, 0)), 0, 1)
    course.succeed(TaskId(0), (artifact("a"),))
    assert course.phases[TaskId(1)] is Phase.ASSIGNED
    course.put_back(TaskId(1), SMALL)
    assert course.phases[TaskId(1)] is Phase.READY


def test_one_that_was_put_back_before_waits():
    course = assigned(begun(task(0), task(1, 0)), 0, 1)
    course.put_back(TaskId(1), SMALL)
    assert course.phases[TaskId(1)] is Phase.WAITING


def test_an_item_has_its_part_before_what_else_it_reads():
    course = begun(task(0, Input(GIVEN, 1), Input(GIVEN), fan=1), given=[parts("a", "b"), artifact("g")])
    course.phases.move(TaskId(0, 1), Phase.ASSIGNED)
    assert course.present(TaskId(0, 1)) == [artifact("b"), artifact("g")]
    course.put_back(TaskId(0, 1), SMALL)
    assert course.phases[TaskId(0, 1)] is Phase.READY
