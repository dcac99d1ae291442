"""Which ready task goes to which worker."""

from __future__ import annotations

from itertools import count

import pytest

from cloudburst.errors import InternalError
from cloudburst.resources import Size
from cloudburst.runtime.course import Course
from cloudburst.runtime.dispatch import PASSES, QUEUED, Dispatch
from cloudburst.runtime.limits import Limits
from cloudburst.runtime.task import TaskId
from tests.runtime.plans import SMALL, plan, task

WHOLE_MACHINE = Size(4096, 8192)


def dispatch(*sizes, workers=2, cpu=None, memory_mib=None, up=None, stages="f"):
    """Tasks of these sizes, all ready."""
    limits = Limits(workers=workers, cpu=cpu, memory_mib=memory_mib)
    tasks = [task(index, stage=stages[index % len(stages)]) for index in range(len(sizes))]
    begun = Dispatch.of(Course.of(plan(*tasks), limits.charge), limits)
    for index, size in enumerate(sizes):
        begun.ready.offer(TaskId(index), size)
    for number in range(workers if up is None else up):
        begun.hello(f"w{number}")
    return begun


def assigned(begun):
    """What is assigned now: for each worker the numbers of its tasks."""
    return {worker: [one.task for one, _ in tasks] for worker, tasks in begun.assign(lambda task: 1)}


def end(begun, worker, seconds=5.0):
    """End what a worker is at."""
    at = begun.workers[worker]
    done = next(iter(at.queue))
    begun.ended(at, done, seconds)
    return done.task


def run(begun, seconds):
    """Run to the end: the numbers of tasks in the order in which they were done, and the commands it took."""
    order, commands = [], len(assigned(begun))
    while busy := [one for one in begun.workers.values() if one.queue]:
        longest_at_it = min(busy, key=lambda one: next(iter(one.queue)))
        order.append(end(begun, longest_at_it.name, seconds))
        commands += len(assigned(begun))
    return order, commands


def test_a_run_without_workers_is_refused():
    with pytest.raises(InternalError, match="0 workers"):
        Limits(workers=0, cpu=None, memory_mib=None)


def test_each_idle_worker_gets_the_next_task_of_the_plan():
    begun = dispatch(*[SMALL] * 5)
    assert assigned(begun) == {"w1": [0], "w0": [1]}
    assert assigned(begun) == {}
    end(begun, "w0")
    assert assigned(begun) == {"w0": [2]}


def test_no_more_is_performed_at_a_time_than_the_machine_has_cpu_for():
    begun = dispatch(*[Size(1024, 2048)] * 5, workers=4, cpu=2048)
    assert len(assigned(begun)) == 2
    assert begun.free_cpu == 0


def test_no_more_is_performed_at_a_time_than_the_machine_has_memory_for():
    begun = dispatch(*[Size(1024, 4096)] * 5, workers=4, memory_mib=8192)
    assert len(assigned(begun)) == 2
    assert begun.free_memory == 0


def test_what_is_larger_than_the_machine_runs_alone():
    begun = dispatch(SMALL, Size(1024, 999_999), Size(), workers=2, cpu=4096, memory_mib=8192)
    assert assigned(begun) == {"w1": [0], "w0": [2]}
    end(begun, "w1")
    assert assigned(begun) == {}
    end(begun, "w0")
    assert assigned(begun) == {"w0": [1]}
    assert (begun.free_cpu, begun.free_memory) == (0, 0)


def test_a_worker_stays_idle_where_nothing_fits():
    begun = dispatch(WHOLE_MACHINE, WHOLE_MACHINE, workers=2, cpu=4096)
    assert assigned(begun) == {"w1": [0]}
    assert list(begun.idle) == ["w0"]


def test_a_task_of_the_default_size_takes_a_workers_share():
    assert Limits(4, 4096, 8192).charge(Size()) == (1024, 0)
    assert Limits(4, None, None).charge(Size()) == (0, 0)
    assert Limits(4, None, None).charge(WHOLE_MACHINE) == (0, 0)
    assert Limits(4, None, 4096).charge(WHOLE_MACHINE) == (0, 4096)


