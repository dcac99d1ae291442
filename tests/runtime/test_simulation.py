"""The state machine in thousands of runs full of misfortune. The rules that must hold are in ``World``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from cloudburst.errors import InternalError
from cloudburst.runtime import journal, launches, retry
from cloudburst.runtime.dispatch import Dispatch, Limits
from cloudburst.runtime.events import LaunchFailed
from cloudburst.runtime.results import Results
from cloudburst.runtime.state import State
from cloudburst.runtime.task import TaskId
from tests.runtime.plans import plan, task
from tests.runtime.simulator import Simulation
from tests.runtime.world import FAILURES, LOSSES, World

SEEDS = 1500
MET = {
    *FAILURES,
    *LOSSES,
    "cause launch",
    "delayed",
    "died unseen",
    "done",
    "dropped",
    "empty list",
    "grace",
    "launch refused",
    "lost for no reason",
    "lost with a queue",
    "queued",
    "run cancelled",
    "run done",
    "run failed",
    "skipped",
    "stopped",
    "stopped for no reason",
    "straggler",
    "told again",
}
"""What thousands of runs must have met, or they prove nothing."""


def worlds(seeds: int) -> Iterator[World]:
    """Runs by seed, each replayed from a batch on."""
    for seed in range(seeds):
        simulation = Simulation(seed)
        world = simulation.run()
        world.check_replay(kill_after=simulation.random.randrange(len(world.journal) + 1))
        yield world


def test_every_run_ends_and_keeps_the_rules_whatever_happens():
    met = sum((world.met for world in worlds(SEEDS)), Counter())
    assert {what: met[what] for what in MET if met[what] < 10} == {}
    assert met["run done"] > SEEDS / 2


def fits_always(monkeypatch):
    monkeypatch.setattr(Dispatch, "fits", lambda self, line: True)


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
_put, _gone = Results.put, Dispatch.gone


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
    ],
)
def test_a_planted_fault_is_noticed(plant, monkeypatch):
    plant(monkeypatch)
    with pytest.raises((AssertionError, InternalError)):
        for _ in worlds(SEEDS):
            pass


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
