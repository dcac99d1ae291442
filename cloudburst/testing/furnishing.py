"""What is in the fake account from the start: everything that ``init_aws`` needs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from string import Template
from typing import Any

import cloudburst
from cloudburst.testing.account import ID, Account, own_architecture

BUCKET, PREFIX, CLUSTER, LOG_GROUP = "cloudburst-fake", "pipelines", "cloudburst-fake", "/cloudburst/fake"
REPOSITORY, EXECUTION_ROLE, TASK_ROLE, CALLER = "cloudburst", "cloudburst-execution", "cloudburst-task", "caller"

Policy = Mapping[str, Any]

EVERYTHING: Policy = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}
_EXECUTION: Policy = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "ecr:GetAuthorizationToken",
                "ecr:BatchCheckLayerAvailability",
                "ecr:GetDownloadUrlForLayer",
                "ecr:BatchGetImage",
                "logs:CreateLogStream",
                "logs:PutLogEvents",
            ],
            "Resource": "*",
        }
    ],
}


def furnish(account: Account, caller_policy: Policy | None, task_policy: Policy | None) -> dict[str, Any]:
    """Make bucket, cluster, network, log group, image, roles and the caller; the settings that name them."""
    add_caller(account, caller_policy)
    account.ecs_role(wanted=True)
    account.s3.create_bucket(BUCKET, account.region)
    account.ecs.create_cluster(CLUSTER, None, None, None, ["FARGATE", "FARGATE_SPOT"], None)
    account.logs.create_log_group(LOG_GROUP, {})
    subnets, group = account.network()
    execution = account.role(EXECUTION_ROLE, _EXECUTION)
    task = account.role(TASK_ROLE, filled(task_policy or EVERYTHING, account))
    return {
        "storage_bucket": BUCKET,
        "storage_prefix": PREFIX,
        "compute_cluster": CLUSTER,
        "compute_subnets": subnets,
        "compute_security_groups": [group],
        "compute_assign_public_ip": True,
        "compute_image": push_image(account, REPOSITORY),
        "compute_execution_role": execution,
        "compute_task_role": task,
        "log_group": LOG_GROUP,
        "region": account.region,
    }


def add_caller(account: Account, policy: Policy | None) -> None:
    """Make the user with whose keys the block's programs speak to AWS."""
    account.iam.create_user(account.region, CALLER)
    account.iam.put_user_policy(CALLER, "allowed", json.dumps(filled(policy or EVERYTHING, account)))


def push_image(account: Account, repository: str) -> str:
    """Have an image for workers in a repository, as this environment would make one; its URI."""
    labels = {
        "org.cloudburst.python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "org.cloudburst.version": cloudburst.__version__,
    }
    return account.push(repository, "latest", own_architecture(), labels)


def filled(policy: Policy, account: Account) -> Any:
    """A policy with this account's names in the place of ``${bucket}``, ``${cluster}`` and so on."""
    names = {
        "bucket": BUCKET,
        "prefix": PREFIX,
        "cluster": CLUSTER,
        "log_group": LOG_GROUP,
        "repository": REPOSITORY,
        "region": account.region,
        "account": ID,
        "execution_role": f"arn:aws:iam::{ID}:role/{EXECUTION_ROLE}",
        "task_role": f"arn:aws:iam::{ID}:role/{TASK_ROLE}",
    }
    return json.loads(Template(json.dumps(policy)).safe_substitute(names))
