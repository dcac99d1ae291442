"""A task as the fake ECS knows it, and how DescribeTasks shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cloudburst.resources import Size
from cloudburst.testing.clock import Clock
from cloudburst.testing.faults import Fault

_STAMPS = {
    "created_s": "createdAt",
    "pull_started_s": "pullStartedAt",
    "pull_stopped_s": "pullStoppedAt",
    "started_s": "startedAt",
    "stopping_s": "stoppingAt",
    "execution_stopped_s": "executionStoppedAt",
    "stopped_s": "stoppedAt",
}


@dataclass(slots=True, eq=False)
class Task:
    """One Fargate task, from RunTask to the end of ``FakeAWS``.

    Attributes
    ----------
    id : str
        The last part of its ARN.
    size : Size
        CPU, memory, storage, and whether it is Spot.
    status : str
        ``lastStatus`` as ECS names it.
    history : list of tuple
        Each status with the fake second at which it was reached.
    stop_code, stopped_reason, container_reason, exit_code
        How it ended, as DescribeTasks tells it.
    log : tuple or None
        (group, stream) in CloudWatch Logs.
    """

    id: str
    arn: str
    cluster_arn: str
    definition_arn: str
    family: str
    revision: int
    container: str
    image: str
    size: Size
    launch_type: str
    provider: str
    started_by: str
    group: str
    tags: list[dict[str, str]]
    overrides: dict[str, Any]
    environment: dict[str, str]
    command: list[str]
    execution_role: str
    task_role: str
    architecture: str
    stop_timeout_s: float
    subnet: str
    log: tuple[str, str] | None = None
    fault: Fault | None = None
    status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    stop_code: str = ""
    stopped_reason: str = ""
    container_reason: str = ""
    exit_code: int | None = None
    created_s: float | None = None
    pull_started_s: float | None = None
    pull_stopped_s: float | None = None
    started_s: float | None = None
    stopping_s: float | None = None
    execution_stopped_s: float | None = None
    stopped_s: float | None = None
    history: list[tuple[str, float]] = field(default_factory=list)

    @property
    def is_stopped(self) -> bool:
        """Whether nothing of it runs and nothing will."""
        return self.status == "STOPPED"

    @property
    def vcpus(self) -> float:
        """What it takes of the quota."""
        return (self.size.cpu or 0) / 1024

    @property
    def cluster(self) -> str:
        """The name of its cluster."""
        return self.cluster_arn.rpartition("/")[2]

    def reach(self, status: str, now_s: float) -> None:
        """Come to the next status."""
        self.status = status
        self.history.append((status, now_s))

    def billed_s(self, now_s: float) -> float:
        """Fake seconds that are paid for: from the start of the pull to the end."""
        if self.pull_started_s is None:
            return 0.0
        return (now_s if self.stopped_s is None else self.stopped_s) - self.pull_started_s

    def describe(self, clock: Clock, with_tags: bool) -> dict[str, Any]:
        """The task as DescribeTasks gives it."""
        told: dict[str, Any] = {
            "taskArn": self.arn,
            "clusterArn": self.cluster_arn,
            "taskDefinitionArn": self.definition_arn,
            "group": self.group,
            "startedBy": self.started_by,
            "cpu": str(self.size.cpu),
            "memory": str(self.size.memory),
            "ephemeralStorage": {"sizeInGiB": self.size.storage or 20},
            "lastStatus": self.status,
            "desiredStatus": self.desired_status,
            "connectivity": "CONNECTED",
            "healthStatus": "UNKNOWN",
            "launchType": "FARGATE",
            "platformVersion": "1.4.0",
            "platformFamily": "Linux",
            "overrides": self.overrides,
            "attributes": [{"name": "ecs.cpu-architecture", "value": self.architecture.lower()}],
            "attachments": [self._attachment()],
            "containers": [self._container()],
            "tags": self.tags if with_tags else [],
            "version": len(self.history) + 1,
        }
        if self.provider:
            told["capacityProviderName"] = self.provider
        if self.stop_code:
            told["stopCode"] = self.stop_code
        if self.stopped_reason:
            told["stoppedReason"] = self.stopped_reason
        for name, shown in _STAMPS.items():
            moment = getattr(self, name)
            if moment is not None:
                told[shown] = clock.stamp(moment)
        return told

    def _container(self) -> dict[str, Any]:
        statuses = {"RUNNING": "RUNNING", "DEACTIVATING": "RUNNING", "STOPPING": "RUNNING", "DEPROVISIONING": "STOPPED"}
        told: dict[str, Any] = {
            "containerArn": f"{self.cluster_arn.replace(':cluster/', ':container/')}/{self.id}/{self.id[:12]}",
            "taskArn": self.arn,
            "name": self.container,
            "image": self.image,
            "lastStatus": "STOPPED" if self.is_stopped else statuses.get(self.status, "PENDING"),
            "networkInterfaces": [],
            "healthStatus": "UNKNOWN",
            "cpu": "0",
        }
        if self.started_s is not None:
            told["runtimeId"] = f"{self.id}-{self.id[:10]}"
        if self.exit_code is not None:
            told["exitCode"] = self.exit_code
        if self.container_reason:
            told["reason"] = self.container_reason
        return told

    def _attachment(self) -> dict[str, Any]:
        status = "DELETED" if self.is_stopped else "PRECREATED" if self.status == "PROVISIONING" else "ATTACHED"
        details = [{"name": "subnetId", "value": self.subnet}]
        return {"id": self.id, "type": "ElasticNetworkInterface", "status": status, "details": details}
