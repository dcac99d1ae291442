"""What RunTask and RegisterTaskDefinition take, checked as AWS checks it and moto does not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudburst.resources import MEMORY_MIB, Size
from cloudburst.testing.account import Account
from cloudburst.testing.answers import Refusal

_PROVIDERS = ("FARGATE", "FARGATE_SPOT")


@dataclass(frozen=True)
class Order:
    """A RunTask that AWS would accept."""

    cluster: Any
    definition: Any
    number: int
    size: Size
    provider: str
    launch_type: str
    subnets: list[str]
    started_by: str
    group: str
    tags: list[dict[str, str]]
    overrides: dict[str, Any]
    execution_role: str
    task_role: str


def read_order(asked: Mapping[str, Any], account: Account) -> Order:
    """Check the input of RunTask against the account."""
    _check_lengths(asked)
    cluster = find_cluster(account, asked.get("cluster") or "default")
    provider = _provider(asked, cluster)
    definition = _definition(account, str(asked.get("taskDefinition", "")))
    overrides = dict(asked.get("overrides") or {})
    names = {container["name"] for container in definition.container_definitions}
    for override in overrides.get("containerOverrides", ()):
        if override.get("name") not in names:
            raise _invalid(
                f"Override for container named {override.get('name')} is not a container in the TaskDefinition."
            )
    storage = overrides.get("ephemeralStorage") or definition.ephemeral_storage or {}
    roles = {
        kind: overrides.get(f"{kind}RoleArn") or getattr(definition, f"{kind}_role_arn", None) or ""
        for kind in ("execution", "task")
    }
    _check_roles(account, roles.values())
    return Order(
        cluster=cluster,
        definition=definition,
        number=int(asked.get("count") or 1),
        size=_size(
            overrides.get("cpu") or definition.cpu,
            overrides.get("memory") or definition.memory,
            storage.get("sizeInGiB"),
            provider == "FARGATE_SPOT",
        ),
        provider=provider if "capacityProviderStrategy" in asked or not asked.get("launchType") else "",
        launch_type=str(asked.get("launchType") or ""),
        subnets=_network(asked, account),
        started_by=str(asked.get("startedBy") or ""),
        group=str(asked.get("group") or f"family:{definition.family}"),
        tags=list(asked.get("tags") or ()) or (list(definition.tags) if asked.get("propagateTags") else []),
        overrides=overrides,
        execution_role=roles["execution"],
        task_role=roles["task"],
    )


def check_definition(asked: Mapping[str, Any]) -> None:
    """Check the input of RegisterTaskDefinition."""
    if "FARGATE" not in (asked.get("requiresCompatibilities") or ()):
        return
    for name in ("cpu", "memory"):
        if not asked.get(name):
            raise _client(f"Fargate requires that '{name}' be defined at the task level.")
    if asked.get("networkMode") != "awsvpc":
        raise _client("Fargate only supports network mode 'awsvpc'.")
    _size(asked["cpu"], asked["memory"], (asked.get("ephemeralStorage") or {}).get("sizeInGiB"), spot=False)
    for container in asked.get("containerDefinitions") or ():
        timeout = container.get("stopTimeout")
        if timeout is not None and not 0 < int(timeout) <= 120:
            raise _client("Container.stopTimeout must be less than or equal to 120 for Fargate tasks.")
        if not asked.get("executionRoleArn"):
            if ".dkr.ecr." in str(container.get("image")):
                raise _client("Fargate requires task definition to have execution role ARN to support ECR images.")
            if (container.get("logConfiguration") or {}).get("logDriver") == "awslogs":
                raise _client(
                    "Fargate requires task definition to have execution role ARN to support log driver awslogs."
                )


def find_cluster(account: Account, name_or_arn: str) -> Any:
    """The cluster of that name that is active."""
    cluster = account.ecs.clusters.get(name_or_arn.rpartition("/")[2])
    if cluster is None:
        raise Refusal("ClusterNotFoundException", "Cluster not found.")
    if cluster.status != "ACTIVE":
        raise _invalid("The referenced cluster was inactive.", "ClusterNotFoundException")
    return cluster


def _check_lengths(asked: Mapping[str, Any]) -> None:
    if not 1 <= int(asked.get("count") or 1) <= 10 or asked.get("count") == 0:
        raise _invalid("Number of tasks to run must be between 1 and 10.")
    if len(json.dumps(asked.get("overrides") or {}, ensure_ascii=False, separators=(",", ":"))) > 8192:
        raise _invalid("Container Overrides length must be at most 8192")
    if len(asked.get("startedBy") or "") > 36:
        raise _invalid("startedBy length must be at most 36")
    if len(asked.get("clientToken") or "") > 64 or not (asked.get("clientToken") or "").isascii():
        raise _invalid("clientToken must be at most 64 ASCII characters")
    if len(asked.get("tags") or ()) > 50:
        raise _invalid("The number of tags must be at most 50")


def _provider(asked: Mapping[str, Any], cluster: Any) -> str:
    strategy = asked.get("capacityProviderStrategy")
    if asked.get("launchType") and strategy:
        raise _invalid("Specify either Launch Type or Capacity Provider Strategy, but not both.")
    if asked.get("launchType"):
        if asked["launchType"] != "FARGATE":
            raise _invalid("No Container Instances were found in your cluster.")
        return "FARGATE"
    strategy = strategy or cluster.default_capacity_provider_strategy
    if not strategy:
        raise _invalid("No Container Instances were found in your cluster.")
    for one in strategy:
        if one["capacityProvider"] not in (cluster.capacity_providers or ()):
            raise _invalid(
                "The specified capacity provider strategy cannot contain a capacity provider that is not associated "
                "with the cluster. Associate the capacity provider with the cluster and try again."
            )
        if one["capacityProvider"] not in _PROVIDERS:
            raise _invalid("No Container Instances were found in your capacity provider.")
    return str(max(strategy, key=lambda one: int(one.get("weight") or 0))["capacityProvider"])


def _definition(account: Account, name: str) -> Any:
    family, _, revision = name.rpartition("/")[2].partition(":")
    known = account.ecs.task_definitions.get(family, {})
    active = [number for number, one in known.items() if one.status == "ACTIVE"]
    definition = known.get(int(revision) if revision.isdigit() else max(active, default=0))
    if definition is None:
        raise _client("TaskDefinition not found.")
    if definition.status != "ACTIVE":
        raise _client("TaskDefinition is inactive")
    if "FARGATE" not in definition.compatibilities:
        raise _invalid("Task definition does not support launch_type FARGATE.")
    return definition


def _size(cpu: Any, memory: Any, storage: Any, spot: bool) -> Size:
    try:
        units, mib = int(cpu), int(memory)
    except (TypeError, ValueError):
        raise _invalid("Invalid 'cpu' or 'memory' setting for task.") from None
    if mib not in MEMORY_MIB.get(units, ()):
        raise _invalid(f"No Fargate configuration exists for given values: {units} CPU, {mib} memory.")
    if storage is not None and not 21 <= int(storage) <= 200:
        raise _invalid("Ephemeral storage size should be at least 21 GiB and at most 200 GiB.")
    return Size(units, mib, None if storage is None else int(storage), spot)


def _network(asked: Mapping[str, Any], account: Account) -> list[str]:
    network = (asked.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    subnets = list(network.get("subnets") or ())
    if not subnets:
        raise _invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    if len(subnets) > 16 or len(network.get("securityGroups") or ()) > 5:
        raise _invalid("A task has at most 16 subnets and 5 security groups.")
    there = {subnet for zone in account.ec2.subnets.values() for subnet in zone}
    for subnet in subnets:
        if subnet not in there:
            raise _invalid(
                f"Error retrieving subnet information for [{subnet}]: The subnet ID '{subnet}' does not exist "
                "(ErrorCode: InvalidSubnetID.NotFound)"
            )
    groups = {group for vpc in account.ec2.groups.values() for group in vpc}
    for group in network.get("securityGroups") or ():
        if group not in groups:
            raise _invalid(
                f"Error retrieving security group information for [{group}]: The security group '{group}' does not "
                "exist (ErrorCode: InvalidGroup.NotFound)"
            )
    return subnets


def _check_roles(account: Account, roles: Any) -> None:
    known = {role.arn for role in account.iam.roles.values()}
    for role in roles:
        if role and role not in known:
            raise _client(
                f"ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the "
                "role being passed has the proper trust relationship and permissions and that your IAM user has "
                "permissions to pass this role."
            )


def _invalid(message: str, code: str = "InvalidParameterException") -> Refusal:
    return Refusal(code, message)


def _client(message: str) -> Refusal:
    return Refusal("ClientException", message)
