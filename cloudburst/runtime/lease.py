"""The lease: a small object that changes as long as the driver lives, and by which its workers live.

A process of its own rewrites it, because a notebook may hold the interpreter for minutes and is alive all the same.
A worker reads it now and then and measures on its own clock how long it has not changed: no two machines' clocks are
compared. Where it says ``closed``, or is gone, nobody wants the workers any more. Each time it has a higher count, so
that an older one that is written again shows no life.

``python -m cloudburst.runtime.lease`` reads what it needs from standard input. It ends when more comes there, when that
ends, and when the process that started it is no more: a fork of that one may hold the pipe open.
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
from typing import IO, Literal, NamedTuple

from cloudburst.errors import NotFound, StoreError
from cloudburst.runtime.envelope import seal, unseal
from cloudburst.runtime.patience import passes
from cloudburst.runtime.protocols import Store
from cloudburst.runtime.stores import open_store

_ROOT = str(Path(__file__).parents[2])
_END_S = 5.0
_LOOK_S = 1.0
_AGAIN_S = 2.0
_CLOSED = 1 << 62
"""The count of a lease that is closed: none comes after it."""
_TAKEN_UP = 1 << 32
"""What a driver that takes a pool up counts on from: beyond whatever its predecessor may still write."""

Standing = Literal["open", "closed", "lapsed"]


class Lease(NamedTuple):
    """What it says."""

    state: Literal["open", "closed"]
    count: int  # type: ignore[assignment]  # nobody counts what stands in it


def lease_key(pool: str) -> str:
    """Where the lease of a pool lies."""
    return f"{pool}/lease"


def write_lease(store: Store, pool: str, secret: bytes, count: int, *, closed: bool = False) -> None:
    """Rewrite the lease."""
    lease = Lease("closed", _CLOSED) if closed else Lease("open", count)
    body = json.dumps(lease._asdict()).encode()
    store.put(lease_key(pool), [seal("lease", lease_key(pool), body, secret)])


def read_lease(message: bytes, pool: str, secret: bytes) -> Lease:
    """What a lease says.

    Raises
    ------
    Tampered
        If somebody else wrote it.
    """
    return Lease(**json.loads(unseal("lease", lease_key(pool), message, secret)))


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
    limit_s : float
        How long it may stay as it is: if the store takes no lease for so long, there is no use in going on.
    """

    def __init__(self, store: Store, pool: str, secret: bytes, interval_s: float, limit_s: float) -> None:
        self._store, self._pool, self._secret = store, pool, secret
        first = self._first_count()
        write_lease(store, pool, secret, first)
        told = {
            "url": store.url,
            "pool": pool,
            "secret": secret.hex(),
            "interval_s": interval_s,
            "limit_s": limit_s,
            "count": first,
            "driver": os.getpid(),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "cloudburst.runtime.lease"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))},
            start_new_session=True,  # Ctrl-C is the driver's to hear
        )
        self._say(json.dumps(told))

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
            detail = said[-1] if said else f"the process that does it ended with {status}"
            raise StoreError(f"The lease of this run's workers could not be rewritten, so they will end: {detail}")

    def close(self) -> None:
        """Close the lease: whoever reads it knows that nobody wants the workers any more."""
        self.stop()
        write_lease(self._store, self._pool, self._secret, 0, closed=True)

    def stop(self) -> None:
        """Rewrite it no more."""
        stdin, stderr = self._process.stdin, self._process.stderr
        assert stdin is not None
        assert stderr is not None
        with suppress(OSError, ValueError):  # it has ended
            self._say("close")
        with suppress(OSError):
            stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:  # it is at a request that hangs
            self._process.kill()
            self._process.wait()
        stderr.close()

    def _first_count(self) -> int:
        """One that is higher than any that was written: those of a pool that is taken up go on."""
        try:
            message = bytes(self._store.get(lease_key(self._pool)))
        except NotFound:
            return 0
        lease = read_lease(message, self._pool, self._secret)
        if lease.state == "closed":
            raise StoreError("The workers that were to be taken up have been sent home: their lease is closed.")
        return lease.count + _TAKEN_UP

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()


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
        self._count = -1
        self._changed = monotonic()

    def read(self) -> Lease | None:
        """The lease as it lies there; ``None`` where the store does not say. Any thread may read it.

        Raises
        ------
        Tampered
            If somebody else wrote it.
        """
        try:
            message = bytes(self._store.get(lease_key(self._pool)))
        except NotFound:
            return Lease("closed", _CLOSED)
        except StoreError:
            return None
        return read_lease(message, self._pool, self._secret)

    def seen(self, lease: Lease | None) -> Standing:
        """How the lease stands, with what was read last. A store that says nothing has a lease that does not change."""
        if lease is not None:
            if lease.state == "closed":
                return "closed"
            if lease.count > self._count:
                self._count, self._changed = lease.count, monotonic()
        return self.standing

    @property
    def standing(self) -> Standing:
        """Whether it has changed in time."""
        return "lapsed" if monotonic() - self._changed > self._limit_s else "open"


def keep(told: IO[bytes]) -> None:
    """Rewrite the lease that the first line describes, until there is more to read or its driver is no more."""
    wanted = json.loads(told.readline())
    store = open_store(wanted["url"])
    secret, count = bytes.fromhex(wanted["secret"]), wanted["count"]
    written = monotonic()
    due = written + wanted["interval_s"]
    while os.getppid() == wanted["driver"]:
        wait_s = max(0.0, min(_LOOK_S, due - monotonic()))
        if select([told], [], [], wait_s)[0]:
            return
        if monotonic() < due:
            continue
        count += 1
        try:
            write_lease(store, wanted["pool"], secret, count)
        except StoreError as error:
            if not passes(error) or monotonic() - written > wanted["limit_s"]:
                raise
            due = monotonic() + min(_AGAIN_S, wanted["interval_s"])
        else:
            written = monotonic()
            due = written + wanted["interval_s"]


if __name__ == "__main__":
    try:
        keep(sys.stdin.buffer)
    except StoreError as error:
        sys.exit(f"{error}")
