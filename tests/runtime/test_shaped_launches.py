"""Machines that are asked for, and what if they do not come."""

from __future__ import annotations

from itertools import count, islice

import pytest

from cloudburst.resources import Size
from cloudburst.runtime.events import Delay, Due, Finish, Gone, Hello, Launch, LaunchFailed, Stop
from cloudburst.runtime.shaped_launches import LONGEST, MOST_FAILED, MOST_REFUSED
from cloudburst.runtime.state import Limits, State
from cloudburst.runtime.task import GIVEN, Input, TaskId
from tests.runtime.events import assign, made, run_to_end, started_shaped
from tests.runtime.plans import SMALL, parts, plan, task

DOUBLE, LARGE = Size(2048, 4096), Size(4096, 8192)
SPOT = SMALL._replace(spot=True)


def begun(*tasks, workers=4, shapes=(), **fields):
    """A run whose workers come when they are asked for, and what it commanded first."""
    limits = Limits(**{"workers": workers, "cpu": None, "memory_mib": None, "shaped": True, **fields})
    state = State(plan(*tasks), limits)
    return state, state.start(*[Hello(f"w{number + 1}", shape) for number, shape in enumerate(shapes)])


def refused(token, cause="quota", count=1):
    return LaunchFailed(str(token), count, f"no {cause}", cause)


def due(shape=SMALL):
    return Due(None, shape)


def delay(seconds, shape=SMALL):
    return Delay(None, seconds, shape)


def told(state):
    """What the failures of a run say."""
    return [(one.task.task, one.failure.cause, one.failure.message) for one in state.failures]


# ---------------------------------------------------------------- how many


@pytest.mark.parametrize("seconds", [0.001, 5.0])
def test_a_fan_of_a_thousand_takes_as_many_machines_as_there_may_be(seconds):
    over = parts(*[f"part/{number}" for number in range(1000)])
    deeds = run_to_end(task(0, Input(GIVEN), fan=0), given=[over], workers=20, seconds=seconds)
    assert deeds.launched == {SMALL: 20}
    assert sum(map(len, deeds.performed.values())) == 1000


def test_a_chain_of_one_size_takes_one_machine():
    deeds = run_to_end(task(0), *[task(number, number - 1) for number in range(1, 5)], workers=20)
    assert (deeds.launched, deeds.letters) == ({SMALL: 1}, 1)


def test_a_diamond_takes_two_machines():
    deeds = run_to_end(task(0), task(1, 0), task(2, 0), task(3, 1, 2), workers=20)
    assert deeds.launched == {SMALL: 2}


def test_a_machine_of_each_size_that_no_other_takes():
    deeds = run_to_end(task(0, size=SMALL), task(1, 0, size=LARGE), task(2, 1, size=SMALL), workers=20)
    assert deeds.launched == {SMALL: 1, LARGE: 1}
    deeds = run_to_end(task(0, size=DOUBLE), task(1, 0, size=SMALL), workers=20)
    assert deeds.launched == {DOUBLE: 1}


def test_what_is_coming_is_not_asked_for_again():
    state, commands = begun(task(0), task(1, size=DOUBLE), task(2))
    assert commands == [Launch(SMALL, 2, "1"), Launch(DOUBLE, 1, "2")]
    assert state.on() == []
    assert state.standing.launches == {"1": SMALL, "2": DOUBLE}


def test_idle_workers_that_nothing_fits_make_way_where_there_are_as_many_as_may_be():
    state, commands = begun(task(0, size=LARGE), task(1, size=LARGE), workers=3, shapes=[SMALL, SMALL, SMALL])
    assert commands == [Stop(("w1", "w2")), Launch(LARGE, 2, "1")]
    assert state.standing.shapes == {"w3": SMALL}


def test_idle_workers_stay_where_there_is_room():
    _, commands = begun(task(0, size=LARGE), workers=2, shapes=[SMALL])
    assert commands == [Launch(LARGE, 1, "1")]


def test_more_workers_than_may_be_make_way_only_for_what_is_needed():
    _, commands = begun(task(0, size=LARGE), workers=1, shapes=[SMALL, SMALL, SMALL])
    assert commands == [Stop(("w1", "w2", "w3")), Launch(LARGE, 1, "1")]
    _, commands = begun(task(0), workers=1, shapes=[SMALL, SMALL, SMALL])
    assert commands == [assign("w3", (0, 1))]


def test_a_worker_that_made_way_is_neither_given_anything_nor_mourned():
    state, _ = begun(task(0, size=LARGE), workers=1, shapes=[SMALL])
    assert state.on(Hello("w1", SMALL)) == []
    assert state.on(Gone("w1", "lost", "", None), Gone("w1", "lost", "", None)) == []
    assert state.on(Hello("w2", LARGE)) == [assign("w2", (0, 1))]


