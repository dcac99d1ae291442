"""A fleet whose machines are processes here: the worker's own program, without an engine and without AWS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from cloudburst.resources import Size
from cloudburst.runtime.identity import POOL, WORKER
from cloudburst.runtime.pool import Pool
from cloudburst.runtime.protocols import Fell, Sight, Started

_END_S = 20.0


class ProcessFleet:
    """Supervisors as processes of this machine.

    Parameters
    ----------
    pool : Pool
        Which they belong to.
    directory : Path
        Where their own logs go.
    """

    def __init__(self, pool: Pool, directory: Path) -> None:
        self.pool, self.directory = pool, directory
        self.machines: dict[str, subprocess.Popen[bytes]] = {}
        self.launched: list[tuple[Size, int]] = []
        self._sights: list[Sight] = []
        self._numbers = count(1)

    def launch(self, shape: Size, count: int, token: str) -> None:
        self.launched.append((shape, count))
        for _ in range(count):
            name = f"m{next(self._numbers)}"
            environment = {one: value for one, value in os.environ.items() if not one.startswith("AWS_")}
            with self.log(name).open("wb") as log:
                self.machines[name] = subprocess.Popen(
                    [sys.executable, "-P", "-m", "cloudburst.runtime.supervisor"],
                    env={**environment, POOL: self.pool.variable, WORKER: name},
                    cwd=self.directory,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            self._sights.append(Started(token, name))

    def look(self) -> list[Sight]:
        sights, self._sights = self._sights, []
        for name, machine in tuple(self.machines.items()):
            if (status := machine.poll()) is not None:
                del self.machines[name]
                sights.append(Fell(name, "lost", f"exit code {status}"))
        return sights

    def stop(self, workers: Sequence[str]) -> None:
        for name in workers:
            if (machine := self.machines.get(name)) is not None:
                machine.terminate()

    def kill(self, worker: str) -> None:
        """End a machine as a host fault does: without a word."""
        self.machines[worker].send_signal(signal.SIGKILL)

    def tail(self, worker: str) -> str:
        return self.log(worker).read_text()[-2000:]

    def log(self, worker: str) -> Path:
        return self.directory / f"{worker}.out"

    def close(self) -> None:
        self.stop(list(self.machines))
        for machine in self.machines.values():
            machine.wait(_END_S)
