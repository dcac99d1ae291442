"""What a container can ask about itself: the task metadata endpoint, version 4, and the credentials of its role."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from cloudburst.testing.answers import Answer, Refusal, json_answer
from cloudburst.testing.census import MARK
from cloudburst.testing.clock import Clock
from cloudburst.testing.identities import Identities, Identity, served
from cloudburst.testing.operations import Request
from cloudburst.testing.tasks import Task

_METADATA, _CREDENTIALS = "/v4/", "/v2/credentials/"


class Metadata:
    """The endpoints of all tasks.

    Parameters
    ----------
    url : str
        Where the fake AWS answers.
    tasks : mapping
        By id.
    """

    def __init__(self, url: str, tasks: Mapping[str, Task], clock: Clock, region: str, identities: Identities) -> None:
        self._url = url
        self._tasks = tasks
        self._clock = clock
        self._region = region
        self._identities = identities
        self._given: dict[str, tuple[str, Identity]] = {}

    def environment(self, task: Task) -> dict[str, str]:
        """What ECS puts into the environment of a container, and what the definition and the overrides do."""
        told = {
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            "AWS_REGION": self._region,
            "AWS_DEFAULT_REGION": self._region,
            "AWS_ENDPOINT_URL": self._url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1,localhost",
            "ECS_CONTAINER_METADATA_URI_V4": f"{self._url}{_METADATA}{task.id}",
            "CLOUDBURST_TIME_SCALE": repr(self._clock.scale),
            MARK: task.id,
        }
        if task.task_role:
            token = secrets.token_urlsafe(30)
            identity = self._identities.issue("workers", task.task_role.rpartition("/")[2])
            self._given[task.id] = (token, identity)
            told["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{self._url}{_CREDENTIALS}{task.id}"
            told["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = token
        return told | task.environment

    def handle(self, request: Request) -> Answer | None:
        """What is to be said to a request, or nothing if it is not for these endpoints."""
        path, authorization = request.path, request.environ.get("HTTP_AUTHORIZATION", "")
        if path.startswith(_CREDENTIALS):
            return self._credentials(path.removeprefix(_CREDENTIALS), authorization)
        if not path.startswith(_METADATA):
            return None
        name, _, what = path.removeprefix(_METADATA).strip("/").partition("/")
        shows: dict[str, Callable[[Task], dict[str, Any]]] = {"": self._container, "task": self._task}
        task = self._tasks.get(name)
        if task is None or what not in shows:
            raise Refusal("NotFound", f"There is no {path}.", 404)
        return json_answer(shows[what](task), "application/json")

    def _credentials(self, name: str, authorization: str) -> Answer:
        token, identity = self._given.get(name, ("", None))
        if identity is None or not secrets.compare_digest(token, authorization):
            raise Refusal("InvalidIdInRequest", "CredentialsV2Request: Invalid authorization token.", 401)
        return json_answer(served(identity, self._tasks[name].task_role), "application/json")

    def _container(self, task: Task) -> dict[str, Any]:
        told = {
            "DockerId": f"{task.id}-{task.id[:10]}",
            "Name": task.container,
            "DockerName": task.container,
            "Image": task.image,
            "ImageID": "",
            "Labels": {
                "com.amazonaws.ecs.cluster": task.cluster_arn,
                "com.amazonaws.ecs.container-name": task.container,
                "com.amazonaws.ecs.task-arn": task.arn,
                "com.amazonaws.ecs.task-definition-family": task.family,
                "com.amazonaws.ecs.task-definition-version": str(task.revision),
            },
            "DesiredStatus": task.desired_status,
            "KnownStatus": task.status,
            "Limits": {"CPU": 2},
            "Type": "NORMAL",
            "ContainerARN": f"{task.cluster_arn.replace(':cluster/', ':container/')}/{task.id}/{task.id[:12]}",
        }
        if task.log is not None:
            told["LogDriver"] = "awslogs"
            told["LogOptions"] = {
                "awslogs-group": task.log[0],
                "awslogs-stream": task.log[1],
                "awslogs-region": self._region,
            }
        return told

    def _task(self, task: Task) -> dict[str, Any]:
        told: dict[str, Any] = {
            "Cluster": task.cluster_arn,
            "TaskARN": task.arn,
            "Family": task.family,
            "Revision": str(task.revision),
            "DesiredStatus": task.desired_status,
            "KnownStatus": task.status,
            "Limits": {"CPU": task.vcpus, "Memory": task.size.memory},
            "Containers": [self._container(task)],
            "AvailabilityZone": f"{self._region}a",
            "LaunchType": "FARGATE",
            "EphemeralStorageMetrics": {"Utilized": 0, "Reserved": (task.size.storage or 20) * 1024},
        }
        for name, moment in (("PullStartedAt", task.pull_started_s), ("PullStoppedAt", task.pull_stopped_s)):
            if moment is not None:
                told[name] = datetime.fromtimestamp(self._clock.stamp(moment), UTC).isoformat()
        return told
