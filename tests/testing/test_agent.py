"""How tasks live and end in the fake Fargate: their programs run for real."""

from __future__ import annotations

import os
import sys

import boto3
import pytest

from cloudburst.testing import FakeAWS
from tests.testing.fargate import alive, describe, register, run, running, stopped, until

STATES = ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "DEPROVISIONING", "STOPPED"]
STOPPED_STATES = [*STATES[:5], "STOPPING", *STATES[5:]]

# What a program says of the place it is in, then what its command says: exit N, wait, stubborn, fork, eat N.
PROGRAM = """
import os, signal, subprocess, sys, time
what = sys.argv[1:] or ["exit", "0"]
print("up in", os.getcwd(), "as", os.environ.get("GIVEN"), flush=True)
if what[0] == "exit":
    sys.exit(int(what[1]))
if what[0] == "polite":
    signal.signal(signal.SIGTERM, lambda *_: (print("told to stop", flush=True), os._exit(143)))
if what[0] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if what[0] == "crash":
    os.kill(os.getpid(), signal.SIGSEGV)
if what[0] == "fork":
    code = "import os,time; print('child', os.getpid(), flush=True); time.sleep(600)"
    subprocess.Popen([sys.executable, "-S", "-c", code], start_new_session=True)
    subprocess.Popen([sys.executable, "-S", "-c", code], start_new_session=True, env={})
    time.sleep(float(what[1]))
    sys.exit(0)
if what[0] == "eat":
    eaten = b"x" * (int(what[1]) << 20)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def aws():
    with FakeAWS(time_scale=0.01, _program=[sys.executable, "-S", "-c", PROGRAM]) as aws:
        register(aws)
        yield aws


def stop(aws, task, reason="enough"):
    boto3.client("ecs").stop_task(cluster=aws.settings["compute_cluster"], task=task["taskArn"], reason=reason)


def states(aws, task):
    known = next(one for one in aws.tasks() if one.arn == task["taskArn"])
    return [state for state, _ in known.history]


def test_a_program_that_ends_well(aws):
    (task,) = run(aws, environment={"GIVEN": "a name"})
    told = stopped(aws, task)
    assert states(aws, task) == STATES
    assert (told["stopCode"], told["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert (told["containers"][0]["exitCode"], told["containers"][0]["lastStatus"]) == (0, "STOPPED")
    assert told["createdAt"] <= told["pullStartedAt"] <= told["startedAt"] <= told["executionStoppedAt"]
    assert told["executionStoppedAt"] <= told["stoppedAt"]
    assert "as a name" in aws.logs(task["taskArn"])


def test_an_exit_code_and_a_signal_are_told_as_docker_tells_them(aws):
    (left,) = run(aws, command=["exit", "3"])
    (crashed,) = run(aws, command=["crash"])
    assert stopped(aws, left)["containers"][0]["exitCode"] == 3
    assert stopped(aws, crashed)["containers"][0]["exitCode"] == 139


def test_each_task_has_a_directory_of_its_own_that_goes_with_it(aws):
    one, other = run(aws, count=2)
    stopped(aws, one)
    stopped(aws, other)
    places = {aws.logs(task["taskArn"]).split()[2] for task in (one, other)}
    assert len(places) == 2
    assert not any(os.path.exists(place) for place in places)


def test_a_program_has_its_identity_and_nothing_of_the_users(aws):
    seen = "import os; print(sorted(n for n in os.environ if n.startswith(('AWS', 'ECS', 'SECRET', 'CLOUDBURST'))))"
    os.environ["SECRET_OF_MINE"] = "x"
    try:
        with_program = aws._agent._fleet._program
        aws._agent._fleet._program = [sys.executable, "-S", "-c", seen]
        (task,) = run(aws)
        stopped(aws, task)
    finally:
        aws._agent._fleet._program = with_program
        del os.environ["SECRET_OF_MINE"]
    names = aws.logs(task["taskArn"])
    for name in (
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_EXECUTION_ENV",
        "AWS_REGION",
        "CLOUDBURST_TIME_SCALE",
        "ECS_CONTAINER_METADATA_URI_V4",
    ):
        assert name in names
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SECRET_OF_MINE"):
        assert name not in names


def test_stopping_sends_sigterm_and_the_program_says_how_it_ends(aws):
    (task,) = run(aws, command=["polite"])
    until(lambda: "ready" in aws.logs(task["taskArn"]))
    stop(aws, task, "enough of it")
    told = stopped(aws, task)
    assert (told["stopCode"], told["stoppedReason"]) == ("UserInitiated", "enough of it")
    assert told["containers"][0]["exitCode"] == 143
    assert "told to stop" in aws.logs(task["taskArn"])
    assert states(aws, task) == STOPPED_STATES


def test_a_program_that_ignores_sigterm_is_killed_after_its_time(aws):
    (task,) = run(aws, command=["stubborn"])
    until(lambda: "ready" in aws.logs(task["taskArn"]))
    stop(aws, task)
    told = stopped(aws, task)
    assert (told["stopCode"], told["containers"][0]["exitCode"]) == ("UserInitiated", 137)


def test_what_a_program_leaves_behind_goes_with_it(aws):
    (task,) = run(aws, command=["fork", "2"])
    until(lambda: aws.logs(task["taskArn"]).count("child") == 2)
    children = [int(line.split()[1]) for line in aws.logs(task["taskArn"]).splitlines() if "child" in line]
    assert len(children) == 2
    stopped(aws, task)
    until(lambda: alive(children) == [])


def test_memory_above_the_limit_ends_the_task(aws):
    (task,) = run(aws, command=["eat", "700"])
    told = stopped(aws, task)
    assert told["stoppedReason"] == "OutOfMemoryError: Container killed due to memory usage"
    assert told["containers"][0]["reason"] == told["stoppedReason"]
    assert (told["stopCode"], told["containers"][0]["exitCode"]) == ("EssentialContainerExited", 137)
    assert aws.met["OUT_OF_MEMORY"] == 1


def test_memory_within_the_limit_does_not(aws):
    (task,) = run(aws, command=["eat", "700"], overrides={"cpu": "256", "memory": "1024"})
    until(lambda: "ready" in aws.logs(task["taskArn"]))
    aws._agent._look_due_s = 0.0
    until(lambda: aws._agent._look_due_s > 0.0, "a look at its memory")
    assert describe(aws, task)["tasks"][0]["lastStatus"] == "RUNNING"
    stop(aws, task)


def test_a_task_is_stopped_before_it_runs(aws):
    with_startup, aws._agent._startup_s = aws._agent._startup_s, 1e6
    try:
        (task,) = run(aws)
        stop(aws, task)
        told = stopped(aws, task)
    finally:
        aws._agent._startup_s = with_startup
    assert (told["stopCode"], "startedAt" in told) == ("UserInitiated", False)
    assert states(aws, task) == ["PROVISIONING", "DEPROVISIONING", "STOPPED"]


def test_output_goes_to_the_log_group_by_lines(aws):
    (task,) = run(aws)
    stopped(aws, task)
    name = task["taskArn"].rpartition("/")[2]
    logs = boto3.client("logs")
    told = logs.get_log_events(logGroupName=aws.settings["log_group"], logStreamName=f"cb/worker/{name}")
    assert [event["message"] for event in told["events"]] == aws.logs(name).splitlines()
    assert told["events"][0]["message"].startswith("up in")


def test_a_missing_log_group_keeps_a_task_from_starting(aws):
    register(aws, log_group="/not/there")
    try:
        (task,) = run(aws)
        told = stopped(aws, task)
    finally:
        register(aws)
    assert told["stopCode"] == "TaskFailedToStart"
    assert told["stoppedReason"].startswith("ResourceInitializationError: failed to validate logger args")
    assert aws.met["NO_LOG_GROUP"] == 1


@pytest.mark.parametrize("image", ["cloudburst:other", "unknown:latest"])
def test_an_image_that_is_not_there_keeps_a_task_from_starting(aws, image):
    uri = f"{aws.settings['compute_image'].partition('/')[0]}/{image}"
    register(aws, image=uri)
    try:
        (task,) = run(aws)
        told = stopped(aws, task)
    finally:
        register(aws)
    assert told["stopCode"] == "TaskFailedToStart"
    assert told["stoppedReason"].startswith("CannotPullContainerError")
    assert told["stoppedReason"].endswith(f"{uri}: not found")


def test_an_image_for_another_architecture_does_not_run(aws):
    register(aws, architecture="ARM64" if "x86" in os.uname().machine else "X86_64")
    try:
        (task,) = run(aws)
        told = stopped(aws, task)
    finally:
        register(aws)
    assert (told["stopCode"], told["containers"][0]["exitCode"]) == ("EssentialContainerExited", 255)
    assert "exec format error" in aws.logs(task["taskArn"])


def test_seconds_are_counted_in_fake_time(aws):
    before = aws.worker_seconds
    (task,) = run(aws, command=["exit", "0"])
    stopped(aws, task)
    known = next(one for one in aws.tasks() if one.arn == task["taskArn"])
    assert known.billed_s(0.0) == known.stopped_s - known.pull_started_s > 0
    assert aws.worker_seconds >= before + known.billed_s(0.0)


def test_many_tasks_at_once_all_end(aws):
    tasks = [task for _ in range(3) for task in run(aws, count=10, command=["exit", "0"])]
    assert {stopped(aws, task)["containers"][0]["exitCode"] for task in tasks} == {0}


def test_running_ends_with_the_task(aws):
    (task,) = run(aws, command=["polite"])
    known = running(aws, task)
    assert known.id in aws.running()
    aws.kill(task["taskArn"])
    stopped(aws, task)
    assert known.id not in aws.running()
