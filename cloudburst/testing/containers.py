"""Where a task's program runs for real: in a container of its size, in Docker or Podman on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping

from cloudburst.errors import UsageError
from cloudburst.testing.census import MARK
from cloudburst.testing.machines import Machine
from cloudburst.testing.tasks import Task

_OF_THE_ENGINE = ("PATH", "HOME", "DOCKER_", "CONTAINER", "XDG_")


class Containers:
    """Runs each task as a container of an image that is on this machine.

    Parameters
    ----------
    image : str, optional
        The image that plays ``compute_image``; without it each task runs its own, which the engine has or pulls.
    """

    def __init__(self, image: str | None = None) -> None:
        engine = container_engine()
        if engine is None:
            raise UsageError(
                'FakeAWS(mode="container") needs Docker or Podman, and neither answers on this machine. '
                'Start one, or use mode="subprocess".'
            )
        self._engine = engine
        self._image = image
        if image is None:
            return
        found = subprocess.run([engine, "image", "inspect", image], capture_output=True, text=True, check=False)
        if found.returncode:
            raise UsageError(
                f"FakeAWS(image={image!r}) cannot run: {engine} has no such image ({found.stderr.strip()}). "
                "Build it first, and name it as you tagged it."
            )

    def start(self, task: Task, environment: Mapping[str, str]) -> Machine:
        """Run the image's program with the task's command behind it."""
        return _Container(self._engine, self._image or task.image, task, environment)


def container_engine() -> str | None:
    """The path of Docker's or Podman's command, if its engine answers.

    >>> container_engine() is None or "/" in container_engine()
    True
    """
    for name in ("docker", "podman"):
        path = shutil.which(name)
        if path and not subprocess.run([path, "info"], capture_output=True, check=False).returncode:
            return path
    return None


class _Container:
    def __init__(self, engine: str, image: str, task: Task, environment: Mapping[str, str]) -> None:
        self._engine = engine
        self._name = f"cloudburst-fake-{task.id}"
        self._orders: list[str] = []
        self._order: subprocess.Popen[bytes] | None = None
        self._is_memory_told: bool | None = None
        given = {name: value for name, value in environment.items() if name != MARK}
        cpus = min(task.vcpus, os.cpu_count() or 1)
        memory = f"{task.size.memory}m"
        command = [
            engine, "run", "--name", self._name, "--network=host", "--init", "--cpus", f"{cpus:g}",
            "--memory", memory, "--memory-swap", memory, *_named(given), image, *task.command,
        ]  # fmt: skip
        self.output, write = os.pipe()
        os.set_blocking(self.output, False)
        try:
            # The values go through the environment of the engine's command: no list of processes shows them.
            self._process = subprocess.Popen(
                command,
                env={**given, **{name: value for name, value in os.environ.items() if name.startswith(_OF_THE_ENGINE)}},
                stdin=subprocess.DEVNULL,
                stdout=write,
                stderr=write,
                start_new_session=True,
            )
        except BaseException:
            os.close(self.output)
            raise
        finally:
            os.close(write)

    def poll(self) -> int | None:
        self._give_orders()
        return self._process.poll()

    def terminate(self) -> None:
        self._orders.append("TERM")
        self._give_orders()

    def kill(self) -> None:
        self._orders = ["KILL"]
        self._give_orders()

    def was_out_of_memory(self) -> bool:
        if self._is_memory_told is None:
            told = self._said("inspect", "--format", "{{.State.OOMKilled}}", self._name)
            self._is_memory_told = told.strip() == "true"
        return self._is_memory_told

    def close(self) -> None:
        self._orders = []
        if self._order is not None:
            self._order.wait()
        self._said("rm", "--force", "--volumes", self._name)
        self._process.wait()
        os.close(self.output)

    def _said(self, *words: str) -> str:
        done = subprocess.run([self._engine, *words], capture_output=True, text=True, check=False)
        return done.stdout

    def _give_orders(self) -> None:
        """Send the next signal. The engine refuses as long as the container has not begun: then again."""
        if self._order is not None:
            code = self._order.poll()
            if code is None:
                return
            if code == 0 and self._orders:
                self._orders.pop(0)
            self._order = None
        if self._orders and self._process.poll() is None:
            command = [self._engine, "kill", "--signal", self._orders[0], self._name]
            self._order = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )


def _named(environment: Mapping[str, str]) -> list[str]:
    """The variables by name alone, but those by name and value that the engine's command has for itself."""
    words = []
    for name, value in environment.items():
        words += ["--env", f"{name}={value}" if name.startswith(_OF_THE_ENGINE) else name]
    return words
