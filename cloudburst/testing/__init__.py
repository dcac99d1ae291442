"""For tests of one's own pipelines: ``FakeAWS``, and faults by name. Needs ``pip install cloudburst[testing]``.

>>> from cloudburst.testing import FakeAWS, Faults, SPOT_LOSS
>>> aws = FakeAWS(faults=Faults(stages={"fit": [SPOT_LOSS]}))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudburst.testing.fake import FakeAWS as FakeAWS
    from cloudburst.testing.tasks import Task as Task

from cloudburst.testing.faults import (
    ABOVE_LIMIT,
    AGED_OUT,
    CAPACITY,
    DENIED,
    ENI_TIMEOUT,
    EXEC_FORMAT,
    EXPIRED,
    HOST_FAULT,
    KILLED,
    LOST_ANSWER,
    MEMORY_FLAG_STICKS,
    MISSING,
    NEVER_STARTS,
    NO_LOG_GROUP,
    OUT_OF_MEMORY,
    PULL_DENIED,
    PULL_NOT_FOUND,
    PULL_TIMEOUT,
    QUOTA,
    RESOURCE_INITIALIZATION,
    SEGFAULT,
    SERVER_ERROR,
    SKEWED,
    SLOW,
    SLOW_DOWN,
    SLOW_START,
    SPOT_KILLED,
    SPOT_LOSS,
    START_ERROR,
    STORAGE_TIMEOUT,
    TERMINATION_NOTICE,
    THROTTLED,
    Fault,
)  # fmt: skip
from cloudburst.testing.script import Faults

_LATER = {"FakeAWS": "cloudburst.testing.fake", "Task": "cloudburst.testing.tasks"}


def __getattr__(name: str) -> Any:
    """Load what needs moto when it is asked for, so that pytest's plugin costs nothing."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    from cloudburst.errors import UsageError

    try:
        return getattr(importlib.import_module(_LATER[name]), name)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"cloudburst.testing.{name} needs {error.name}, which is not installed: pip install 'cloudburst[testing]'."
        ) from error


__all__ = [
    "ABOVE_LIMIT", "AGED_OUT", "CAPACITY", "DENIED", "ENI_TIMEOUT", "EXEC_FORMAT", "EXPIRED", "HOST_FAULT", "KILLED",
    "LOST_ANSWER", "MEMORY_FLAG_STICKS", "MISSING", "NEVER_STARTS", "NO_LOG_GROUP", "OUT_OF_MEMORY", "PULL_DENIED",
    "PULL_NOT_FOUND", "PULL_TIMEOUT", "QUOTA", "RESOURCE_INITIALIZATION", "SEGFAULT", "SERVER_ERROR", "SKEWED", "SLOW",
    "SLOW_DOWN", "SLOW_START", "SPOT_KILLED", "SPOT_LOSS", "START_ERROR", "STORAGE_TIMEOUT", "TERMINATION_NOTICE",
    "THROTTLED", "FakeAWS", "Fault", "Faults", "Task",
]  # fmt: skip
