"""Runs on the fake AWS, as a user's program makes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3

import cloudburst as cb
from cloudburst.testing import FakeAWS, Faults
from tests.testing.fargate import until

QUICK = 0.02
"""Real seconds to one of AWS: a minute takes 1.2 s."""


@contextmanager
def on_aws(
    *, time_scale: float = QUICK, launches: Any = (), stages: Any = None, api: Any = None, fake: Any = None, **settings: Any
) -> Iterator[FakeAWS]:
    """A fake AWS on which all that is computed meanwhile runs; faults go by name, what is left are settings."""
    faults = Faults(launches=launches, stages=stages or {}, api=api or {})
    with FakeAWS(**{"time_scale": time_scale, "faults": faults, **(fake or {})}) as aws:
        cb.init_aws(**{**aws.settings, **settings})
        try:
            yield aws
        finally:
            cb.init_local()


def check_nothing_runs(aws: FakeAWS) -> None:
    """Of all that was started nothing is to go on, by what ListTasks says, and soon nothing is there any more."""
    assert listed(aws) == []
    until(lambda: not aws.running(), "the end of all tasks")


def listed(aws: FakeAWS) -> list[str]:
    """The tasks that ECS lists: those that are to run."""
    pages = boto3.client("ecs").get_paginator("list_tasks").paginate(cluster=aws.settings["compute_cluster"])
    return [arn for page in pages for arn in page["taskArns"]]


def sizes(aws: FakeAWS) -> list[str]:
    """What was started, in that order."""
    return [str(task.size) for task in aws.tasks()]
