"""Everything that cloudburst raises, split by whose fault it is.

::

    CloudburstError
    ├─ UsageError         the caller's mistake, raised on their line
    │   ├─ ResourceError    a size, time-out or retry count that cannot be
    │   ├─ CaptureError     a function or value that cannot travel
    │   ├─ SettingsError    a setting of a provider
    │   ├─ DeferredError    a Deferred used as if it were its value
    │   └─ ArgumentError    a stage called with arguments that it does not take (a TypeError too)
    ├─ TaskError          one task: its stage, attempt and log tail
    │   ├─ StageError       the user's code raised: the cause of the user's own exception
    │   ├─ OutOfMemory      peak against limit, and the next valid size
    │   ├─ WorkerLost       no answer: killed, reclaimed, host fault
    │   └─ TaskTimeout      longer than ``timeout=``
    ├─ ComputeError       every error of a run (an ExceptionGroup, under ``keep_going=True``)
    ├─ Cancelled          the run was cancelled before it had a result
    ├─ LaunchError        workers would not start: cause, evidence, mend
    ├─ StoreError         NotFound, AccessDenied, Tampered
    ├─ CodecError         a value that would not come back equal
    ├─ ImageError         the container image
    ├─ SetupError         what pipelines need in an AWS account cannot be made or removed
    └─ InternalError      our bug

Every message says what happened, to which stage, and what to do. Every error survives pickling, with its attributes,
notes and cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self


def _rebuild(cls: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state.pop("__dict__"))
    error.__cause__ = state.pop("cause")
    error.__suppress_context__ = state.pop("quiet")
    return error


class CloudburstError(Exception):
    """Base of all errors of cloudburst."""

    def __reduce__(self) -> tuple[Any, ...]:
        state = {"__dict__": dict(self.__dict__), "cause": self.__cause__, "quiet": self.__suppress_context__}
        return _rebuild, (type(self), self.args, state)


class UsageError(CloudburstError):
    """The caller's mistake, raised on their line."""


class ResourceError(UsageError):
    """A size, time-out or number of retries that cannot be."""


class CaptureError(UsageError):
    """A function or a value that cannot travel to a worker."""


class SettingsError(UsageError):
    """A setting of a provider that is wrong."""


class DeferredError(UsageError):
    """A Deferred used as if it were the value it stands for."""


class ArgumentError(UsageError, TypeError):
    """A stage called with arguments that its signature does not take."""


class TaskError(CloudburstError):
    """A task that gave no result.

    Attributes
    ----------
    stage : str
        Name of the stage.
    task : str
        Name of the task, with the item where it is one of a fan.
    attempt : int
        Which attempt this was, from 1.
    log_tail : str
        The last lines that the attempt printed.
    """

    def __init__(self, message: str, *, stage: str = "", task: str = "", attempt: int = 1, log_tail: str = "") -> None:
        super().__init__(message)
        self.stage = stage
        self.task = task
        self.attempt = attempt
        self.log_tail = log_tail


class StageError(TaskError):
    """The user's code raised; this is the cause of their own exception.

    Attributes
    ----------
    remote_traceback : str
        The traceback in the worker, as text.
    """

    def __init__(self, message: str, *, remote_traceback: str = "", **place: Any) -> None:
        super().__init__(message, **place)
        self.remote_traceback = remote_traceback


class OutOfMemory(TaskError):
    """The task needed more memory than it had.

    Attributes
    ----------
    peak_mib, limit_mib : float or None
        What was seen and what was allowed, in MiB.
    """

    def __init__(
        self, message: str, *, peak_mib: float | None = None, limit_mib: float | None = None, **place: Any
    ) -> None:
        super().__init__(message, **place)
        self.peak_mib = peak_mib
        self.limit_mib = limit_mib


class WorkerLost(TaskError):
    """The worker went away without a word: killed, crashed or reclaimed."""


class TaskTimeout(TaskError):
    """The task took longer than its ``timeout=``."""


class ComputeError(CloudburstError, ExceptionGroup[Exception]):
    """Every error of a run that was told to keep going.

    Attributes
    ----------
    skipped : tuple of str
        Names of the tasks that did not run because something before them failed.
    """

    skipped: tuple[str, ...] = ()

    def __new__(cls, message: str, errors: Sequence[Exception], /) -> Self:
        return super().__new__(cls, message, errors)

    def derive(self, excs: Sequence[Exception], /) -> ComputeError:  # type: ignore[override]
        return ComputeError(self.message, excs)


class Cancelled(CloudburstError):
    """The run was cancelled before it had a result."""


class LaunchError(CloudburstError):
    """Workers that would not start."""


class StoreError(CloudburstError):
    """The store could not be read or written."""


class NotFound(StoreError):
    """There is no such object in the store."""


class AccessDenied(StoreError):
    """The store refuses these credentials or permissions."""


class Tampered(StoreError):
    """An object is not what was written: its digest or signature does not hold."""


class CodecError(CloudburstError):
    """A value that would not come back equal, or bytes that do not hold one."""


class ImageError(CloudburstError):
    """The container image is missing, wrong or cannot be built."""


class SetupError(CloudburstError):
    """What pipelines need in an AWS account could not be made or removed."""


class InternalError(CloudburstError):
    """A bug of cloudburst: please report it with the message."""
