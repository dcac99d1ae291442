from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import deque
from typing import Any

import pytest

from cloudburst.errors import InternalError, StoreError, Tampered
from cloudburst.resources import Size
from cloudburst.runtime import driver as driver_module
from cloudburst.runtime import layout, retry
from cloudburst.runtime.artifacts import read
from cloudburst.runtime.backends.local import LocalBackend
from cloudburst.runtime.driver import Driver
from cloudburst.runtime.events import Assign, Began, Delay, Due, Ended, Finish, Gone, Hello, LaunchFailed
from cloudburst.runtime.journal import read as read_journal
from cloudburst.runtime.journal import replay, to_line
from cloudburst.runtime.protocols import Backend
from cloudburst.runtime.state import Limits
from cloudburst.runtime.steps import perform
from cloudburst.runtime.stores.local import LocalStore
from cloudburst.runtime.stores.memory import MemoryStore
from cloudburst.runtime.task import Awaited, Input, Origin, Output, Plan, Step, Task, TaskId
from tests.assignments import captured, slot, step

LIMITS = Limits(2, 4096, 16384)


def task(index: int, *steps: Step, inputs: Any = (), **rest: Any) -> Task:
    """A task of the plan; inputs are numbers of tasks."""
    read = tuple(one if isinstance(one, Input) else Input(one) for one in inputs)
    last = len(read) + len(steps) - 1
    defaults: dict[str, Any] = {"outputs": (Output(last),), "stage_step": 0, "size": Size(1024, 2048)}
    origins = tuple(Origin(one.what, None, 0) for one in steps)
    return Task(index, f"task-{index:012d}", "stage", steps, read, origins=origins, **(defaults | rest))


def plan(*tasks: Task, functions: Any = None, targets: Any = None) -> Plan:
    read = tuple(Input(one) for one in targets) if targets is not None else (Input(len(tasks) - 1),)
    return Plan("plan", tasks, captured(**functions) if functions else {}, (), read)


class HereBackend:
    """Performs in this process, one attempt a poll; faults are scripted by task: exceptions or events' causes."""

    def __init__(self, store: MemoryStore, faults: dict[TaskId, list[Any]] | None = None) -> None:
        self.store = store
        self.faults = faults or {}
        self.queues: dict[str, deque[Any]] = {}
        self.news: list[Any] = []
        self.functions: Any = {}
        self.deeds: list[tuple[Any, ...]] = []
        self.woken = threading.Event()

    def equip(self, functions):
        self.functions = functions

    def workers(self):
        return [name for name, queue in self.queues.items() if not queue]

    def shape(self, worker):
        return None

    def launch(self, shape, count, token):
        for _ in range(count):
            name = f"h{len(self.deeds)}"
            self.deeds.append(("launch", name))
            self.queues[name] = deque()
            self.news.append(Hello(name))

    def assign(self, worker, tasks):
        self.deeds.append(("assign", worker, *[one.id for one in tasks]))
        self.queues[worker].extend(tasks)

    def stop(self, workers):
        for worker in workers:
            if worker in self.queues:
                self.deeds.append(("stop", worker))
                queue = self.queues.pop(worker)
                self.news.append(Gone(worker, "stopped", "stopped", queue[0].id if queue else None))

    def poll(self, timeout_s):
        if self.news:
            news, self.news = self.news, []
            return news
        for worker, queue in self.queues.items():
            if queue:
                return [self.outcome(worker, queue)]
        self.woken.wait(timeout_s)
        self.woken.clear()
        return []

    def outcome(self, worker, queue):
        assignment = queue[0]
        faults = self.faults.get(assignment.id)
        fault = faults.pop(0) if faults else None
        if isinstance(fault, Exception):
            raise fault
        if isinstance(fault, str):
            del self.queues[worker]
            return Gone(worker, fault, "scripted", assignment.id, (worker, 0, 9))
        queue.popleft()
        record = perform(assignment, {}, self.store)
        log = (worker, 0, 5)
        return Ended(worker, assignment.id, assignment.attempt, record.artifacts, record.failure, 0.001, 1.0, log)

    def wake(self):
        self.woken.set()

    def logs(self, log):
        return f"log {log}"

    def close(self):
        self.queues.clear()


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def local(tmp_path):
    backend = LocalBackend(f"file://{tmp_path}/store", tmp_path / "logs")
    yield backend, LocalStore(tmp_path / "store")
    backend.close()


