from __future__ import annotations

import os
import pickle
import select
import signal
import sys
import time

import pytest

from cloudburst.errors import InternalError
from cloudburst.runtime import solo as module
from cloudburst.runtime.events import Gone
from cloudburst.runtime.solo import Solo
from cloudburst.runtime.stores.local import LocalStore
from tests.assignments import assignment, captured, step


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "store")


@pytest.fixture
def solo(store, tmp_path):
    solo = Solo(store.url, tmp_path / "logs")
    yield solo
    solo.close()


def learn(solo, **functions):
    solo.learn({name: one.payload for name, one in captured(**functions).items()})


def call(name, *values, task=0, environment=(), **rest):
    return assignment(step("call", name, *values), task=task, **rest)._replace(environment=environment)


def until(solo, is_so):
    end = time.monotonic() + 60
    performed = []
    while not is_so(performed):
        assert time.monotonic() < end, performed
        performed += solo.poll(end - time.monotonic())
    return performed


def perform(solo, one):
    solo.give(one)
    [performed] = until(solo, bool)
    assert performed.assignment == one
    assert solo.is_free
    assert solo.at is None
    return performed


def value(performed):
    assert performed.ended.failure is None, performed.ended.failure
    return pickle.loads(performed.ended.artifacts[0].body)


def up(solo):
    until(solo, lambda _: solo._performer is not None)
    return solo._backend.pid(solo._performer)


def test_tasks_are_performed_one_after_another_by_one_performer(solo):
    learn(solo, pid=os.getpid)
    assert value(perform(solo, call("pid"))) == value(perform(solo, call("pid", task=1)))


def test_a_task_that_comes_before_the_performer_is_up_waits_for_it(solo):
    learn(solo, f=lambda x: x + 1)
    solo.give(call("f", 1))
    assert not solo.is_free
    assert solo.at.id.task == 0
    [performed] = until(solo, bool)
    assert value(performed) == 2


def test_it_takes_one_task_at_a_time(solo):
    solo.give(call("f"))
    with pytest.raises(InternalError, match="while it was at another"):
        solo.give(call("f", task=1))


def test_another_environment_means_another_performer_and_the_same_one_does_not(solo):
    learn(solo, see=lambda: [os.getpid(), os.environ.get("TOKEN")])
    first = value(perform(solo, call("see")))
    second = value(perform(solo, call("see", environment=(("TOKEN", "a"),))))
    third = value(perform(solo, call("see", environment=(("TOKEN", "a"),))))
    fourth = value(perform(solo, call("see")))
    assert [one[1] for one in (first, second, third, fourth)] == [None, "a", "a", None]
    assert second == third
    assert len({one[0] for one in (first, second, fourth)}) == 3


def test_a_performer_that_died_while_it_had_nothing_to_do_is_replaced(solo):
    learn(solo, pid=os.getpid)
    first = up(solo)
    os.kill(first, signal.SIGKILL)
    until(solo, lambda _: solo._performer is None)
    assert value(perform(solo, call("pid"))) != first


def test_what_kills_its_performer_has_a_record_and_the_next_task_another_performer(solo):
    learn(solo, die=lambda: os._exit(0), pid=os.getpid)
    failure = perform(solo, call("die")).ended.failure
    assert (failure.cause, failure.message) == ("lost", "exit code 0")
    value(perform(solo, call("pid", task=1)))


def test_memory_that_ran_out_is_tried_once_more_from_a_clean_start(solo, monkeypatch):
    learn(solo, ok=lambda: None, die=lambda: os.kill(os.getpid(), 9), pid=os.getpid)
    perform(solo, call("ok"))
    told = []

    def as_memory(event, see=solo._see):
        if isinstance(event, Gone):
            told.append(event.worker)
            event = event._replace(cause="memory", detail="out of memory")
        return see(event)

    monkeypatch.setattr(solo, "_see", as_memory)
    failure = perform(solo, call("die", task=1)).ended.failure
    assert (failure.cause, failure.message) == ("memory", "out of memory")
    assert len(set(told)) == 2
    assert failure.peak_mib is None or failure.peak_mib > 0
    perform(solo, call("die", task=2))
    assert len(told) == 3


def test_an_attempt_that_takes_too_long_ends_with_its_performer(solo):
    learn(solo, wait=lambda: __import__("time").sleep(60), spin=lambda: sum(range(10**12)))
    for number, name in enumerate(("wait", "spin")):
        failure = perform(solo, call(name, task=number, timeout_s=0.3)).ended.failure
        assert (failure.cause, failure.message) == ("timeout", "took longer than 0.3 s")


def test_a_new_run_forgets_functions_and_keeps_the_performer(solo):
    learn(solo, f=os.getpid)
    first = value(perform(solo, call("f")))
    solo.begin_run()
    learn(solo, f=lambda: [__import__("os").getpid()])
    assert value(perform(solo, call("f"))) == [first]


@pytest.mark.parametrize("is_ready", [False, True])
def test_what_the_performer_says_while_a_run_begins_is_not_lost(solo, is_ready):
    learn(solo, f=os.getpid)
    if is_ready:
        until_readable(solo)  # its hello is in the pipe, and nobody has read it
    solo.begin_run()
    learn(solo, f=os.getpid)
    value(perform(solo, call("f")))


def until_readable(solo):
    [worker] = solo._backend._workers.values()
    assert select.select([worker.records], [], [], 60)[0]


def test_a_performer_that_dies_while_a_run_begins_is_replaced(solo):
    learn(solo, f=os.getpid)
    pid = up(solo)
    os.kill(pid, signal.SIGKILL)
    [worker] = solo._backend._workers.values()
    worker.process.wait()
    solo.begin_run()
    learn(solo, f=os.getpid)
    assert value(perform(solo, call("f"))) != pid


def test_a_run_that_begins_ends_what_the_one_before_was_at(solo):
    learn(solo, wait=lambda: __import__("time").sleep(60), f=lambda: 1)
    up(solo)
    solo.give(call("wait"))
    solo.begin_run()
    assert solo.is_free
    learn(solo, f=lambda: 1)
    assert value(perform(solo, call("f", task=5))) == 1


def test_a_performer_that_cannot_start_is_told_of(store, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    solo = Solo(store.url, tmp_path / "logs")
    try:
        with pytest.raises(InternalError, match="did not start"):
            until(solo, bool)
    finally:
        solo.close()


def test_what_it_started_counts_to_its_peak(solo):
    def start():
        import subprocess
        import sys

        code = "held = bytearray(b'x') * (150 << 20); import time; time.sleep(0.8)"
        subprocess.run([sys.executable, "-c", code], check=True)

    learn(solo, start=start)
    assert perform(solo, call("start")).ended.peak_mib > 150


def test_a_log_that_has_grown_too_long_goes_with_its_performer(solo, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_MOST_PRINTED", 100_000)
    learn(solo, say=lambda: print("x" * 60_000))
    outputs = [perform(solo, call("say", task=number)).output for number in range(5)]
    assert [len(one) for one in outputs] == [60_001] * 5
    assert sum(file.stat().st_size for file in (tmp_path / "logs").iterdir()) < 200_000


def test_of_a_hundred_megabytes_both_ends_are_in_the_output(solo):
    def flood():
        print("begin")
        for _ in range(100):
            print("x" * (1 << 20))
        print("end")

    learn(solo, flood=flood)
    output = perform(solo, call("flood")).output
    assert output.startswith("begin\n")
    assert output.endswith("end\n")
    assert len(output) < 12 << 20
    assert "left out" in output