def test_a_later_task_passes_one_that_does_not_fit_but_not_for_ever():
    begun = dispatch(SMALL, WHOLE_MACHINE, *[SMALL] * 100, workers=2, cpu=4096, memory_mib=8192)
    order, _ = run(begun, 5.0)
    assert order[:2] == [0, 2]
    assert PASSES < order.index(1) <= PASSES * 2 + 2
    assert sorted(order) == list(range(102))


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_tiny_tasks_are_queued_by_the_dozen(workers):
    begun = dispatch(*[SMALL] * 5000, workers=workers)
    order, commands = run(begun, 0.00001)
    assert sorted(order) == list(range(5000))
    assert commands < 300


def test_no_more_than_so_many_are_queued():
    begun = dispatch(*[SMALL] * 5000, workers=1)
    assigned(begun)
    end(begun, "w0", 0.0)
    assigned(begun)
    assert len(begun.workers["w0"].queue) == QUEUED


def test_queued_work_is_about_twenty_milliseconds():
    begun = dispatch(*[SMALL] * 5000, workers=1)
    assigned(begun)
    end(begun, "w0", 0.0009)
    assigned(begun)
    assert len(begun.workers["w0"].queue) == 22


def test_a_stage_that_is_not_known_or_not_tiny_is_given_alone():
    begun = dispatch(*[SMALL] * 10, workers=1, stages="fg")
    assert assigned(begun) == {"w0": [0]}
    end(begun, "w0", 0.0001)
    assert assigned(begun) == {"w0": [1]}  # of a stage that is not known yet
    end(begun, "w0", 3.0)
    assert assigned(begun) == {"w0": [2]}  # tiny, but the next is not
    end(begun, "w0", 0.0001)
    assert assigned(begun) == {"w0": [3]}


def test_a_queue_is_filled_again_when_it_is_half_empty():
    begun = dispatch(*[SMALL] * 5000, workers=1)
    assigned(begun)
    end(begun, "w0", 0.001)
    assigned(begun)
    given = []
    for _ in range(11):
        end(begun, "w0", 0.001)
        given.append(sum(map(len, assigned(begun).values())))
    assert [number for number in given if number] == [10]


def test_every_worker_has_its_share_of_what_is_left():
    begun = dispatch(*[SMALL] * 10, workers=3)
    assigned(begun)
    for worker in ("w0", "w1", "w2"):
        end(begun, worker, 0.00001)
    assert [len(tasks) for tasks in assigned(begun).values()] == [3, 2, 1]


def test_a_worker_runs_dry_for_an_earlier_task_of_another_size():
    begun = dispatch(*[Size(1024, 2048)] * 5000, workers=1)
    assigned(begun)
    end(begun, "w0", 0.00001)
    assigned(begun)
    begun.ready.offer(TaskId(0), WHOLE_MACHINE)
    left = len(begun.workers["w0"].queue)
    for _ in range(left - 1):
        end(begun, "w0", 0.00001)
        assert assigned(begun) == {}
    end(begun, "w0", 0.00001)
    assert assigned(begun) == {"w0": [0]}


def test_nothing_is_given_where_nothing_is_left():
    begun = dispatch(*[SMALL] * 4, workers=1)
    assigned(begun)
    end(begun, "w0", 0.00001)
    assert assigned(begun) == {"w0": [1, 2, 3]}
    end(begun, "w0", 0.00001)
    assert assigned(begun) == {}


def test_a_worker_that_is_gone_frees_what_it_had():
    begun = dispatch(SMALL, SMALL, workers=2, cpu=2048)
    assigned(begun)
    for worker in list(begun.workers.values()):
        begun.gone(worker)
    begun.hello("idle")
    begun.gone(begun.workers["idle"])
    assert (begun.free_cpu, begun.workers, begun.idle) == (2048, {}, {})
    assert begun.is_idle


def test_fans_stay_folded():
    limits = Limits(workers=2, cpu=None, memory_mib=None)
    begun = Dispatch.of(Course.of(plan(task(0)), limits.charge), limits)
    begun.ready.offer_items(0, 1_000_000, SMALL)
    begun.hello("w0")
    numbers = count(1)
    most = 0
    for _ in range(200):
        begun.assign(lambda task: next(numbers))
        most = max(most, len(begun.workers["w0"].queue))
        end(begun, "w0", 0.00001)
    assert most == QUEUED
    assert [len(line.heap) for line in begun.ready.in_order()] == [1]
