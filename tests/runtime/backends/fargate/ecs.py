"""An ECS that does what a test says: answers in memory, errors by script, and every call written down."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from types import SimpleNamespace

from botocore.exceptions import ClientError, ConnectionClosedError

from cloudburst.runtime.backends.fargate.place import FargatePlace

PLACE = FargatePlace(
    cluster="data",
    subnets=("subnet-a", "subnet-b"),
    image="123456789012.dkr.ecr.us-east-1.amazonaws.com/worker:latest",
    execution_role="arn:aws:iam::123456789012:role/execution",
    task_role="arn:aws:iam::123456789012:role/task",
    security_groups=("sg-a",),
    assign_public_ip=True,
    region="us-east-1",
    log_group="/cloudburst",
    user="ada",
)
LOST = ConnectionClosedError(endpoint_url="https://ecs")


def error(code, message="", operation="RunTask", **more):
    return ClientError({"Error": {"Code": code, "Message": message}, **more}, operation)


THROTTLED = error("ThrottlingException", "Rate exceeded")
DENIED = error("AccessDeniedException", "User is not authorized to perform this")


class Ecs:
    """boto3's client for ECS, as far as the fleet asks it.

    ``script[operation]`` is what meets its next calls: an exception is raised instead of doing it, a pair (exception,
    "done") after it was done, a callable gives the answer, ``None`` lets it be.
    """

    def __init__(self):
        self.meta = SimpleNamespace(region_name="us-east-1")
        self.calls = defaultdict(list)
        self.script = defaultdict(list)
        self.tasks = {}
        self.hidden = set()
        self.given = {}
        self.definitions = {}
        self._lock = threading.RLock()

    def _met(self, operation, asked, do):
        with self._lock:
            self.calls[operation].append(asked)
            met = self.script[operation].pop(0) if self.script[operation] else None
            if callable(met):
                return met(asked)
            if isinstance(met, Exception):
                raise met
            answer = do(**asked)
            if isinstance(met, tuple):
                raise met[0]
            return answer

    def run_task(self, **asked):
        return self._met("RunTask", asked, self._run)

    def stop_task(self, **asked):
        return self._met("StopTask", asked, self._stop)

    def describe_tasks(self, **asked):
        assert len(asked["tasks"]) <= 100
        return self._met("DescribeTasks", asked, self._describe)

    def describe_task_definition(self, **asked):
        return self._met("DescribeTaskDefinition", asked, self._defined)

    def register_task_definition(self, **asked):
        return self._met("RegisterTaskDefinition", asked, self._register)

    def describe_clusters(self, **asked):
        return self._met("DescribeClusters", asked, lambda **_: {"clusters": []})

    def get_paginator(self, name):
        assert name == "list_tasks"
        return SimpleNamespace(paginate=lambda **asked: self._met("ListTasks", asked, self._list))

    def _run(self, count, overrides, **asked):
        assert 1 <= count <= 10
        token = asked["clientToken"]
        if token not in self.given:
            first = len(self.tasks)
            self.given[token] = [
                f"arn:aws:ecs:us-east-1:123456789012:task/data/{n:032x}" for n in range(first, first + count)
            ]
            for arn in self.given[token]:
                self.tasks[arn] = {"taskArn": arn, "lastStatus": "PROVISIONING", "startedBy": asked["startedBy"]}
                self.tasks[arn] |= {"desiredStatus": "RUNNING", "overrides": overrides, "tags": asked.get("tags", [])}
        return {"tasks": [dict(self.tasks[arn]) for arn in self.given[token]], "failures": []}

    def _stop(self, cluster, task, reason):
        if task not in self.tasks:
            raise error("InvalidParameterException", "The referenced task was not found.", "StopTask")
        self.tasks[task] |= {"desiredStatus": "STOPPED", "reasonGiven": reason}
        return {"task": self.tasks[task]}

    def _describe(self, cluster, tasks, include=()):
        seen = [one for one in tasks if one in self.tasks and one not in self.hidden]
        answer = [{name: value for name, value in self.tasks[one].items() if include or name != "tags"} for one in seen]
        return {"tasks": answer, "failures": [{"arn": one, "reason": "MISSING"} for one in tasks if one not in seen]}

    def _list(self, **asked):
        arns = [
            arn
            for arn, task in self.tasks.items()
            if all(task[name] == asked[name] for name in ("startedBy", "desiredStatus")) and arn not in self.hidden
        ]
        return [{"taskArns": arns[:100]}, {"taskArns": arns[100:]}]

    def _defined(self, **asked):
        family = asked["taskDefinition"]
        if family not in self.definitions:
            raise error("ClientException", "Unable to describe task definition.", "DescribeTaskDefinition")
        return {"taskDefinition": self.definitions[family]}

    def _register(self, family, **content):
        revision = len(self.calls["RegisterTaskDefinition"])
        arn = f"arn:aws:ecs:us-east-1:123456789012:task-definition/{family}:{revision}"
        self.definitions[family] = content | {"taskDefinitionArn": arn, "status": "ACTIVE"}
        return {"taskDefinition": self.definitions[family]}

    def set(self, worker, status, **more):
        """What DescribeTasks says of a worker's task from now on."""
        with self._lock:
            arn = next(arn for arn in self.tasks if arn.endswith(worker))
            self.tasks[arn] |= {"lastStatus": status, **more}

    @property
    def up(self):
        """The tasks that are to run."""
        return [arn for arn, task in self.tasks.items() if task["desiredStatus"] == "RUNNING"]


class Logs:
    """boto3's client for CloudWatch Logs: pages of lines, the last first."""

    def __init__(self, *pages):
        self.meta = SimpleNamespace(region_name="us-east-1")
        self.pages = list(pages)
        self.asked = []

    def get_log_events(self, **asked):
        self.asked.append(asked)
        page = int(asked.get("nextToken", 0))
        lines = self.pages[page] if page < len(self.pages) else []
        if isinstance(lines, Exception):
            raise lines
        token = str(min(page + 1, len(self.pages)))
        return {"events": [{"message": line} for line in lines], "nextBackwardToken": token}


class Clients:
    """The clients of a place, by service."""

    def __init__(self, **services):
        self.services = services

    def __call__(self, service, region=None):
        found = self.services[service]
        if isinstance(found, Exception):
            raise found
        return found


def until(holds, seconds=60.0):
    """Wait for what other threads bring about."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.002)
    return found
