"""What is sent ahead, and what of it is taken back."""

from __future__ import annotations

from cloudburst.resources import Size
from cloudburst.runtime.ahead import DEEPEST, awaiting, successor
from cloudburst.runtime.course import Course
from cloudburst.runtime.events import Assign, Due, Failure, Gone
from cloudburst.runtime.phases import Phase
from cloudburst.runtime.task import GIVEN, Awaited, Input, Output, TaskId
from tests.runtime.events import assign, failed, made, started, started_shaped
from tests.runtime.plans import SMALL, artifact, parts, plan, task

ANY = lambda size: True  # noqa: E731
OUT_OF_MEMORY = Failure("memory", "MemoryError")


def course(*tasks, **rest):
    begun = Course.of(plan(*tasks, **rest), lambda size: (0, 0))
    begun.begin()
    return begun


def ids(*numbers):
    return [TaskId(number) for number in numbers]


def test_the_first_task_that_reads_only_what_the_letter_makes_goes_along():
    begun = course(task(0), task(1), task(2, 0, 1), task(3, 0), task(4, 0))
    assert successor(begun, 0, ids(0), ANY) == TaskId(3)
    assert successor(begun, 0, ids(0, 1), ANY) == TaskId(2)
    assert successor(begun, 1, ids(1), ANY) is None


def test_a_fan_does_not_go_along_nor_what_does_not_fit():
    begun = course(task(0, outputs=(Output(0, parts=True),)), task(1, 0, fan=0), task(2, 0, size=Size(16384, 32768)))
    assert successor(begun, 0, ids(0), lambda size: size == SMALL) is None
    assert successor(begun, 0, ids(0), ANY) == TaskId(2)


def test_what_is_missing_much_is_not_looked_through():
    makers = [task(number) for number in range(DEEPEST + 1)]
    begun = course(*makers, task(DEEPEST + 1, *range(DEEPEST + 1)))
    assert successor(begun, 0, ids(*range(DEEPEST + 1)), ANY) is None


def test_what_awaits_a_failed_task_awaits_it_by_way_of_others_too():
    described = plan(task(0), task(1, 0), task(2), task(3, 1, 2), task(4, 2), task(5, Input(GIVEN), fan=0))
    queue = [*ids(0, 1, 2, 3, 4), TaskId(5, 0)]
    assert awaiting(described, queue, TaskId(0)) == ids(1, 3)
    assert awaiting(described, queue, TaskId(2)) == ids(3, 4)
    assert awaiting(described, queue, TaskId(5, 0)) == []


# ---------------------------------------------------------------- in a run


def test_a_chain_goes_in_one_letter_and_awaits_what_is_made_before():
    state, commands = started_shaped(task(0), task(1, 0), task(2, 1, 0))
    assert commands == [assign("w1", (0, 1), (1, 1), (2, 1))]
    awaited = [Awaited(TaskId(0), 1, 0), Awaited(TaskId(1), 1, 0)]
    assert state.inputs(TaskId(1)) == (awaited[0],)
    assert state.inputs(TaskId(2)) == (awaited[1], awaited[0])
    assert state.on(made(0)) == []
    assert state.inputs(TaskId(2)) == (awaited[1], artifact("0.-1-1"))
    assert state.on(made(1)) == []
    [_, finish] = state.on(made(2))
    assert finish.status == "done"


def test_a_chain_is_cut_where_it_is_deepest():
    chain = [task(0), *[task(number, number - 1) for number in range(1, 20)]]
    state, [letter] = started_shaped(*chain)
    assert [one.task for one, _ in letter.tasks] == list(range(1 + DEEPEST))
    for number in range(DEEPEST):
        assert not [one for one in state.on(made(number)) if isinstance(one, Assign)]
    [*_, letter] = state.on(made(DEEPEST))
    assert [one.task for one, _ in letter.tasks] == list(range(1 + DEEPEST, 2 + 2 * DEEPEST))


