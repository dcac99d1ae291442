"""The other mode: a task's program in a container of its size."""

from __future__ import annotations

import subprocess
import sys

import boto3
import pytest

from cloudburst.errors import UsageError
from cloudburst.testing import FakeAWS
from cloudburst.testing.containers import Containers, container_engine
from tests.testing.fargate import register, run, stopped, until

IMAGE = f"python:{sys.version_info[0]}.{sys.version_info[1]}-slim"
PROGRAM = """
import json, os, signal, sys, time
from urllib.request import urlopen
print("task", json.load(urlopen(os.environ["ECS_CONTAINER_METADATA_URI_V4"] + "/task"))["TaskARN"], flush=True)
print("given", os.environ["GIVEN"], "token", "AWS_CONTAINER_AUTHORIZATION_TOKEN" in os.environ, flush=True)
what = sys.argv[1]
if what == "polite":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
if what == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if what == "eat":
    eaten = [b"x" * (1 << 20) for _ in range(int(sys.argv[2]))]
if what == "exit":
    sys.exit(int(sys.argv[2]))
print("ready", flush=True)
time.sleep(600)
"""
ENGINE = container_engine()
HAS_IMAGE = (
    ENGINE is not None and not subprocess.run([ENGINE, "image", "inspect", IMAGE], capture_output=True).returncode
)


@pytest.fixture(scope="module")
def aws():
    if not HAS_IMAGE:
        pytest.skip(f"no Docker or Podman with {IMAGE} answers on this machine")
    with FakeAWS(mode="container", image=IMAGE, time_scale=0.02) as aws:
        register(aws)
        yield aws


def start(aws, *words, memory="512"):
    command = ["python3", "-c", PROGRAM, *words]
    return run(aws, command=command, environment={"GIVEN": "1"}, overrides={"cpu": "256", "memory": memory})[0]


def ready(aws, task):
    until(lambda: "ready" in aws.logs(task["taskArn"]), "its start")


def names():
    listed = subprocess.run([ENGINE, "ps", "--all", "--format", "{{.Names}}"], capture_output=True, text=True)
    return [name for name in listed.stdout.split() if name.startswith("cloudburst-fake-")]


@pytest.mark.container
def test_a_container_knows_itself_and_its_exit_code_is_told(aws):
    task = start(aws, "exit", "3")
    told = stopped(aws, task)
    assert (told["stopCode"], told["containers"][0]["exitCode"]) == ("EssentialContainerExited", 3)
    assert aws.logs(task["taskArn"]).splitlines() == [f"task {task['taskArn']}", "given 1 token True"]


@pytest.mark.container
def test_memory_above_the_limit_ends_a_container(aws):
    task = start(aws, "eat", "900")
    told = stopped(aws, task)
    assert told["containers"][0]["exitCode"] == 137
    assert told["containers"][0]["reason"].startswith("OutOfMemoryError")
    assert aws.met["OUT_OF_MEMORY"] == 1


@pytest.mark.container
def test_memory_within_a_larger_limit_does_not(aws):
    task = start(aws, "eat", "900", memory="2048")
    ready(aws, task)
    aws.kill(task["taskArn"])
    assert stopped(aws, task)["containers"][0].get("reason") is None


@pytest.mark.container
@pytest.mark.parametrize(("manner", "code"), [("polite", 143), ("stubborn", 137)])
def test_stopping_a_container(aws, manner, code):
    task = start(aws, manner)
    ready(aws, task)
    boto3.client("ecs").stop_task(cluster=aws.settings["compute_cluster"], task=task["taskArn"], reason="enough")
    told = stopped(aws, task)
    assert (told["stopCode"], told["containers"][0]["exitCode"]) == ("UserInitiated", code)


@pytest.mark.container
def test_containers_are_removed(aws):
    task = start(aws, "exit", "0")
    assert stopped(aws, task)["containers"][0]["exitCode"] == 0
    assert not any(task["taskArn"].rpartition("/")[2] in name for name in names())


@pytest.mark.container
def test_a_container_that_is_stopped_at_once_goes(aws):
    task = start(aws, "stubborn")
    until(lambda: aws.tasks()[-1].status == "RUNNING")
    aws.kill(task["taskArn"])
    assert stopped(aws, task)["containers"][0]["exitCode"] == 137
    assert not any(task["taskArn"].rpartition("/")[2] in name for name in names())


@pytest.mark.container
@pytest.mark.skipif(ENGINE is None, reason="neither Docker nor Podman answers on this machine")
def test_an_image_that_is_not_there_is_the_callers_mistake():
    with pytest.raises(UsageError, match="has no such image"):
        Containers("nobody/has:this")


def test_without_an_engine_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="needs Docker or Podman"):
        Containers("any")
