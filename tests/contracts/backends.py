"""What every backend must do: subclass it with a fixture ``backend`` whose workers open a store of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from cloudburst.resources import Size
from cloudburst.runtime.events import Began, Ended, Event, Gone, Hello
from cloudburst.runtime.protocols import Assignment, Backend
from cloudburst.runtime.task import TaskId
from tests.assignments import assignment, captured, step

PATIENCE_S = 60.0
SHAPE = Size(512, 1024)


def until(backend: Backend, kind: type | tuple[type, ...], number: int = 1) -> list[Any]:
    """All that happens until so many events of a kind have come; fails when they do not come."""
    events: list[Event] = []
    end = time.monotonic() + PATIENCE_S
    while sum(isinstance(event, kind) for event in events) < number:
        assert time.monotonic() < end, f"only {events}"
        events += backend.poll(end - time.monotonic())
    return events


def only(events: Sequence[Any], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def launched(backend: Backend, number: int = 1) -> list[str]:
    """Names of so many new workers."""
    backend.launch(SHAPE, number, f"launch-{number}")
    return [event.worker for event in only(until(backend, Hello, number), Hello)]


def ended(backend: Backend, worker: str, *tasks: Assignment) -> list[Ended]:
    """What became of tasks given to a worker."""
    backend.assign(worker, tasks)
    return only(until(backend, (Ended, Gone), len(tasks)), Ended)


def call(name: str, *values: object, task: int = 0, **rest: Any) -> Assignment:
    return assignment(step("call", name, *values), task=task, **rest)


class BackendContract:
    """A subclass has a fixture ``backend`` that is closed after the test, and ``store`` for reading results."""

    def test_is_a_backend(self, backend: Backend) -> None:
        assert isinstance(backend, Backend)

    def test_each_worker_says_hello_once_and_has_a_name_of_its_own(self, backend: Backend) -> None:
        backend.equip({})
        backend.launch(SHAPE, 2, "a")
        backend.launch(SHAPE, 1, "b")
        events = until(backend, Hello, 3)
        assert len({event.worker for event in events}) == len(events) == 3
        assert backend.poll(0.05) == []

    def test_tasks_end_in_the_order_in_which_they_were_given(self, backend: Backend) -> None:
        backend.equip(captured(double=lambda x: 2 * x))
        [worker] = launched(backend)
        backend.assign(worker, [call("double", number, task=number) for number in range(5)])
        backend.assign(worker, [call("double", number, task=number) for number in range(5, 8)])
        records = only(until(backend, Ended, 8), Ended)
        assert [(one.worker, one.task, one.attempt) for one in records] == [(worker, TaskId(n), 1) for n in range(8)]
        assert all(one.failure is None and one.seconds >= 0 and one.peak_mib > 1 for one in records)

    def test_a_failure_is_an_end_like_another_and_the_worker_goes_on(self, backend: Backend) -> None:
        def fail(x):
            raise ValueError(f"no {x}")

        backend.equip(captured(fail=fail, double=lambda x: 2 * x))
        [worker] = launched(backend)
        first, second = ended(backend, worker, call("fail", 1), call("double", 1, task=1))
        assert (first.failure.cause, first.failure.message) == ("raised", "ValueError: no 1")
        assert second.failure is None

    def test_an_attempt_that_goes_on_has_begun(self, backend: Backend) -> None:
        backend.equip(captured(wait=lambda s: __import__("time").sleep(s)))
        [worker] = launched(backend)
        backend.assign(worker, [call("wait", 0.3, task=4, attempt=2)])
        events = until(backend, Ended)
        assert [type(event) for event in events] == [Began, Ended]
        assert events[0] == Began(worker, TaskId(4), 2)

    def test_a_stopped_worker_is_gone_with_what_it_was_at(self, backend: Backend) -> None:
        backend.equip(captured(wait=lambda s: __import__("time").sleep(s), double=lambda x: 2 * x))
        busy, idle = launched(backend, 2)
        backend.assign(busy, [call("double", 1, task=1), call("wait", 60, task=2), call("double", 1, task=3)])
        until(backend, Ended)
        backend.stop([busy, idle, "nobody"])
        gone = {event.worker: event for event in only(until(backend, Gone, 2), Gone)}
        assert (gone[busy].cause, gone[busy].task) == ("stopped", TaskId(2))
        assert (gone[idle].cause, gone[idle].task) == ("stopped", None)

    def test_an_attempt_that_takes_too_long_is_ended_with_or_without_its_worker(self, backend: Backend) -> None:
        backend.equip(captured(wait=lambda s: __import__("time").sleep(s), double=lambda x: 2 * x))
        [worker] = launched(backend)
        backend.assign(
            worker, [call("double", 1, task=1), call("wait", 60, task=2, timeout_s=0.2), call("wait", 60, task=3)]
        )
        events = until(backend, (Ended, Gone), 2)
        end = next(one for one in events if isinstance(one, Gone) or (isinstance(one, Ended) and one.failure))
        assert end.task == TaskId(2)
        cause, detail = (end.cause, end.detail) if isinstance(end, Gone) else end.failure[:2]
        assert cause == "timeout"
        assert "0.2 s" in detail

    def test_the_time_an_attempt_waits_for_its_turn_does_not_count(self, backend: Backend) -> None:
        backend.equip(captured(wait=lambda s: __import__("time").sleep(s)))
        [worker] = launched(backend)
        tasks = [call("wait", 0.15, task=number, timeout_s=2) for number in range(3)]
        assert len(ended(backend, worker, *tasks)) == 3

    def test_what_an_attempt_prints_is_its_own(self, backend: Backend) -> None:
        backend.equip(captured(say=print))
        [worker] = launched(backend)
        records = ended(backend, worker, *[call("say", f"this is {number}", task=number) for number in range(3)])
        assert [backend.logs(one.log) for one in records] == ["this is 0\n", "this is 1\n", "this is 2\n"]

    def test_a_new_run_has_functions_of_its_own_and_finds_the_workers(self, backend: Backend) -> None:
        backend.equip(captured(f=lambda: print("first")))
        [worker] = launched(backend)
        [one] = ended(backend, worker, call("f"))
        assert backend.logs(one.log) == "first\n"
        backend.equip(captured(f=lambda: print("second")))
        assert backend.workers() == [worker]
        [two] = ended(backend, worker, call("f"))
        assert backend.logs(two.log) == "second\n"

    def test_a_worker_that_is_gone_is_not_found_by_the_next_run(self, backend: Backend) -> None:
        backend.equip({})
        stopped, other = launched(backend, 2)
        backend.stop([stopped])
        until(backend, Gone)
        backend.equip({})
        assert backend.workers() == [other]

    def test_waking_ends_a_poll_with_nothing(self, backend: Backend) -> None:
        backend.equip({})
        began = time.monotonic()
        timer = threading.Timer(0.1, backend.wake)
        timer.start()
        assert backend.poll(PATIENCE_S) == []
        assert time.monotonic() - began < PATIENCE_S / 2
        timer.join()

    def test_a_poll_waits_no_longer_than_it_was_told(self, backend: Backend) -> None:
        backend.equip({})
        assert backend.poll(0.0) == []
        assert backend.poll(0.01) == []

    def test_large_messages_arrive_while_the_worker_is_busy(self, backend: Backend) -> None:
        backend.equip(captured(wait=lambda s: __import__("time").sleep(s), size=len))
        [worker] = launched(backend)
        backend.assign(worker, [call("wait", 0.2)])
        text = "x" * 30_000
        for number in range(1, 101):
            backend.assign(worker, [call("size", text + str(number), task=number)])
        records = only(until(backend, Ended, 101), Ended)
        assert [one.failure for one in records] == [None] * 101
