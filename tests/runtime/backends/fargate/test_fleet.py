"""The machines of a pool, from launch to stop, on an ECS that does what a test says."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from cloudburst.errors import InternalError, LaunchError
from cloudburst.resources import Size
from cloudburst.runtime.backends.fargate.fleet import FargateFleet
from cloudburst.runtime.events import LaunchFailed
from cloudburst.runtime.protocols import Fell, Fleet, Started
from tests.runtime.backends.fargate.ecs import DENIED, LOST, PLACE, THROTTLED, Clients, Ecs, Logs, error, until

SHAPE = Size(1024, 2048)
FAST = 0.001


class Pool:
    """A fleet under test, with all that it was seen to say."""

    def __init__(self, ecs, logs=None, scale=FAST, **settings):
        self.ecs = ecs
        self.clients = Clients(ecs=ecs, logs=logs or Logs())
        self.fleet = FargateFleet(PLACE, "p1", "s3://b/p#key", scale=scale, clients=self.clients, **settings)
        self.sights = []

    def look(self):
        self.sights += self.fleet.look()
        return self.sights

    def of(self, kind, count=1):
        """Wait for so many sights of a kind."""
        found = until(lambda: (got := [one for one in self.look() if isinstance(one, kind)])[count - 1 :] and got)
        assert len(found) == count
        return found

    def up(self, count=1, shape=SHAPE, token="1"):
        """Workers of a launch."""
        self.fleet.launch(shape, count, token)
        return [one.worker for one in self.of(Started, count)]


@pytest.fixture
def ecs():
    return Ecs()


@pytest.fixture
def pool(ecs):
    pool = Pool(ecs)
    yield pool
    pool.fleet.close()


def answer(tasks=(), *reasons):
    return lambda asked: {"tasks": list(tasks), "failures": [{"arn": "a", "reason": reason} for reason in reasons]}


# ------------------------------------------------------------ launches


def test_it_is_a_fleet(pool):
    fleet: Fleet = pool.fleet
    assert isinstance(fleet, Fleet)


def test_a_launch_gives_machines_named_like_their_tasks(pool, ecs):
    workers = pool.up(25)
    assert sorted(f"arn:aws:ecs:us-east-1:123456789012:task/data/{one}" for one in workers) == sorted(ecs.tasks)
    assert {one.token for one in pool.sights} == {"1"}
    assert sorted(call["count"] for call in ecs.calls["RunTask"]) == [5, 10, 10]


def test_a_hundred_machines_take_ten_calls_and_one_definition(pool, ecs):
    pool.up(100)
    assert len(ecs.calls["RunTask"]) == 10
    assert len(ecs.calls["RegisterTaskDefinition"]) == 1
    again = Pool(ecs)
    again.up(100, token="2")
    again.fleet.close()
    assert len(ecs.calls["RegisterTaskDefinition"]) == 1
    assert {call["taskDefinition"] for call in ecs.calls["RunTask"]} == {
        definition["taskDefinitionArn"] for definition in ecs.definitions.values()
    }


def test_one_definition_serves_every_size(pool, ecs):
    pool.up(1, Size(1024, 2048), "1")
    pool.fleet.launch(Size(4096, 8192, 50, spot=True), 1, "2")
    pool.of(Started, 2)
    assert len(ecs.calls["RegisterTaskDefinition"]) == 1
    assert [call["overrides"]["cpu"] for call in ecs.calls["RunTask"]] == ["1024", "4096"]


def test_the_same_token_is_the_same_launch_in_this_process_and_in_another(pool, ecs):
    workers = pool.up(3)
    pool.fleet.launch(SHAPE, 3, "1")
    assert len(ecs.calls["RunTask"]) == 1
    successor = Pool(ecs)
    assert successor.up(3) == workers
    assert len(ecs.tasks) == 3
    successor.fleet.close()


def test_a_lost_answer_is_asked_for_again_with_the_same_token_and_starts_nothing_twice(pool, ecs):
    ecs.script["RunTask"] = [(LOST, "done"), (error("ServerException", "", ResponseMetadata={}), "done")]
    pool.up(10)
    assert len(ecs.tasks) == 10
    assert len({call["clientToken"] for call in ecs.calls["RunTask"]}) == 1
    assert len(ecs.calls["RunTask"]) == 3


def test_a_throttled_launch_is_asked_for_again(pool, ecs):
    ecs.script["RunTask"] = [THROTTLED, THROTTLED]
    pool.up(10)
    assert len(ecs.calls["RunTask"]) == 3


def test_asking_again_has_an_end(pool, ecs):
    ecs.script["RunTask"] = [THROTTLED] * 100
    pool.fleet.launch(SHAPE, 10, "1")
    [failed] = pool.of(LaunchFailed)
    assert (failed.token, failed.count, failed.cause) == ("1", 10, "passing")
    assert len(ecs.calls["RunTask"]) == 8


def test_tasks_that_the_token_has_started_before_are_the_tasks(pool, ecs):
    ecs.script["RunTask"] = [error("ConflictException", "", resourceIds=["arn:task/data/x", "arn:task/data/y"])]
    pool.fleet.launch(SHAPE, 3, "1")
    assert [one.worker for one in pool.of(Started, 2)] == ["x", "y"]
    assert pool.of(LaunchFailed)[0].count == 1


def test_what_is_missing_in_an_answer_is_told_with_the_worst_of_its_causes(pool, ecs):
    tasks = [{"taskArn": "arn:task/data/x"}]
    reasons = ["Capacity is unavailable at this time", "You’ve reached the limit on the number of vCPUs", "AGENT"]
    ecs.script["RunTask"] = [answer(tasks, *reasons)]
    pool.fleet.launch(SHAPE, 4, "1")
    [failed] = pool.of(LaunchFailed)
    assert pool.of(Started) == [Started("1", "x")]
    assert (failed.count, failed.cause) == (3, "quota")
    assert "max_workers" in failed.detail


def test_an_answer_without_tasks_and_without_failures_is_told_too(pool, ecs):
    ecs.script["RunTask"] = [answer()]
    pool.fleet.launch(SHAPE, 2, "1")
    [failed] = pool.of(LaunchFailed)
    assert (failed.count, failed.cause) == (2, "passing")
    assert "does not say why" in failed.detail


@pytest.mark.parametrize("operation", ["RunTask", "DescribeTaskDefinition", "RegisterTaskDefinition"])
def test_a_wrong_setting_is_told_in_awss_words(pool, ecs, operation):
    ecs.script[operation] = [error("ClientException", "ECS was unable to assume the role 'x'", operation)]
    pool.fleet.launch(SHAPE, 2, "1")
    [failed] = pool.of(LaunchFailed)
    assert failed.cause == "setup"
    assert "unable to assume the role 'x'" in failed.detail
    assert "compute_task_role" in failed.detail


def test_a_definition_that_somebody_deregistered_is_made_anew(pool, ecs):
    pool.up(1)
    ecs.definitions.clear()
    ecs.script["RunTask"] = [error("ClientException", "TaskDefinition is inactive")]
    pool.fleet.launch(SHAPE, 1, "2")
    pool.of(Started, 2)
    assert len(ecs.calls["RegisterTaskDefinition"]) == 2
    tokens = [call["clientToken"] for call in ecs.calls["RunTask"]]
    assert len(set(tokens)) == 3  # ECS refuses other parameters under a token that it has seen


def test_without_a_region_the_launch_says_so_and_there_is_nothing_to_close():
    fleet = FargateFleet(PLACE, "p", "v", clients=Clients(ecs=LaunchError("set region=")))
    fleet.launch(SHAPE, 2, "1")
    [failed] = until(fleet.look)
    assert failed == LaunchFailed("1", 2, "set region=", "setup")
    fleet.close()


def test_the_pools_variable_is_in_no_message_and_in_no_name(pool, ecs):
    pool.up(1)
    ecs.script["RunTask"] = [error("InvalidParameterException", "no")]
    pool.fleet.launch(SHAPE, 1, "2")
    pool.of(LaunchFailed)
    assert "#key" not in f"{pool.sights} {pool.fleet!r} {vars(PLACE) if hasattr(PLACE, '__dict__') else PLACE}"


def test_a_pools_name_that_is_too_long_is_our_bug():
    with pytest.raises(InternalError, match="30"):
        FargateFleet(PLACE, "p" * 31, "v")


# ------------------------------------------------------------ looks


def test_a_machine_that_stops_has_fallen_with_its_cause(pool, ecs):
    worker, other = pool.up(2)
    ecs.set(worker, "STOPPED", stopCode="SpotInterruption", stoppedReason="Your Spot Task was interrupted.")
    [fell] = pool.of(Fell)
    assert (fell.worker, fell.cause, fell.launch) == (worker, "reclaimed", "capacity")
    ecs.set(other, "STOPPED", stopCode="EssentialContainerExited", startedAt=1, containers=[{"exitCode": 139}])
    assert pool.of(Fell, 2)[1] == Fell(other, "lost", "it ended with exit code 139 (SIGSEGV)", None)


def test_its_log_is_read_where_only_that_can_tell(ecs):
    pool = Pool(ecs, Logs(["exec /usr/bin/python: exec format error"]))
    [worker] = pool.up(1)
    ended = {"stopCode": "EssentialContainerExited", "startedAt": 1, "containers": [{"exitCode": 255}]}
    ecs.set(worker, "STOPPED", **ended)
    [fell] = pool.of(Fell)
    assert fell.launch == "setup"
    assert "architecture" in fell.detail
    assert pool.fleet.tail(worker) == "exec /usr/bin/python: exec format error"
    pool.fleet.close()


def test_without_a_log_group_there_is_no_tail(ecs):
    place = PLACE.__class__(**{name: getattr(PLACE, name) for name in PLACE.__slots__} | {"log_group": None})
    fleet = FargateFleet(place, "p", "v", clients=Clients(ecs=ecs))
    assert fleet.tail("w") == ""


def test_a_machine_that_ecs_does_not_know_for_a_while_is_not_lost(ecs):
    pool = Pool(ecs, scale=0.02)
    ecs.script["RunTask"] = [None]
    [worker] = pool.up(1)
    arn = next(iter(ecs.tasks))
    ecs.hidden.add(arn)
    looks = len(ecs.calls["DescribeTasks"])
    until(lambda: len(ecs.calls["DescribeTasks"]) > looks + 2)
    ecs.hidden.clear()
    ecs.set(worker, "RUNNING")
    looks = len(ecs.calls["DescribeTasks"])
    until(lambda: len(ecs.calls["DescribeTasks"]) > looks + 1)
    assert pool.look() == [Started("1", worker)]
    ecs.hidden.add(arn)
    assert pool.of(Fell)[0].cause == "lost"
    ecs.hidden.clear()
    pool.fleet.close()


def test_a_machine_that_never_starts_is_stopped_and_told(ecs):
    pool = Pool(ecs, scale=0.0005)
    [worker] = pool.up(1)
    [fell] = pool.of(Fell)
    assert (fell.worker, fell.launch) == (worker, "setup")
    assert "has been in PROVISIONING" in fell.detail
    until(lambda: not ecs.up)
    pool.fleet.close()
    assert len(ecs.calls["StopTask"]) == 1


def test_looks_that_do_not_succeed_are_made_again(pool, ecs):
    ecs.script["DescribeTasks"] = [THROTTLED, LOST, error("ServerException")]
    [worker] = pool.up(1)
    ecs.set(worker, "STOPPED", stopCode="InfrastructureHealth")
    assert pool.of(Fell)[0].cause == "host"


def test_looks_that_are_refused_end_the_run(pool, ecs):
    ecs.script["DescribeTasks"] = [DENIED]
    pool.up(1)
    with pytest.raises(LaunchError, match="does not say how the workers are.*docs/iam/caller.json"):
        until(lambda: pool.look() and False)


def test_looks_are_two_a_second_at_most_and_by_the_hundred(ecs):
    scale = 0.1
    pool = Pool(ecs, scale=scale)
    pool.up(250)  # all coming: three calls a second would be wanted
    began, before = time.monotonic(), len(ecs.calls["DescribeTasks"])
    until(lambda: len(ecs.calls["DescribeTasks"]) >= before + 12)
    calls = ecs.calls["DescribeTasks"][:]
    assert len(calls) - before <= 1 + 2 * (time.monotonic() - began) / scale
    assert {len(call["tasks"]) for call in calls} >= {100}
    assert {task for call in calls for task in call["tasks"]} == set(ecs.tasks)
    pool.fleet.close()


# ------------------------------------------------------------ stops


def test_a_machine_that_is_stopped_falls_when_it_is_no_more(pool, ecs):
    worker, other = pool.up(2)
    pool.fleet.stop([worker, "nobody"])
    until(lambda: len(ecs.up) == 1)
    looks = len(ecs.calls["DescribeTasks"])
    until(lambda: len(ecs.calls["DescribeTasks"]) > looks + 1)
    assert not [one for one in pool.look() if isinstance(one, Fell)]
    ecs.set(worker, "STOPPED", stopCode="UserInitiated")
    assert pool.of(Fell) == [Fell(worker, "stopped", "it was stopped", None)]
    pool.fleet.stop([worker])
    assert len(ecs.calls["StopTask"]) == 1
    assert ecs.up == [arn for arn in ecs.tasks if arn.endswith(other)]


def test_a_stop_is_asked_for_until_it_is_accepted(pool, ecs):
    [worker] = pool.up(1)
    ecs.script["StopTask"] = [THROTTLED, LOST, THROTTLED]
    pool.fleet.stop([worker])
    until(lambda: not ecs.up)
    assert len(ecs.calls["StopTask"]) == 4


def test_a_machine_that_ecs_does_not_know_needs_no_stop(pool, ecs):
    [worker] = pool.up(1)
    ecs.tasks.clear()
    pool.fleet.stop([worker])
    assert pool.of(Fell)[0].cause == "stopped"


def test_a_stop_that_is_refused_ends_the_run_and_close_names_the_task(ecs):
    pool = Pool(ecs)
    [worker] = pool.up(1)
    ecs.script["StopTask"] = [DENIED]
    pool.fleet.stop([worker])
    with pytest.raises(LaunchError, match="cannot be stopped"):
        until(lambda: pool.look() and False)
    with pytest.raises(LaunchError, match=f"(?s)data.*{worker}.*by themselves.*cb-p1"):
        pool.fleet.close()


# ------------------------------------------------------------ the end


def test_nothing_that_never_began_is_closed(ecs):
    pool = Pool(ecs)
    pool.fleet.close()
    pool.fleet.close()
    assert not ecs.calls


def test_close_stops_all_and_leaves_no_thread(ecs):
    others = set(threading.enumerate())
    pool = Pool(ecs)
    pool.up(250)
    pool.fleet.close()
    assert ecs.up == []
    assert Counter(call["task"] for call in ecs.calls["StopTask"]) == dict.fromkeys(ecs.tasks, 1)
    assert set(threading.enumerate()) <= others
    pool.fleet.close()
    pool.fleet.launch(SHAPE, 1, "2")
    assert len(ecs.tasks) == 250


def test_close_stops_what_a_call_under_way_starts(ecs):
    pool = Pool(ecs)
    is_called, may_answer = threading.Event(), threading.Event()

    def late(asked):
        is_called.set()
        may_answer.wait(20)
        return ecs._run(**asked)

    ecs._lock = threading.Semaphore(100)  # calls at the same time
    ecs.script["RunTask"] = [late]
    pool.fleet.launch(SHAPE, 10, "1")
    assert is_called.wait(20)
    closing = threading.Thread(target=pool.fleet.close)
    closing.start()
    until(lambda: pool.fleet._is_closing)
    may_answer.set()
    closing.join(20)
    assert not closing.is_alive()
    assert len(ecs.tasks) == 10
    assert ecs.up == []


def test_close_finds_what_a_lost_answer_has_started(ecs):
    pool = Pool(ecs)
    ecs.script["RunTask"] = [None, *[(LOST, "done")] * 8]
    pool.up(10, token="1")
    pool.fleet.launch(SHAPE, 10, "2")
    until(lambda: len(ecs.tasks) == 20)
    pool.fleet.close()
    assert ecs.up == []
    assert {call["startedBy"] for call in ecs.calls["ListTasks"]} == {"cb-p1"}


def test_close_waits_for_what_ecs_does_not_list_at_once(ecs):
    pool = Pool(ecs, scale=0.1)
    ecs.script["RunTask"] = [(LOST, "done")] * 8
    pool.fleet.launch(SHAPE, 1, "1")
    until(lambda: len(ecs.tasks) == 1)
    ecs.script["ListTasks"] = [lambda asked: [{}], lambda asked: [{}]]
    pool.fleet.close()
    assert ecs.up == []


def test_close_makes_no_launch_that_has_not_begun(ecs):
    pool = Pool(ecs)
    ecs.script["RunTask"] = [THROTTLED] * 50
    pool.fleet.launch(SHAPE, 10, "1")
    until(lambda: ecs.calls["RunTask"])
    pool.fleet.close()
    assert not ecs.tasks


def test_close_goes_on_through_throttling(ecs):
    pool = Pool(ecs)
    pool.up(5)
    ecs.script["StopTask"] = [THROTTLED, THROTTLED, LOST]
    ecs.script["ListTasks"] = [THROTTLED]
    pool.fleet.close()
    assert ecs.up == []


def test_close_that_may_not_list_stops_what_it_knows_and_says_so(ecs):
    pool = Pool(ecs)
    pool.up(3)
    ecs.script["ListTasks"] = [DENIED]
    with pytest.raises(LaunchError, match="Whether tasks still run is not known"):
        pool.fleet.close()
    assert ecs.up == []


def test_close_ends_when_ecs_does_not_answer(ecs, monkeypatch):
    monkeypatch.setattr("cloudburst.runtime.backends.fargate.fleet.CLOSE_S", 0.3)
    pool = Pool(ecs)
    [worker] = pool.up(1)
    ecs.script["StopTask"] = [LOST] * 10**5
    with pytest.raises(LaunchError, match=f"did not answer in time.*{worker}"):
        pool.fleet.close()


def test_what_goes_wrong_in_a_thread_is_the_owners_to_know(ecs):
    pool = Pool(ecs)
    pool.up(1)
    ecs.script["DescribeTasks"] = [ZeroDivisionError("a bug")]
    with pytest.raises(ZeroDivisionError):
        until(lambda: pool.look() and False)
    pool.fleet.close()
    assert ecs.up == []


def test_a_second_interrupt_does_not_cut_close_short(ecs, monkeypatch):
    pool = Pool(ecs)
    pool.up(20)
    wait, interrupts = pool.fleet._ended.wait, [KeyboardInterrupt, KeyboardInterrupt]

    def interrupted(timeout):
        if interrupts:
            raise interrupts.pop()
        return wait(timeout)

    monkeypatch.setattr(pool.fleet._ended, "wait", interrupted)
    pool.fleet.close()
    assert not interrupts
    assert ecs.up == []


def test_a_fork_of_the_process_closes_nothing(ecs, monkeypatch):
    pool = Pool(ecs)
    pool.up(1)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    pool.fleet.close()
    assert len(ecs.up) == 1
    monkeypatch.undo()
    pool.fleet.close()
    assert ecs.up == []


# ------------------------------------------------------------ another process's machines


def test_machines_of_the_pool_are_found_again(ecs):
    first = Pool(ecs)
    workers = first.up(3)
    ecs.set(workers[0], "STOPPED", desiredStatus="STOPPED", stopCode="InfrastructureHealth")
    successor = Pool(ecs)
    ecs.script["ListTasks"] = [THROTTLED]
    successor.fleet.adopt()
    assert sorted(successor.of(Started, 3)) == sorted(Started("1", worker) for worker in workers)
    assert successor.of(Fell)[0].worker == workers[0]
    successor.fleet.close()
    assert ecs.up == []
    first.fleet.close()


def test_machines_that_may_not_be_listed_are_not_found(ecs):
    pool = Pool(ecs)
    ecs.script["ListTasks"] = [DENIED]
    pool.fleet.adopt()
    with pytest.raises(LaunchError, match="cannot be listed"):
        until(lambda: pool.look() and False)
    pool.fleet.close()


AT_EXIT = """
import atexit
from cloudburst.resources import Size
from cloudburst.runtime.backends.fargate.fleet import FargateFleet
from tests.runtime.backends.fargate.ecs import PLACE, Clients, Ecs, until

ecs = Ecs()
fleet = FargateFleet(PLACE, "p", "v", clients=Clients(ecs=ecs))
atexit.register(lambda: print(len(ecs.tasks), len(ecs.up)))
atexit.register(fleet.close)
fleet.launch(Size(1024, 2048), 20, "1")
until(lambda: len(ecs.tasks) == 20)
"""


def test_close_works_when_the_program_is_ending_and_no_thread_can_be_started():
    root = Path(__file__).parents[4]
    done = subprocess.run([sys.executable, "-c", AT_EXIT], cwd=root, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("20 0\n", "")
