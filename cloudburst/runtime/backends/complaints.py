"""What an engine of containers means by its words and exit codes: is it worth another attempt, and what is the mend."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from cloudburst.resources import Size
from cloudburst.runtime.events import LaunchCause


class Meaning(NamedTuple):
    """What stands behind a complaint."""

    cause: LaunchCause
    mend: str


class Ending(NamedTuple):
    """How a container came to its end."""

    cause: Literal["lost", "memory"]
    detail: str
    launch: LaunchCause | None = None
    """If it never was a worker: why not."""


_NOT_ALLOWED = Meaning(
    "setup",
    "This user may not use the engine: add them to its group (sudo usermod -aG docker $USER, then log in anew), or "
    "install Podman, which needs no rights.",
)
_NOT_RUNNING = Meaning(
    "setup",
    "Start the engine (Docker Desktop, sudo systemctl start docker, or podman machine start), or correct DOCKER_HOST.",
)
_NO_NAME = Meaning("setup", 'Correct image=...: a name such as "my-worker:latest".')
_OTHER_CPU = Meaning("setup", "The image is for another CPU architecture: build it with --platform for this machine.")
_NO_WORKER = Meaning(
    "setup", "The image is not a worker's, or its ENTRYPOINT was changed: make it FROM a worker's (docker/README.md)."
)
_NO_DIRECTORY = Meaning(
    "setup",
    "The engine does not see the storage directory: share it under Settings, Resources, File sharing of Docker "
    "Desktop. An engine on another machine cannot be used.",
)
_DISK_FULL = Meaning("setup", "Free the engine's disk: its command `system prune` removes what is not used.")
_PASSING = Meaning("passing", "It is worth another attempt.")
_NO_IMAGE = Meaning(
    "setup",
    "Correct image=..., build the image (docker build -f docker/Dockerfile -t NAME .), or log in to its registry "
    "(docker login).",
)

_MEANINGS = (
    (r"permission denied while trying to connect|connect: permission denied", _NOT_ALLOWED),
    (r"cannot connect to|daemon running|error during connect|unable to connect|connection refused", _NOT_RUNNING),
    (r"invalid reference format|invalid image reference", _NO_NAME),
    (r"exec format error|not match the \w+ platform|no matching manifest|was found but does not match", _OTHER_CPU),
    (r"bind source path does not exist|mounts denied|statfs .*no such file|creating mount source", _NO_DIRECTORY),
    (r"executable file .*not found|unable to start container process|no command specified", _NO_WORKER),
    (r"no space left on device", _DISK_FULL),
    (r"i/o timeout|handshake timeout|connection reset|toomanyrequests|service unavailable|unexpected eof", _PASSING),
    (r"temporary failure|deadline exceeded", _PASSING),
    (r"no such image|access .*denied|manifest unknown|repository .*not exist|name unknown|no basic auth", _NO_IMAGE),
    (r"unauthorized|image not known|not found|no such host|short-name", _NO_IMAGE),
)
"""The first that fits: what is said of a cause often holds the words of a lesser one."""

_NEVER_A_WORKER = re.compile(
    r"No module named '?cloudburst|exec format error|exec \S+ failed|failed to exec|can't open file", re.IGNORECASE
)
_KILLED = 128 + signal.SIGKILL
_SIGNALS = {128 + number: number.name for number in signal.Signals}


def meaning(said: str) -> Meaning | None:
    """What is meant by words of an engine, where that is known.

    >>> meaning("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.").cause
    'setup'
    """
    for pattern, meant in _MEANINGS:
        if re.search(pattern, said, re.IGNORECASE):
            return meant
    return None


def ending(state: Mapping[str, Any], shape: Size, tail: str) -> Ending:
    """What became of a container that has ended.

    Parameters
    ----------
    state : mapping
        ``State`` of the engine's ``inspect``.
    shape : Size
        What it had.
    tail : str
        The last that it printed.

    Examples
    --------
    >>> ending({"ExitCode": 137, "OOMKilled": True}, Size(1024, 2048), "")
    Ending(cause='memory', detail='killed for using more than its 2048 MiB of memory', launch=None)
    >>> ending({"ExitCode": 139, "OOMKilled": False}, Size(1024, 2048), "").detail
    'its container ended: killed by SIGSEGV'
    """
    code = int(state["ExitCode"])
    if code == _KILLED and state["OOMKilled"]:
        return Ending("memory", f"killed for using more than its {shape.memory} MiB of memory")
    how = f"killed by {_SIGNALS[code]}" if code in _SIGNALS else f"exit code {code}"
    if error := state.get("Error"):
        how += f" ({error})"
    if code and (found := _NEVER_A_WORKER.search(tail)):
        said = next(line.strip() for line in tail.splitlines() if found[0] in line)
        meant = meaning(said) or _NO_WORKER
        return Ending("lost", f"its container ended: {how}. It said: {said.rstrip('.')}. {meant.mend}", meant.cause)
    return Ending("lost", f"its container ended: {how}")
