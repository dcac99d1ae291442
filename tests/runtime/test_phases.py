"""Where tasks stand, and the moves that are legal."""

from __future__ import annotations

from itertools import product

import pytest

from cloudburst.errors import InternalError
from cloudburst.runtime.phases import LEGAL, Phase, Phases
from cloudburst.runtime.task import TaskId

UNDECIDED = {Phase.WAITING, Phase.FANNED, Phase.READY, Phase.ASSIGNED, Phase.DELAYED}


def in_phase(phase):
    return Phases(bytearray([Phase.WAITING, phase]), {0: bytearray([Phase.READY, phase])})


@pytest.mark.parametrize("task", [TaskId(1), TaskId(0, 1)])
@pytest.mark.parametrize(("before", "after"), list(product(Phase, Phase)))
def test_only_moves_in_the_table_are_made(task, before, after):
    phases = in_phase(before)
    if after in LEGAL[before]:
        phases.move(task, after)
        assert phases[task] is after
    else:
        with pytest.raises(InternalError, match=f"from {before.name} to {after.name}"):
            phases.move(task, after)
        assert phases[task] is before
    assert phases[TaskId(0)] is Phase.WAITING
    assert phases[TaskId(0, 0)] is Phase.READY


def test_every_undecided_phase_can_be_ended_and_no_decided_one_changes():
    assert {phase for phase in Phase if LEGAL[phase]} == UNDECIDED
    for phase in Phase:
        phases = in_phase(phase)
        phases.end_early()
        expected = Phase.CANCELLED if phase in UNDECIDED else phase
        assert phases[TaskId(1)] is phases[TaskId(0, 1)] is expected


def test_all_that_depends_on_a_task_is_skipped_once():
    phases = Phases(bytearray([Phase.FAILED, Phase.WAITING, Phase.WAITING, Phase.WAITING, Phase.WAITING]))
    consumers = [[1, 1, 2], [3], [3], [], []]
    assert phases.skip_consumers(0, consumers) == 3
    assert phases.skip_consumers(0, consumers) == 0
    assert [phases[TaskId(number)] for number in (1, 2, 3, 4)] == [Phase.SKIPPED] * 3 + [Phase.WAITING]
