"""Which ready task goes to which worker, where each has a machine of its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.resources import MEMORY_MIB, Size
from cloudburst.runtime.events import Drop, Gone, Hello, Stop
from cloudburst.runtime.shaped_dispatch import fits
from cloudburst.runtime.state import State
from cloudburst.runtime.task import GIVEN, Artifact, Input, Output, TaskId
from tests.runtime.events import assign, limits, made, run_to_end, started_shaped
from tests.runtime.plans import SMALL, artifact, parts, plan, task
from tests.runtime.world import takes

DOUBLE, LARGE = Size(2048, 4096), Size(4096, 8192)
SPOT = SMALL._replace(spot=True)
PAIRS = [(cpu, memory) for cpu, sizes in MEMORY_MIB.items() for memory in sizes]
sizes = st.builds(
    lambda pair, storage, spot: Size(*pair, storage, spot),
    st.sampled_from(PAIRS),
    st.sampled_from([None, 21, 100, 200]),
    st.sampled_from([None, False, True]),
)


@given(sizes, sizes)
def test_a_machine_takes_what_fits_it_for_at_most_twice_the_price(size, shape):
    assert fits(size, shape) == takes(shape, size)


@pytest.mark.parametrize(
    ("size", "shape", "does"),
    [
        (SMALL, DOUBLE, True),
        (SMALL, LARGE, False),
        (DOUBLE, SMALL, False),
        (Size(1024, 2048, 50), SMALL, False),
        (SMALL, Size(1024, 2048, 50), True),
        (Size(1024, 2048, 21), Size(1024, 2048, 50), True),
        (SPOT, SMALL._replace(spot=False), True),
        (SMALL._replace(spot=False), SPOT, False),
        (SMALL, SPOT, False),
        (Size(), Size(), True),
        (SMALL, Size(), False),
    ],
)
def test_what_fits_where(size, shape, does):
    assert fits(size, shape) is does


# ---------------------------------------------------------------- who gets what


def begun(*tasks, shapes, given=()):
    """What is commanded first where workers of these shapes are up."""
    state = State(plan(*tasks, given=given), limits(9, shaped=True))
    commands = state.start(*[Hello(f"w{number + 1}", shape) for number, shape in enumerate(shapes)])
    return state, commands


def test_a_worker_of_the_very_size_goes_before_a_cheaper_one():
    tall = Size(1024, 3072)
    _, commands = begun(task(0, size=tall), shapes=[Size(1024, 4096), tall, Size(2048, 4096)])
    assert commands == [assign("w2", (0, 1))]


def test_the_cheapest_goes_where_none_is_of_the_size():
    _, commands = begun(task(0, size=Size(1024, 3072)), shapes=[Size(1024, 5120), Size(1024, 4096), Size(2048, 4096)])
    assert commands == [assign("w2", (0, 1))]


def test_of_equal_workers_the_one_used_last_goes():
    state, commands = begun(task(0), task(1), task(2, 0, 1), shapes=[SMALL, SMALL])
    assert [one.worker for one in commands] == ["w2", "w1"]
    nowhere = (Artifact("pickle", b"", 1),)
    assert state.on(made(1, results=nowhere)) == []
    assert state.on(made(0, worker="w2", results=nowhere)) == [assign("w2", (2, 1))]


def test_the_worker_that_holds_most_of_the_inputs_goes_before_all_others():
    tasks = [task(0, size=DOUBLE), task(1), task(2, 0, 1, Input(GIVEN))]
    state, _ = begun(*tasks, shapes=[DOUBLE, SMALL], given=[artifact("g")])
    large = made(0, worker="w1", results=(Artifact("pickle", "large", 10**9),))
    assert state.on(large) == []
    assert state.on(made(1, worker="w2")) == [assign("w1", (2, 1))]


def test_what_a_worker_has_read_it_holds_too():
    tasks = [task(0, Input(GIVEN)), task(1), task(2, Input(GIVEN), 0, 1)]
    state, _ = begun(*tasks, shapes=[SMALL, SMALL], given=[Artifact("pickle", "g", 10**9)])
    small = made(0, worker="w2", results=(Artifact("pickle", b"", 1),))
    assert state.on(small) == []
    assert state.on(made(1, worker="w1")) == [assign("w2", (2, 1))]


def test_who_held_the_input_and_is_gone_or_does_not_fit_is_passed_over():
    tasks = [task(0, size=SMALL), task(1, size=LARGE), task(2, 0, 1, size=LARGE)]
    state, _ = begun(*tasks, shapes=[SMALL, LARGE, LARGE])
    state.on(made(0, worker="w1", results=(Artifact("pickle", "large", 10**9),)))
    assert state.on(made(1, worker="w3")) == [assign("w3", (2, 1))]


def test_what_is_dropped_is_held_by_nobody():
    tasks = [task(0, outputs=(Output(0),)), task(1, 0), task(2, 1), task(3)]
    state, _ = begun(*tasks, shapes=[SMALL])
    assert Drop((artifact("0.-1-1"),)) in state.on(made(0), made(1))
    assert list(state._dispatch.holdings.holders) == ["1.-1-1"]


def test_an_item_goes_to_the_worker_that_holds_its_part():
    whole = parts("a", "b")
    tasks = [task(0, outputs=(Output(0, parts=True),)), task(1), task(2, 0, 1, fan=0)]
    state, _ = begun(*tasks, shapes=[SMALL, SMALL, SMALL])
    assert state.on(made(0, worker="w3", results=(whole,))) == []
    commands = state.on(made(1, worker="w2"))
    assert commands[0].worker == "w3"


def test_a_worker_leaves_others_to_the_machine_that_is_coming_for_them_while_its_own_line_has_tasks():
    tasks = [task(0, size=SMALL), task(1, size=DOUBLE), task(2, size=DOUBLE)]
    state, commands = begun(*tasks, shapes=[])
    assert [(one.shape, one.count) for one in commands] == [(SMALL, 1), (DOUBLE, 2)]
    assert state.on(Hello("w1", DOUBLE)) == [assign("w1", (1, 1))]
    assert state.on(Hello("w2", DOUBLE)) == [assign("w2", (2, 1))]
    assert state.on(made(1, worker="w1")) == [assign("w1", (0, 1))]


def test_it_takes_them_where_its_own_line_has_run_dry():
    tasks = [task(0, size=DOUBLE), task(1, size=DOUBLE), task(2), task(3, 0, 1, size=DOUBLE)]
    state, _ = begun(*tasks, shapes=[])
    state.on(Hello("w1", DOUBLE), Hello("w2", DOUBLE))
    assert state.on(made(0, worker="w2"), made(1, worker="w1")) == [assign("w2", (3, 1)), assign("w1", (2, 1))]


# ---------------------------------------------------------------- letters


def test_tasks_known_to_be_short_go_by_the_dozen():
    deeds = run_to_end(*[task(number) for number in range(400)], seconds=0.01, workers=2)
    assert sum(map(len, deeds.performed.values())) == 400
    assert deeds.letters < 30


def test_a_stage_not_known_or_not_short_goes_alone():
    deeds = run_to_end(*[task(number) for number in range(40)], seconds=0.9, workers=2)
    assert deeds.letters == 40


def test_a_worker_is_filled_up_from_the_first_line_that_it_takes():
    tasks = [task(number, size=LARGE if number % 2 else SMALL) for number in range(400)]
    deeds = run_to_end(*tasks, seconds=0.01, workers=2)
    assert deeds.launched == {SMALL: 2, LARGE: 2}
    assert deeds.letters < 40
    assert {one.task % 2 for one in deeds.performed["w1"]} == {0}
    assert {one.task % 2 for one in deeds.performed["w3"]} == {1}


# ---------------------------------------------------------------- one task a worker


def test_without_reuse_a_worker_performs_one_task_and_is_stopped():
    deeds = run_to_end(*[task(0), task(1, 0), task(2, 1)], reuse=False, workers=2)
    assert deeds.performed == {"w1": [TaskId(0)], "w2": [TaskId(1)], "w3": [TaskId(2)]}
    assert deeds.stopped == ["w1", "w2"]
    assert deeds.launched == {SMALL: 3}


def test_without_reuse_the_last_worker_is_stopped_before_the_end():
    state, _ = started_shaped(task(0), reuse=False)
    stop, finish = state.on(made(0))
    assert (stop, finish.status) == (Stop(("w1",)), "done")


def test_without_reuse_what_is_stopped_leaves_room():
    deeds = run_to_end(*[task(number) for number in range(7)], reuse=False, workers=2)
    assert deeds.launched == {SMALL: 7}
    assert sorted(map(len, deeds.performed.values())) == [1] * 7


def test_a_worker_that_goes_by_itself_as_it_ends_is_not_stopped():
    state, _ = started_shaped(task(0), task(1, 0), reuse=False)
    commands = state.on(made(0), Gone("w1", "stopped", "", None), Hello("w1", SMALL))
    assert [type(one).__name__ for one in commands] == ["Launch"]
