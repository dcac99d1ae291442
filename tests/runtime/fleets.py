"""Fleets without an engine and without AWS: machines that are processes here, and machines that are made up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import psutil

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
            self.machines[name] = self.start(name)
            self._sights.append(Started(token, name))

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """A machine's program."""
        environment = {one: value for one, value in os.environ.items() if not one.startswith("AWS_")}
        with self.log(name).open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "cloudburst.runtime.supervisor"],
                env={**environment, POOL: self.pool.variable, WORKER: name},
                cwd=self.directory,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

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


class FoundFleet(ProcessFleet):
    """One whose machines are found again by another process, as those of ECS are: each has a file that tells of it."""

    def __init__(self, pool: Pool, directory: Path) -> None:
        super().__init__(pool, directory)
        self._found: dict[str, psutil.Process] = {}
        for file in directory.glob("*.machine"):
            token, pid = json.loads(file.read_text())
            self._sights.append(Started(token, file.stem))
            try:
                self._found[file.stem] = psutil.Process(pid)
            except psutil.NoSuchProcess:
                self._sights.append(Fell(file.stem, "lost", "it had ended"))

    def launch(self, shape: Size, count: int, token: str) -> None:
        self.launched.append((shape, count))
        for number in range(count):
            file = self.directory / f"{token}-{number}.machine"
            if not file.exists():  # the same token is the same launch
                self.machines[file.stem] = machine = self.start(file.stem)
                file.write_text(json.dumps([token, machine.pid]))
                self._sights.append(Started(token, file.stem))

    def look(self) -> list[Sight]:
        sights = super().look()
        for name, process in tuple(self._found.items()):
            if _has_ended(process):
                del self._found[name]
                sights.append(Fell(name, "lost", "it has ended"))
        return sights

    def stop(self, workers: Sequence[str]) -> None:
        super().stop(workers)
        for name in workers:
            if (process := self._found.get(name)) is not None and not _has_ended(process):
                process.terminate()

    def close(self) -> None:
        super().close()
        self.stop(list(self._found))
        psutil.wait_procs([one for one in self._found.values() if not _has_ended(one)], _END_S)


def _has_ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class MadeUpFleet:
    """Machines that somebody else speaks for."""

    def __init__(self) -> None:
        self.launched: list[tuple[Size, int, str]] = []
        self.stopped: list[str] = []
        self.sights: list[Sight] = []
        self.error: Exception | None = None
        self.closed = 0

    def launch(self, shape: Size, count: int, token: str) -> None:
        self.launched.append((shape, count, token))

    def look(self) -> list[Sight]:
        if self.error is not None:
            raise self.error
        sights, self.sights = self.sights, []
        return sights

    def stop(self, workers: Sequence[str]) -> None:
        self.stopped += workers

    def tail(self, worker: str) -> str:
        return f"the log of {worker}"

    def close(self) -> None:
        self.closed += 1
        if self.error is not None:
            raise self.error
