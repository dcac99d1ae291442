"""Task definitions of ours that nothing uses any more: found, and deregistered."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from cloudburst.errors import AccessDenied, LaunchError
from cloudburst.runtime.backends.fargate.definition import FAMILY
from cloudburst.runtime.backends.fargate.place import Clients, FargatePlace
from cloudburst.runtime.backends.fargate.refusals import code_of, refusal_of_error
from cloudburst.runtime.backends.fargate.signs import CONTAINER

_OURS = re.compile(rf"{FAMILY}[0-9a-f]{{12}}")


class Definitions:
    """The task definitions that cloudburst has registered in an account.

    Parameters
    ----------
    region, endpoint_url : str or None
        Where ECS is.
    clusters : collection of str
        Where tasks of them may run.
    """

    def __init__(self, region: str | None, endpoint_url: str | None, clusters: Collection[str]) -> None:
        place = FargatePlace("", (), "", region=region, endpoint_url=endpoint_url)
        self._ecs: Any = Clients(place)("ecs")
        self._clusters = clusters

    def unused(self, older_than_s: float, used: Collection[str]) -> list[str]:
        """The ARNs of those of ours that are so old, are of none of these families, and have no task.

        Raises
        ------
        AccessDenied
            If these credentials may not list them.
        LaunchError
            If ECS does not say.
        """
        found: list[str] = self._told(
            "listed", lambda: [arn for arn in self._ours(used) if self._is_unused(arn, older_than_s)]
        )
        return found

    def deregister(self, arns: Collection[str]) -> None:
        """Have nothing be started with them any more; what runs goes on. A driver that needs one registers it again.

        Raises
        ------
        AccessDenied
            If these credentials may not.
        LaunchError
            If ECS will not.
        """
        self._told("deregistered", lambda: [self._ecs.deregister_task_definition(taskDefinition=arn) for arn in arns])

    def _ours(self, used: Collection[str]) -> list[str]:
        found = []
        for page in self._ecs.get_paginator("list_task_definitions").paginate(status="ACTIVE"):
            for arn in page.get("taskDefinitionArns", ()):
                family = str(arn).rpartition("/")[2].partition(":")[0]
                if _OURS.fullmatch(family) and family not in used:
                    found.append(str(arn))
        return found

    def _is_unused(self, arn: str, older_than_s: float) -> bool:
        definition = self._ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
        registered = definition.get("registeredAt")
        if registered is None or [one.get("name") for one in definition["containerDefinitions"]] != [CONTAINER]:
            return False
        if (datetime.now(UTC) - registered).total_seconds() < older_than_s:
            return False
        tasks = [
            self._ecs.list_tasks(cluster=cluster, family=definition["family"], maxResults=1).get("taskArns")
            for cluster in self._clusters
        ]
        return not any(tasks)

    def _told(self, what: str, ask: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return ask()
        except (BotoCoreError, ClientError) as error:
            kind = AccessDenied if code_of(error) == "AccessDeniedException" else LaunchError
            detail = refusal_of_error(error).detail
            raise kind(f"Task definitions of cloudburst's cannot be {what}: {detail}") from error
