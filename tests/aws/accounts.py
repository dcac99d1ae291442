"""Accounts to be set up: as AWS opens them, and what is in them afterwards as the APIs tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import botocore.loaders
import botocore.session

from cloudburst.aws.access import Access
from cloudburst.aws.setup import Setup, Wishes
from cloudburst.testing import FakeAWS

QUICK = 0.01
"""Real seconds to one of AWS."""
_LOADER = botocore.loaders.create_loader()


@contextmanager
def opened(**fake: Any) -> Iterator[FakeAWS]:
    """An account with nothing in it but a default VPC."""
    with FakeAWS(**{"furnished": False, "time_scale": QUICK, **fake}) as aws:
        session = botocore.session.get_session()
        session.register_component("data_loader", _LOADER)  # which has read already what boto3 knows of services
        boto3.setup_default_session(botocore_session=session)
        yield aws


def setup_of(name: str = "cloudburst", region: str = "us-east-1") -> Setup:
    return Setup(Access(region), name, QUICK)


def made(name: str = "cloudburst", **wishes: Any) -> Setup:
    """An account that was set up."""
    setup = setup_of(name)
    setup.carry_out(setup.propose(Wishes(**wishes)), lambda event: None)
    return setup


def inventory(name: str = "cloudburst") -> dict[str, list[str]]:
    """What there is of a set-up, by service, as the APIs tell."""
    s3, ecs, ecr, logs, iam, ec2, cloudformation = (
        boto3.client(service) for service in ("s3", "ecs", "ecr", "logs", "iam", "ec2", "cloudformation")
    )
    groups = ec2.describe_security_groups()["SecurityGroups"]
    endpoints = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    found = {
        "buckets": [one["Name"] for one in s3.list_buckets()["Buckets"]],
        "clusters": [one["clusterName"] for one in _clusters(ecs) if one["status"] == "ACTIVE"],
        "repositories": [one["repositoryName"] for one in ecr.describe_repositories()["repositories"]],
        "log groups": [one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]],
        "roles": [one["RoleName"] for one in iam.list_roles()["Roles"]],
        "policies": [one["PolicyName"] for one in iam.list_policies(Scope="Local")["Policies"]],
        "security groups": [one["GroupId"] for one in groups if one["GroupName"] != "default"],
        "endpoints": [one["VpcEndpointId"] for one in endpoints if one.get("State") != "deleted"],
    }
    own = {
        kind: [one for one in names if name in one or kind in ("security groups", "endpoints")]
        for kind, names in found.items()
    }
    try:
        own["stacks"] = [one["StackName"] for one in cloudformation.describe_stacks(StackName=name)["Stacks"]]
    except cloudformation.exceptions.ClientError:
        own["stacks"] = []
    return {kind: sorted(names) for kind, names in own.items() if names}


def _clusters(ecs: Any) -> list[dict[str, Any]]:
    """Those that are deleted are told for a while, as INACTIVE."""
    arns = ecs.list_clusters()["clusterArns"]
    return list(ecs.describe_clusters(clusters=arns)["clusters"]) if arns else []
