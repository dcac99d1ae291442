"""The state machine when things go wrong: what is tried again, what ends the run, and how."""

from __future__ import annotations

from cloudburst.resources import Size
from cloudburst.runtime.events import (
    Cancelled,
    Delay,
    Drop,
    Due,
    Failure,
    Finish,
    Gone,
    Hello,
    Launch,
    LaunchFailed,
    Stop,
)
from cloudburst.runtime.state import Phase
from cloudburst.runtime.task import GIVEN, Input, Output, TaskId
from tests.runtime.events import LOG, RAISED, assign, failed, made, started
from tests.runtime.plans import SMALL, artifact, parts, task


def test_a_user_exception_is_final():
    state, _ = started(task(0), task(1, 0), task(2))
    assert state.on(failed(0)) == [Finish("failed")]
    assert [one[:4] for one in state.failures] == [(TaskId(0), 1, RAISED, LOG)]
    assert state.skipped == [TaskId(1)]
    assert state.phase(TaskId(2)) is Phase.CANCELLED


def test_a_user_exception_is_tried_again_after_a_while_if_asked_for():
    state, _ = started(task(0, retries=1))
    assert state.on(failed(0)) == [Delay(TaskId(0), 0.5)]
    assert state.phase(TaskId(0)) is Phase.DELAYED
    assert state.attempts(TaskId(0)) == 1
    assert state.on(Due(TaskId(0)), Due(TaskId(0))) == [assign("w1", (0, 2))]
    assert state.on(Due(TaskId(0))) == []
    assert state.on(failed(0, 2)) == [Finish("failed")]
    assert [one[:4] for one in state.failures] == [(TaskId(0), 2, RAISED, LOG)]


def test_a_lost_worker_is_replaced_and_its_task_tried_again():
    state, _ = started(task(0))
    assert state.on(Gone("w1", "lost", "killed by SIGKILL", TaskId(0), LOG)) == [Launch(SMALL, 1, "1")]
    assert state.on(Hello("w2")) == [assign("w2", (0, 2))]
    assert state.on(Gone("w2", "lost", "killed by SIGKILL", TaskId(0), LOG)) == [Finish("failed")]
    assert [one[:4] for one in state.failures] == [(TaskId(0), 2, Failure("lost", "killed by SIGKILL"), LOG)]


def test_only_the_attempt_that_the_worker_was_at_counts():
    state, _ = started(*[task(number) for number in range(4)], crash_retries=0, keep_going=True)
    state.on(made(0)._replace(seconds=0.0001))
    assert [state.phase(TaskId(number)) for number in (1, 2, 3)] == [Phase.ASSIGNED] * 3
    state.on(Gone("w1", "lost", "exit code 3", TaskId(1)))
    assert [state.phase(TaskId(number)) for number in (1, 2, 3)] == [Phase.FAILED, Phase.READY, Phase.READY]
    assert state.on(Hello("w2")) == [assign("w2", (2, 2), (3, 2))]
    assert state.attempts(TaskId(2)) == 1


def test_a_worker_that_was_stopped_costs_nothing():
    state, _ = started(task(0), crash_retries=0)
    assert state.on(Gone("w1", "stopped", "", TaskId(0))) == [Launch(SMALL, 1, "1")]
    assert state.on(Gone("stranger", "stopped", "", None)) == []
    assert state.on(Hello("w2")) == [assign("w2", (0, 2))]


def test_a_task_out_of_memory_is_tried_at_a_larger_size():
    state, _ = started(task(0), task(1), workers=2, memory_mib=4096)
    assert state.on(Gone("w1", "memory", "", TaskId(1)), made(0, worker="w2")) == [assign("w2", (1, 2))]
    assert state._dispatch.free_memory == 4096 - 3072
    out_of_memory = Failure("memory", "MemoryError")
    assert state.on(failed(1, 2, "w2", failure=out_of_memory)) == [assign("w2", (1, 3))]
    assert state.on(failed(1, 3, "w2", failure=out_of_memory)) == [Finish("failed")]
    assert state.failures[0].size == Size(1024, 4096)
    assert [one[:4] for one in state.failures] == [(TaskId(1), 3, out_of_memory, LOG)]
    assert state.failures[0].size == Size(1024, 4096)


def test_a_time_out_is_the_stages_own_failure():
    state, _ = started(task(0, retries=1))
    assert Delay(TaskId(0), 0.5) in state.on(Gone("w1", "timeout", "longer than 3 s", TaskId(0)))


