"""Tasks of the fake ECS: RunTask, StopTask, DescribeTasks and ListTasks, which moto only sketches."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from cloudburst.testing import faults
from cloudburst.testing.account import ID, Account
from cloudburst.testing.answers import Answer, Refusal, json_answer
from cloudburst.testing.clock import Clock
from cloudburst.testing.faults import Fault
from cloudburst.testing.operations import Request
from cloudburst.testing.orders import Order, check_definition, find_cluster, read_order
from cloudburst.testing.rates import Rates
from cloudburst.testing.script import Script
from cloudburst.testing.tasks import Task

_PAGE = 100


class Runs(Protocol):
    """What makes tasks live and die: the agent."""

    def admit(self, task: Task) -> None:
        """Start a new task on its way."""
        ...

    def stop(self, task: Task, reason: str) -> None:
        """End a task because a user asked for it."""
        ...


class Ecs:
    """The tasks of an account, and what the API says of them.

    Parameters
    ----------
    vcpu_quota, spot_vcpu_quota : float, optional
        How many vCPUs may run at once; no limit by default.
    has_spot : bool
        Whether the region has Fargate Spot.
    """

    def __init__(
        self,
        account: Account,
        clock: Clock,
        script: Script,
        vcpu_quota: float | None = None,
        spot_vcpu_quota: float | None = None,
        *,
        has_spot: bool = True,
    ) -> None:
        self._has_spot = has_spot
        self.account = account
        self.clock = clock
        self.script = script
        self.rates = Rates(clock)
        self.tasks: dict[str, Task] = {}
        self.agent: Runs | None = None
        self._quotas = {False: vcpu_quota, True: spot_vcpu_quota}
        self._tokens: dict[str, tuple[str, list[str]]] = {}
        self._lock = threading.Lock()
        self._operations: dict[str, Callable[[Mapping[str, Any]], Answer | None]] = {
            "RunTask": self._run,
            "StopTask": self._stop,
            "DescribeTasks": self._describe,
            "ListTasks": self._list,
            "RegisterTaskDefinition": self._register,
            "DescribeTaskDefinition": self._date,
            "CreateCluster": self._create_cluster,
            "PutClusterCapacityProviders": self._check_providers,
            "DescribeCapacityProviders": self._providers,
            "DeleteCluster": self._delete_cluster,
        }
        self._registered: dict[str, list[datetime]] = {}
        """By family: when each revision was registered, which moto does not tell."""

    def handle(self, request: Request) -> Answer | None:
        """What is to be said to a request, or nothing if it is moto's to answer."""
        if request.service != "ecs":
            return None
        self.rates.call(request.operation)
        operate = self._operations.get(request.operation)
        return None if operate is None else operate(request.parameters)

    def _register(self, asked: Mapping[str, Any]) -> None:
        check_definition(asked)
        self._registered.setdefault(str(asked.get("family")), []).append(datetime.now(UTC))

    def _date(self, asked: Mapping[str, Any]) -> None:
        family = str(asked.get("taskDefinition", "")).rpartition("/")[2].partition(":")[0]
        known = self.account.ecs.task_definitions.get(family, {})
        for revision, registered in enumerate(self._registered.get(family, ()), 1):
            if revision in known:
                known[revision].registered_at = registered

    def _check_providers(self, asked: Mapping[str, Any]) -> None:
        if "FARGATE_SPOT" in asked.get("capacityProviders", ()) and not self._has_spot:
            raise Refusal(
                "InvalidParameterException",
                "The specified capacity provider was not found. Specify a valid capacity provider name and try again.",
            )

    def _create_cluster(self, asked: Mapping[str, Any]) -> None:
        """ECS makes its own role with the first cluster of an account, and cannot use it at once."""
        if not self.account.ecs_role(wanted=True) and asked.get("capacityProviders"):
            raise Refusal(
                "InvalidParameterException",
                "Unable to assume the service linked role. Please verify that the ECS service linked role exists.",
            )
        self._check_providers(asked)

    def _providers(self, asked: Mapping[str, Any]) -> Answer:
        """AWS's own providers are there without anybody having made them."""
        own = ("FARGATE", "FARGATE_SPOT") if self._has_spot else ("FARGATE",)
        place = f"arn:aws:ecs:{self.account.region}:{ID}:capacity-provider/"
        wanted = asked.get("capacityProviders") or own
        found = [{"capacityProviderArn": place + one, "name": one, "status": "ACTIVE"} for one in wanted if one in own]
        missing = [{"arn": place + one, "reason": "MISSING"} for one in wanted if one not in own]
        return json_answer({"capacityProviders": found, "failures": missing})

    def _delete_cluster(self, asked: Mapping[str, Any]) -> None:
        cluster = find_cluster(self.account, asked.get("cluster") or "default")
        if any(task.cluster_arn == cluster.arn and not task.is_stopped for task in self.tasks.values()):
            raise Refusal("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")

    def _run(self, asked: Mapping[str, Any]) -> Answer:
        token = asked.get("clientToken")
        fingerprint = json.dumps(asked, sort_keys=True)
        with self._lock:
            known = self._tokens.get(f"{asked.get('cluster')} {token}") if token else None
            if known is not None:
                return self._again(*known, fingerprint)
            order = read_order(asked, self.account)
            self.rates.launch(order.number, bool(order.size.spot))
            started, failures = self._launch(order)
            if token and started:
                self._tokens[f"{asked.get('cluster')} {token}"] = (fingerprint, [task.id for task in started])
        for task in started:
            assert self.agent is not None
            self.agent.admit(task)
        return json_answer({"tasks": self._told(started, with_tags=True), "failures": failures})

    def _again(self, before: str, ids: list[str], now: str) -> Answer:
        tasks = [self.tasks[one] for one in ids]
        if before != now:
            raise Refusal(
                "ConflictException",
                "The RunTask request could not be processed due to conflicts. The provided clientToken is already in "
                "use with a different RunTask request.",
                resourceIds=[task.arn for task in tasks],
            )
        return json_answer({"tasks": self._told(tasks, with_tags=True), "failures": []})

    def _launch(self, order: Order) -> tuple[list[Task], list[dict[str, str]]]:
        started: list[Task] = []
        failures: list[dict[str, str]] = []
        for _ in range(order.number):
            fault = self.script.launch(bool(order.size.spot))
            refused = fault if fault is not None and fault.when == "asked" else self._over_quota(order)
            if refused is not None:
                self.script.met(refused)
                failures.append({"arn": order.cluster.arn, "reason": refused.reason})
                continue
            task = self._new(order)
            task.fault = fault
            self.tasks[task.id] = task
            started.append(task)
        return started, failures

    def _over_quota(self, order: Order) -> Fault | None:
        is_spot = bool(order.size.spot)
        quota, vcpus = self._quotas[is_spot], (order.size.cpu or 0) / 1024
        if quota is None:
            return None
        if vcpus > quota:
            return faults.ABOVE_LIMIT
        return faults.QUOTA if self.used_vcpus(is_spot) + vcpus > quota else None

    def used_vcpus(self, is_spot: bool) -> float:
        """How many vCPUs of a quota are in use."""
        tasks = list(self.tasks.values())
        return sum(task.vcpus for task in tasks if task.size.spot == is_spot and not task.is_stopped)

    def _new(self, order: Order) -> Task:
        number = uuid.uuid4().hex
        definition, container = order.definition, order.definition.container_definitions[0]
        overrides: list[dict[str, Any]] = order.overrides.get("containerOverrides", [])
        override = next((one for one in overrides if one.get("name") == container["name"]), {})
        environment = [*container.get("environment", ()), *override.get("environment", ())]
        logs = container.get("logConfiguration") or {}
        options = logs.get("options") or {}
        log = None
        if logs.get("logDriver") == "awslogs":
            prefix = options.get("awslogs-stream-prefix", "")
            log = (str(options.get("awslogs-group", "")), f"{prefix}/{container['name']}/{number}".lstrip("/"))
        task = Task(
            id=number,
            arn=f"arn:aws:ecs:{self.account.region}:{ID}:task/{order.cluster.name}/{number}",
            cluster_arn=order.cluster.arn,
            definition_arn=definition.arn,
            family=definition.family,
            revision=definition.revision,
            container=container["name"],
            image=container["image"],
            size=order.size,
            launch_type=order.launch_type,
            provider=order.provider,
            started_by=order.started_by,
            group=order.group,
            tags=order.tags,
            overrides=order.overrides,
            environment={one["name"]: one["value"] for one in environment},
            command=list(override.get("command") or container.get("command") or ()),
            execution_role=order.execution_role,
            task_role=order.task_role,
            architecture=(definition.runtime_platform or {}).get("cpuArchitecture", "X86_64"),
            stop_timeout_s=float(container.get("stopTimeout") or 30),
            subnet=order.subnets[0],
            log=log,
            created_s=self.clock.now_s(),
        )
        task.reach("PROVISIONING", self.clock.now_s())
        return task

    def _stop(self, asked: Mapping[str, Any]) -> Answer:
        find_cluster(self.account, asked.get("cluster") or "default")
        task = self.tasks.get(str(asked.get("task", "")).rpartition("/")[2])
        if task is None or self._is_hidden(task):
            raise Refusal("InvalidParameterException", "The referenced task was not found.")
        assert self.agent is not None
        self.agent.stop(task, str(asked.get("reason") or "Task stopped by user"))
        return json_answer({"task": task.describe(self.clock, with_tags=True)})

    def _describe(self, asked: Mapping[str, Any]) -> Answer:
        cluster = find_cluster(self.account, asked.get("cluster") or "default")
        wanted = list(asked.get("tasks") or ())
        if not 1 <= len(wanted) <= _PAGE:
            words = "cannot be empty" if not wanted else f"length cannot be greater than {_PAGE}"
            raise Refusal("InvalidParameterException", f"Tasks {words}.")
        found: list[Task] = []
        failures = []
        for name in wanted:
            task = self.tasks.get(name.rpartition("/")[2])
            if task is None or task.cluster_arn != cluster.arn or self._is_hidden(task):
                arn = name if name.startswith("arn:") else f"{cluster.arn.replace(':cluster/', ':task/')}/{name}"
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                found.append(task)
        told = self._told(found, with_tags="TAGS" in (asked.get("include") or ()))
        return json_answer({"tasks": told, "failures": failures})

    def _list(self, asked: Mapping[str, Any]) -> Answer:
        cluster = find_cluster(self.account, asked.get("cluster") or "default")
        desired = asked.get("desiredStatus") or "RUNNING"
        if asked.get("startedBy") and (asked.get("family") or asked.get("serviceName")):
            raise Refusal("InvalidParameterException", "startedBy must be the only filter.")
        arns = [
            task.arn
            for task in list(self.tasks.values())
            if task.cluster_arn == cluster.arn
            and task.desired_status == desired
            and asked.get("startedBy") in (None, task.started_by)
            and asked.get("family") in (None, task.family)
            and not self._is_hidden(task)
        ]
        first = int(asked.get("nextToken") or 0)
        end = first + min(int(asked.get("maxResults") or _PAGE), _PAGE)
        more = {"nextToken": str(end)} if end < len(arns) else {}
        return json_answer({"taskArns": arns[first:end], **more})

    def _told(self, tasks: list[Task], with_tags: bool) -> list[dict[str, Any]]:
        return [task.describe(self.clock, with_tags) for task in tasks]

    def _is_hidden(self, task: Task) -> bool:
        """Whether ECS does not know the task yet, or no more."""
        fault = task.fault
        if fault is None or fault.when != "seen":
            return False
        if fault.name == faults.MISSING.name:
            hidden = self.clock.now_s() - (task.created_s or 0.0) < fault.after_s
        else:
            hidden = fault.name == faults.AGED_OUT.name and task.is_stopped
        if hidden:
            self.script.met(fault)
        return hidden
