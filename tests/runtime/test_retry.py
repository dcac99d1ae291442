"""What a failed attempt leads to."""

from __future__ import annotations

import pytest

from cloudburst.resources import Size
from cloudburst.runtime.limits import Limits
from cloudburst.runtime.retry import MOST_HOST, MOST_RECLAIMED, Attempts, Tries, judge
from cloudburst.runtime.task import TaskId
from tests.runtime.plans import SMALL, task

LIMITS = Limits(workers=2, cpu=4096, memory_mib=8192)


def verdicts(cause, retries=0, size=SMALL, limits=LIMITS):
    """What each of the attempts of a task that always fails so leads to."""
    tries, found = Tries(size, 1), []
    while not found or found[-1].again:
        found.append(judge(cause, tries, task(0, retries=retries, size=size), limits))
        tries = found[-1].tries
    return found


@pytest.mark.parametrize("cause", ["raised", "refused", "timeout"])
def test_the_users_failures_are_final_unless_retries_are_asked_for(cause):
    assert [one.again for one in verdicts(cause)] == [False]
    assert [one.again for one in verdicts(cause, retries=2)] == [True, True, False]


def test_the_wait_doubles_and_has_an_end():
    waits = [one.delay_s for one in verdicts("raised", retries=2000)]
    assert waits[:8] == [0.5, 1, 2, 4, 8, 16, 32, 60]
    assert waits[-1] == 60


def test_a_lost_worker_costs_no_retry_of_the_users():
    assert [one.again for one in verdicts("lost")] == [True, False]
    tries = verdicts("lost", retries=1)[0].tries
    assert judge("raised", tries, task(0, retries=1), LIMITS).again


def test_a_lost_worker_is_borne_as_often_as_the_user_retries():
    assert len(verdicts("lost", retries=3)) == 4
    assert len(verdicts("lost", limits=Limits(1, None, None, crash_retries=0))) == 1


def test_out_of_memory_is_tried_at_larger_sizes_up_to_the_machine():
    sizes = [one.tries.size for one in verdicts("memory", size=Size(1024, 2048)) if one.again]
    assert sizes == [Size(1024, 3072), Size(1024, 5120), Size(1024, 8192)]
    assert [one.tries.size for one in verdicts("memory", size=Size(1024, 6144)) if one.again] == [Size(2048, 8192)]


def test_out_of_memory_with_the_whole_machine_is_final():
    assert len(verdicts("memory", size=Size(1024, 8192))) == 1
    assert len(verdicts("memory", size=Size(4096, 30720))) == 1


def test_out_of_memory_at_the_default_size_is_tried_with_the_whole_machine():
    assert [one.tries.size for one in verdicts("memory", size=Size()) if one.again] == [Size(4096, 8192)]


def test_out_of_memory_where_memory_is_not_limited_goes_up_by_steps():
    limits = Limits(2, None, None, memory_steps=2)
    assert [one.again for one in verdicts("memory", limits=limits)] == [True, True, False]
    assert [one.again for one in verdicts("memory", size=Size(), limits=limits)] == [False]
    assert [one.again for one in verdicts("memory", size=Size(16384, 122880), limits=limits)] == [False]


@pytest.mark.parametrize("cause", ["launch", "tampered"])
def test_what_could_not_be_launched_or_was_tampered_with_is_not_tried_again(cause):
    assert [one.again for one in verdicts(cause, retries=5)] == [False]


def test_spare_capacity_that_is_taken_back_three_times_is_had_on_demand_then():
    spot = SMALL._replace(spot=True)
    found = verdicts("reclaimed", size=spot)
    assert [one.tries.size.spot for one in found[:3]] == [True, True, False]
    assert [one.again for one in found] == [True] * (MOST_RECLAIMED + MOST_HOST) + [False]
    assert found[-1].tries.failed == MOST_RECLAIMED + MOST_HOST + 1


def test_a_fault_of_the_host_costs_no_retry_of_the_users():
    assert [one.again for one in verdicts("host")] == [True] * MOST_HOST + [False]
    assert [one.again for one in verdicts("reclaimed", size=SMALL._replace(spot=False))] == [True] * MOST_HOST + [False]
    assert {one.delay_s for one in verdicts("host")} == {0.0}


def test_out_of_memory_on_a_machine_of_its_own_goes_up_to_the_largest_there_is():
    limits = Limits(2, 4096, 4096, shaped=True, memory_steps=9)
    found = verdicts("memory", size=Size(16384, 65536, 50, True), limits=limits)
    sizes = [one.tries.size for one in found if one.again]
    assert sizes == [Size(16384, 98304, 50, True), Size(16384, 122880, 50, True)]


def test_attempts_have_numbers_of_their_own_but_only_failures_count():
    attempts, name = Attempts(LIMITS), TaskId(0)
    assert attempts.issue(name) == 1
    attempts.undone(name, 1, SMALL)
    assert (attempts.issue(name), attempts.count(name)) == (2, 0)
    attempts.failed(name, 2, task(0), "memory")
    attempts.undone(name, 2, SMALL)
    assert (attempts.issue(name), attempts.count(name)) == (3, 1)
    assert attempts.size(name, SMALL) == Size(1024, 3072)
    assert attempts.size(TaskId(1), SMALL) == SMALL
    assert attempts.count(TaskId(1)) == 0
    assert (attempts.current(name), attempts.current(TaskId(1))) == (3, 1)
