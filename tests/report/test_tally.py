import pytest

from cloudburst.report.tally import Tally
from cloudburst.resources import Size
from cloudburst.runtime.events import Assign, Began, Delay, Finish, Gone, Hello, LaunchFailed
from cloudburst.runtime.task import GIVEN, TaskId
from tests.report.plans import assigned, ended, parts, plan, task, value


def figures(tally):
    return {stage.name: (stage.done, stage.total) for stage in tally.stages}


def test_stages_are_counted_in_plan_order():
    tally = Tally(plan(task(0, "load"), task(1, "clean", 0), task(2, "load")))
    tally.see([Hello("w1"), ended(0), ended(1, worker="w2")], [Finish("done")])
    assert list(figures(tally).items()) == [("load", (1, 2)), ("clean", (1, 1))]
    assert (tally.done, tally.total) == (2, 3)
    assert tally.workers == {"w1", "w2"}
    assert [stage.is_over for stage in tally.stages] == [False, True]


def test_a_fan_has_no_length_until_its_list_is_there():
    tally = Tally(plan(task(0, "parts", outputs=2), task(1, "model", 0, fan=0)))
    assert (tally.stages[1].total, tally.stages[1].unknown, tally.stages[1].is_over) == (0, 1, False)
    tally.see([ended(0, parts(3), value())], [])
    assert (tally.stages[1].total, tally.stages[1].unknown) == (3, 0)
    tally.see([ended(1, item=item) for item in range(3)], [])
    assert tally.stages[1].is_over


def test_an_empty_fan_is_over_at_once():
    tally = Tally(plan(task(0, "parts"), task(1, "model", 0, fan=0)))
    tally.see([ended(0, parts(0))], [])
    assert tally.stages[1].is_over


def test_fans_of_fans_learn_their_length_together():
    tally = Tally(plan(task(0, "parts"), task(1, "model", 0, fan=0), task(2, "score", 1, fan=0)))
    tally.see([ended(0, parts(4))], [])
    assert figures(tally) == {"parts": (1, 1), "model": (0, 4), "score": (0, 4)}


def test_a_fan_over_a_given_list_has_its_length_from_the_start():
    tally = Tally(plan(task(0, "model", GIVEN, fan=0), task(1, "score", 0, fan=0), given=[parts(5)]))
    assert figures(tally) == {"model": (0, 5), "score": (0, 5)}


def test_an_item_that_ends_does_not_say_how_long_the_next_fan_is():
    tally = Tally(plan(task(0, "model", GIVEN, fan=0), task(1, "score", 0, fan=0), given=[parts(2)]))
    tally.see([ended(0, parts(7), item=0)], [])
    assert figures(tally)["score"] == (0, 2)


@pytest.mark.parametrize(
    "end", [ended(0), ended(0, failure="ValueError: no"), Gone("w1", "lost", "killed by SIGKILL", TaskId(0))]
)
def test_what_runs_is_counted_until_it_ends(end):
    tally = Tally(plan(task(0, "load"), task(1, "load")))
    tally.see([Began("w1", TaskId(0), 1), Began("w2", TaskId(1), 1)], [])
    assert tally.stages[0].running == 2
    tally.see([end], [])
    assert tally.stages[0].running == 1
    tally.end()
    assert tally.stages[0].running == 0


def test_failures_and_retries_are_counted_and_told():
    tally = Tally(plan(task(0, "load"), task(1, "model", GIVEN, fan=0), given=[parts(9)]))
    tally.see([ended(1, item=7, failure="ValueError: no\nmore")], [assigned(1, item=7, attempt=2)])
    tally.see([Gone("w1", "lost", "killed by SIGKILL", TaskId(0))], [assigned(0, attempt=2)])
    assert [(stage.failed, stage.retries, stage.done) for stage in tally.stages] == [(1, 1, 0), (1, 1, 0)]
    assert tally.retries == 2
    assert list(tally.notices) == [
        "model[7] failed in attempt 1: ValueError: no",
        "model[7] is tried again, attempt 2",
        "load lost its worker: killed by SIGKILL",
        "load is tried again, attempt 2",
    ]


def test_an_attempt_that_is_assigned_to_another_worker_is_one_retry():
    tally = Tally(plan(task(0, "load")))
    lost = Gone("w1", "lost", "exit code 1", TaskId(0))
    tally.see([lost], [assigned(0, attempt=2), Assign("w2", ((TaskId(0), 2),))])
    assert tally.retries == 1


def test_an_attempt_after_one_that_never_began_is_no_retry():
    tally = Tally(plan(task(0, "load"), task(1, "clean", 0)))
    tally.see([], [Assign("w1", ((TaskId(0), 1), (TaskId(1), 1)))])
    tally.see([ended(0, failure="ValueError: no")], [Assign("w1", ((TaskId(0), 2), (TaskId(1), 2)))])
    assert [stage.retries for stage in tally.stages] == [1, 0]


def test_machines_that_are_waited_for_are_told_once_a_minute():
    tally, shape = Tally(plan(task(0, "load"))), Size(1024, 2048)
    told = []
    for seconds in (1, 2, 4, 8, 16, 32, 60, 60):
        refused = LaunchFailed("1", 1, "the quota is used up\nmore", "quota")
        tally.see([refused], [Delay(None, float(seconds), shape), Delay(TaskId(0), 1.0), Delay(None, 1.0)])
        told.append(len(tally.notices))
    assert told == [1, 1, 1, 1, 1, 1, 2, 3]
    assert tally.notices[0] == "Waiting for a machine of 1 vCPU, 2 GB: the quota is used up"


def test_a_worker_that_was_stopped_or_idle_is_no_failure():
    tally = Tally(plan(task(0, "load")))
    tally.see([Gone("w1", "stopped", "", TaskId(0)), Gone("w2", "lost", "exit code 3", None)], [])
    assert tally.stages[0].failed == 0
    assert not tally.notices


def test_only_what_other_tasks_read_is_passed_and_once_for_all_readers():
    tally = Tally(plan(task(0, "load", outputs=2), task(1, "clean", 0), task(2, "clean", 0)))
    tally.see([ended(0, value(100), value(7)), ended(1, value(1000))], [])
    assert tally.passed == 100


def test_notices_do_not_grow_without_end():
    tally = Tally(plan(task(0, "model", GIVEN, fan=0), given=[parts(5000)]))
    tally.see([ended(0, item=item, failure="E: no") for item in range(5000)], [])
    assert tally.stages[0].failed == 5000
    assert len(tally.notices) == 1000