def test_a_straggler_changes_nothing():
    state, _ = started(task(0), task(1, 0))
    assert state.on(Gone("w1", "lost", "", TaskId(0)), Hello("w2")) == [assign("w2", (0, 2))]
    assert state.on(made(0, worker="w1"), made(0, 1, worker="w2")) == []
    assert state.done_count == 0
    assert state.on(made(0, 2, worker="w2")) == [assign("w2", (1, 1))]
    assert state.inputs(TaskId(1)) == (artifact("0.-1-2"),)


def test_a_record_seen_twice_counts_once():
    state, _ = started(task(0), task(1))
    assert state.on(made(0), made(0)) == [assign("w1", (1, 1))]
    assert state.on(made(0)) == []
    assert state.done_count == 1


# ---------------------------------------------------------------- the end of a failed run


def test_running_tasks_have_a_while_to_end_after_a_failure_and_nothing_begins():
    state, _ = started(task(0), task(1), task(2), workers=2, grace_s=2.5)
    assert state.on(failed(1, worker="w1")) == [Delay(None, 2.5)]
    assert state.on(failed(0, worker="w2")) == [Finish("failed")]
    assert [one.task for one in state.failures] == [TaskId(0), TaskId(1)]


def test_running_tasks_are_stopped_when_the_while_is_over():
    state, _ = started(task(0), task(1), workers=2)
    state.on(failed(1, worker="w1"))
    assert state.on(Due(None)) == [Stop(("w2",)), Finish("failed")]
    assert state.phase(TaskId(0)) is Phase.CANCELLED


def test_nothing_is_tried_again_after_a_failure():
    state, _ = started(task(0, retries=1), task(1), workers=2)
    state.on(failed(1, worker="w1"))
    assert state.on(failed(0, worker="w2")) == [Finish("failed")]
    assert state.phase(TaskId(0)) is Phase.CANCELLED
    assert [one.task for one in state.failures] == [TaskId(1)]


def test_a_run_that_keeps_going_performs_all_that_does_not_depend_on_a_failure():
    state, _ = started(task(0), task(1, 0), task(2, 1), task(3), keep_going=True)
    assert state.on(failed(0)) == [assign("w1", (3, 1))]
    assert state.on(made(3)) == [Finish("failed")]
    assert state.skipped == [TaskId(1), TaskId(2)]


def test_a_failed_run_drops_nothing():
    state, _ = started(task(0), task(1), task(2, 1), keep_going=True)
    assert state.on(failed(0)) == [assign("w1", (1, 1))]
    assert state.on(made(1)) == [assign("w1", (2, 1))]
    assert state.on(made(2)) == [Finish("failed")]
    assert state.artifact(Input(1)) == artifact("1.-1-1")


def test_what_a_failed_task_had_stored_is_kept():
    state, _ = started(task(0, outputs=(Output(1), Output(0, rescue=True)), stage_step=0, retries=2))
    late = RAISED._replace(step=1)
    state.on(failed(0, failure=late, kept=(artifact("first"),)))
    state.on(Due(TaskId(0)))
    assert state.on(failed(0, 2, failure=late, kept=(artifact("second"),)))[0] == Drop((artifact("first"),))
    assert state.partial == {TaskId(0): (artifact("second"),)}
    state.on(Due(TaskId(0)))
    assert state.on(failed(0, 3)) == [Finish("failed")]
    assert state.partial == {TaskId(0): (artifact("second"),)}


def test_what_a_failed_attempt_had_stored_goes_when_another_succeeds():
    state, _ = started(task(0, retries=1))
    state.on(failed(0, kept=(artifact("first"),)), Due(TaskId(0)))
    state.on(Due(TaskId(0)))
    assert state.on(made(0, 2)) == [Drop((artifact("first"),)), Finish("done")]
    assert state.partial == {}


def test_a_cancelled_run_stops_what_is_performed():
    state, _ = started(task(0), task(1), task(2), workers=3)
    commands = state.on(made(0, worker="w3"), Cancelled("Ctrl-C"))
    assert commands == [Stop(("w1", "w2")), Finish("cancelled")]
    assert state.status == "cancelled"
    assert state.phase(TaskId(1)) is Phase.CANCELLED
    assert state.failures == []


def test_a_run_that_is_cancelled_as_it_ends_is_done():
    state, _ = started(task(0))
    assert state.on(Cancelled("Ctrl-C"), made(0)) == [Finish("done")]


def test_items_of_a_cancelled_fan_are_cancelled():
    state, _ = started(task(0, Input(GIVEN), fan=0), given=[parts("a", "b")])
    state.on(made((0, 0)))
    state.on(Cancelled("Ctrl-C"))
    assert [state.phase(TaskId(0, item)) for item in (-1, 0, 1)] == [Phase.CANCELLED, Phase.DONE, Phase.CANCELLED]


