"""How many workers are asked for, and what if they do not come."""

from __future__ import annotations

import pytest

from cloudburst.resources import Size
from cloudburst.runtime.course import Course
from cloudburst.runtime.dispatch import Dispatch, Worker
from cloudburst.runtime.events import Gone, LaunchFailed
from cloudburst.runtime.launches import MOST_FAILED, Launches
from cloudburst.runtime.limits import Limits
from cloudburst.runtime.task import TaskId
from tests.runtime.plans import SMALL, plan, task

LARGE = Size(2048, 4096)


def ready(*sizes, up=0, **limits):
    limits = Limits(**{"cpu": None, "memory_mib": None, **limits})
    begun = Dispatch.of(Course.of(plan(*map(task, range(len(sizes)))), limits.charge), limits)
    for index, size in enumerate(sizes):
        begun.ready.offer(TaskId(index), size)
    for number in range(up):
        begun.hello(f"w{number}")
    return begun


def asked(begun, launches=None):
    return [(launch.shape, launch.count) for launch in (launches or Launches()).ask(begun)]


def test_as_many_are_asked_for_as_there_are_tasks_and_the_limit_allows():
    assert asked(ready(SMALL, workers=4)) == [(SMALL, 1)]
    assert asked(ready(*[SMALL] * 9, workers=4)) == [(SMALL, 4)]
    assert asked(ready(workers=4)) == []


def test_no_more_are_asked_for_than_the_machine_has_room_for():
    assert asked(ready(*[SMALL] * 9, workers=8, cpu=3072)) == [(SMALL, 3)]
    assert asked(ready(*[SMALL] * 9, workers=8, memory_mib=4096)) == [(SMALL, 2)]
    assert asked(ready(LARGE, *[SMALL] * 9, workers=8, cpu=4096, memory_mib=99999)) == [(LARGE, 1), (SMALL, 2)]


def test_those_that_are_up_and_idle_or_coming_are_not_asked_for_again():
    begun, launches = ready(*[SMALL] * 3, up=1, workers=8), Launches()
    assert asked(begun, launches) == [(SMALL, 2)]
    assert asked(begun, launches) == []
    begun.ready.offer(TaskId(0), LARGE)
    assert asked(begun, launches) == [(LARGE, 1)]
    assert list(launches.awaited) == ["1", "2"]


def test_a_busy_worker_leaves_room_for_what_fits_beside_it():
    begun = ready(*[SMALL] * 5, up=1, workers=8, cpu=2048)
    begun.assign(lambda task: 1)
    assert asked(begun) == [(SMALL, 1)]


def test_after_failures_in_a_row_no_more_are_asked_for():
    begun, launches = ready(SMALL, workers=1), Launches()
    for number in range(MOST_FAILED):
        assert not launches.is_hopeless
        assert asked(begun, launches) == [(SMALL, 1)]
        assert not launches.is_hopeless
        launches.refused(LaunchFailed(str(number + 1), 1, "no capacity"))
    assert asked(begun, launches) == []
    assert launches.is_hopeless
    assert launches.detail == "no capacity"


def test_only_what_is_awaited_can_be_refused():
    begun, launches = ready(*[SMALL] * 4, workers=4), Launches()
    launches.ask(begun)
    launches.refused(LaunchFailed("another run's", 1, "no"))
    assert (launches.coming, launches.failed) == (4, 0)
    launches.refused(LaunchFailed("1", 3, "no"))
    launches.refused(LaunchFailed("1", 3, "no"))
    launches.refused(LaunchFailed("1", 3, "no"))
    assert (launches.coming, launches.failed) == (0, 2)


def test_a_worker_that_dies_before_it_is_up_is_a_failed_launch():
    launches = Launches(coming=1)
    launches.lost(None, Gone("w1", "lost", "exit code 1", None), is_its_own=True)
    launches.lost(None, Gone("w1", "lost", "not ours", None), is_its_own=True)
    assert (launches.coming, launches.failed, launches.detail) == (0, 1, "exit code 1")


@pytest.mark.parametrize(("is_proven", "is_its_own", "failed"), [(True, True, 0), (False, True, 3), (False, False, 2)])
def test_a_worker_that_was_up_is_a_failed_launch_if_it_was_good_for_nothing(is_proven, is_its_own, failed):
    launches = Launches(failed=2)
    launches.lost(Worker("w1", is_proven=is_proven), Gone("w1", "lost", "exit code 1", None), is_its_own=is_its_own)
    assert launches.failed == failed


def test_a_worker_that_was_not_asked_for_may_come():
    launches = Launches()
    launches.came(None)
    assert launches.coming == 0


def test_a_launch_is_not_refused_for_another():
    begun, launches = ready(*[SMALL] * 2, workers=4), Launches()
    launches.ask(begun)
    begun.ready.offer(TaskId(0), LARGE)
    launches.ask(begun)
    launches.refused(LaunchFailed("1", 2, "no"))
    launches.refused(LaunchFailed("1", 2, "no"))
    assert launches.coming == 1


def test_what_one_size_is_asked_for_leaves_less_for_the_next():
    assert asked(ready(LARGE, *[SMALL] * 9, workers=8, memory_mib=8192)) == [(LARGE, 1), (SMALL, 2)]
    assert asked(ready(LARGE, *[SMALL] * 9, workers=3)) == [(LARGE, 1), (SMALL, 2)]
