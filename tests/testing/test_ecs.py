"""What the fake ECS refuses and answers, which moto alone does not."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError

from cloudburst.testing import FakeAWS
from tests.testing.fargate import describe, order, register, run, stopped

PROGRAM = ["/bin/sh", "-c", "echo up; exec sleep 600"]


@pytest.fixture(scope="module")
def aws():
    with FakeAWS(time_scale=0.001, _program=PROGRAM) as aws:
        register(aws)
        yield aws


@pytest.fixture
def ecs(aws):
    return boto3.client("ecs")


def refusal(call, **asked):
    with pytest.raises(ClientError) as refused:
        call(**asked)
    return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


INVALID, CLIENT = "InvalidParameterException", "ClientException"
NOWHERE = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
NOBODY = "arn:aws:iam::123456789012:role/other"
REFUSED = {
    "a size that Fargate lacks": ({"overrides": {"memory": "4096"}}, INVALID, "No Fargate configuration"),
    "a size that is no number": ({"overrides": {"cpu": "one"}}, INVALID, "Invalid 'cpu' or 'memory'"),
    "too little storage": ({"overrides": {"ephemeralStorage": {"sizeInGiB": 20}}}, INVALID, "Ephemeral storage"),
    "too much storage": ({"overrides": {"ephemeralStorage": {"sizeInGiB": 201}}}, INVALID, "Ephemeral storage"),
    "overrides that are too long": ({"environment": {"X": "x" * 8192}}, INVALID, "at most 8192"),
    "eleven tasks": ({"count": 11}, INVALID, "between 1 and 10"),
    "a long startedBy": ({"startedBy": "x" * 37}, INVALID, "startedBy"),
    "a long clientToken": ({"clientToken": "x" * 65}, INVALID, "clientToken"),
    "many tags": ({"tags": [{"key": str(n), "value": ""} for n in range(51)]}, INVALID, "tags"),
    "an unknown container": ({"overrides": {"containerOverrides": [{"name": "b"}]}}, INVALID, "container named b"),
    "two ways to launch": ({"spot": True, "launchType": "FARGATE"}, INVALID, "but not both"),
    "no way to launch": ({"launchType": None}, INVALID, "No Container Instances"),
    "an unknown cluster": ({"cluster": "other"}, "ClusterNotFoundException", "Cluster not found"),
    "an unknown definition": ({"taskDefinition": "other"}, CLIENT, "TaskDefinition not found"),
    "an unknown subnet": ({"networkConfiguration": NOWHERE}, INVALID, "InvalidSubnetID"),
    "no subnet": ({"networkConfiguration": None}, INVALID, "Network Configuration"),
    "an unknown role": ({"overrides": {"taskRoleArn": NOBODY}}, CLIENT, "unable to assume the role"),
}


@pytest.mark.parametrize(("asked", "code", "words"), REFUSED.values(), ids=REFUSED)
def test_run_task_refuses(aws, ecs, asked, code, words):
    before = len(aws.tasks())
    told, message = refusal(ecs.run_task, **order(aws, **asked))
    assert told == code
    assert words in message
    assert len(aws.tasks()) == before


def test_an_unknown_security_group_is_refused(aws, ecs):
    network = {"subnets": aws.settings["compute_subnets"], "securityGroups": ["sg-1"]}
    asked = order(aws, networkConfiguration={"awsvpcConfiguration": network})
    assert "InvalidGroup.NotFound" in refusal(ecs.run_task, **asked)[1]


def test_a_provider_that_the_cluster_lacks_is_refused(aws, ecs):
    ecs.create_cluster(clusterName="bare")
    code, message = refusal(ecs.run_task, **order(aws, spot=True, cluster="bare"))
    assert code == "InvalidParameterException"
    assert "not associated with the cluster" in message


def test_an_inactive_definition_is_refused(aws, ecs):
    arn = ecs.register_task_definition(
        family="gone",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "worker", "image": "python"}],
    )["taskDefinition"]["taskDefinitionArn"]
    ecs.deregister_task_definition(taskDefinition=arn)
    assert refusal(ecs.run_task, **order(aws, taskDefinition=arn)) == ("ClientException", "TaskDefinition is inactive")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cpu": "300"}, "No Fargate configuration"),
        ({"memory": None}, "'memory' be defined"),
        ({"networkMode": "bridge"}, "network mode"),
        ({"executionRoleArn": None}, "support ECR images"),
        ({"ephemeralStorage": {"sizeInGiB": 500}}, "Ephemeral storage"),
    ],
)
def test_a_definition_that_fargate_cannot_run_is_refused(aws, ecs, change, words):
    asked = {
        "family": "wrong",
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": aws.settings["compute_execution_role"],
        "containerDefinitions": [{"name": "worker", "image": aws.settings["compute_image"]}],
        **change,
    }
    asked = {name: value for name, value in asked.items() if value is not None}
    assert words in refusal(ecs.register_task_definition, **asked)[1]


def test_a_stop_timeout_over_two_minutes_is_refused(aws):
    assert "stopTimeout" in refusal(register, aws=aws, stop_timeout=121)[1]


def test_a_token_that_is_sent_again_starts_nothing_again(aws, ecs):
    asked = order(aws, clientToken="once", count=3)
    first, again = ecs.run_task(**asked)["tasks"], ecs.run_task(**asked)["tasks"]
    arns = [task["taskArn"] for task in first]
    assert len(set(arns)) == 3
    assert [task["taskArn"] for task in again] == arns


def test_a_token_with_other_parameters_is_a_conflict_that_names_the_tasks(aws, ecs):
    (task,) = ecs.run_task(**order(aws, clientToken="twice"))["tasks"]
    with pytest.raises(ecs.exceptions.ConflictException) as refused:
        ecs.run_task(**order(aws, clientToken="twice", count=2))
    assert refused.value.response["resourceIds"] == [task["taskArn"]]


def test_a_task_shows_what_was_asked_for(aws, ecs):
    tags = [{"key": "pool", "value": "a"}]
    storage = {"overrides": {"cpu": "1024", "memory": "2048", "ephemeralStorage": {"sizeInGiB": 50}}}
    (task,) = run(aws, spot=True, startedBy="cb-1", tags=tags, **storage)
    told = ecs.describe_tasks(cluster=aws.settings["compute_cluster"], tasks=[task["taskArn"]], include=["TAGS"])
    (told,) = told["tasks"]
    assert (told["cpu"], told["memory"], told["ephemeralStorage"]["sizeInGiB"]) == ("1024", "2048", 50)
    assert (told["capacityProviderName"], told["startedBy"], told["tags"]) == ("FARGATE_SPOT", "cb-1", tags)
    assert ecs.list_tasks(cluster=aws.settings["compute_cluster"], startedBy="cb-1")["taskArns"] == [task["taskArn"]]


def test_describe_takes_a_hundred_at_most_and_tells_what_is_missing(aws, ecs):
    (task,) = run(aws)
    cluster = aws.settings["compute_cluster"]
    assert refusal(ecs.describe_tasks, cluster=cluster, tasks=["x"] * 101)[0] == "InvalidParameterException"
    assert refusal(ecs.describe_tasks, cluster=cluster, tasks=[])[0] == "InvalidParameterException"
    told = describe(aws, task, "0" * 32)
    assert [one["taskArn"] for one in told["tasks"]] == [task["taskArn"]]
    (failure,) = told["failures"]
    assert failure["reason"] == "MISSING"
    assert failure["arn"].endswith("0" * 32)


def test_lists_come_in_pages(aws, ecs):
    for _ in range(11):
        run(aws, count=10, startedBy="paged", spot=True)
    pages = list(ecs.get_paginator("list_tasks").paginate(cluster=aws.settings["compute_cluster"], startedBy="paged"))
    assert [len(page["taskArns"]) for page in pages] == [100, 10]
    for page in pages:
        for arn in page["taskArns"]:
            ecs.stop_task(cluster=aws.settings["compute_cluster"], task=arn)


def test_stopping_tells_why(aws, ecs):
    (task,) = run(aws)
    ecs.stop_task(cluster=aws.settings["compute_cluster"], task=task["taskArn"], reason="enough")
    told = stopped(aws, task)
    assert (told["stopCode"], told["stoppedReason"]) == ("UserInitiated", "enough")
    assert ecs.list_tasks(cluster=aws.settings["compute_cluster"], desiredStatus="STOPPED")["taskArns"]


def test_stopping_what_is_not_there_is_refused(aws, ecs):
    code, message = refusal(ecs.stop_task, cluster=aws.settings["compute_cluster"], task="0" * 32)
    assert (code, message) == ("InvalidParameterException", "The referenced task was not found.")
