"""How tests of the fake AWS use ECS: with boto3, as anybody would."""

from __future__ import annotations

import time

import boto3
import psutil

from cloudburst.testing.census import MARK

FAMILY = "worker"


def register(aws, *, architecture="X86_64", log_group=None, image=None, stop_timeout=None, **container):
    """Register a task definition for the fake account's image; its ARN."""
    settings = aws.settings
    options = {
        "awslogs-group": log_group or settings["log_group"],
        "awslogs-region": settings["region"],
        "awslogs-stream-prefix": "cb",
    }
    container = {
        "name": "worker",
        "image": image or settings["compute_image"],
        "logConfiguration": {"logDriver": "awslogs", "options": options},
        **({"stopTimeout": stop_timeout} if stop_timeout else {}),
        **container,
    }
    made = boto3.client("ecs").register_task_definition(
        family=FAMILY,
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        executionRoleArn=settings["compute_execution_role"],
        taskRoleArn=settings["compute_task_role"],
        runtimePlatform={"cpuArchitecture": architecture, "operatingSystemFamily": "LINUX"},
        containerDefinitions=[container],
    )
    return made["taskDefinition"]["taskDefinitionArn"]


def order(aws, *, spot=False, command=None, environment=None, **more):
    """The parameters of a RunTask."""
    settings = aws.settings
    override = {"name": "worker"}
    if command is not None:
        override["command"] = command
    if environment is not None:
        override["environment"] = [{"name": name, "value": value} for name, value in environment.items()]
    overrides = {"cpu": "256", "memory": "512", "containerOverrides": [override], **more.pop("overrides", {})}
    where = (
        {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}
        if spot
        else {"launchType": "FARGATE"}
    )
    network = {"subnets": settings["compute_subnets"], "securityGroups": settings["compute_security_groups"]}
    asked = {
        "cluster": settings["compute_cluster"],
        "taskDefinition": FAMILY,
        "networkConfiguration": {"awsvpcConfiguration": network},
        "overrides": overrides,
        **where,
        **more,
    }
    return {name: value for name, value in asked.items() if value is not None}


def run(aws, **order_of):
    """Run tasks; the answer's tasks."""
    answer = boto3.client("ecs").run_task(**order(aws, **order_of))
    assert answer["failures"] == []
    return answer["tasks"]


def describe(aws, *tasks):
    """What DescribeTasks says, by ARNs or tasks."""
    arns = [task if isinstance(task, str) else task["taskArn"] for task in tasks]
    return boto3.client("ecs").describe_tasks(cluster=aws.settings["compute_cluster"], tasks=arns)


def until(holds, what="it"):
    """Wait until something holds; what it then is."""
    for _ in range(6000):
        found = holds()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"{what} did not come")


def stopped(aws, task):
    """The task when it has stopped, as DescribeTasks tells it."""
    known = next(one for one in aws.tasks() if one.arn == task["taskArn"])
    until(lambda: known.is_stopped, f"the end of {known}")
    return describe(aws, task)["tasks"][0]


def running(aws, task):
    """Wait until a task runs and has printed something; the fake's own record of it."""
    known = next(one for one in aws.tasks() if one.arn == task["taskArn"])
    until(lambda: known.status == "RUNNING" and aws.logs(known), "its first line")
    return known


def alive(pids):
    """Those that run; one that init has not reaped yet does not."""
    return [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]


def marked(task):
    """The processes of this machine that have the task's name in their environment."""
    name = task["taskArn"].rpartition("/")[2]
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == name and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found
