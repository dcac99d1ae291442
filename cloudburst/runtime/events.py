"""What happens in a run, and what is decided on it: the two vocabularies of the state machine.

*Events* go in, *commands* come out. Both are plain values without clock, thread or socket, so that a run can be
journaled, replayed and simulated. The driver and the backends make events; only ``state.py`` makes commands.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from cloudburst.resources import Size
from cloudburst.runtime.task import Artifact, TaskId

Cause = Literal["raised", "refused", "tampered", "lost", "memory", "timeout", "reclaimed", "host", "launch"]
"""Why an attempt failed: the user's code raised; its value could not be stored; something that it read is not what was
written; the worker went away; memory ran out; it took too long; spare capacity was taken back; the machine under it
failed; or no worker would start."""

LaunchCause = Literal["passing", "quota", "capacity", "setup", "never"]
"""Why workers do not come: something that passes; this account's quota is used up; there is no capacity now; a setting
is wrong, and will be at every launch; or the size can never be had."""


class Failure(NamedTuple):
    """Why an attempt gave no result, as data: the exception itself stays pickled until the user sees it."""

    cause: Cause
    message: str
    """``TypeName: text`` of the exception, or a sentence."""
    step: int | None = None
    """The step at which it happened, where known."""
    exception: bytes | None = None
    """The pickled exception, where it survives a pickle round trip."""
    traceback: str = ""
    """The remote traceback as text, the user's frames only."""
    peak_mib: float | None = None


# ---------------------------------------------------------------- events


class Hello(NamedTuple):
    """A worker is up and can be given tasks."""

    worker: str
    shape: Size | None = None
    """The machine that it has to itself; ``None`` where workers share one."""


class Began(NamedTuple):
    """A worker has begun an attempt (sent where the backend can tell; progress and time-outs live on it)."""

    worker: str
    task: TaskId
    attempt: int


class Ended(NamedTuple):
    """An attempt has ended with a record: a result or the user's error."""

    worker: str
    task: TaskId
    attempt: int
    artifacts: tuple[Artifact, ...]
    """One an output when it succeeded. On failure those outputs that were stored before it, in order; else empty."""
    failure: Failure | None
    seconds: float
    peak_mib: float
    log: tuple[str, int, int] | None = None
    """Where its output lies: (log name, first byte, end byte)."""


class Gone(NamedTuple):
    """A worker is no more. What it was performing, if anything, got no record."""

    worker: str
    cause: Literal["lost", "memory", "timeout", "reclaimed", "host", "stopped"]
    detail: str
    """For people: ``killed by SIGKILL``, ``exit code 3``."""
    task: TaskId | None
    """The attempt that it was at; what was queued behind it did not begin."""
    log: tuple[str, int, int] | None = None


class LaunchFailed(NamedTuple):
    """Workers that were asked for will not come."""

    token: str
    count: int  # type: ignore[assignment]  # nobody counts what stands in an event
    detail: str
    cause: LaunchCause = "passing"


class Due(NamedTuple):
    """A delay that ``Delay`` asked for is over: that of a task, of launches of a shape, or, without both, the grace."""

    task: TaskId | None
    shape: Size | None = None


class Cancelled(NamedTuple):
    """The user wants the run to end."""

    reason: str


Event = Hello | Began | Ended | Gone | LaunchFailed | Due | Cancelled


# ---------------------------------------------------------------- commands


class Launch(NamedTuple):
    """Start ``count`` workers of a shape."""

    shape: Size
    count: int  # type: ignore[assignment]  # nobody counts what stands in a command
    token: str
    """No other launch of the run has it, and it is the same when a driver that took the run up launches again."""


class Assign(NamedTuple):
    """Give a worker attempts to perform one after another, behind what it has."""

    worker: str
    tasks: tuple[tuple[TaskId, int], ...]
    """Pairs (task, attempt)."""


class Stop(NamedTuple):
    """End these workers now, whatever they are at."""

    workers: tuple[str, ...]


class Delay(NamedTuple):
    """Send ``Due(task, shape)`` after so many seconds."""

    task: TaskId | None
    seconds: float
    shape: Size | None = None
    """Machines of this shape are asked for again then, if there is still need."""


class Drop(NamedTuple):
    """These artifacts are needed no more."""

    artifacts: tuple[Artifact, ...]


class Finish(NamedTuple):
    """The run is over: nothing more will be decided."""

    status: Literal["done", "failed", "cancelled"]


Command = Launch | Assign | Stop | Delay | Drop | Finish
