"""The state machine, one rule at a time."""

from __future__ import annotations

import pytest

from cloudburst.errors import InternalError
from cloudburst.resources import Size
from cloudburst.runtime.events import Assign, Began, Cancelled, Delay, Drop, Due, Finish, Gone, Hello, Launch
from cloudburst.runtime.state import LEGAL, Phase
from cloudburst.runtime.task import GIVEN, Artifact, Input, Output, TaskId
from tests.runtime.events import LOG, RAISED, assign, failed, made, started
from tests.runtime.plans import SMALL, artifact, parts, task

# ---------------------------------------------------------------- the ordinary course


def test_a_chain_is_performed_one_after_another():
    state, commands = started(task(0), task(1, 0))
    assert commands == [assign("w1", (0, 1))]
    assert state.attempts(TaskId(0)) == 1
    assert state.attempts(TaskId(1)) == 0
    assert state.on(made(0)) == [assign("w1", (1, 1))]
    assert state.inputs(TaskId(1)) == (artifact("0.-1-1"),)
    assert state.on(made(1)) == [Drop((artifact("0.-1-1"),)), Finish("done")]
    assert state.status == "done"
    assert (state.done_count, state.total_count) == (2, 2)
    assert state.artifact(Input(1)) == artifact("1.-1-1")
    assert state.artifact(Input(0)) is None


def test_a_plan_without_tasks_is_done_at_once():
    state, commands = started()
    assert commands == [Finish("done")]
    assert state.failures == state.skipped == []


def test_nothing_is_decided_after_the_end():
    state, _ = started(task(0))
    state.on(made(0))
    assert state.on(Hello("w2"), Cancelled("late"), made(0)) == []
    assert state.status == "done"


def test_what_has_begun_is_no_news():
    state, _ = started(task(0), task(1))
    assert state.on(Began("w1", TaskId(0), 1)) == []


def test_workers_that_are_up_already_are_not_asked_for():
    _, commands = started(task(0), task(1), workers=2)
    assert not any(isinstance(command, Launch) for command in commands)
    _, commands = started(task(0), task(1), workers=2, up=False)
    assert commands == [Launch(SMALL, 2, "1")]


def test_a_hello_counts_once_and_not_after_the_end_of_the_worker():
    state, _ = started(task(0), task(1), task(2), workers=3, up=False)
    assert len(state.on(Hello("w1"), Hello("w1"))) == 1
    state.on(Gone("w1", "lost", "", None))
    assert state.on(Hello("w1")) == []


def test_several_outputs_go_to_those_that_read_them():
    state, _ = started(
        task(0, outputs=(Output(0), Output(1))), task(1, Input(0, 1), Input(GIVEN)), given=[artifact("g")]
    )
    state.on(made(0, results=(artifact("x"), artifact("y"))))
    assert state.inputs(TaskId(1)) == (artifact("y"), artifact("g"))


def test_a_result_of_the_wrong_number_of_outputs_is_our_bug():
    state, _ = started(task(0, outputs=(Output(0), Output(1))))
    with pytest.raises(InternalError, match="succeeded with 1 results"):
        state.on(made(0))


def test_outputs_for_rescue_are_not_expected_of_a_success():
    state, _ = started(task(0, outputs=(Output(0), Output(1, rescue=True))))
    assert state.on(made(0)) == [Finish("done")]


def test_the_legal_moves_are_told():
    again = {Phase.READY, Phase.WAITING, Phase.DELAYED}
    assert LEGAL[Phase.ASSIGNED] == {Phase.DONE, *again, Phase.FAILED, Phase.CANCELLED}


# ---------------------------------------------------------------- fans


