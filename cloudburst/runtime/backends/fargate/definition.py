"""The task definition: all that a RunTask call cannot override, under a name made of its content.

One serves every size and every run: it is looked up by its name, and registered only where there is none yet.
Registering one a run is the classic mistake; a family holds only so many.
"""

from __future__ import annotations

import hashlib
import json
from threading import Lock
from typing import Any

from cloudburst.runtime.backends.fargate.place import FargatePlace
from cloudburst.runtime.backends.fargate.refusals import refusal_of_error
from cloudburst.runtime.backends.fargate.signs import CONTAINER

FAMILY = "cloudburst-"
STOP_TIMEOUT_S = 120
"""What a worker has from SIGTERM to SIGKILL: the most that Fargate gives."""

STREAM_PREFIX = "cloudburst"
"""What the names of log streams begin with; ECS puts the container and the task behind it."""

_CPU, _MEMORY = "2048", "8192"
"""Each launch overrides these; a definition has to have some valid pair."""


def definition_of(place: FargatePlace, region: str) -> dict[str, Any]:
    """What is registered for a place, without its name.

    No memory is set for the container: it gets all that the task has, whatever size that is given.
    """
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": place.image,
        "essential": True,
        "stopTimeout": STOP_TIMEOUT_S,
        "linuxParameters": {"initProcessEnabled": True},
    }
    if place.log_group:
        container["logConfiguration"] = {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": place.log_group,
                "awslogs-region": region,
                "awslogs-stream-prefix": STREAM_PREFIX,
                "mode": "non-blocking",  # a stage must not stand still because CloudWatch does
                "max-buffer-size": "25m",
            },
        }
    definition: dict[str, Any] = {
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": _CPU,
        "memory": _MEMORY,
        "runtimePlatform": {"cpuArchitecture": place.architecture, "operatingSystemFamily": "LINUX"},
        "containerDefinitions": [container],
    }
    if place.execution_role:
        definition["executionRoleArn"] = place.execution_role
    if place.task_role:
        definition["taskRoleArn"] = place.task_role
    return definition


def family_of(definition: dict[str, Any]) -> str:
    """The name of a definition: twelve digits of what it says.

    >>> family_of({"cpu": "256"})
    'cloudburst-a109691e437c'
    """
    text = json.dumps(definition, sort_keys=True, separators=(",", ":"))
    return FAMILY + hashlib.sha256(text.encode()).hexdigest()[:12]


class Definition:
    """The definition of one place, found or registered once. Any thread may ask for it.

    Parameters
    ----------
    ecs : object
        boto3's client.
    place : FargatePlace
        What it is made of.
    """

    def __init__(self, ecs: Any, place: FargatePlace) -> None:
        self._ecs = ecs
        self._content = definition_of(place, ecs.meta.region_name)
        self.family = family_of(self._content)
        self._arn: str | None = None
        self._lock = Lock()

    def arn(self) -> str:
        """The revision to run; the first to ask looks it up. Raises what boto3 raises."""
        with self._lock:
            if self._arn is None:
                self._arn = self._found() or self._registered()
            return self._arn

    def forget(self) -> None:
        """It is no more, somebody deregistered it: look it up again."""
        with self._lock:
            self._arn = None

    def _found(self) -> str | None:
        from botocore.exceptions import ClientError

        try:
            found = self._ecs.describe_task_definition(taskDefinition=self.family)["taskDefinition"]
        except ClientError as error:
            if refusal_of_error(error).is_stale:
                return None
            raise
        images = [one.get("image") for one in found.get("containerDefinitions", ())]
        wanted = [one["image"] for one in self._content["containerDefinitions"]]
        is_ours = images == wanted and found.get("status", "ACTIVE") == "ACTIVE"
        return str(found["taskDefinitionArn"]) if is_ours else None

    def _registered(self) -> str:
        answer = self._ecs.register_task_definition(family=self.family, **self._content)
        return str(answer["taskDefinition"]["taskDefinitionArn"])