# ---------------------------------------------------------------- ahead of time


HUGE = Size(8192, 16384)


def test_the_machine_of_what_is_being_prepared_starts_meanwhile_if_that_is_wanted():
    tasks = [task(0), task(1, 0, size=LARGE), task(2, 1, size=HUGE)]
    state, commands = begun(*tasks, prestart=True)
    assert commands == [Launch(SMALL, 1, "1")]
    assert state.on(Hello("w1", SMALL)) == [assign("w1", (0, 1)), Launch(LARGE, 1, "2")]
    assert state.on(Hello("w2", LARGE)) == []
    assert state.on(made(0)) == [assign("w2", (1, 1)), Launch(HUGE, 1, "3")]
    state, _ = begun(*tasks)
    assert state.on(Hello("w1", SMALL)) == [assign("w1", (0, 1))]


def test_as_many_start_as_there_are_tasks_and_room_and_each_once():
    tasks = [task(0), *[task(number, 0, size=LARGE) for number in range(1, 9)]]
    state, _ = begun(*tasks, workers=4, shapes=[SMALL], prestart=True)
    assert (state.standing.launches, state._launches.coming) == ({"1": LARGE}, 3)
    names = map("x{}".format, count())
    while coming := state._launches.coming:
        came = list(islice(names, coming))
        state.on(*[Hello(name, LARGE) for name in came], *[Gone(name, "stopped", "", None) for name in came])
    assert state._launches.prestarted == set(range(1, 9))
    assert sum(state._launches.awaited.values()) == 8


@pytest.mark.parametrize(
    ("tasks", "fields"),
    [
        ([task(0), task(1, 0, size=LARGE)], {"workers": 1}),
        ([task(0), task(1, 0, size=DOUBLE)], {"shapes": [SMALL, DOUBLE]}),
        ([task(0), task(1), task(2, 0, 1, size=LARGE)], {"workers": 9}),
        ([task(0), task(1, 0, fan=0, size=LARGE)], {}),
    ],
)
def test_none_starts_where_there_is_no_room_a_worker_takes_it_or_it_cannot_come_next(tasks, fields):
    state, _ = begun(*tasks, **{"shapes": [SMALL], "prestart": True, **fields})
    assert LARGE not in state.standing.launches.values()


def test_none_starts_while_a_ready_task_is_without_machine():
    state, _ = begun(task(0), task(1, size=HUGE), task(2, 0, size=LARGE), shapes=[SMALL], prestart=True)
    assert state.standing.launches == {"1": HUGE}
    assert state.on(refused(1)) == [delay(1.0, HUGE)]
    assert state.on(due(HUGE)) == [Launch(HUGE, 1, "2")]


# ---------------------------------------------------------------- whom an answer is for


def test_a_worker_that_was_not_asked_for_counts_for_the_first_that_was():
    state, _ = begun(task(0), task(1, size=DOUBLE))
    assert state.on(Hello("old", Size(8192, 16384))) == [Launch(SMALL, 1, "3")]
    assert state.on(Hello("w1", SMALL), Hello("w2", SMALL)) == [assign("w2", (0, 1)), Launch(DOUBLE, 1, "4")]
    assert state._launches.coming == sum(state._launches.coming_shapes.values()) == 1


def test_only_what_is_awaited_can_be_refused():
    state, _ = begun(task(0), task(1))
    assert state.on(refused("another run's"), refused(1, count=0)) == []
    assert state.on(refused(1, count=9)) == [Finish("failed")]
    state, _ = begun(task(0))
    state.on(Hello("w1", SMALL))
    assert state.on(refused(1)) == []


def test_the_end_of_a_worker_that_was_never_up_answers_a_launch():
    state, _ = begun(task(0))
    assert state.on(Gone("w1", "lost", "exit code 1", None)) == [delay(1.0)]
    assert state.on(due()) == [Launch(SMALL, 1, "2")]
    assert state.on(Gone("stranger", "stopped", "", None)) == [delay(2.0)]
    assert state.on(Gone("another", "stopped", "", None)) == []


# ---------------------------------------------------------------- what passes


def test_what_passes_is_asked_for_again_ever_later_and_then_fails_the_run():
    state, commands = begun(task(0), task(1, 0))
    waits = []
    for number in range(1, MOST_FAILED + 1):
        assert commands == [Launch(SMALL, 1, str(number))]
        commands = state.on(refused(number, "passing"))
        if number < MOST_FAILED:
            waits += [one.seconds for one in commands]
            commands = state.on(due())
    assert waits == [1.0, 2.0, 4.0, 8.0]
    assert commands == [Finish("failed")]
    assert told(state) == [(0, "launch", "no passing (5 times in a row)")]


