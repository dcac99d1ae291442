"""Who a worker is: told by the machine that it runs on."""

from __future__ import annotations

import ctypes
import json
import os
import sys
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from cloudburst.errors import InternalError

POOL = "CLOUDBURST_POOL"
"""The one variable that a machine is started with: where the pool is, and its key."""

WORKER = "CLOUDBURST_WORKER"
"""A worker's name where no metadata endpoint tells it."""

_METADATA = "ECS_CONTAINER_METADATA_URI_V4"
_METADATA_TIMEOUT_S = 10.0
_PR_SET_DUMPABLE = 4


class Identity(NamedTuple):
    """A worker, and the pool that it belongs to."""

    worker: str
    store_url: str
    pool: str
    """What the pool's keys begin with."""
    secret: bytes


def pool_variable(store_url: str, pool: str, secret: bytes) -> str:
    """The value of :data:`POOL`.

    >>> pool_variable("s3://bucket/x?region=us-east-1", "pools/u/p", bytes(2))
    's3://bucket/x?region=us-east-1#pools/u/p#0000'
    """
    return f"{store_url}#{pool}#{secret.hex()}"


def identity(environment: Mapping[str, str]) -> Identity:
    """Who this worker is.

    Raises
    ------
    InternalError
        If it was not started as a worker.

    Examples
    --------
    >>> identity({"CLOUDBURST_POOL": "memory:1#pools/u/p#00ff", "CLOUDBURST_WORKER": "w1"}).worker
    'w1'
    """
    url, _, rest = environment.get(POOL, "").rpartition("#")
    url, _, pool = url.rpartition("#")
    if not (url and pool and rest):
        raise InternalError(
            f"This is the program of a cloudburst worker, which is started with {POOL} in its environment: it is "
            "missing or cut. Run pipelines with cb.init_aws(...) or cb.init_docker(...), which start workers."
        )
    return Identity(_name(environment), url, pool, bytes.fromhex(rest))


def _name(environment: Mapping[str, str]) -> str:
    if endpoint := environment.get(_METADATA):
        with urllib.request.urlopen(f"{endpoint}/task", timeout=_METADATA_TIMEOUT_S) as answer:
            return str(json.load(answer)["TaskARN"]).rpartition("/")[2]
    if name := environment.get(WORKER):
        return name
    raise InternalError(f"A worker has no name: neither {_METADATA} nor {WORKER} is in its environment.")


def keep_to_myself() -> None:
    """Have the kernel show this process's memory and environment to none of the same user's processes."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # a C library without prctl: the key guards against others anyway
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    os.environ.pop(POOL, None)