def adding(index, *inputs, **rest):
    return task(index, step("operator", "add", slot(0) if inputs else index, 1), inputs=inputs, **rest)


def drive(a_plan, backend, store, limits=LIMITS, **rest):
    return Driver(a_plan, store, limits, prefix="runs/test").drive(backend, **rest)


def failing(index, *inputs, **rest):
    return task(index, step("operator", "truediv", 1, 0), inputs=inputs, **rest)


# ---------------------------------------------------------------- runs


def test_the_fake_is_a_backend(store):
    assert isinstance(HereBackend(store), Backend)


def test_a_run_gives_its_targets_and_says_what_it_took(store):
    backend = HereBackend(store)
    outcome = drive(plan(adding(0), adding(1, 0), adding(2, 1), targets=[2, 0]), backend, store)
    assert outcome.status == "done"
    assert [read(target, store) for target in outcome.targets] == [3, 1]
    assert (outcome.tasks_done, outcome.attempts, outcome.workers_started) == (3, 3, 1)
    assert outcome.nbytes > 0
    assert (outcome.failures, outcome.skipped, outcome.warnings, outcome.finished) == ((), (), (), ())
    assert [(which, attempt) for which, attempt, _ in outcome.logs] == [(TaskId(n), 1) for n in range(3)]


def test_workers_that_are_up_are_used_before_others_are_asked_for(store):
    backend = HereBackend(store)
    drive(plan(adding(0)), backend, store)
    outcome = drive(plan(adding(0)), backend, store)
    assert outcome.workers_started == 0
    assert len([deed for deed in backend.deeds if deed[0] == "launch"]) == 1


def test_what_is_needed_no_more_is_deleted(store):
    backend = HereBackend(store)
    big = task(0, step("operator", "mul", b"x", 100_000))
    outcome = drive(plan(big, task(1, step("method", "__len__", slot(0)), inputs=[0])), backend, store)
    assert read(outcome.targets[0], store) == 100_000
    assert store.list("") == []


def test_parts_that_are_needed_no_more_are_deleted(store):
    big = task(0, step("build", "list", b"x" * 100_000, b"y" * 100_000), outputs=(Output(0, parts=True),))
    fan = task(1, step("method", "__len__", slot(0)), inputs=[0], fan=0)
    outcome = drive(plan(big, fan), HereBackend(store), store)
    assert read(outcome.targets[0], store) == [100_000, 100_000]
    assert store.list("") == []
    assert outcome.tasks_done == 3


def test_keys_of_two_attempts_differ(store):
    big = task(0, step("operator", "mul", b"x", 100_000), retries=1)
    keys = []

    class Watching(HereBackend):
        def assign(self, worker, tasks):
            keys.extend(one.prefix for one in tasks)
            super().assign(worker, tasks)

    drive(plan(big), Watching(store, {TaskId(0): ["lost"]}), store)
    assert keys == [layout.attempt_prefix("runs/test", big.name, TaskId(0), attempt) for attempt in (1, 2)]


# ---------------------------------------------------------------- failures


def test_a_failed_run_tells_the_failure_and_what_there_is_all_the_same(store):
    rides = task(
        1,
        step("operator", "add", slot(0), 1),
        step("operator", "truediv", slot(1), 0),
        inputs=[0],
        outputs=(Output(2, digest=b"ratio"), Output(1, digest=b"sum", rescue=True)),
    )
    first = adding(0, outputs=(Output(0, digest=b"first"),))
    outcome = drive(plan(first, rides, adding(2, 1)), HereBackend(store), store)
    assert outcome.status == "failed"
    [failed] = outcome.failures
    assert (failed.task, failed.attempt, failed.failure.step) == (TaskId(1), 1, 1)
    assert {digest: read(artifact, store) for digest, artifact in outcome.finished} == {b"first": 1, b"sum": 2}
    assert outcome.targets == (None,)


