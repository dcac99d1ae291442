"""cloudburst: keep writing pandas, and have the functions that outgrew the laptop run on machines of the right size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudburst.deferred import Deferred
from cloudburst.errors import (
    AccessDenied,
    ArgumentError,
    Cancelled,
    CaptureError,
    CloudburstError,
    CodecError,
    ComputeError,
    DeferredError,
    ImageError,
    InternalError,
    LaunchError,
    NotFound,
    OutOfMemory,
    ResourceError,
    SettingsError,
    StageError,
    StoreError,
    Tampered,
    TaskError,
    TaskTimeout,
    UsageError,
    WorkerLost,
)
from cloudburst.nests import compute
from cloudburst.providers import init_local, using
from cloudburst.stages import Stage, defer, stage

if TYPE_CHECKING:
    from cloudburst import pandas
    from cloudburst.runs import Run

__version__ = "0.1.0"

__all__ = [
    "AccessDenied",
    "ArgumentError",
    "Cancelled",
    "CaptureError",
    "CloudburstError",
    "CodecError",
    "ComputeError",
    "Deferred",
    "DeferredError",
    "ImageError",
    "InternalError",
    "LaunchError",
    "NotFound",
    "OutOfMemory",
    "ResourceError",
    "Run",
    "SettingsError",
    "Stage",
    "StageError",
    "StoreError",
    "Tampered",
    "TaskError",
    "TaskTimeout",
    "UsageError",
    "WorkerLost",
    "__version__",
    "compute",
    "defer",
    "init_local",
    "pandas",
    "stage",
    "using",
]


def __getattr__(name: str) -> Any:
    """Load late what is not needed to build a graph."""
    if name == "pandas":
        import importlib

        return importlib.import_module("cloudburst.pandas")
    if name == "Run":
        from cloudburst.runs import Run

        return Run
    raise AttributeError(f"module 'cloudburst' has no attribute {name!r}")
