"""Runs on the fake AWS, as a user's program makes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3

import cloudburst as cb
from cloudburst.testing import FakeAWS, Faults, Task
from tests.testing.fargate import until

QUICK = 0.05
"""Real seconds to one of AWS: the ten minutes that a start may take are 30 s, which is long on a busy machine too."""


@contextmanager
def on_aws(
    *,
    time_scale: float = QUICK,
    launches: Any = (),
    stages: Any = None,
    api: Any = None,
    fake: Any = None,
    **given: Any,
) -> Iterator[FakeAWS]:
    """A fake AWS on which all that is computed meanwhile runs; faults go by name, what is left are settings."""
    faults = Faults(launches=launches, stages=stages or {}, api=api or {})
    with FakeAWS(**{"time_scale": time_scale, "faults": faults, **(fake or {})}) as aws:
        cb.init_aws(**{**aws.settings, **given})
        try:
            yield aws
        finally:
            cb.init_local()


@dataclass
class Ran:
    """What became of one run."""

    value: Any
    error: Exception | None
    run: Any
    tasks: list[Task]
    """What it started."""
    met: Counter[str]
    """The faults that it met."""
    listed: list[str]
    """What ECS still had to run when it was over."""
    logs: dict[str, str]
    """What each task printed."""

    @property
    def summary(self) -> Any:
        return self.run.summary

    def of(self, stage: str) -> list[Task]:
        """The tasks that have performed a stage, in the order of their start."""
        return [task for task in self.tasks if f"cloudburst: begins {stage} " in self.logs[task.id]]

    def retries(self, stage: str) -> int:
        return next(one.retries for one in self.summary.by_stage if one.stage == stage)


def ran(aws: FakeAWS, deferred: Any, **options: Any) -> Ran:
    """Run something to its end, whatever that is."""
    started, met = len(aws.tasks()), Counter(aws.met)
    run = deferred.submit(**options)
    value = error = None
    try:
        value = run.result()
    except Exception as raised:
        error = raised
    left = listed(aws)
    until(lambda: not aws.running(), "the end of all tasks")
    tasks = aws.tasks()[started:]
    return Ran(value, error, run, tasks, aws.met - met, left, {task.id: aws.logs(task) for task in tasks})


def listed(aws: FakeAWS) -> list[str]:
    """The tasks that ECS lists: those that are to run."""
    pages = boto3.client("ecs").get_paginator("list_tasks").paginate(cluster=aws.settings["compute_cluster"])
    return [arn for page in pages for arn in page["taskArns"]]