def test_parts_of_a_failed_fan_are_not_taken_for_the_whole(store):
    items = task(0, step("build", "list", 1, 0), outputs=(Output(0, parts=True),))
    fan = task(
        1,
        step("operator", "add", slot(0), 1),
        step("operator", "truediv", 1, slot(0)),
        inputs=[0],
        fan=0,
        outputs=(Output(2, digest=b"whole"), Output(1, digest=b"sums")),
    )
    outcome = drive(plan(items, fan), HereBackend(store), store)
    assert [failed.task for failed in outcome.failures] == [TaskId(1, 1)]
    assert outcome.finished == ()


def test_tasks_behind_a_failed_one_are_skipped_and_others_go_on_if_told_to(store):
    limits = Limits(2, None, None, keep_going=True)
    outcome = drive(plan(failing(0), adding(1, 0), adding(2)), HereBackend(store), store, limits)
    assert outcome.status == "failed"
    assert outcome.skipped == (TaskId(1),)
    assert outcome.tasks_done == 1


def test_what_runs_when_a_task_fails_gets_its_grace_and_is_stopped(local):
    backend, store = local
    tasks = task(0, step("call", "wait", 600)), task(1, step("call", "fail"))
    functions = {"wait": time.sleep, "fail": lambda: {}["no"]}
    limits = Limits(2, None, None, grace_s=0.2)
    seen = []
    outcome = drive(
        plan(*tasks, functions=functions), backend, store, limits, observe=[lambda e, c: seen.extend([*e, *c])]
    )
    assert outcome.status == "failed"
    assert [failed.task for failed in outcome.failures] == [TaskId(1)]
    kinds = [type(one) for one in seen]
    assert kinds.index(Delay) < kinds.index(Due) < kinds.index(Finish)
    assert outcome.seconds < 60


def test_a_lost_worker_is_counted_and_its_log_kept(store):
    backend = HereBackend(store, {TaskId(0): ["lost"]})
    outcome = drive(plan(adding(0)), backend, store)
    assert outcome.status == "done"
    assert (outcome.attempts, outcome.workers_started) == (2, 2)
    assert [(which, attempt, log[2]) for which, attempt, log in outcome.logs] == [(TaskId(0), 1, 9), (TaskId(0), 2, 5)]


def test_launches_that_fail_end_the_run(store):
    class Barren(HereBackend):
        def launch(self, shape, count, token):
            self.news.append(LaunchFailed(token, count, "no processes left"))

    outcome = drive(plan(adding(0)), Barren(store), store)
    assert outcome.status == "failed"
    assert "no processes left" in outcome.failures[0].failure.message


def test_a_store_that_does_not_delete_costs_a_warning(store, monkeypatch):
    def delete(keys):
        raise StoreError("read-only")

    monkeypatch.setattr(store, "delete", delete)
    big = task(0, step("operator", "mul", b"x", 100_000))
    outcome = drive(plan(big, task(1, step("method", "__len__", slot(0)), inputs=[0])), HereBackend(store), store)
    assert outcome.status == "done"
    assert ["read-only" in warning for warning in outcome.warnings] == [True]


# ---------------------------------------------------------------- those who look on


def test_observers_see_events_and_what_was_decided_on_them(store):
    seen = []
    drive(
        plan(adding(0)), HereBackend(store), store, observe=[lambda events, commands: seen.append((events, commands))]
    )
    events = [type(event) for batch, _ in seen for event in batch]
    commands = [type(command) for _, batch in seen for command in batch]
    assert events == [Hello, Ended]
    assert commands[-1] is Finish
    assert Assign in commands