def test_other_readers_become_ready_as_usual():
    state, _ = started_shaped(task(0), task(1, 0), task(2, 0), workers=2)
    assert state.phase(TaskId(1)) is Phase.ASSIGNED
    assert state.phase(TaskId(2)) is Phase.WAITING
    assert state.on(made(0, worker="w2")) == [assign("w1", (2, 1))]


def test_what_awaits_a_failed_attempt_waits_again_and_goes_along_with_the_next():
    state, _ = started_shaped(task(0, retries=1), task(1, 0), task(2, 1))
    commands = state.on(failed(0))
    assert [one.seconds for one in commands] == [0.5]
    assert state.withdrawn == [("w1", TaskId(1), 1), ("w1", TaskId(2), 1)]
    assert [state.phase(TaskId(number)) for number in (0, 1, 2)] == [Phase.DELAYED, Phase.WAITING, Phase.WAITING]
    assert state.attempts(TaskId(1)) == 0
    assert state.standing.queues == {"w1": ()}
    assert state.on(Due(TaskId(0))) == [assign("w1", (0, 2), (1, 2), (2, 2))]
    assert state.withdrawn == []
    assert state.inputs(TaskId(1)) == (Awaited(TaskId(0), 2, 0),)


def test_what_awaits_a_task_that_failed_for_good_is_skipped():
    state, _ = started_shaped(task(0), task(1, 0), task(2), keep_going=True)
    assert state.on(failed(0)) == [assign("w1", (2, 1))]
    assert state.skipped == [TaskId(1)]
    state, _ = started_shaped(task(0), task(1, 0), task(2), keep_going=True, crash_retries=0)
    state.on(Gone("w1", "lost", "", TaskId(0)))
    assert state.skipped == [TaskId(1)]


def test_a_later_failure_in_a_letter_leaves_what_was_made_before():
    state, _ = started_shaped(task(0), task(1, 0), task(2, 1))
    state.on(made(0))
    assert state.on(failed(1, failure=OUT_OF_MEMORY))[-1].shape.memory == 3072
    assert [state.phase(TaskId(number)) for number in (1, 2)] == [Phase.READY, Phase.WAITING]


def test_with_a_lost_worker_what_awaited_waits_again_and_the_rest_is_ready():
    state, _ = started_shaped(task(0), task(1, 0), task(2, 1))
    state.on(made(0), Gone("w1", "lost", "", TaskId(1)))
    assert [state.phase(TaskId(number)) for number in (1, 2)] == [Phase.READY, Phase.WAITING]
    assert state.attempts(TaskId(1)) == 1
    state, _ = started_shaped(task(0), task(1, 0), task(2, 1))
    state.on(made(0), Gone("w1", "stopped", "", None))
    assert [state.phase(TaskId(number)) for number in (1, 2)] == [Phase.READY, Phase.WAITING]
    assert state.attempts(TaskId(1)) == 0


def test_a_record_that_comes_before_that_of_what_it_awaits_is_kept_until_then():
    state, _ = started_shaped(task(0), task(1, 0), task(2, 1))
    assert state.on(made(2), made(1)) == []
    assert state.done_count == 0
    [_, finish] = state.on(made(0))
    assert (finish.status, state.done_count) == ("done", 3)


def test_records_that_were_kept_go_with_their_worker():
    state, _ = started_shaped(task(0), task(1, 0))
    state.on(made(1), Gone("w1", "lost", "", TaskId(0)))
    assert [state.phase(TaskId(number)) for number in (0, 1)] == [Phase.READY, Phase.WAITING]


def test_items_and_what_reads_their_list_do_not_go_ahead():
    _, commands = started_shaped(task(0, Input(GIVEN), fan=0), task(1, 0), workers=2, given=[parts("a", "b")])
    assert commands == [Assign("w2", ((TaskId(0, 0), 1),)), Assign("w1", ((TaskId(0, 1), 1),))]


def test_where_a_machine_is_shared_nothing_goes_ahead():
    state, commands = started(task(0), task(1, 0))
    assert commands == [assign("w1", (0, 1))]
    assert state.phase(TaskId(1)) is Phase.WAITING
