"""Docker or Podman, by the command line that both have, and what their complaints mean.

The command line knows where its engine is (``DOCKER_HOST``, contexts, a machine on a Mac) and who may use it, so
none of that is asked for here. Its processes are in sessions of their own: Ctrl-C is for the user's
program, which decides what is to go.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

from cloudburst.errors import LaunchError, SettingsError
from cloudburst.resources import Size
from cloudburst.runtime.backends.complaints import meaning
from cloudburst.runtime.events import LaunchCause

ENGINES = ("docker", "podman")

_ANSWER_S = 60.0
"""No command but a pull takes this long unless the engine hangs."""

_PULL_S = 1800.0
_GLANCE_S = 0.2
_LONGEST_SAID = 600
_CPU_PERIOD_US = 100_000


class EngineRefused(LaunchError):
    """A command that the engine did not carry out.

    Attributes
    ----------
    cause : str
        Whether it is worth another attempt, in the words of a launch.
    said : str
        What the engine said.
    """

    def __init__(self, message: str, *, cause: LaunchCause = "passing", said: str = "") -> None:
        super().__init__(message)
        self.cause = cause
        self.said = said


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine of containers.

    Parameters
    ----------
    name : str
        ``"docker"`` or ``"podman"``.
    program : str
        Where its command line is.
    """

    name: str
    program: str

    def ask(
        self,
        *arguments: str,
        about: str,
        environment: Mapping[str, str] | None = None,
        with_errors: bool = False,
        limit_s: float = _ANSWER_S,
        dropped: Event | None = None,
        given: str | None = None,
    ) -> str:
        """What a command prints.

        Parameters
        ----------
        *arguments : str
            The command; nothing secret, as all users of a machine see it.
        about : str
            What it is for, as the end of "Docker could not ...".
        environment : mapping, optional
            The environment of the command instead of this process's own.
        with_errors : bool
            Whether what goes to standard error is part of the answer.
        limit_s : float
            How long it may take.
        dropped : Event, optional
            When it is set, the command is given up.
        given : str, optional
            What it reads from its standard input: the place for what is secret.

        Raises
        ------
        EngineRefused
            If it fails, with the reason and the mend.
        """
        try:
            process = subprocess.Popen(
                [self.program, *arguments],
                stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if with_errors else subprocess.PIPE,
                env=environment,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            raise self.refused(about, f"{self.program}: {error.strerror or error}", "setup") from error
        with process:
            try:
                printed, complaint = _communicated(process, limit_s, dropped, given)
            except BaseException as error:
                process.kill()
                if isinstance(error, TimeoutError):
                    raise self.refused(about, str(error), "passing") from error
                raise
        if process.returncode:
            raise self.refused(about, (complaint or printed or f"exit code {process.returncode}").strip())
        return printed

    def refused(self, about: str, said: str, cause: LaunchCause | None = None) -> EngineRefused:
        """The error for what the engine said, with what it means where that is known."""
        said = " ".join(line for line in said.split("\n") if line and not line.startswith("Run '"))[
            -_LONGEST_SAID:
        ].strip()
        meant, mend = meaning(said) or (cause or "passing", f"Try it by hand: {self.name} info, {self.name} run.")
        end = "" if said.endswith((".", "?", "!")) else "."
        message = f"{self.name.capitalize()} could not {about}: {said}{end} {mend}"
        return EngineRefused(message, cause=cause or meant, said=said)

    def image(self, name: str, dropped: Event | None = None) -> dict[str, Any]:
        """The configuration of an image (``Labels``, ``Env``, ...), which is pulled if it is not on this machine.

        Raises
        ------
        EngineRefused
            If there is no such image, or it cannot be pulled.
        """
        about = f"find the image {name}"
        look = ("image", "inspect", "--format", "{{json .Config}}", name)
        try:
            described = self.ask(*look, about=about)
        except EngineRefused as refused:
            if not re.search(r"no such image|image not known|failed to find image", refused.said, re.IGNORECASE):
                raise
            pull = f"pull the image {name}, which is not on this machine"
            self.ask("pull", "--quiet", name, about=pull, limit_s=_PULL_S, dropped=dropped)
            described = self.ask(*look, about=about)
        config: dict[str, Any] = json.loads(described)
        return config

    def containers(self, *filters: str, format_: str = "{{.ID}}") -> list[list[str]]:
        """A row for each container that all the filters let through, whether it runs or not."""
        chosen = [argument for one in filters for argument in ("--filter", one)]
        listed = self.ask("ps", "--all", "--no-trunc", *chosen, "--format", format_, about="list containers")
        return [line.split("\t") for line in listed.splitlines() if line]

    def remove(self, containers: Sequence[str]) -> None:
        """End containers at once and remove them with all that is theirs."""
        self.ask("rm", "--force", "--volumes", *containers, about=f"remove {len(containers)} containers")

    def user_options(self, uid: int, gid: int) -> list[str]:
        """Options of ``run`` with which files that a container writes to a directory of this user are theirs."""
        user = ["--user", f"{uid}:{gid}"]
        if self.name == "podman":
            rootless = self.ask("info", "--format", "{{.Host.Security.Rootless}}", about="tell how it is set up")
            return ["--userns=keep-id", *user] if rootless.strip() == "true" else user
        security = self.ask("info", "--format", "{{json .SecurityOptions}}", about="tell how it is set up")
        if "name=rootless" in security:  # its root is this user
            return ["--user", "0:0"]
        return ["--userns=host", *user] if "name=userns" in security else user


def find_engine(name: str | None = None) -> Engine:
    """The engine of that name, or the first that is installed: Docker, then Podman.

    Raises
    ------
    SettingsError
        If it is not there.

    Examples
    --------
    >>> find_engine("dockre")
    Traceback (most recent call last):
    cloudburst.errors.SettingsError: engine='dockre' cannot be: it is "docker" or "podman".
    """
    if name is not None and name not in ENGINES:
        raise SettingsError(f'engine={name!r} cannot be: it is "docker" or "podman".')
    for one in ENGINES if name is None else (name,):
        if (program := shutil.which(one)) is not None:
            return Engine(one, program)
    if name is not None:
        raise SettingsError(f"engine={name!r} is not installed, or not on the PATH: install it, or leave engine= out.")
    raise SettingsError(
        "Neither Docker nor Podman is installed, or on the PATH: install one of them, or run without containers with "
        "cb.init_local()."
    )


def image_labels(image: str, engine: str | None = None) -> dict[str, str]:
    """The labels of an image: ``org.cloudburst.python`` and ``org.cloudburst.version`` say what a worker's holds.

    Parameters
    ----------
    image : str
        The image; it is pulled if it is not on this machine.
    engine : str, optional
        ``"docker"`` or ``"podman"``; the first that is installed by default.

    Raises
    ------
    SettingsError
        If there is no such engine.
    EngineRefused
        If there is no such image, or it cannot be pulled.
    """
    return dict(find_engine(engine).image(image).get("Labels") or {})


def size_options(shape: Size) -> list[str]:
    """A quota and not ``--cpus``, which refuses more CPUs than this machine has; and no swap, as on Fargate."""
    options = []
    if shape.cpu is not None:
        options += [f"--cpu-period={_CPU_PERIOD_US}", f"--cpu-quota={shape.cpu * _CPU_PERIOD_US // 1024}"]
    if shape.memory is not None:
        options += [f"--memory={shape.memory}m", f"--memory-swap={shape.memory}m"]
    return options


def mount_option(directory: Path) -> str:
    """A directory under the same path in the container; commas and quotes in it are quoted as the engine reads them."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(["type=bind", f"source={directory}", f"target={directory}"])
    return line.getvalue()


def _communicated(
    process: subprocess.Popen[str], limit_s: float, dropped: Event | None, given: str | None
) -> tuple[str, str | None]:
    end = monotonic() + limit_s
    while True:
        left = end - monotonic()
        try:
            return process.communicate(given, max(0.0, left if dropped is None else min(left, _GLANCE_S)))
        except subprocess.TimeoutExpired:
            given = None  # it is on its way
            if dropped is not None and dropped.is_set():
                raise TimeoutError("it was given up") from None
            if monotonic() >= end:
                raise TimeoutError(f"no answer in {limit_s:g} s") from None
