"""cloudburst: keep writing pandas, and have the functions that outgrew the laptop run on machines of the right size."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudburst import image, pandas
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
        SetupError,
        StageError,
        StoreError,
        Tampered,
        TaskError,
        TaskTimeout,
        UsageError,
        WorkerLost,
    )
    from cloudburst.nests import compute
    from cloudburst.providers import init_aws, init_docker, init_local, using
    from cloudburst.runs import Run
    from cloudburst.session import resume
    from cloudburst.stages import Stage, defer, stage

__version__ = "0.1.0"
"""The version, as text."""

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
    "SetupError",
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
    "image",
    "init_aws",
    "init_docker",
    "init_local",
    "pandas",
    "resume",
    "stage",
    "using",
]

_ROOMS = {
    "Deferred": "deferred",
    "Run": "runs",
    "Stage": "stages",
    "compute": "nests",
    "defer": "stages",
    "init_aws": "providers",
    "init_docker": "providers",
    "init_local": "providers",
    "resume": "session",
    "stage": "stages",
    "using": "providers",
}
"""Where the public names live that are not errors. They are loaded when first used, because a worker, which is started
anew again and again, needs none of them."""


def __getattr__(name: str) -> Any:
    if name in ("image", "pandas"):
        return import_module(f"cloudburst.{name}")
    if name not in __all__:
        raise AttributeError(f"module 'cloudburst' has no attribute {name!r}")
    value = getattr(import_module(f"cloudburst.{_ROOMS.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
