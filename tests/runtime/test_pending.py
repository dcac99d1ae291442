from __future__ import annotations

from cloudburst.runtime.events import Ended, Failure
from cloudburst.runtime.pending import Pending
from cloudburst.runtime.task import Artifact, Awaited, TaskId
from tests.assignments import assignment, step


def call(task, *inputs, attempt=1):
    return assignment(step("call", "f"), inputs=inputs, task=task, attempt=attempt)


def awaited(task, output=0):
    return Awaited(TaskId(task), 1, output)


def made(task):
    return Artifact("plain", f"a/{task}", 1)


def ended(task, failure=None):
    return Ended("w", TaskId(task), 1, () if failure else (made(task),), failure, 0.1, 1.0)


FAILED = Failure("raised", "ValueError")


def perform(pending, failing=()):
    """The numbers and inputs of what is performed, to the end."""
    performed = []
    while (one := pending.next()) is not None:
        performed.append((one.id.task, one.inputs))
        pending.ended(ended(one.id.task, FAILED if one.id.task in failing else None))
    return performed


def test_attempts_are_performed_in_their_order():
    pending = Pending()
    pending.take([call(3), call(1)])
    pending.take([call(2)])
    assert len(pending) == 3
    assert [task for task, _ in perform(pending)] == [3, 1, 2]


def test_what_was_sent_ahead_reads_what_those_before_it_made():
    pending = Pending()
    pending.take([call(0), call(1), call(2, awaited(0), made(9), awaited(1)), call(3, awaited(0), awaited(2))])
    assert perform(pending)[2:] == [(2, (made(0), made(9), made(1))), (3, (made(0), made(2)))]


def test_however_many_stand_between_them():
    pending = Pending()
    pending.take([call(0), *map(call, range(1, 500)), call(500, awaited(0))])
    assert perform(pending)[-1] == (500, (made(0),))


def test_what_awaits_a_failed_one_is_left_out_and_what_awaits_that_and_nothing_else():
    pending = Pending()
    pending.take([call(0), call(1, awaited(0)), call(2, awaited(1)), call(3), call(4, awaited(3))])
    assert [task for task, _ in perform(pending, failing={0})] == [0, 3, 4]


def test_an_attempt_that_comes_again_is_not_performed_again():
    pending = Pending()
    letter = [call(0), call(1, awaited(0))]
    pending.take(letter)
    assert [task for task, _ in perform(pending)] == [0, 1]
    pending.take([*letter, call(1, made(0), attempt=2)])
    assert perform(pending) == [(1, (made(0),))]


def test_nothing_is_remembered_that_nobody_reads():
    pending = Pending()
    pending.take([call(0), call(1), call(2, awaited(1)), call(3, awaited(1))])
    perform(pending)
    assert (pending._made, pending._awaiting) == ({}, {})


def test_a_new_run_may_use_the_same_numbers():
    pending = Pending()
    pending.take([call(0), call(1, awaited(0))])
    perform(pending)
    pending.take([call(7)])
    pending.begin_run()
    pending.take([call(0)])
    assert [task for task, _ in perform(pending)] == [0]


def test_what_was_cleared_is_not_performed():
    pending = Pending()
    pending.take([call(0), call(1)])
    pending.clear()
    assert not pending
    assert pending.next() is None
