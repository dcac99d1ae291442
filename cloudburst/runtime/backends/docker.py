"""Machines that are containers on this machine: what Fargate will do, on the laptop.

Each container has the CPU and the memory of its shape, runs the image's own command, and knows its pool and its name
from two variables. The store is a directory that it sees under the same path. Commands to the engine are given by
threads: nothing but ``tail`` and ``close`` waits for one. One thread looks which containers have ended; these are
removed when their exit and the end of their log were read.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cloudburst.errors import LaunchError
from cloudburst.resources import Size
from cloudburst.runtime.backends.complaints import Ending, ending
from cloudburst.runtime.backends.engine import EngineRefused, find_engine, image_labels, mount_option, size_options
from cloudburst.runtime.events import LaunchCause, LaunchFailed
from cloudburst.runtime.identity import POOL, WORKER
from cloudburst.runtime.interrupts import uninterrupted
from cloudburst.runtime.protocols import Fell, Sight, Started

__all__ = ["DockerFleet", "image_labels"]

POOL_LABEL = "cloudburst.pool"
DRIVER_LABEL = "cloudburst.driver"
"""Host and process of the driver, by which the next one knows what a killed one left."""

_AT_ONCE = 4
"""Containers are started so many at a time: more only wait for one another in the engine."""

_SILENT_LOOKS = 10
_SETTLE_S = 90.0
_REMOVALS = 3
_TAIL_LINES = 200
_TAIL_CHARACTERS = 16_000
_OVER = ("exited", "Exited", "dead", "stopped")
"""How states begin, in Docker's words and in Podman's (``Exited (0) 2 seconds ago``)."""


@dataclass(slots=True)
class _Machine:
    shape: Size
    is_stopped: bool = False
    """The fleet was told to stop it."""


class DockerFleet:
    """Containers of one pool.

    Parameters
    ----------
    image : str
        The image of a worker; it is pulled if it is not on this machine.
    pool : str
        The pool, which every container is labelled with.
    variable : str
        The value of ``CLOUDBURST_POOL``, which holds the pool's key; it is shown to nobody.
    directory : path
        What the store lies in; containers see it under the same path, as this user.
    engine : str, optional
        ``"docker"`` or ``"podman"``; the first that is installed by default.
    grace_s : float
        How long a container has from SIGTERM to its end when it is stopped.
    look_s : float
        How often to look which containers have ended.

    Raises
    ------
    SettingsError
        If there is no such engine.

    Examples
    --------
    ::

        fleet = DockerFleet("my-worker", pool.id, pool.variable, store.root)
        fleet.launch(Size(1024, 2048), 2, "a")
        fleet.look()      # [Started(token='a', worker='6f0c…'), …], then Fell when one has ended
        fleet.close()
    """

    def __init__(
        self,
        image: str,
        pool: str,
        variable: str,
        directory: str | os.PathLike[str],
        *,
        engine: str | None = None,
        grace_s: float = 100.0,
        look_s: float = 1.0,
    ) -> None:
        self.image, self.engine = image, find_engine(engine)
        self._label = f"label={POOL_LABEL}={pool}"
        self._labels = ["--label", f"{POOL_LABEL}={pool}", "--label", f"{DRIVER_LABEL}={_driver()}"]
        self._variable = variable
        self._mount = mount_option(Path(directory).absolute())
        self._grace_s, self._look_s = grace_s, look_s
        self._machines: dict[str, _Machine] = {}
        self._sights: list[Sight] = []
        self._tails: dict[str, str] = {}
        self._options: list[str] | None = None
        """What all containers are started with; ``None`` until the image and the engine were looked at."""
        self._lock = threading.Lock()
        self._preparing = threading.Lock()
        self._turns = threading.Semaphore(_AT_ONCE)
        self._settled = threading.Condition(self._lock)
        self._starting = 0
        self._has_launched = False
        self._closing = threading.Event()
        self._watcher: threading.Thread | None = None

    # ------------------------------------------------------------ the seam

    def launch(self, shape: Size, count: int, token: str) -> None:
        """Start containers of a shape, each by a thread of its own."""
        with self._lock:
            self._starting += count
            self._has_launched = True
            if self._watcher is None:
                self._watcher = _started(self._watch)
        for _ in range(count):
            _started(self._start, shape, token)

    def look(self) -> list[Sight]:
        """What has happened since the last look."""
        with self._lock:
            sights, self._sights = self._sights, []
        return sights

    def stop(self, workers: Sequence[str]) -> None:
        """Send SIGTERM, and SIGKILL when the grace is over. Each is ``Fell`` through ``look``."""
        with self._lock:
            ours = [name for name in workers if name in self._machines]
            for name in ours:
                self._machines[name].is_stopped = True
        if ours:
            _started(self._stop, ours)

    def tail(self, worker: str) -> str:
        """The last that a container printed, also when it is no more."""
        with self._lock:
            if (kept := self._tails.get(worker)) is not None or worker not in self._machines:
                return kept or ""
        try:
            return self._read_tail(worker)
        except EngineRefused as refused:
            return str(refused)

    def close(self) -> None:
        """Remove every container of the pool, also those that are being started; Ctrl-C does not keep it from that.

        Raises
        ------
        LaunchError
            If some could not be removed; it says how to do that by hand.
        """
        self._closing.set()
        if not self._has_launched:
            return
        with uninterrupted():
            with self._settled:
                self._settled.wait_for(lambda: not self._starting, _SETTLE_S)
            if self._watcher is not None:
                self._watcher.join(_SETTLE_S)
            self._remove_all()

    # ------------------------------------------------------------ starting

    def _start(self, shape: Size, token: str) -> None:
        name = secrets.token_hex(8)
        sight: Sight | None = None
        try:
            with self._turns:
                options = None if self._closing.is_set() else self._prepared()
                if options is not None and not self._closing.is_set():
                    self._run(name, options, shape)
                    sight = Started(token, name)
        except EngineRefused as refused:
            sight = LaunchFailed(token, 1, str(refused), refused.cause)
        finally:
            with self._settled:
                self._starting -= 1
                self._settled.notify_all()
                if sight is not None:
                    self._sights.append(sight)
                if isinstance(sight, Started):
                    self._machines[name] = _Machine(shape)

    def _prepared(self) -> list[str]:
        with self._preparing:
            if self._options is None:
                config = self.engine.image(self.image, dropped=self._closing)
                options = [*self._labels, "--mount", self._mount, "--env", POOL]
                options += self.engine.user_options(os.getuid(), os.getgid())
                # Whoever it runs as needs a home to write to; the worker's own image has one.
                if not any(one.startswith("HOME=/") for one in config.get("Env") or ()):
                    options += ["--env", "HOME=/tmp"]
                self._sweep()
                self._options = options
            return self._options

    def _run(self, name: str, options: list[str], shape: Size) -> None:
        fixed = ["--detach", "--init", "--pull=never", "--security-opt", "label=disable", "--name", _container(name)]
        try:
            self.engine.ask(
                *("run", *fixed, "--env", f"{WORKER}={name}", *size_options(shape), *options, self.image),
                about=f"start a container of {self.image} with {shape}",
                environment={**os.environ, POOL: self._variable},  # in the arguments everybody would see the key
            )
        except EngineRefused:
            with suppress(EngineRefused):  # what is left of it, if anything: close() removes by the label too
                self.engine.remove([_container(name)])
            raise

    def _sweep(self) -> None:
        """Remove the ended containers of drivers on this host that are no more."""
        listed = self.engine.containers(f"label={DRIVER_LABEL}", format_="{{.ID}}\t{{.State}}")
        if not (ended := [container for container, state in listed if state.startswith(_OVER)]):
            return
        driver = f'{{{{.Id}}}}\t{{{{index .Config.Labels "{DRIVER_LABEL}"}}}}'
        host = _driver().rpartition(":")[0]
        with suppress(EngineRefused):  # another driver sweeps them at this moment
            told = self.engine.ask(
                "inspect", "--type=container", f"--format={driver}", *ended, about="look who left it"
            )
            left = [container for container, whose in map(str.split, told.splitlines()) if _is_no_more(whose, host)]
            if left:
                self.engine.remove(left)

    # ------------------------------------------------------------ watching

    def _watch(self) -> None:
        silent = 0
        while not self._closing.wait(self._look_s):
            with self._lock:
                up = list(self._machines)
            if not up:
                continue
            try:
                states = dict(self.engine.containers(self._label, format_="{{.Names}}\t{{.State}}"))
                for name in up:
                    state = states.get(_container(name), "removed")
                    if state == "removed":
                        self._fell(name, "lost", "its container was removed by somebody else")
                    elif state.startswith(_OVER):
                        self._bury(name)
                silent = 0
            except EngineRefused as refused:
                silent += 1
                if silent >= _SILENT_LOOKS:
                    silent = 0
                    for name in up:
                        self._fell(name, "host", str(refused))

    def _bury(self, name: str) -> None:
        """Read how a container ended and the end of its log, and remove it."""
        about, container = "read how a container ended", _container(name)
        try:
            state = self.engine.ask("inspect", "--type=container", "--format={{json .State}}", container, about=about)
            tail = self._read_tail(name)
        except EngineRefused as refused:
            self._fell(name, *Ending("lost", str(refused)))
            return
        with suppress(EngineRefused):  # close() removes by the label too
            self.engine.remove([container])
        with self._lock:
            self._tails[name] = tail
        self._fell(name, *ending(json.loads(state), self._machines[name].shape, tail))

    def _fell(
        self, name: str, cause: Literal["lost", "memory", "host"], detail: str, launch: LaunchCause | None = None
    ) -> None:
        with self._lock:
            is_stopped = self._machines.pop(name).is_stopped
            self._sights.append(
                Fell(name, "stopped", "it was stopped") if is_stopped else Fell(name, cause, detail, launch)
            )

    def _read_tail(self, name: str) -> str:
        printed = self.engine.ask(
            *("logs", "--tail", str(_TAIL_LINES), _container(name)), about="read a container's log", with_errors=True
        )
        return printed[-_TAIL_CHARACTERS:]

    # ------------------------------------------------------------ ending

    def _stop(self, names: list[str]) -> None:
        containers = [_container(name) for name in names]
        try:
            self.engine.ask(
                *("stop", "-t", str(math.ceil(self._grace_s)), *containers),
                about=f"stop {len(names)} containers",
                limit_s=self._grace_s + _SETTLE_S,
            )
        except EngineRefused:  # it hangs, or some of them have ended by themselves
            with suppress(EngineRefused):  # the watcher tells if the engine is no more
                self.engine.remove(containers)

    def _remove_all(self) -> None:
        refused = None
        for _ in range(_REMOVALS):
            try:
                if not (left := [row[0] for row in self.engine.containers(self._label)]):
                    return
                self.engine.remove(left)
            except EngineRefused as error:  # one that ends at this moment is in the way of its own removal
                refused = error
        raise LaunchError(
            f"Containers of this pool may still be there. {refused or 'They do not go.'} When it answers, remove them: "
            f"{self.engine.name} rm --force $({self.engine.name} ps --all --quiet --filter {self._label})"
        ) from refused


def _started(target: Any, *arguments: Any) -> threading.Thread:
    """A thread that does not keep the program from ending: what it has not done, ``close`` does."""
    thread = threading.Thread(target=target, args=arguments, name="cloudburst containers", daemon=True)
    thread.start()
    return thread


def _container(worker: str) -> str:
    return f"cloudburst-{worker}"


def _driver() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _is_no_more(driver: str, host: str) -> bool:
    on, _, pid = driver.rpartition(":")
    if on != host:
        return False
    try:
        with suppress(PermissionError):  # somebody else's
            os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    return False