def test_the_failures_of_one_wave_count_once():
    state, _ = begun(task(0), task(1), task(2))
    assert state.on(refused(1, "passing"), refused(1, "passing")) == [delay(1.0)]
    assert state.on(refused(1, "passing")) == []
    assert state.on(due()) == [Launch(SMALL, 3, "2")]


def test_a_worker_that_has_ended_something_shows_that_the_shape_can_be_had():
    state, _ = begun(task(0), task(1), workers=2, launch_delay_s=0.5)
    for number, seconds in ((1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0)):
        assert state.on(refused(number, "passing")) == [delay(seconds)]
        if number == 1:
            assert state.on(Hello("w1", SMALL)) == [assign("w1", (0, 1))]
        state.on(due())
    assert state.on(refused(5, "passing")) == []
    assert state.status == "running"
    assert state.on(made(0)) == [assign("w1", (1, 1))]
    assert state._launches.shapes[SMALL].failed == 0


def test_a_worker_that_ends_idle_before_it_has_ended_anything_is_a_failed_launch():
    state, _ = begun(task(0, size=LARGE), shapes=[SMALL])
    state.on(Gone("w1", "lost", "exit code 1", None))
    assert state._launches.shapes[SMALL].failed == 1
    state.on(Hello("w2", LARGE), Gone("w2", "reclaimed", "", None))
    assert state._launches.shapes[LARGE].cause == "capacity"


def test_one_that_was_stopped_or_had_ended_something_is_none():
    state, _ = begun(task(0), task(1, 0, size=LARGE), task(2, 0), shapes=[SMALL])
    assert state.on(Gone("w1", "stopped", "", None)) == [Launch(SMALL, 1, "1")]
    state.on(Hello("w2", SMALL))
    state.on(made(0, 2, "w2"))
    state.on(Gone("w2", "lost", "", None))
    assert state._launches.shapes[SMALL].failed == 0


# ---------------------------------------------------------------- what cannot be


@pytest.mark.parametrize("cause", ["setup", "never"])
def test_what_cannot_be_ends_the_run_with_the_cause(cause):
    state, _ = begun(task(0), task(1), workers=1)
    assert state.on(refused(1, cause)) == [Finish("failed")]
    assert told(state) == [(0, "launch", f"no {cause}")]


def test_the_settings_are_wrong_for_every_shape():
    state, _ = begun(task(0, size=LARGE), task(1), workers=2)
    assert state.on(refused(2, "setup"), refused(1, "passing")) == [Finish("failed")]
    assert told(state) == [(0, "launch", "no setup")]


def test_where_others_are_at_work_they_have_a_while_to_end():
    state, _ = begun(task(0), task(1, size=LARGE), task(2), workers=3, keep_going=True, grace_s=3.0)
    state.on(Hello("w1", SMALL))
    assert state.on(refused(2, "never")) == [Delay(None, 3.0)]
    assert state.on(made(0)) == [Finish("failed")]
    assert told(state) == [(1, "launch", "no never")]
    state, _ = begun(task(0), task(1, size=LARGE), task(2), workers=3, grace_s=3.0)
    state.on(Hello("w1", SMALL))
    assert state.on(refused(2, "never")) == [Delay(None, 3.0)]
    assert state.on(Due(None)) == [Stop(("w1",)), Finish("failed")]


def test_what_cannot_be_does_not_matter_where_another_machine_takes_the_task():
    state, _ = begun(task(0, size=DOUBLE), task(1), workers=2)
    state.on(Hello("w1", DOUBLE))
    assert state.on(refused(2, "never")) == []
    assert state.on(made(0)) == [assign("w1", (1, 1))]


def test_nor_where_one_is_coming():
    state, commands = begun(task(0, size=DOUBLE), task(1), workers=2)
    assert len(commands) == 2
    assert state.on(refused(2, "never")) == []
    assert state.on(refused(1, "never")) == [Finish("failed")]


# ---------------------------------------------------------------- quota and capacity


def test_quota_that_nobody_of_the_run_holds_ends_it_at_once():
    state, _ = begun(task(0))
    assert state.on(refused(1)) == [Finish("failed")]
    assert told(state) == [(0, "launch", "no quota")]


def test_quota_is_waited_for_while_another_worker_holds_it():
    state, _ = begun(task(0), task(1, size=LARGE), workers=2)
    state.on(Hello("w1", SMALL))
    assert state.on(refused(2)) == [delay(1.0, LARGE)]
    assert state.waiting_for == "4 vCPU, 8 GB: no quota"
    assert state.on(due(LARGE)) == [Launch(LARGE, 1, "3")]
    assert state.waiting_for == ""
    assert state.on(refused(3)) == [delay(2.0, LARGE)]
    assert state.on(Gone("w1", "host", "", TaskId(0))) == [Launch(SMALL, 1, "4"), Launch(LARGE, 1, "5")]


