"""Who is looked at when, and what is made of what is seen: with a clock of the test's own."""

from __future__ import annotations

import pytest

from cloudburst.runtime.backends.fargate.machines import Machines, has_stopped, worker_of
from cloudburst.runtime.protocols import Fell

ARN = "arn:aws:ecs:us-east-1:123456789012:task/data/"


def pool(count=1, token="1", **settings):
    machines = Machines(**settings)
    for number in range(count):
        assert machines.granted(f"{ARN}{number}", token, 0.0)
    return machines


def seen(machines, status, now=1.0, worker="0", tail="", **more):
    return machines.seen({"taskArn": ARN + worker, "lastStatus": status, **more}, now, tail)


def failed(reason, **more):
    return {"stopCode": "TaskFailedToStart", "stoppedReason": reason, **more}


ROUTE = "ResourceInitializationError: unable to pull secrets or registry auth"
PULL = "CannotPullContainerError: dial tcp 10.0.0.1:443: i/o timeout"


def test_what_is_granted_twice_is_one_machine():
    machines = pool()
    assert not machines.granted(f"{ARN}0", "1", 1.0)
    seen(machines, "STOPPED")
    assert not machines.granted(f"{ARN}0", "1", 2.0)
    assert not machines.known


def test_a_machine_that_comes_is_looked_at_each_second_and_one_that_runs_each_five():
    machines = pool()
    assert machines.due(0.5) == []
    assert len(machines.due(1.0)) == 1
    assert seen(machines, "PENDING", 1.0) is None
    assert machines.due(1.9) == []
    assert len(machines.due(2.0)) == 1
    seen(machines, "RUNNING", 2.0)
    assert machines.due(6.9) == []
    assert len(machines.due(7.0)) == 1
    machines.stopping("0", 7.0)
    assert len(machines.due(8.0)) == 1


def test_a_call_names_a_hundred_at_most_and_those_that_waited_longest():
    machines = pool(250)
    first = machines.due(1.0)
    assert len(first) == 100
    for machine in first:
        machines.seen({"taskArn": machine.arn, "lastStatus": "PENDING"}, 1.0)
    assert not {machine.arn for machine in first} & {machine.arn for machine in machines.due(2.5)}


def test_however_fast_aws_is_played_looks_have_a_distance():
    machines = pool(scale=0.001)
    assert machines.due(0.09) == []
    assert len(machines.due(0.1)) == 1


def test_a_machine_that_stops_has_fallen_once():
    machines = pool()
    seen(machines, "RUNNING")
    fell = seen(machines, "STOPPED", stopCode="EssentialContainerExited", containers=[{"exitCode": 139}])
    assert fell == Fell("0", "lost", "it ended with exit code 139 (SIGSEGV)", None)
    assert seen(machines, "STOPPED") is None
    assert machines.missing(f"{ARN}0", 9.0) is None


def test_the_end_of_its_container_is_the_end_of_a_machine():
    ended = {"lastStatus": "DEPROVISIONING", "stopCode": "SpotInterruption", "containers": [{"lastStatus": "STOPPED"}]}
    assert has_stopped(ended)
    assert not has_stopped(ended | {"containers": [{"lastStatus": "RUNNING"}]})
    assert not has_stopped(ended | {"containers": []})
    assert not has_stopped(ended | {"stopCode": None})
    assert not has_stopped(ended | {"lastStatus": "STOPPING"})


def test_a_machine_that_ran_says_nothing_of_launches_but_where_a_setting_is_wrong():
    machines = pool(2)
    seen(machines, "RUNNING")
    assert seen(machines, "STOPPED", stopCode="InfrastructureHealth").launch is None
    seen(machines, "RUNNING", worker="1")
    exits = {"stopCode": "EssentialContainerExited", "containers": [{"exitCode": 255}]}
    assert seen(machines, "STOPPED", worker="1", tail="exec format error", **exits).launch == "setup"


