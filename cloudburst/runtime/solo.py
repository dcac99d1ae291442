"""One performer at a time: what a worker on a machine of its own runs the user's code in.

The performer is supervised as on the user's own machine, by pipes. It gets one task after another. It is started anew
when it has ended in the middle of a task, when a task needs another environment, when what it has printed fills the
disk, and when memory ran out in one that had performed others before: what those left behind may be to blame, so the
task is tried once more from a clean start.
"""

from __future__ import annotations

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
from cloudburst.runtime.onward import Onward, printed
from cloudburst.runtime.protocols import Assignment
from cloudburst.runtime.task import Function

_SAMPLE_S = 0.25
_SAMPLE_SHARE = 20
"""To look at the memory of many processes takes its time: of all time no more than a part in so many."""
_MOST_PRINTED = 256 << 20
"""Bytes of its log from which a performer makes way for another, and the log goes."""


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
        self._sample_at = 0.0
        self._peak_mib = 0.0
        self._onward = Onward()
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
        """Forget the run before: its functions, and what of it is still being performed."""
        self._functions.clear()
        self._next = None
        if self._at is not None:
            self._at = None
            self._end_performer()
        for event in self._backend.poll(0.0):
            self._see(event)
        self._backend.equip(self._functions)
        self._find_performer()

    def learn(self, payloads: Mapping[str, bytes]) -> None:
        """Take functions in that later tasks name."""
        self._functions.update({name: Function(payload, None) for name, payload in payloads.items()})

    def give(self, assignment: Assignment) -> None:
        """Have a task performed. It must be free."""
        if not self.is_free:
            raise InternalError("A performer was given a task while it was at another.")
        self._next, self._is_second_try = assignment, False
        if self._performed and (assignment.environment != self._environment or self._has_printed_much):
            self._end_performer()
        self._begin()

    def poll(self, timeout_s: float) -> list[Performed]:
        """Wait until a task has ended, at most so long."""
        events = self._backend.poll(min(timeout_s, _SAMPLE_S) if self._at else timeout_s)
        performed = [one for event in events if (one := self._see(event)) is not None]
        self._sample()
        self._onward.go()
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

    def _find_performer(self) -> None:
        """A backend that begins a run forgets what it had not told: see which performer there is."""
        if self._performer is not None and self._backend.pid(self._performer) is None:
            self._performer = None
        if self._performer is None:
            up = self._backend.workers()
            if up:
                self._came(up[0])
            elif not self._backend.has_workers:
                self._launch()

    def _came(self, performer: str) -> None:
        self._performer, self._performed = performer, 0
        self._onward.follow(layout.log_path(self._directory, performer))
        self._begin()

    @property
    def _has_printed_much(self) -> bool:
        return self._performer is not None and logs.size(self._log(self._performer)) > _MOST_PRINTED

    def _log(self, performer: str) -> Path:
        return layout.log_path(self._directory, performer)

    def _end_performer(self) -> None:
        if self._performer is not None:
            self._backend.stop([self._performer])
            self._performer = None

    def _begin(self) -> None:
        if self._next is None or self._performer is None:
            return
        self._at, self._next = self._next, None
        self._environment = self._at.environment
        self._began, self._peak_mib = monotonic(), 0.0
        self._onward.next_task()
        self._backend.assign(self._performer, [self._at])

    def _see(self, event: Event) -> Performed | None:
        if isinstance(event, Hello):
            self._came(event.worker)
        elif isinstance(event, LaunchFailed):
            raise InternalError(f"The performer of this worker did not start: {event.detail}")
        elif isinstance(event, Ended):
            self._performed += 1
            return self._over(event)
        elif isinstance(event, Gone):
            return self._gone(event)
        return None

    def _gone(self, event: Gone) -> Performed | None:
        performed = self._lost(event)
        self._performer = None
        self._log(event.worker).unlink(missing_ok=True)
        self._launch()
        return performed

    def _lost(self, event: Gone) -> Performed | None:
        """What becomes of the task that a performer was at when it ended."""
        at = self._at
        if at is None or event.task is None:
            return None
        if event.cause == "memory" and self._performed and not self._is_second_try:
            self._onward.go()
            self._at, self._next, self._is_second_try = None, at, True
            return None
        cause = "lost" if event.cause == "stopped" else event.cause
        failure = Failure(cause, event.detail, peak_mib=self._peak_mib or None)
        return self._over(
            Ended(event.worker, at.id, at.attempt, (), failure, monotonic() - self._began, self._peak_mib, event.log)
        )

    def _over(self, ended: Ended) -> Performed:
        self._onward.go()
        assert self._at is not None
        at, output = self._at, ""
        if ended.log is not None:
            name, start, end = ended.log
            output = printed(self._log(name), start, end)
        self._at = None
        return Performed(at, ended._replace(peak_mib=max(ended.peak_mib, self._peak_mib)), output)

    def _sample(self) -> None:
        """What the performer has started counts too, and only a look now and then tells of it."""
        began = monotonic()
        if self._at is not None and self._performer is not None and began >= self._sample_at:
            if (pid := self._backend.pid(self._performer)) is not None:
                self._peak_mib = max(self._peak_mib, tree_mib(pid))
            self._sample_at = began + max(_SAMPLE_S, _SAMPLE_SHARE * (monotonic() - began))