def test_idle_workers_make_way_for_quota_and_it_is_asked_for_when_they_have_gone():
    state, _ = begun(task(0), task(1, size=LARGE), task(2, 1), workers=3, shapes=[SMALL, SMALL])
    assert state.on(refused(1)) == [Stop(("w1",)), delay(1.0, LARGE)]
    assert state.on(Gone("w1", "stopped", "", None)) == [Launch(LARGE, 1, "2")]
    assert state.on(refused(2)) == []
    assert state.on(made(0, worker="w2")) == [Stop(("w2",))]
    assert state.on(due(LARGE)) == [Launch(LARGE, 1, "3")]


def test_after_a_worker_has_gone_it_is_asked_for_quota_some_more_times():
    state, _ = begun(task(0), shapes=[LARGE])
    assert state.on(refused(1)) == [Stop(("w1",)), delay(1.0)]
    commands = state.on(Gone("w1", "stopped", "", None))
    waits = [1.0]
    for number in range(2, MOST_REFUSED + 2):
        assert commands == [Launch(SMALL, 1, str(number))]
        commands = state.on(refused(number))
        waits += [one.seconds for one in commands if isinstance(one, Delay)]
        if number < MOST_REFUSED + 1:
            commands = state.on(due())
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0]
    assert commands == [Finish("failed")]


def test_capacity_passes_and_is_waited_for_up_to_a_limit():
    state, commands = begun(task(0), quota_wait_s=300.0)
    waited = []
    while commands != [Finish("failed")]:
        [launch] = commands
        commands = state.on(refused(launch.token, "capacity"))
        if commands != [Finish("failed")]:
            waited += [one.seconds for one in commands]
            commands = state.on(due())
    assert max(waited) == LONGEST
    assert 300 <= sum(waited) < 300 + LONGEST
    assert told(state) == [(0, "launch", f"no capacity (for {sum(waited):.0f} s)")]


def test_what_is_waited_while_a_worker_is_busy_does_not_count():
    state, commands = begun(task(0), task(1, size=LARGE), workers=2, quota_wait_s=2.0)
    commands = state.on(Hello("w1", SMALL), refused(2, "capacity"))
    for number in range(3, 20):
        assert isinstance(commands[-1], Delay)
        assert state.on(due(LARGE)) == [Launch(LARGE, 1, str(number))]
        commands = state.on(refused(number, "capacity"))
    assert state.status == "running"


def test_a_worker_that_comes_begins_the_wait_anew():
    state, _ = begun(task(0), task(1, size=LARGE), task(2, 0, 1), workers=2, quota_wait_s=1.0)
    assert state.on(refused(2, "capacity")) == [delay(1.0, LARGE)]
    assert state.on(Hello("w1", SMALL)) == [assign("w1", (0, 1))]
    assert state._launches.shapes[LARGE].waited_s == 0.0


def test_spare_capacity_that_is_not_there_is_had_on_demand():
    state, _ = begun(task(0, size=SPOT))
    assert state.on(refused(1, "capacity")) == [delay(1.0, SPOT)]
    assert state.on(due(SPOT)) == [Launch(SPOT, 1, "2")]
    assert state.on(refused(2, "capacity")) == [delay(2.0, SPOT)]
    assert state.on(due(SPOT)) == [Launch(SPOT, 1, "3")]
    on_demand = SPOT._replace(spot=False)
    assert state.on(refused(3, "capacity")) == [Launch(on_demand, 1, "4")]
    assert state.waiting_for == ""
    assert state.on(Hello("w1", on_demand)) == [assign("w1", (0, 1))]
    assert state.on(made(0)) == [Finish("done")]


def test_a_worker_reclaimed_before_it_was_up_is_spare_capacity_that_is_not_there():
    state, _ = begun(task(0, size=SPOT))
    state.on(Gone("w1", "reclaimed", "", None))
    assert state._launches.shapes[SPOT].short == 1


def test_a_task_that_loses_spare_capacity_too_often_is_performed_on_demand():
    state, _ = started_shaped(task(0, size=SPOT), shape=SPOT)
    worker = "w1"
    for number in range(2, 5):
        [launch] = state.on(Gone(worker, "reclaimed", "", TaskId(0)))
        assert launch.shape.spot is (number < 4)
        worker = f"w{number}"
        assert state.on(Hello(worker, launch.shape)) == [assign(worker, (0, number))]
    assert state.on(made(0, 4, worker)) == [Finish("done")]


def test_a_delay_of_another_time_changes_nothing():
    state, _ = begun(task(0))
    assert state.on(refused(1, "never"), due()) == [Finish("failed")]
