"""Who a worker is: told by the machine that it runs on."""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from time import sleep
from typing import NamedTuple

from cloudburst.errors import InternalError

POOL = "CLOUDBURST_POOL"
"""The one variable that a machine is started with: where the pool is, and its key."""

WORKER = "CLOUDBURST_WORKER"
"""A worker's name where no metadata endpoint tells it."""

_METADATA = "ECS_CONTAINER_METADATA_URI_V4"
_METADATA_TIMEOUT_S = 5.0
_METADATA_TRIES = 4
_METADATA_PAUSE_S = 1.0
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
    try:
        secret = bytes.fromhex(rest)
    except ValueError:  # its text would hold what is secret
        raise InternalError(f"{POOL} is damaged: it does not end with a key in hexadecimal digits.") from None
    return Identity(_name(environment), url, pool, secret)


def _name(environment: Mapping[str, str]) -> str:
    if endpoint := environment.get(_METADATA):
        return _name_on_ecs(f"{endpoint}/task")
    if name := environment.get(WORKER):
        return name
    raise InternalError(f"A worker has no name: neither {_METADATA} nor {WORKER} is in its environment.")


def _name_on_ecs(url: str) -> str:
    import urllib.request

    for tries_left in reversed(range(_METADATA_TRIES)):
        try:
            with urllib.request.urlopen(url, timeout=_METADATA_TIMEOUT_S) as answer:
                return str(json.load(answer)["TaskARN"]).rpartition("/")[2]
        except (OSError, ValueError, KeyError) as error:  # it may come up later than the container
            if not tries_left:
                raise InternalError(
                    f"The task metadata endpoint does not tell who this worker is: {error!r}"
                ) from error
            sleep(_METADATA_PAUSE_S)
    raise AssertionError


def keep_to_myself() -> None:
    """Have no other process of this machine see the key: neither in the environment of this one, nor in its memory.

    The variable is overwritten where it lies, because what a program was started with stays to be read in ``/proc``.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # a C library without these: the key guards against others anyway
            library = ctypes.CDLL(None)
            library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
            library.getenv.restype = ctypes.c_void_p
            if place := library.getenv(POOL.encode()):
                ctypes.memset(place, 0, len(os.environ.get(POOL, "").encode()))
    os.environ.pop(POOL, None)