def test_a_fan_is_performed_for_each_part_and_makes_a_list():
    state, commands = started(
        task(0, outputs=(Output(0, parts=True),)), task(1, Input(GIVEN), 0, fan=1), given=[artifact("g")]
    )
    assert state.total_count == 2
    commands = state.on(made(0, results=(parts("a", "b"),)))
    assert commands == [Assign("w1", ((TaskId(1, 0), 1),))]
    assert state.total_count == 3
    assert state.inputs(TaskId(1, 0)) == (artifact("g"), artifact("a"))
    state.on(made((1, 0)))
    assert state.inputs(TaskId(1, 1)) == (artifact("g"), artifact("b"))
    commands = state.on(made((1, 1)))
    assert commands == [Drop((artifact("a"), artifact("b"))), Finish("done")]
    assert state.artifact(Input(1)) == parts("1.0-1", "1.1-1")
    assert state.done_count == state.total_count == 3


def test_a_fan_over_nothing_is_done_at_once_and_so_are_those_over_it():
    fans = [task(0, Input(GIVEN), fan=0), *[task(number, number - 1, fan=0) for number in range(1, 3000)]]
    state, commands = started(*fans, given=[parts()])
    assert commands == [Finish("done")]
    assert state.artifact(Input(2999)) == Artifact("parts", (), 0)
    assert state.done_count == state.total_count == 0


def test_a_fan_over_a_value_without_parts_is_our_bug():
    with pytest.raises(InternalError, match="work-0"):
        started(task(0, Input(GIVEN), fan=0), given=[artifact("g")])


def test_an_item_is_tried_again_alone():
    state, _ = started(task(0, Input(GIVEN), fan=0, retries=1), given=[parts("a", "b")])
    commands = state.on(failed((0, 0)))
    assert commands == [Delay(TaskId(0, 0), 0.5), Assign("w1", ((TaskId(0, 1), 1),))]
    state.on(made((0, 1)))
    assert state.on(Due(TaskId(0, 0))) == [Assign("w1", ((TaskId(0, 0), 2),))]
    assert state.on(made((0, 0), 2)) == [Finish("done")]
    assert state.artifact(Input(0)) == parts("0.0-2", "0.1-1")


def test_items_that_fail_fail_their_fan_and_the_others_are_performed_if_the_run_keeps_going():
    state, _ = started(task(0, Input(GIVEN), fan=0), task(1, 0), keep_going=True, given=[parts("a", "b", "c")])
    for item in (0, 1):
        state.on(failed((0, item)))
    assert state.skipped == [TaskId(1)]
    assert state.on(made((0, 2))) == [Finish("failed")]
    assert [(one.task, one.attempt, one.failure, one.log) for one in state.failures] == [
        (TaskId(0, 0), 1, RAISED, LOG),
        (TaskId(0, 1), 1, RAISED, LOG),
    ]
    assert state.phase(TaskId(0)) is Phase.FAILED
    assert state.phase(TaskId(0, 2)) is Phase.DONE
    assert state.artifact(Input(0)) is None


# ---------------------------------------------------------------- what is dropped


def test_targets_and_given_values_are_never_dropped():
    state, _ = started(task(0, Input(GIVEN)), task(1, 0), targets=[0, 1], given=[artifact("g")])
    assert state.on(made(0)) + state.on(made(1)) == [assign("w1", (1, 1)), Finish("done")]


def test_a_value_is_dropped_after_its_last_reader_only():
    state, _ = started(task(0), task(1, 0), task(2, 0, 1))
    state.on(made(0))
    assert state.on(made(1)) == [assign("w1", (2, 1))]
    assert state.on(made(2)) == [Drop((artifact("0.-1-1"), artifact("1.-1-1"))), Finish("done")]


def test_what_rode_in_the_record_is_forgotten_and_not_dropped():
    state, _ = started(task(0), task(1, 0))
    state.on(made(0, results=(Artifact("pickle", b"small", 5),)))
    assert state.on(made(1)) == [Finish("done")]
    assert state.artifact(Input(0)) is None


def test_sizes_are_asked_for_as_the_tasks_need_them():
    _, commands = started(task(0, size=Size(2048, 4096)), task(1), workers=3, up=False)
    assert commands == [Launch(Size(2048, 4096), 1, "1"), Launch(SMALL, 1, "2")]
