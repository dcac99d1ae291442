"""A fake AWS in a process of its own, so that what it costs is not taken for the driver's.

``python -m benchmarks.elsewhere TIME_SCALE STARTUP_S`` prints how to reach it, and ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple


class Elsewhere(NamedTuple):
    """The fake AWS of another process."""

    settings: dict[str, Any]
    told: Any
    """The process: a line to its standard input is answered with what it has counted."""

    def counted(self) -> dict[str, Any]:
        """Calls by name, how many tasks there were, and the fake seconds that each was up and billed."""
        self.told.stdin.write("count\n")
        self.told.stdin.flush()
        counted: dict[str, Any] = json.loads(self.told.stdout.readline())
        return counted


@contextmanager
def aws_elsewhere(time_scale: float = 1.0, startup_s: float = 0.0) -> Iterator[Elsewhere]:
    """A fake AWS for a block; this process's environment leads to it."""
    command = [sys.executable, "-m", "benchmarks.elsewhere", str(time_scale), str(startup_s)]
    with (
        tempfile.TemporaryDirectory() as config,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as told,
    ):
        assert told.stdout is not None
        settings, variables = json.loads(told.stdout.readline())
        before = dict(os.environ)
        os.environ.update(variables, CLOUDBURST_CONFIG_DIR=config)
        try:
            yield Elsewhere(settings, told)
        finally:
            os.environ.clear()
            os.environ.update(before)
            told.communicate()


def main(time_scale: float, startup_s: float) -> None:
    from cloudburst.testing import FakeAWS

    before = dict(os.environ)
    with FakeAWS(time_scale=time_scale, startup_s=startup_s) as aws:
        variables = {name: value for name, value in os.environ.items() if before.get(name) != value}
        print(json.dumps((aws.settings, variables)), flush=True)
        for _ in sys.stdin:
            tasks = aws.tasks()
            print(
                json.dumps({"calls": dict(aws.calls), "tasks": len(tasks), "worker_seconds": aws.worker_seconds}),
                flush=True,
            )


if __name__ == "__main__":
    main(*map(float, sys.argv[1:3]))