def test_an_observer_that_raises_is_left_out_and_the_run_goes_on(store):
    calls = []

    def broken(events, commands):
        calls.append(1)
        raise RuntimeError("no screen")

    outcome = drive(plan(adding(0), adding(1, 0)), HereBackend(store), store, observe=[broken])
    assert outcome.status == "done"
    assert len(calls) == 1
    assert outcome.warnings == ("An observer of the run failed: RuntimeError: no screen",)


def test_events_are_in_the_journal_before_they_are_acted_on(store):
    backend = HereBackend(store)

    class Journal(list):
        def append(self, line):
            written.append(len(backend.deeds))
            super().append(line)

    written, journal = [], Journal()
    a_plan = plan(adding(0))
    drive(a_plan, backend, store, journal=journal)
    batches = list(read_journal(journal))
    assert [[type(event) for event in batch] for batch in batches] == [[], [Hello], [Ended]]
    assert written == [0, 1, 2]
    assert [deed[0] for deed in backend.deeds] == ["launch", "assign"]
    assert replay(a_plan, LIMITS, batches).status == "done"
    assert replay(a_plan, LIMITS, batches[:-1]).status == "running"


# ---------------------------------------------------------------- taking up


class Killed(BaseException):
    """The driver is no more."""


class MortalBackend(HereBackend):
    """Kills the driver before its ``dies_at``-th deed, or after it; knows what it was told to do before."""

    def __init__(self, store, faults=None, dies_at=None, before=True):
        super().__init__(store, faults)
        self.dies_at, self.before, self.calls = dies_at, before, 0
        self.tokens, self.attempts = set(), set()

    def workers(self):
        return []

    def outcome(self, worker, queue):
        event = super().outcome(worker, queue)
        return event._replace(seconds=1.0) if isinstance(event, Ended) else event  # so that each is given alone

    def once(self, deed):
        self.calls += 1
        if self.calls == self.dies_at and self.before:
            raise Killed
        deed()
        if self.calls == self.dies_at:
            raise Killed

    def launch(self, shape, count, token):
        def start():
            if token not in self.tokens:
                self.tokens.add(token)
                super(MortalBackend, self).launch(shape, count, token)

        self.once(start)

    def assign(self, worker, tasks):
        fresh = [one for one in tasks if (worker, one.id, one.attempt) not in self.attempts]

        def give():
            self.attempts.update([(worker, one.id, one.attempt) for one in fresh])
            if fresh:
                super(MortalBackend, self).assign(worker, fresh)

        self.once(give)


def seen_by(outcome, store):
    values = [None if target is None else read(target, store) for target in outcome.targets]
    failures = [(one.task, one.attempt, one.failure.cause) for one in outcome.failures]
    logs = sorted((task, attempt) for task, attempt, _ in outcome.logs)
    return outcome.status, values, failures, outcome.skipped, logs, outcome.tasks_done, outcome.attempts


MORTAL = {
    "a chain": (lambda: plan(adding(0), adding(1, 0), adding(2, 1)), {}),
    "a retry after a while": (
        lambda: plan(adding(0), failing(1, retries=1), *map(adding, range(2, 6)), targets=[0, 5]),
        {},
    ),
    "a lost worker": (lambda: plan(adding(0), adding(1, 0)), {TaskId(0): ["lost"], TaskId(1): ["lost"]}),
}


@pytest.mark.parametrize("name", MORTAL)
@pytest.mark.parametrize("before", [True, False])
def test_a_driver_killed_at_any_deed_is_taken_up_by_another_with_the_same_end(name, before, monkeypatch):
    make, faults = MORTAL[name]
    monkeypatch.setattr(retry, "FIRST_DELAY_S", 0.05)
    limits = Limits(2, None, None, keep_going=True)
    store = MemoryStore()
    whole = seen_by(
        drive(make(), MortalBackend(store, {task: [*how] for task, how in faults.items()}), store, limits), store
    )
    killed = 0
    for dies_at in range(1, 40):
        store, journal = MemoryStore(), []
        backend = MortalBackend(store, {task: [*how] for task, how in faults.items()}, dies_at, before)
        first = Driver(make(), store, limits, prefix="runs/test")
        monkeypatch.setattr(first, "_stop_ours", lambda backend: None)
        try:
            assert seen_by(first.drive(backend, journal=journal), store) == whole
        except Killed:
            killed += 1
            second = Driver(make(), store, limits, prefix="runs/test")
            second.take_up(journal)
            told: list[str] = []
            outcome = second.drive(backend, [lambda events, commands, told=told: told.append(to_line(events))], journal)
            assert seen_by(outcome, store) == whole
            assert told == journal
        else:
            break
    assert killed == dies_at - 1 > 2


