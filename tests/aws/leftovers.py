"""What a test may not leave: machines, and anything in its folder but journals and histories of runs."""

from __future__ import annotations

from typing import Any

import boto3

from cloudburst.testing import FakeAWS
from tests.aws.runs import listed
from tests.testing.fargate import until


def check_nothing_runs(aws: FakeAWS) -> None:
    """Of all that was started nothing is to go on, by what ListTasks says, and soon nothing is there any more."""
    assert listed(aws) == []
    until(lambda: not aws.running(), "the end of all tasks")


def keys(settings: dict[str, Any]) -> list[str]:
    """What lies in the folder."""
    pages = boto3.client("s3").get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=settings["storage_bucket"], Prefix=f"{settings['storage_prefix']}/")
    return [one["Key"] for page in found for one in page.get("Contents", ())]


def remove_kept(settings: dict[str, Any]) -> None:
    """Remove what a test has left on purpose."""
    client = boto3.client("s3")
    for key in keys(settings):
        client.delete_object(Bucket=settings["storage_bucket"], Key=key)


def folder_of(name: str) -> str:
    """A folder for a test."""
    return "of/" + "".join(one if one.isalnum() or one == "_" else "-" for one in name)[:80].strip("-")
