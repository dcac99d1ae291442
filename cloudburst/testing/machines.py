"""Where a task's program runs for real: as a process of this machine.

``containers`` has the other kind, which runs in Docker.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import cloudburst
from cloudburst.testing.tasks import Task

SUPERVISOR = ("-m", "cloudburst.runtime.supervisor")
"""What the image's entry point runs, with Python."""

_PASSED_ON = ("COVERAGE_", "COV_CORE_")


class Machine(Protocol):
    """A program that was started, and its output."""

    output: int
    """Where standard output and standard error can be read."""

    def poll(self) -> int | None:
        """The exit code of a program that has ended."""
        ...

    def terminate(self) -> None:
        """Send SIGTERM to the main process."""
        ...

    def kill(self) -> None:
        """Send SIGKILL."""
        ...

    def was_out_of_memory(self) -> bool:
        """Whether the kernel killed something in there for memory."""
        ...

    def close(self) -> None:
        """Leave nothing behind."""
        ...


class Fleet(Protocol):
    """Makes machines."""

    def start(self, task: Task, environment: Mapping[str, str]) -> Machine:
        """Run a task's program."""
        ...


class Processes:
    """Runs each task as a process in a session and a directory of its own.

    Parameters
    ----------
    program : sequence of str, optional
        The command, in place of the worker's supervisor.
    """

    def __init__(self, program: Sequence[str] | None = None) -> None:
        self._program = list(program) if program is not None else [sys.executable, *SUPERVISOR]

    def start(self, task: Task, environment: Mapping[str, str]) -> Machine:
        """Run the program with the task's command behind it."""
        return _Process([*self._program, *task.command], environment)


class _Process:
    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="cloudburst-fake-task-"))
        temporary = self._directory / "tmp"
        temporary.mkdir()
        self.output, write = os.pipe()
        os.set_blocking(self.output, False)
        try:
            self._process = subprocess.Popen(
                command,
                cwd=self._directory,
                env=_bare_environment(self._directory) | {"TMPDIR": str(temporary)} | dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=write,
                stderr=write,
                start_new_session=True,
            )
        except BaseException:
            os.close(self.output)
            shutil.rmtree(self._directory)
            raise
        finally:
            os.close(write)

    def poll(self) -> int | None:
        return self._process.poll()

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def was_out_of_memory(self) -> bool:
        return False

    def close(self) -> None:
        self._process.wait()
        os.close(self.output)
        shutil.rmtree(self._directory, ignore_errors=True)


def _bare_environment(home: Path) -> dict[str, str]:
    """As little as a container has: nothing of the user's own, and no credentials."""
    root = str(Path(cloudburst.__file__).parents[1])
    passed_on = {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONPATH": root,
        **passed_on,
    }
