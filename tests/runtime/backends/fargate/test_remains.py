"""Task definitions of ours that nothing uses any more."""

from __future__ import annotations

import boto3
import pytest

from cloudburst.errors import AccessDenied
from cloudburst.runtime.backends.fargate.remains import Definitions
from cloudburst.testing import FakeAWS
from tests.testing.fargate import order

OURS, OTHERS = "cloudburst-0123456789ab", "cloudburst-reports"
NOTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


def registered(aws, family, container="worker"):
    made = boto3.client("ecs").register_task_definition(
        family=family,
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        executionRoleArn=aws.settings["compute_execution_role"],
        taskRoleArn=aws.settings["compute_task_role"],
        containerDefinitions=[{"name": container, "image": aws.settings["compute_image"]}],
    )
    return made["taskDefinition"]["taskDefinitionArn"]


def definitions(aws):
    return Definitions(aws.settings["region"], aws.settings["endpoint_url"], [aws.settings["compute_cluster"]])


def test_ours_are_found_if_they_are_old_and_nothing_uses_them():
    with FakeAWS() as aws:
        first, second = registered(aws, OURS), registered(aws, OURS)
        registered(aws, OTHERS)
        registered(aws, "cloudburst-fedcba987654", container="web")
        ours = definitions(aws)
        assert ours.unused(0.0, []) == [first, second]
        assert ours.unused(3600.0, []) == []
        assert ours.unused(0.0, [OURS]) == []
        ours.deregister([first])
        assert ours.unused(0.0, []) == [second]
        ours.deregister([second])
        ours.deregister([])
        assert ours.unused(0.0, []) == []
        left = boto3.client("ecs").list_task_definitions(status="ACTIVE")["taskDefinitionArns"]
        assert [arn.rpartition("/")[2] for arn in left] == [f"{OTHERS}:1", "cloudburst-fedcba987654:1"]


def test_one_of_which_a_task_runs_is_used():
    with FakeAWS(startup_s=600.0) as aws:
        registered(aws, OURS)
        boto3.client("ecs").run_task(**order(aws, taskDefinition=OURS))
        assert definitions(aws).unused(0.0, []) == []


def test_credentials_that_may_not_ask_are_told():
    with FakeAWS(iam=True, caller_policy=NOTHING) as aws, pytest.raises(AccessDenied, match="cannot be listed"):
        definitions(aws).unused(0.0, [])