@pytest.mark.parametrize("batches", [[[]], [[], [LaunchFailed("1", 1, "no")]]])
def test_launches_not_heard_of_are_asked_for_again(store, batches):
    asked = []

    class Watching(HereBackend):
        def launch(self, shape, count, token):
            asked.append(token)
            super().launch(shape, count, token)

    driver = Driver(plan(adding(0)), store, LIMITS, prefix="runs/test")
    driver.take_up(map(to_line, [*batches, [Began("another", TaskId(0), 1)]]))
    assert driver.drive(Watching(store)).status == "done"
    assert asked == [str(len(batches))]


def test_a_driver_with_nothing_to_take_up_begins(store):
    driver = Driver(plan(adding(0)), store, LIMITS, prefix="runs/test")
    driver.take_up([])
    assert driver.drive(HereBackend(store)).status == "done"


def test_a_run_that_was_over_is_over_at_once(store):
    journal = []
    a_plan = plan(adding(0))
    drive(a_plan, HereBackend(store), store, journal=journal)
    again = Driver(a_plan, store, LIMITS, prefix="runs/test")
    again.take_up(journal)
    backend = HereBackend(store)
    outcome = again.drive(backend, journal=(more := []))
    assert (outcome.status, outcome.tasks_done, outcome.workers_started) == ("done", 1, 1)
    assert (backend.deeds, more) == ([], [])


def test_a_run_that_was_cancelled_stays_so_with_its_reason(store):
    journal = []
    first = Driver(plan(adding(0)), store, LIMITS, prefix="runs/test")
    first.cancel("changed my mind")
    first.drive(HereBackend(store), journal=journal)
    again = Driver(plan(adding(0)), store, LIMITS, prefix="runs/test")
    again.take_up(journal)
    outcome = again.drive(HereBackend(store))
    assert (outcome.status, outcome.reason) == ("cancelled", "changed my mind")


def test_who_takes_a_run_up_is_told_of_its_workers(store):
    limits = Limits(2, None, None, shaped=True)
    driver = Driver(plan(adding(0), adding(1, 0)), store, limits, prefix="runs/test")
    driver.take_up([to_line([]), to_line([Hello("h0", Size(1024, 2048))])])
    queue = ((TaskId(0), 1), (TaskId(1), 1))
    assert driver.standing == ({"h0": Size(1024, 2048)}, {"h0": queue}, {"1": Size(1024, 2048)})


# ---------------------------------------------------------------- machines of their own


class ShapedBackend(HereBackend):
    """Each worker has a machine of its own; what awaits a failed attempt goes without a word."""

    made: Any = None

    def shape(self, worker):
        return Size(1024, 2048)

    def launch(self, shape, count, token):
        super().launch(shape, count, token)
        self.news = [Hello(event.worker, shape) for event in self.news]

    def outcome(self, worker, queue):
        self.made = self.made or {}
        first = queue[0]
        inputs = [
            self.made[one.task, one.attempt][one.output] if isinstance(one, Awaited) else one for one in first.inputs
        ]
        queue[0] = first._replace(inputs=tuple(inputs))
        event = super().outcome(worker, queue)
        if isinstance(event, Ended):
            self.made[event.task, event.attempt] = event.artifacts
            if event.failure is not None:
                out = {(event.task, event.attempt)}
                for one in tuple(queue):
                    if any(isinstance(read, Awaited) and read[:2] in out for read in one.inputs):
                        out.add((one.id, one.attempt))
                        queue.remove(one)
        return event


SHAPED = Limits(2, None, None, shaped=True)


