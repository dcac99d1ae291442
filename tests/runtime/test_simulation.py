"""The state machine in thousands of runs full of misfortune. The rules that must hold are in ``World``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from cloudburst.errors import InternalError
from cloudburst.runtime import journal, launches, retry, shaped_dispatch, shaped_launches
from cloudburst.runtime import state as state_module
from cloudburst.runtime.course import Course
from cloudburst.runtime.dispatch import Dispatch
from cloudburst.runtime.events import Launch, LaunchFailed
from cloudburst.runtime.limits import Limits
from cloudburst.runtime.phases import Phase
from cloudburst.runtime.results import Results
from cloudburst.runtime.shaped_dispatch import ShapedDispatch, fits
from cloudburst.runtime.shaped_launches import ShapedLaunches
from cloudburst.runtime.state import State
from cloudburst.runtime.task import TaskId
from tests.runtime.plans import plan, task
from tests.runtime.simulator import Simulation
from tests.runtime.world import FAILURES, LOSSES, REFUSALS, World

SEEDS = 1500
MET = {
    *FAILURES,
    *LOSSES,
    *[f"refused: {cause}" for cause in REFUSALS],
    "cause launch",
    "delayed",
    "died unseen",
    "done",
    "dropped",
    "empty list",
    "for launches",
    "grace",
    "launch refused",
    "lost for no reason",
    "lost with a queue",
    "made way",
    "on a machine of another size",
    "on demand after losses",
    "on demand for want of spare capacity",
    "prestarted",
    "queued",
    "records out of order",
    "retired",
    "run cancelled",
    "run done",
    "run failed",
    "sent ahead",
    "skipped",
    "stopped",
    "stopped for no reason",
    "straggler",
    "told again",
    "withdrawn",
}
"""What thousands of runs must have met, or they prove nothing."""


def worlds(seeds: int, *, killed: bool = False) -> Iterator[World]:
    """Runs by seed, each replayed from a batch on."""
    for seed in range(seeds):
        simulation = Simulation(seed, killed=killed)
        world = simulation.run()
        world.check_replay(kill_after=simulation.random.randrange(len(world.journal) + 1))
        yield world


def test_every_run_ends_and_keeps_the_rules_whatever_happens():
    met = sum((world.met for world in worlds(SEEDS)), Counter())
    assert {what: met[what] for what in MET if met[what] < 10} == {}
    assert met["run done"] > SEEDS / 2


def test_a_driver_killed_after_any_command_is_taken_up_by_another_that_ends_the_run_the_same():
    for seed, world in enumerate(worlds(SEEDS // 2, killed=True)):
        whole = Simulation(seed).run()
        assert world.journal == whole.journal
        assert world.commanded == whole.commanded
        assert (world.state.status, world.taken, world.dropped) == (whole.state.status, whole.taken, whole.dropped)
        assert world.met == whole.met


def fits_always(monkeypatch):
    monkeypatch.setattr(Dispatch, "fits", lambda self, line: True)


def fits_every_machine(monkeypatch):
    for module in (shaped_dispatch, shaped_launches):
        monkeypatch.setattr(module, "fits", lambda size, shape: True)


def takes_interruptions_lightly(monkeypatch):
    monkeypatch.setattr(shaped_dispatch, "_SPARE", dict.fromkeys((None, True, False), 0))
    shaped_dispatch.fits.cache_clear()


def pays_any_price(monkeypatch):
    monkeypatch.setattr(shaped_dispatch, "DEARER", 1000)
    shaped_dispatch.fits.cache_clear()


def uses_workers_again(monkeypatch):
    monkeypatch.setattr(ShapedDispatch, "gone", lambda self, worker: None)


def sends_ahead_whatever_reads_it(monkeypatch):
    def first(course, maker, letter, fits):
        waiting = [one for one in course.results.consumers[maker] if course.phases.tasks[one] == Phase.WAITING]
        return next((TaskId(one) for one in waiting if course.plan.tasks[one].fan is None), None)

    monkeypatch.setattr(shaped_dispatch, "successor", first)


def keeps_what_awaits_a_failure(monkeypatch):
    monkeypatch.setattr(state_module, "awaiting", lambda plan, queue, failed: [])


def withdraws_the_next_only(monkeypatch):
    monkeypatch.setattr(state_module, "awaiting", lambda plan, queue, failed: _awaiting(plan, queue, failed)[:1])


def takes_what_awaited_for_ready(monkeypatch):
    monkeypatch.setattr(Course, "put_back", Course.make_ready)


def relies_on_spare_capacity(monkeypatch):
    monkeypatch.setattr(retry, "MOST_RECLAIMED", 10**9)


def never_asks_again(monkeypatch):
    monkeypatch.setattr(ShapedLaunches, "_delays", lambda self, is_busy: [])


def never_gives_a_machine_up(monkeypatch):
    monkeypatch.setattr(ShapedLaunches, "_why_given_up", lambda self, shape, is_alone: "")


def forgets_what_it_asked_for(monkeypatch):
    monkeypatch.setattr(ShapedLaunches, "_launch", lambda self, shape, count: Launch(shape, count, str(id(object()))))


def sends_idle_workers_away(monkeypatch):
    monkeypatch.setattr(ShapedLaunches, "_wanted", lambda self, dispatch: (_wanted(self, dispatch)[0], True))


def loses_the_shape_in_the_journal(monkeypatch):
    monkeypatch.setattr(journal, "Size", lambda *fields: None)


def waits_for_one_input_only(monkeypatch):
    monkeypatch.setattr(Results, "put", lambda self, number, made: _put(self, number, made) and self.consumers[number])


def drops_at_the_first_reader(monkeypatch):
    monkeypatch.setattr(Results, "release", lambda self, inputs: [self.made[read] for read in inputs])


def gives_numbers_twice(monkeypatch):
    monkeypatch.setattr(retry.Attempts, "issue", lambda self, task: 1)


def forgets_the_queue_of_a_lost_worker(monkeypatch):
    monkeypatch.setattr(Dispatch, "gone", lambda self, worker: (_gone(self, worker), worker.queue.clear()))


def tries_for_ever(monkeypatch):
    monkeypatch.setattr(retry, "judge", lambda cause, tries, task, limits: retry.Verdict(tries, again=True))


def launches_for_ever(monkeypatch):
    monkeypatch.setattr(launches, "MOST_FAILED", 10**9)


def leaves_workers_at_it(monkeypatch):
    monkeypatch.setattr(Dispatch, "is_idle", True)


def loses_a_field_of_the_journal(monkeypatch):
    monkeypatch.setattr(journal, "Failure", lambda *fields: None)


def takes_refusals_for_workers(monkeypatch):
    monkeypatch.setitem(HANDLERS, LaunchFailed, lambda state, event: None)


HANDLERS = State.on.__globals__["_HANDLERS"]
_put, _gone, _awaiting, _wanted = Results.put, Dispatch.gone, state_module.awaiting, ShapedLaunches._wanted


@pytest.mark.parametrize(
    "plant",
    [
        fits_always,
        waits_for_one_input_only,
        drops_at_the_first_reader,
        gives_numbers_twice,
        forgets_the_queue_of_a_lost_worker,
        tries_for_ever,
        launches_for_ever,
        leaves_workers_at_it,
        loses_a_field_of_the_journal,
        takes_refusals_for_workers,
        fits_every_machine,
        takes_interruptions_lightly,
        pays_any_price,
        uses_workers_again,
        sends_ahead_whatever_reads_it,
        keeps_what_awaits_a_failure,
        withdraws_the_next_only,
        takes_what_awaited_for_ready,
        relies_on_spare_capacity,
        never_asks_again,
        never_gives_a_machine_up,
        forgets_what_it_asked_for,
        sends_idle_workers_away,
        loses_the_shape_in_the_journal,
    ],
)
def test_a_planted_fault_is_noticed(plant, monkeypatch):
    plant(monkeypatch)
    try:
        with pytest.raises((AssertionError, InternalError)):
            for _ in worlds(SEEDS):
                pass
    finally:
        fits.cache_clear()


def test_a_script_says_how_attempts_end():
    limits = Limits(workers=1, cpu=None, memory_mib=None, crash_retries=1)
    simulation = Simulation(
        0,
        plan(task(0, retries=1), task(1, 0)),
        limits,
        script={TaskId(0): ["lost", "raised", "done"], TaskId(1): ["lost", "lost"]},
        misfortune=0.0,
    )
    state = simulation.run().state
    assert state.status == "failed"
    assert state.attempts(TaskId(0)) == 3
    assert [(one.task, one.attempt, one.failure.cause) for one in state.failures] == [(TaskId(1), 2, "lost")]
