"""The lease: a small object that changes as long as the driver lives, and by which its workers live.

A process of its own rewrites it, because a notebook may hold the interpreter for minutes and is alive all the same.
A worker reads it now and then and measures on its own clock how long it has not changed: no two machines' clocks are
compared. Where it says ``closed``, or is gone, nobody wants the workers any more.

``python -m cloudburst.runtime.lease`` reads what it needs from standard input, and ends when that does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from select import select
from time import monotonic
from typing import IO, Literal

from cloudburst.errors import NotFound, StoreError
from cloudburst.runtime.envelope import seal, unseal
from cloudburst.runtime.protocols import Store
from cloudburst.runtime.stores import open_store

_ROOT = str(Path(__file__).parents[2])
_END_S = 5.0

Standing = Literal["open", "closed", "lapsed"]


def lease_key(pool: str) -> str:
    """Where the lease of a pool lies."""
    return f"{pool}/lease"


def write_lease(store: Store, pool: str, secret: bytes, count: int, *, closed: bool = False) -> None:
    """Rewrite the lease. The count makes it another each time."""
    body = json.dumps({"state": "closed" if closed else "open", "count": count}).encode()
    store.put(lease_key(pool), [seal("lease", lease_key(pool), body, secret)])


class LeaseKeeper:
    """The process that rewrites a lease.

    Parameters
    ----------
    store : Store
        Where the lease lies.
    pool : str
        What the pool's keys begin with.
    secret : bytes
        The pool's key.
    interval_s : float
        How often.
    """

    def __init__(self, store: Store, pool: str, secret: bytes, interval_s: float) -> None:
        self._store, self._pool, self._secret = store, pool, secret
        write_lease(store, pool, secret, 0)
        told = {"url": store.url, "pool": pool, "secret": secret.hex(), "interval_s": interval_s}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "cloudburst.runtime.lease"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))},
            start_new_session=True,  # Ctrl-C is the driver's to hear
        )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(told).encode() + b"\n")
        self._process.stdin.flush()

    def check(self) -> None:
        """See whether the lease is still rewritten.

        Raises
        ------
        StoreError
            If not: workers would soon take this program for dead.
        """
        if (status := self._process.poll()) is not None:
            assert self._process.stderr is not None
            said = self._process.stderr.read().decode(errors="replace").strip().splitlines()
            detail = said[-1] if said else f"exit code {status}"
            raise StoreError(f"The lease of this run's workers could not be rewritten, so they will end: {detail}")

    def close(self) -> None:
        """Close the lease: whoever reads it knows that nobody wants the workers any more."""
        for pipe in (self._process.stdin, self._process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:  # it is at a request that hangs
            self._process.kill()
            self._process.wait()
        write_lease(self._store, self._pool, self._secret, -1, closed=True)


class LeaseReader:
    """A worker's look at the lease.

    Parameters
    ----------
    store, pool, secret
        As for :class:`LeaseKeeper`.
    limit_s : float
        How long it may stay as it is.
    """

    def __init__(self, store: Store, pool: str, secret: bytes, limit_s: float) -> None:
        self._store, self._pool, self._secret, self._limit_s = store, pool, secret, limit_s
        self._last = b""
        self._changed = monotonic()

    def look(self) -> Standing:
        """How the lease stands.

        A store that cannot be reached says nothing, and so counts as a lease that has not changed.

        Raises
        ------
        Tampered
            If somebody else wrote it.
        """
        key = lease_key(self._pool)
        try:
            message = bytes(self._store.get(key))
        except NotFound:
            return "closed"
        except StoreError:
            message = self._last
        if message != self._last:
            state = json.loads(unseal("lease", key, message, self._secret))["state"]
            self._last, self._changed = message, monotonic()
            if state == "closed":
                return "closed"
        return "lapsed" if monotonic() - self._changed > self._limit_s else "open"


def keep(told: IO[bytes]) -> None:
    """Rewrite the lease that the first line describes, until there are no more lines."""
    wanted = json.loads(told.readline())
    store = open_store(wanted["url"])
    secret, count = bytes.fromhex(wanted["secret"]), 0
    while not select([told], [], [], wanted["interval_s"])[0]:
        count += 1
        write_lease(store, wanted["pool"], secret, count)


if __name__ == "__main__":
    try:
        keep(sys.stdin.buffer)
    except StoreError as error:
        sys.exit(f"{error}")
