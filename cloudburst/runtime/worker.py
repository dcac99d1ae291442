"""One performer as its supervisor sees it: a process, three pipes, a log, and the attempts that it was given.

Records come in the order of the attempts, each before the next attempt begins. So the first attempt without a record is
the one that the performer is at, nothing needs to be said of beginnings, and when the process is gone that attempt, and
no other, is lost.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Literal, NamedTuple

from cloudburst.runtime import layout, logs
from cloudburst.runtime.events import Ended, Gone
from cloudburst.runtime.frames import CHUNK, Inbox, Message, frame
from cloudburst.runtime.messages import ended_of, task_message
from cloudburst.runtime.protocols import Assignment
from cloudburst.runtime.task import Function, TaskId

_ROOT = str(Path(__file__).parents[2])
START_S = 120.0
"""How long a performer may take to say that it is ready."""

_REAP_S = 10.0
_NAMING_STEPS = frozenset({"call", "function"})


class _Attempt(NamedTuple):
    id: TaskId
    number: int
    timeout_s: float | None


class Worker:
    """A performer process, started at once.

    Parameters
    ----------
    name : str
        Its name, unlike any other in this directory.
    token : str
        That of the launch that asked for it.
    directory : Path
        Where its log goes.

    Raises
    ------
    OSError
        If the process cannot be started.
    """

    def __init__(self, name: str, token: str, directory: Path) -> None:
        self.name = name
        self.token = token
        self.log = layout.log_path(directory, name)
        self.is_ready = False
        self.fate: Literal["stopped", "timeout"] | None = None
        """Why we ended it, if we did."""
        self.attempts: deque[_Attempt] = deque()
        self.began = monotonic()
        """When the attempt that it is at began; before it is ready: when it was started."""
        self.is_announced = True
        """Whether ``Began`` has been told of the attempt that it is at, if it is at one."""
        self._known: set[str] = set()
        self._inbox = Inbox()
        self._outbox: deque[memoryview] = deque()
        self._log_end = 0
        self._start()

    def _start(self) -> None:
        requests, self.requests = os.pipe()
        self.records, records = os.pipe()
        lifeline, self._lifeline = os.pipe()
        theirs = (requests, records, lifeline)
        log = logs.create(self.log)
        try:
            os.set_blocking(self.requests, False)
            os.set_blocking(self.records, False)
            self.process = subprocess.Popen(
                # -P: no directory of the user's goes before the standard library while the program starts.
                [
                    sys.executable,
                    "-P",
                    *["-O"] * sys.flags.optimize,
                    "-m",
                    "cloudburst.runtime.performer",
                    *map(str, theirs),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(),
                pass_fds=theirs,
                start_new_session=True,
            )
        except BaseException:
            self.close_pipes()
            raise
        finally:
            for file in (*theirs, log):
                os.close(file)

    # ------------------------------------------------------------ down

    def begin_run(self, store: str) -> None:
        """Forget the functions of the run before, and be where this process is now: path, directory, environment."""
        try:
            directory = os.getcwd()
        except FileNotFoundError:
            directory = None
        self._known.clear()
        self._post(("run", list(map(str, sys.path)), directory, dict(os.environ), store))

    def assign(self, tasks: Sequence[Assignment], functions: Mapping[str, Function]) -> None:
        """Send attempts, and before them the functions that they name and that it does not have."""
        named = {step.what for task in tasks for step in task.steps if step.kind in _NAMING_STEPS}
        if missing := named - self._known:
            self._known |= missing
            self._post(("functions", {name: functions[name].payload for name in missing}))
        is_idle = not self.attempts
        self.attempts.extend([_Attempt(task.id, task.attempt, task.timeout_s) for task in tasks])
        if is_idle:
            self._begin()
        self._post(("tasks", [task_message(task) for task in tasks]))

    def _post(self, message: Message) -> None:
        self._outbox.append(memoryview(frame(message)))
        self.send()

    def send(self) -> None:
        """Write what there is room for in the pipe."""
        try:
            while self._outbox:
                sent = os.write(self.requests, self._outbox[0])
                if sent == len(self._outbox[0]):
                    self._outbox.popleft()
                else:
                    self._outbox[0] = self._outbox[0][sent:]
        except BlockingIOError:
            pass
        except BrokenPipeError:  # it is gone, which the other pipe tells
            self._outbox.clear()

    @property
    def has_unsent(self) -> bool:
        """Whether messages wait for room in the pipe."""
        return bool(self._outbox)

    # ------------------------------------------------------------ up

    def receive(self) -> tuple[list[Ended], bool]:
        """What has ended since, and whether the performer has ended too."""
        ended: list[Ended] = []
        while True:
            try:
                data = os.read(self.records, CHUNK)
            except BlockingIOError:
                return ended, False
            if not data:
                return ended, True
            for message in self._inbox.feed(data):
                if message[0] == "ready":
                    self.is_ready = True
                else:
                    ended.append(self._ended(message))
            if len(data) < CHUNK:
                return ended, False

    def _ended(self, message: Message) -> Ended:
        ended = ended_of(message, self.name, self._log_end)
        self._log_end = message[-1]
        self.attempts.popleft()
        self._begin()
        return ended

    def _begin(self) -> None:
        self.began = monotonic()
        self.is_announced = not self.attempts

    @property
    def deadline(self) -> float | None:
        """When what it is at, its start or an attempt, will have taken too long."""
        timeout_s = self.attempts[0].timeout_s if self.attempts else None if self.is_ready else START_S
        return None if timeout_s is None or self.fate is not None else self.began + timeout_s

    # ------------------------------------------------------------ end

    def kill(self, fate: Literal["stopped", "timeout"] | None = None) -> None:
        """End the process, and all that it has started, at once; the pipe's end tells when it is gone."""
        self.fate = self.fate or fate
        with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
            os.killpg(self.process.pid, signal.SIGKILL)

    def bury(self, memory_kills: int) -> Gone:
        """Reap the process once it has ended, and tell of what.

        Parameters
        ----------
        memory_kills : int
            How many kills for want of memory the kernel has counted since the last that was told.
        """
        # The exit status of a process stands before its pipes close, so this only reaches what it has left behind.
        self.kill()
        try:
            status = self.process.wait(_REAP_S)
        except subprocess.TimeoutExpired:  # stuck in the kernel; it dies when that lets go
            status = -signal.SIGKILL
        self.close_pipes()
        attempt = self.attempts[0] if self.attempts else None
        log = (self.name, self._log_end, logs.size(self.log))
        cause: Literal["lost", "memory", "timeout", "stopped"] = self.fate or "lost"
        detail = f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"
        if self.fate == "stopped":
            detail = "stopped"
        elif self.fate == "timeout" and attempt is not None:
            detail = f"took longer than {attempt.timeout_s:g} s"
        elif status == -signal.SIGKILL and memory_kills > 0:
            cause, detail = "memory", "killed by the system, which was out of memory"
        return Gone(self.name, cause, detail, None if attempt is None else attempt.id, log)

    def close_pipes(self) -> None:
        """Let go of the pipes."""
        for file in (self.requests, self.records, self._lifeline):
            with suppress(OSError):
                os.close(file)


def _environment() -> dict[str, str]:
    """Ours, with the directory that cloudburst was imported from; ``begin_run`` gives the performer ours as it is."""
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": _ROOT if not path else f"{_ROOT}{os.pathsep}{path}"}
