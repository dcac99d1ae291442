"""What a container can ask about itself."""

from __future__ import annotations

import json
import sys
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from cloudburst.testing import FakeAWS
from tests.testing.fargate import register, run, running, stopped

ASKS = """
import json, os
from urllib.request import Request, urlopen
here = os.environ["ECS_CONTAINER_METADATA_URI_V4"]
token = os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
asked = Request(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"], headers={"Authorization": token})
print(json.dumps({
    "task": json.load(urlopen(here + "/task")),
    "container": json.load(urlopen(here)),
    "credentials": sorted(json.load(urlopen(asked))),
    "given": os.environ["GIVEN"],
    "overridden": os.environ["OVERRIDDEN"],
}))
"""


@pytest.fixture(scope="module")
def aws():
    with FakeAWS(_program=[sys.executable, "-S", "-c", ASKS]) as aws:
        register(aws, environment=[{"name": "GIVEN", "value": "1"}, {"name": "OVERRIDDEN", "value": "2"}])
        yield aws


@pytest.fixture(scope="module")
def told(aws):
    (task,) = run(aws, environment={"OVERRIDDEN": "3"}, overrides={"cpu": "512", "memory": "2048"})
    stopped(aws, task)
    return json.loads(aws.logs(task["taskArn"])) | {"arn": task["taskArn"]}


def test_a_task_knows_its_name_and_size(aws, told):
    task = told["task"]
    assert task["TaskARN"] == told["arn"]
    assert task["Limits"] == {"CPU": 0.5, "Memory": 2048}
    assert (task["Family"], task["KnownStatus"], task["LaunchType"]) == ("worker", "RUNNING", "FARGATE")
    assert task["Cluster"].endswith(f"cluster/{aws.settings['compute_cluster']}")
    assert task["PullStartedAt"] <= task["PullStoppedAt"]


def test_a_container_knows_its_image_and_log(aws, told):
    container = told["container"]
    assert container["Image"] == aws.settings["compute_image"]
    assert container["LogOptions"]["awslogs-group"] == aws.settings["log_group"]
    assert container["Labels"]["com.amazonaws.ecs.task-arn"] == told["arn"]


def test_credentials_come_in_the_form_of_the_endpoint(told):
    assert told["credentials"] == ["AccessKeyId", "Expiration", "RoleArn", "SecretAccessKey", "Token"]


def test_environment_of_the_definition_is_overridden(told):
    assert (told["given"], told["overridden"]) == ("1", "3")


@pytest.mark.parametrize("path", ["/v4/unknown/task", "/v4/", "/v2/credentials/unknown"])
def test_other_paths_are_not_there(aws, path):
    with pytest.raises(HTTPError, match="40[14]"):
        urlopen(aws.settings["endpoint_url"] + path)


def test_statuses_change_while_it_runs(aws):
    aws._agent._fleet._program, before = ["/bin/sh", "-c", "echo up; exec sleep 600"], aws._agent._fleet._program
    try:
        (task,) = run(aws)
        known = running(aws, task)
        url = f"{aws.settings['endpoint_url']}/v4/{known.id}/task"
        assert json.load(urlopen(url))["KnownStatus"] == "RUNNING"
        aws.kill(known)
        stopped(aws, task)
        assert json.load(urlopen(url))["DesiredStatus"] == "STOPPED"
    finally:
        aws._agent._fleet._program = before