# ---------------------------------------------------------------- launches that fail


def test_a_run_ends_when_no_worker_can_be_had():
    state, commands = started(task(0), task(1, 0), task(2), up=False)
    for number in (1, 2):
        commands = state.on(LaunchFailed(str(number), 1, "no capacity"))
        assert commands == [Launch(SMALL, 1, str(number + 1))]
    assert state.on(Gone("w9", "lost", "exit code 1", None)) == [Finish("failed")]
    assert [one[:4] for one in state.failures] == [(TaskId(0), 0, Failure("launch", "exit code 1"), None)]
    assert state.skipped == [TaskId(1)]
    assert state.phase(TaskId(2)) is Phase.CANCELLED


def test_a_run_goes_on_with_the_workers_it_has():
    state, _ = started(task(0), task(1), workers=2, up=False)
    state.on(Hello("w1"))
    for number in range(1, 6):
        commands = state.on(LaunchFailed(str(number), 1, "no capacity"))
    assert commands == []
    assert state.on(made(0)) == [assign("w1", (1, 1))]
    assert state.on(made(1)) == [Finish("done")]


def test_workers_are_asked_for_again_after_one_that_was_good():
    state, _ = started(task(0), task(1), workers=2, up=False)
    state.on(Hello("w1"))
    for number in range(1, 4):
        state.on(LaunchFailed(str(number), 1, "no capacity"))
    state.on(made(0))
    commands = state.on(Gone("w1", "lost", "", TaskId(1)))
    assert [command.count for command in commands] == [1]


def test_a_delayed_task_does_not_ask_for_a_worker():
    state, _ = started(task(0, retries=1))
    state.on(failed(0))
    assert state.on(Gone("w1", "lost", "", None)) == []
    assert state.on(Due(TaskId(0))) == [Launch(SMALL, 1, "1")]


def test_a_hopeless_run_waits_for_what_is_delayed_before_it_says_so():
    state, _ = started(task(0, retries=1), up=False)
    state.on(Hello("w1"))
    state.on(failed(0))
    for number in range(2, 5):
        state.on(Gone(f"w{number}", "lost", "", None))
    state._launches.failed = 3
    assert state.on(Gone("w1", "stopped", "", None)) == []
    assert state.on(Due(TaskId(0))) == [Finish("failed")]


def test_what_becomes_of_a_worker_is_told_once():
    state, _ = started(task(0), crash_retries=0, keep_going=True)
    gone = Gone("w1", "lost", "", None)
    assert state.on(gone, gone, gone, gone) == [Launch(SMALL, 1, "1")]


def test_after_another_failure_what_a_failed_attempt_had_stored_is_not_dropped():
    state, _ = started(task(0), task(1, retries=1), keep_going=True)
    assert state.on(failed(0)) == [assign("w1", (1, 1))]
    assert state.on(failed(1, kept=(artifact("first"),))) == [Delay(TaskId(1), 0.5)]
    assert state.on(Due(TaskId(1))) == [assign("w1", (1, 2))]
    assert state.on(made(1, 2)) == [Finish("failed")]


def test_workers_that_die_before_they_do_anything_are_failed_launches():
    state, _ = started(task(0), up=False)
    for number in (1, 2):
        assert state.on(Hello(f"w{number}"), Gone(f"w{number}", "lost", "exit code 1", None)) == [
            Launch(SMALL, 1, str(number + 1))
        ]
    assert state.on(Hello("w3"), Gone("w3", "lost", "exit code 1", None)) == [Finish("failed")]
    assert [one[:4] for one in state.failures] == [(TaskId(0), 0, Failure("launch", "exit code 1"), None)]


def test_workers_that_die_of_an_attempt_are_no_failed_launches():
    state, _ = started(task(0), up=False, crash_retries=9)
    for number in range(1, 7):
        state.on(Hello(f"w{number}"))
        assert state.on(Gone(f"w{number}", "lost", "", TaskId(0))) == [Launch(SMALL, 1, str(number + 1))]


def test_the_first_result_of_a_worker_and_no_later_one_allows_more_launches():
    state, _ = started(*[task(number) for number in range(9)], workers=2, up=False)
    state.on(Hello("w1"), LaunchFailed("1", 1, ""))
    state.on(LaunchFailed("2", 1, ""))
    commands = state.on(made(0), LaunchFailed("3", 1, ""))
    assert commands == [assign("w1", (1, 1)), Launch(SMALL, 1, "4")]
    state.on(LaunchFailed("4", 1, ""))
    assert state.on(made(1), LaunchFailed("5", 1, "")) == [assign("w1", (2, 1))]
    assert state.on(made(2)) == [assign("w1", (3, 1))]
