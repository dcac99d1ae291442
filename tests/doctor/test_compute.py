"""The cluster, the image, the log group, the quota, the engine."""

from __future__ import annotations

import sys

import boto3
import pytest

from cloudburst.doctor import compute
from cloudburst.testing import FakeAWS
from tests.doctor.cases import case_of, only, seen


def test_a_cluster_tells_what_machines_it_lends(aws):
    assert only(compute.cluster, case_of(aws)) == (
        "well",
        "cloudburst-fake is active, with FARGATE and FARGATE_SPOT",
    )


def test_a_cluster_without_spot_is_well_unless_spot_is_asked_for(aws):
    boto3.client("ecs").create_cluster(clusterName="plain", capacityProviders=["FARGATE"])
    found = seen(compute.cluster, case_of(aws, compute_cluster="plain"))
    assert [mark for mark, _ in found] == ["well", "warning"]
    assert "aws ecs put-cluster-capacity-providers --cluster plain" in found[1][1]
    assert only(compute.cluster, case_of(aws, compute_cluster="plain", spot=True))[0] == "wrong"


def test_a_cluster_that_is_not_there_is_wrong(aws):
    mark, said = only(compute.cluster, case_of(aws, compute_cluster="gone"))
    assert (mark, said) == (
        "wrong",
        "There is no cluster 'gone' in us-east-1. Create it, or correct compute_cluster or region.",
    )


def test_an_image_is_looked_at_for_processor_and_python(aws):
    assert only(compute.image, case_of(aws))[0] == "well"
    other = "ARM64" if aws.settings.get("architecture", "X86_64") == "X86_64" else "X86_64"
    mark, said = only(compute.image, case_of(aws, architecture=other))
    assert mark == "wrong"
    assert f"not for {other}" in said


def test_an_image_of_another_python_is_wrong(aws):
    image = aws._account.push("old", "latest", "amd64", {"org.cloudburst.python": "3.9"})
    mark, said = only(compute.image, case_of(aws, compute_image=image))
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert mark == "wrong"
    assert f"has Python 3.9, and this program runs on {ours}" in said


def test_an_image_that_was_never_pushed_is_wrong(aws):
    mark, said = only(compute.image, case_of(aws, compute_image=f"{aws.settings['compute_image']}-typo"))
    assert mark == "wrong"
    assert "is not there" in said


def test_an_image_of_another_registry_is_left_open(aws):
    assert only(compute.image, case_of(aws, compute_image="ghcr.io/team/worker:v1"))[0] == "open"


def test_a_log_group_is_there_or_missing_or_not_wanted(aws):
    assert only(compute.log_group, case_of(aws)) == ("well", "/cloudburst/fake")
    assert only(compute.log_group, case_of(aws, log_group="/gone"))[0] == "wrong"
    assert only(compute.log_group, case_of(aws, log_group=None))[0] == "open"


def test_what_credentials_may_not_look_at_is_left_open():
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    nothing = {"Version": "2012-10-17", "Statement": [deny]}
    with FakeAWS(iam=True, caller_policy=nothing) as aws:
        case = case_of(aws)
        for check in (compute.cluster, compute.image, compute.log_group):
            assert only(check, case)[0] == "open"


@pytest.mark.parametrize(
    ("quota", "mark", "text"),
    [
        (None, "well", "4000 on-demand vCPU at once, 0 in use: room for 2,000 machines of 2 vCPU"),
        (6, "well", "6 on-demand vCPU at once, 0 in use: room for 3 machines of 2 vCPU (max_workers is 100)"),
        (1, "wrong", "This account may run 1 on-demand vCPU at once in us-east-1, and a machine of the default size"),
    ],
)
def test_the_quota_is_set_against_what_machines_take(quota, mark, text):
    with FakeAWS(time_scale=0.01, vcpu_quota=quota) as aws:
        found, said = only(compute.quota, case_of(aws))
        assert (found, said[: len(text)]) == (mark, text)
        assert ("request-service-quota-increase" in said) == (mark == "wrong")


def test_spot_has_a_quota_of_its_own():
    with FakeAWS(time_scale=0.01, vcpu_quota=6, spot_vcpu_quota=8) as aws:
        _, said = only(compute.quota, case_of(aws, spot=True))
        assert said.startswith("8 Spot vCPU at once")


def test_a_quota_that_is_used_up_makes_runs_wait():
    with FakeAWS(time_scale=0.01, vcpu_quota=2, startup_s=3600) as aws:
        one = aws.settings
        ecs = boto3.client("ecs")
        definition = ecs.register_task_definition(
            family="busy",
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="1024",
            memory="2048",
            executionRoleArn=one["compute_execution_role"],
            containerDefinitions=[{"name": "busy", "image": one["compute_image"]}],
        )["taskDefinition"]["taskDefinitionArn"]
        network = {"awsvpcConfiguration": {"subnets": one["compute_subnets"]}}
        ecs.run_task(
            cluster=one["compute_cluster"],
            taskDefinition=definition,
            launchType="FARGATE",
            networkConfiguration=network,
        )
        mark, said = only(compute.quota, case_of(aws))
        assert mark == "warning"
        assert said.startswith("2 on-demand vCPU at once, 1 in use: room for 0 machines of 2 vCPU now, so a run waits.")


def test_an_engine_is_needed_only_where_images_are_made(aws, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert only(compute.engine, case_of(aws))[0] == "open"
    mark, said = only(compute.engine, case_of(aws, compute_image="auto"))
    assert mark == "wrong"
    assert said.startswith("Neither Docker nor Podman is installed")