def test_missing_is_borne_for_a_minute():
    machines = pool()
    assert machines.missing(f"{ARN}0", 1.0) is None
    assert machines.missing(f"{ARN}0", 60.0) is None
    assert seen(machines, "PENDING", 60.5) is None
    assert machines.missing(f"{ARN}0", 61.5) is None
    fell = machines.missing(f"{ARN}0", 122.0)
    assert (fell.cause, fell.launch) == ("lost", "passing")
    assert not machines.known


def test_a_running_machine_that_aged_out_is_lost():
    machines = pool()
    seen(machines, "RUNNING")
    machines.missing(f"{ARN}0", 10.0)
    assert machines.missing(f"{ARN}0", 70.0) == Fell("0", "lost", "ECS does not know it any more", None)


def test_what_passes_once_more_is_a_wrong_setting_at_the_second_launch():
    machines = Machines()
    for worker, token in [("0", "1"), ("1", "1"), ("2", "2"), ("3", "3")]:
        machines.granted(ARN + worker, token, 0.0)
    said = [seen(machines, "STOPPED", worker=worker, **failed(ROUTE)).launch for worker in "0123"]
    assert said == ["passing", "passing", "setup", "setup"]


def test_a_pull_that_times_out_is_borne_for_three_launches():
    machines = Machines()
    for number in range(4):
        machines.granted(f"{ARN}{number}", str(number), 0.0)
    said = [seen(machines, "STOPPED", worker=str(number), **failed(PULL)).launch for number in range(4)]
    assert said == ["passing", "passing", "passing", "setup"]


def test_a_machine_that_comes_to_run_shows_that_the_settings_can_be_right():
    machines = Machines()
    for number in range(3):
        machines.granted(f"{ARN}{number}", str(number), 0.0)
    assert seen(machines, "STOPPED", worker="0", **failed(ROUTE)).launch == "passing"
    seen(machines, "RUNNING", worker="1")
    assert seen(machines, "STOPPED", worker="2", **failed(ROUTE)).launch == "passing"


def test_a_machine_that_never_runs_falls_at_its_limit_with_what_was_seen():
    machines = pool()
    seen(machines, "PROVISIONING")
    assert machines.late(600.0) == []
    [(machine, fell)] = machines.late(600.5)
    assert machine.arn == f"{ARN}0"
    assert (fell.worker, fell.cause, fell.launch) == ("0", "lost", "setup")
    assert "PROVISIONING for 10 minutes" in fell.detail
    assert "compute_assign_public_ip=True" in fell.detail
    assert not machines.known


def test_a_machine_that_runs_has_no_limit():
    machines = pool()
    seen(machines, "RUNNING")
    assert machines.late(1e9) == []


def test_the_limit_is_scaled():
    machines = pool(scale=0.01)
    assert machines.late(5.9) == []
    assert len(machines.late(6.1)) == 1


def test_whatever_ends_a_machine_that_was_asked_to_stop_it_was_stopped():
    machines = pool(3)
    machines.stopping("0", 1.0)
    assert seen(machines, "STOPPED", stopCode="EssentialContainerExited", containers=[{"exitCode": 143}]) == Fell(
        "0", "stopped", "it was stopped", None
    )
    assert machines.stopping("1", 1.0) is machines.known["1"]
    assert machines.stopping("1", 2.0) is None
    assert machines.stopping("nobody", 2.0) is None
    assert machines.forget("2", "ECS does not know it any more").cause == "stopped"
    assert machines.forget("2", "") is None


def test_a_stop_that_was_accepted_is_believed_in_the_end():
    machines = pool()
    machines.stopping("0", 1.0)
    assert machines.late(1e6) == []  # not accepted yet
    machines.known["0"].stopped_at = 10.0
    assert machines.late(310.0) == []
    assert [fell for _, fell in machines.late(311.0)] == [Fell("0", "stopped", "it was stopped", None)]


@pytest.mark.parametrize("task", [{}, {"taskArn": "x"}, {"taskArn": None}, {"taskArn": 3}])
def test_a_task_of_somebody_else_is_nothing(task):
    assert pool().seen(task, 1.0) is None


def test_a_worker_is_named_by_the_end_of_its_tasks_arn():
    assert worker_of(f"{ARN}0f1e") == "0f1e"
