"""The state machine in thousands of runs full of misfortune. The rules that must hold are in ``World``."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.runtime.simulator import Simulation

SEEDS = 2000


def test_every_run_ends_and_keeps_the_rules_whatever_happens():
    met = Counter()
    for seed in range(SEEDS):
        simulation = Simulation(seed)
        world = simulation.run()
        world.check_replay(kill_after=simulation.random.randrange(len(world.journal) + 1))
        met += world.met
    print(met)
