"""Programs of users on the fake AWS, each in a process of its own, which can be interrupted and killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cloudburst.testing import FakeAWS
from tests.testing.fargate import until

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
