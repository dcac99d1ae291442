"""Programs of users on the fake AWS, each in a process of its own, which can be interrupted and killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3

from cloudburst.testing import FakeAWS
from tests.testing.fargate import until

LAPSE_S = 8.0
"""After so long a lease has lapsed: its limit is 6 s where time is scaled, and a store tells whole seconds."""

_ROOT = Path(__file__).parents[2]
_BEGINNING = """
import json, os, sys, time
import cloudburst as cb

SETTINGS = {settings!r}
cb.init_aws(**SETTINGS)

@cb.stage(cpu=256, memory=512)
def sleeps(seconds):
    time.sleep(seconds)
    return seconds

"""


def started(
    aws: FakeAWS, folder: Path, code: str, config: Path | None = None, **settings: object
) -> subprocess.Popen[str]:
    """A program that has been given settings, and a stage that sleeps."""
    script = folder / f"program{len(list(folder.iterdir()))}.py"
    script.write_text(_BEGINNING.format(settings={**aws.settings, **settings}) + code)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(_ROOT)}
    if config is not None:
        environment["CLOUDBURST_CONFIG_DIR"] = str(config)
    return subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=folder,
    )


def begun(aws: FakeAWS, stage: str, number: int) -> None:
    """Wait until so many attempts of a stage have begun."""
    until(lambda: sum(aws.logs(task).count(f"begins {stage} ") for task in aws.tasks()) >= number, f"{stage}")


def lapsed(aws: FakeAWS, number: int) -> None:
    """Wait until so many leases have lapsed. What rewrites one may start late, and outlive its program a little."""
    time.sleep(LAPSE_S)
    client, bucket = boto3.client("s3"), aws.settings["storage_bucket"]

    def are_old() -> bool:
        there = client.list_objects_v2(Bucket=bucket).get("Contents", ())
        before = datetime.now(UTC) - timedelta(seconds=LAPSE_S)
        return sum(one["Key"].endswith("/lease") and one["LastModified"] < before for one in there) >= number

    until(are_old, "the end of the leases")