def test_what_was_sent_ahead_is_performed_with_what_the_worker_made(store):
    backend = ShapedBackend(store)
    outcome = drive(plan(adding(0), adding(1, 0), adding(2, 1)), backend, store, SHAPED)
    assert [read(target, store) for target in outcome.targets] == [3]
    assert [deed[0] for deed in backend.deeds] == ["launch", "assign"]


def test_what_was_withdrawn_is_not_waited_for(store):
    backend = ShapedBackend(store)
    outcome = drive(plan(failing(0), adding(1, 0), adding(2, 1)), backend, store, SHAPED)
    assert outcome.status == "failed"
    assert outcome.skipped == (TaskId(1), TaskId(2))
    assert [deed[0] for deed in backend.deeds] == ["launch", "assign"]  # the idle worker is not stopped
    assert backend.workers() == ["h0"]


def test_workers_that_are_up_are_told_with_their_machines(store):
    backend = ShapedBackend(store)
    drive(plan(adding(0)), backend, store, SHAPED)
    assert drive(plan(adding(0)), backend, store, SHAPED).workers_started == 0


def test_a_task_gives_its_worker_what_it_needs_beside_its_values(store):
    given = []

    class Watching(HereBackend):
        def assign(self, worker, tasks):
            given.extend(tasks)
            super().assign(worker, tasks)

    extra = {"environment": (("A", "1"),), "secrets": (("B", "arn"),), "timeout_s": 9.0}
    drive(plan(adding(0, **extra)), Watching(store), store)
    [assignment] = given
    assert (assignment.environment, assignment.secrets) == ((("A", "1"),), (("B", "arn"),))
    assert (assignment.timeout_s, assignment.stage_step, assignment.stage) == (9.0, 0, "stage")


def test_what_is_waited_for_is_told(store):
    class Scarce(ShapedBackend):
        refusals = 0

        def launch(self, shape, count, token):
            if self.refusals < 2:
                self.refusals += 1
                self.news.append(LaunchFailed(token, count, "none there", "capacity"))
            else:
                super().launch(shape, count, token)

    told = []
    driver = Driver(plan(adding(0)), store, Limits(1, None, None, shaped=True, launch_delay_s=0.01), prefix="runs/test")
    outcome = driver.drive(Scarce(store), [lambda events, commands: told.append(driver.waiting_for)])
    assert outcome.status == "done"
    assert told[1] == "1 vCPU, 2 GB: none there"
    assert told[-1] == driver.waiting_for == ""


# ---------------------------------------------------------------- ends


@pytest.mark.parametrize("error", [StoreError("no way to the bucket"), Tampered("not what was written")])
def test_our_own_errors_come_as_they_are_when_all_is_stopped(store, error):
    backend = HereBackend(store, {TaskId(0): [error]})
    with pytest.raises(type(error)) as caught:
        drive(plan(adding(0), adding(1)), backend, store)
    assert caught.value is error
    assert [worker for worker, queue in backend.queues.items() if queue] == []


def test_the_first_error_is_told_where_stopping_fails_too(store):
    class Deaf(HereBackend):
        def poll(self, timeout_s):
            raise StoreError("no way to the bucket")

        def stop(self, workers):
            raise StoreError("still none")

    with pytest.raises(StoreError, match="no way to the bucket") as caught:
        drive(plan(adding(0)), Deaf(store), store)
    assert caught.value.__notes__ == ["What was running could not be stopped: StoreError: still none"]


def test_an_interrupt_stops_what_is_running_and_comes_as_it_is(store):
    backend = HereBackend(store)

    def interrupt(events, commands):
        if any(isinstance(command, Assign) for command in commands):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drive(plan(adding(0), adding(1)), backend, store, observe=[interrupt])
    assert [worker for worker, queue in backend.queues.items() if queue] == []


