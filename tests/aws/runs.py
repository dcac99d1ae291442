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

QUICK = 0.02
"""Real seconds to one of AWS: a minute takes 1.2 s."""


@contextmanager
def on_aws(
    *, time_scale: float = QUICK, launches: Any = (), stages: Any = None, api: Any = None, fake: Any = None, **given: Any
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

    @property
    def summary(self) -> Any:
        return self.run.summary

    @property
    def sizes(self) -> list[str]:
        return [str(task.size) for task in self.tasks]


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
    return Ran(value, error, run, aws.tasks()[started:], aws.met - met, left)


def listed(aws: FakeAWS) -> list[str]:
    """The tasks that ECS lists: those that are to run."""
    pages = boto3.client("ecs").get_paginator("list_tasks").paginate(cluster=aws.settings["compute_cluster"])
    return [arn for page in pages for arn in page["taskArns"]]
