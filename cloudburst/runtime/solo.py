"""One performer at a time: what a worker on a machine of its own runs the user's code in.

The performer is supervised as on the user's own machine, by pipes. It gets one task after another. It is started anew
when it has ended in the middle of a task, when a task needs another environment, and when memory ran out in one that
had performed others before: what those left behind may be to blame, so the task is tried once more from a clean start.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from cloudburst.errors import InternalError
from cloudburst.resources import Size
from cloudburst.runtime import layout, logs
from cloudburst.runtime.backends.local import LocalBackend
from cloudburst.runtime.events import Ended, Event, Failure, Gone, Hello, LaunchFailed
from cloudburst.runtime.kinship import tree_mib
from cloudburst.runtime.protocols import Assignment
from cloudburst.runtime.task import Function

_SAMPLE_S = 0.25
_ONWARD = 10 << 20
_STDOUT = 1


class Performed(NamedTuple):
    """An attempt that has ended, and what it printed."""

    assignment: Assignment
    ended: Ended
    output: str


class Solo:
    """The performer of this machine.

    Parameters
    ----------
    store_url : str
        The store that it opens.
    directory : Path
        Where its log goes.
    """

    def __init__(self, store_url: str, directory: Path) -> None:
        self._backend = LocalBackend(store_url, directory)
        self._directory = directory
        self._functions: dict[str, Function] = {}
        self._performer: str | None = None
        """The one that is up."""
        self._at: Assignment | None = None
        self._next: Assignment | None = None
        """What waits for the performer to come up."""
        self._performed = 0
        """By the performer that is up."""
        self._is_second_try = False
        self._environment: tuple[tuple[str, str], ...] = ()
        self._began = 0.0
        self._sampled_at = 0.0
        self._peak_mib = 0.0
        self._told = 0
        """How much of its log went onward."""
        self._told_of_task = 0
        self._backend.equip(self._functions)
        self._launch()

    @property
    def is_free(self) -> bool:
        """Whether it has nothing to perform."""
        return self._at is None and self._next is None

    @property
    def at(self) -> Assignment | None:
        """What it is at, or is to be at next."""
        return self._at or self._next

    def begin_run(self) -> None:
        """Forget the functions of the run before."""
        self._functions.clear()
        self._backend.equip(self._functions)

    def learn(self, payloads: Mapping[str, bytes]) -> None:
        """Take functions in that later tasks name."""
        self._functions.update({name: Function(payload, None) for name, payload in payloads.items()})

    def give(self, assignment: Assignment) -> None:
        """Have a task performed. It must be free."""
        if not self.is_free:
            raise InternalError("A performer was given a task while it was at another.")
        self._next, self._is_second_try = assignment, False
        if self._performed and assignment.environment != self._environment:
            self._end_performer()
        self._begin()

    def poll(self, timeout_s: float) -> list[Performed]:
        """Wait until a task has ended, at most so long."""
        performed = []
        for event in self._backend.poll(min(timeout_s, _SAMPLE_S) if self._at else timeout_s):
            if (one := self._see(event)) is not None:
                performed.append(one)
        self._sample()
        self._tell()
        return performed

    def wake(self) -> None:
        """Have ``poll`` return; a signal handler may call it."""
        self._backend.wake()

    def close(self) -> None:
        """End the performer and all that it has started."""
        self._backend.close()

    # ------------------------------------------------------------ inside

    def _launch(self) -> None:
        self._backend.launch(Size(), 1, "performer")

    def _end_performer(self) -> None:
        if self._performer is not None:
            self._backend.stop([self._performer])
            self._performer = None

    def _begin(self) -> None:
        if self._next is None or self._performer is None:
            return
        self._at, self._next = self._next, None
        self._environment = self._at.environment
        self._began, self._peak_mib, self._told_of_task = monotonic(), 0.0, 0
        self._backend.assign(self._performer, [self._at])

    def _see(self, event: Event) -> Performed | None:
        if isinstance(event, Hello):
            self._performer, self._performed, self._told = event.worker, 0, 0
            self._begin()
        elif isinstance(event, LaunchFailed):
            raise InternalError(f"The performer of this worker did not start: {event.detail}")
        elif isinstance(event, Ended):
            self._performed += 1
            return self._over(event)
        elif isinstance(event, Gone):
            return self._gone(event)
        return None

    def _gone(self, event: Gone) -> Performed | None:
        self._performer = None
        self._launch()
        at = self._at
        if at is None or event.task is None:
            return None
        if event.cause == "memory" and self._performed and not self._is_second_try:
            self._at, self._next, self._is_second_try = None, at, True
            return None
        cause = "lost" if event.cause == "stopped" else event.cause
        failure = Failure(cause, event.detail, peak_mib=self._peak_mib or None)
        return self._over(
            Ended(event.worker, at.id, at.attempt, (), failure, monotonic() - self._began, self._peak_mib, event.log)
        )

    def _over(self, ended: Ended) -> Performed:
        self._tell()
        assert self._at is not None
        at, output = self._at, ""
        if ended.log is not None:
            name, start, end = ended.log
            output = logs.read(layout.log_path(self._directory, name), start, end)
        self._at = None
        return Performed(at, ended._replace(peak_mib=max(ended.peak_mib, self._peak_mib)), output)

    def _sample(self) -> None:
        """What the performer has started counts too, and only a look now and then tells of it."""
        now = monotonic()
        if self._at is not None and self._performer is not None and now >= self._sampled_at + _SAMPLE_S:
            self._sampled_at = now
            if (pid := self._backend.pid(self._performer)) is not None:
                self._peak_mib = max(self._peak_mib, tree_mib(pid))

    def _tell(self) -> None:
        """Pass on what the performer has printed since, to where this machine's own output goes."""
        if self._performer is None:
            return
        path = layout.log_path(self._directory, self._performer)
        size = logs.size(path)
        self._told = min(self._told, size)  # it may have been shortened
        if size == self._told:
            return
        text = logs.read(path, self._told, size).encode()
        self._told = size
        room = _ONWARD - self._told_of_task
        if room > 0:
            self._told_of_task += len(text)
            _write(text[:room])
            if len(text) > room:
                _write(f"\ncloudburst: this task has printed {_ONWARD >> 20} MB; the rest is not shown.\n".encode())


def _write(text: bytes) -> None:
    view = memoryview(text)
    while view:
        view = view[os.write(_STDOUT, view) :]