def test_an_error_in_the_backend_ends_the_run_as_ours_with_nothing_left_running(store):
    backend = HereBackend(store, {TaskId(0): [OSError("broken pipe")]})
    with pytest.raises(InternalError, match="OSError: broken pipe") as caught:
        drive(plan(adding(0), adding(1)), backend, store)
    assert isinstance(caught.value.__cause__, OSError)
    assert [worker for worker, queue in backend.queues.items() if queue] == []


def test_a_run_that_waits_for_nothing_ends_as_our_bug(store, monkeypatch):
    monkeypatch.setattr(driver_module, "_LONGEST_POLL_S", 0.01)

    driver = Driver(plan(adding(0)), store, LIMITS, prefix="runs/test")
    monkeypatch.setattr(driver, "_assign", lambda backend, command: None)
    with pytest.raises(InternalError, match="nothing that it waits for"):
        driver.drive(HereBackend(store))


def test_a_run_can_be_cancelled_before_it_begins(store):
    driver = Driver(plan(adding(0)), store, LIMITS, prefix="runs/test")
    driver.cancel("changed my mind")
    outcome = driver.drive(HereBackend(store))
    assert (outcome.status, outcome.reason) == ("cancelled", "changed my mind")


def test_cancelling_stops_what_is_running_at_once(local):
    backend, store = local
    driver = Driver(
        plan(task(0, step("call", "wait", 600)), functions={"wait": time.sleep}), store, LIMITS, prefix="runs/test"
    )

    def cancel(events, commands):
        if any(isinstance(command, Assign) for command in commands):
            threading.Timer(0.1, driver.cancel, ["enough"]).start()

    outcome = driver.drive(backend, observe=[cancel])
    assert (outcome.status, outcome.reason) == ("cancelled", "enough")
    assert outcome.seconds < 30
    assert backend.workers() == []


def test_cancelling_after_the_end_changes_nothing(store):
    driver = Driver(plan(adding(0)), store, LIMITS, prefix="runs/test")
    assert driver.drive(HereBackend(store)).status == "done"
    driver.cancel("too late")


# ---------------------------------------------------------------- with processes


def test_processes_perform_a_plan_and_serve_the_next(local):
    backend, store = local
    functions = {"double": lambda x: 2 * x}
    doubles = [task(n, step("call", "double", n)) for n in range(20)]
    total = task(20, step("build", "list", *map(slot, range(20))), inputs=range(20), stage_step=None)
    outcome = drive(plan(*doubles, total, functions=functions), backend, store)
    assert read(outcome.targets[0], store) == [2 * n for n in range(20)]
    again = drive(plan(*doubles, total, functions={"double": lambda x: 3 * x}), backend, store)
    assert read(again.targets[0], store) == [3 * n for n in range(20)]
    assert again.workers_started < 2


def test_a_worker_killed_from_outside_costs_one_attempt(local):
    backend, store = local

    def once(path):
        if not os.path.exists(path):
            open(path, "x").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return "second"

    path = str(store.root / "flag")
    tasks = [task(0, step("call", "once", path)), *[task(n, step("call", "same", n)) for n in range(1, 30)]]
    outcome = drive(plan(*tasks, functions={"once": once, "same": lambda x: x}, targets=[0]), backend, store)
    assert outcome.status == "done"
    assert read(outcome.targets[0], store) == "second"
    assert outcome.attempts == 31


def test_a_task_that_always_kills_its_worker_fails_as_lost(local):
    backend, store = local
    outcome = drive(plan(task(0, step("call", "end")), functions={"end": lambda: os._exit(7)}), backend, store)
    [failed] = outcome.failures
    assert (outcome.status, failed.failure.cause, failed.attempt) == ("failed", "lost", 2)
    assert "exit code 7" in failed.failure.message


def test_a_chain_in_one_task_runs_at_a_low_recursion_limit(local):
    backend, store = local
    first = step("operator", "add", 0, 1)
    steps = [first, *[step("operator", "add", slot(n), 1, free=(n,)) for n in range(49_999)]]
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(200)
    try:
        outcome = drive(plan(task(0, *steps, stage_step=None)), backend, store)
    finally:
        sys.setrecursionlimit(before)
    assert read(outcome.targets[0], store) == 50_000
