"""The program of a worker on a machine of its own: ``python -m cloudburst.runtime.supervisor``.

It finds its pool in one environment variable, says hello, and then looks for its next letter, performs what that asks
for, one task after another, and leaves a signed record of each, until one of these is so:

- nobody wants it any more: the lease is closed or gone, or has not changed for too long, which means that the driver is
  no more. It ends at once, in the middle of a task too;
- it has had nothing to do for a while: it says goodbye and ends;
- its machine is taken back (SIGTERM while the lease is open): it goes on with its task for a while, begins no other,
  says goodbye and ends with 143. With the lease closed SIGTERM ends it at once.

The user's code never runs in this process, which holds the pool's key, but in a performer that it starts.

What was sent ahead reads results of tasks before it in the queue (``Awaited``). If such a task fails, what awaits it is
left out in silence: the driver, who reads the record of the failure, takes it back by the same rule.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import tempfile
from collections import deque
from importlib.metadata import distributions
from pathlib import Path
from platform import machine, python_version
from random import uniform
from time import monotonic
from types import FrameType

from cloudburst.errors import CloudburstError, InternalError, NotFound, StoreError, Tampered
from cloudburst.runtime import layout
from cloudburst.runtime.envelope import seal, unseal
from cloudburst.runtime.events import Ended, Event, Failure, Gone, Hello
from cloudburst.runtime.identity import Identity, identity, keep_to_myself
from cloudburst.runtime.lease import LeaseReader
from cloudburst.runtime.letters import Letter, Said
from cloudburst.runtime.protocols import Assignment, Store
from cloudburst.runtime.solo import Performed, Solo
from cloudburst.runtime.stores import open_store
from cloudburst.runtime.task import Artifact, Awaited, TaskId
from cloudburst.runtime.terms import Terms

TERMINATED = 143
LAPSED = 1
"""The status of a worker whose driver is no more."""

TAIL = 64 * 1024
"""Characters of output that a record carries."""

_REMEMBERED = 64
_RETRY_S = 1.0
_LEASE_LOOKS = 8
"""Looks at the lease within its limit."""


class Supervisor:
    """A worker: mail in, records out.

    Parameters
    ----------
    me : Identity
        Who it is.
    store : Store
        Where mail, records and values lie.
    terms : Terms
        What the pool has agreed on.
    solo : Solo
        What performs.
    """

    def __init__(self, me: Identity, store: Store, terms: Terms, solo: Solo) -> None:
        self._me, self._store, self._terms, self._solo = me, store, terms, solo
        self._lease = LeaseReader(store, me.pool, me.secret, terms.lease_limit_s)
        self._lease_at = 0.0
        self._run = ""
        self._queue: deque[Assignment] = deque()
        self._made: dict[tuple[TaskId, int], tuple[Artifact, ...] | None] = {}
        """By attempt of this run: what it made here, ``None`` if it failed."""
        self._unsaid: deque[tuple[str, Said]] = deque()
        """By key, what could not be written yet."""
        self._unsaid_at = 0.0
        self._number = 1
        self._mail_at = 0.0
        self._up_since = self._idle_since = self._warm_since = monotonic()
        self._terminated_at: float | None = None

    def terminate(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """SIGTERM: the machine is going, or is to go."""
        if self._terminated_at is None:
            self._terminated_at = monotonic()
            self._lease_at = 0.0
        self._solo.wake()

    def serve(self) -> int:
        """Work until there is no reason to.

        Returns
        -------
        int
            The exit status of the program.
        """
        self._say(layout.hello_key(self._me.pool, self._me.worker), Said((Hello(self._me.worker),), about=versions()))
        try:
            while True:
                for performed in self._solo.poll(self._wait_s()):
                    self._record(performed)
                if (status := self._looked_around()) is not None:
                    return status
                self._begin_next()
        except Tampered as error:
            self._leave("lost", str(error), tampered=str(error))
            raise
        except InternalError as error:
            self._leave("lost", str(error))
            raise

    # ------------------------------------------------------------ whether to go on

    def _looked_around(self) -> int | None:
        now = monotonic()
        if now >= self._lease_at:
            self._lease_at = now + min(self._terms.lease_interval_s, self._terms.lease_limit_s / _LEASE_LOOKS)
            standing = self._lease.look()
            if standing == "closed":
                return 0 if self._terminated_at is None else TERMINATED
            if standing == "lapsed":
                tell(f"the driver has not renewed its lease for {self._terms.lease_limit_s:g} s: this worker ends")
                return LAPSED
        self._say_again()
        if self._terminated_at is not None:
            return self._going(now)
        if now >= self._mail_at:
            self._look_for_mail(now)
        return self._idle(now)

    def _going(self, now: float) -> int | None:
        """The machine is taken back: finish what can be, and give back the rest."""
        assert self._terminated_at is not None
        self._queue.clear()
        is_over = now >= self._terminated_at + self._terms.grace_s
        if self._solo.is_free or is_over:
            self._leave("reclaimed", "its machine was taken back")
            return TERMINATED
        return None

    def _idle(self, now: float) -> int | None:
        terms = self._terms
        if now - self._up_since > terms.lifetime_s and self._solo.is_free:
            self._leave("stopped", f"it has been up for {terms.lifetime_s:g} s, the most for a worker")
            return 0
        if not self._solo.is_free or self._queue or self._unsaid:
            return None
        if now - self._idle_since >= terms.linger_s and now - self._up_since >= terms.billed_s:
            self._leave("stopped", f"it had nothing to do for {now - self._idle_since:.0f} s")
            return 0
        return None

    def _wait_s(self) -> float:
        return max(0.0, min(self._mail_at, self._lease_at) - monotonic())

    # ------------------------------------------------------------ mail

    def _look_for_mail(self, now: float) -> None:
        terms = self._terms
        is_warm = now - self._warm_since < terms.cool_after_s
        self._mail_at = now + uniform(0.8, 1.2) * (terms.mail_interval_s if is_warm else terms.cool_interval_s)
        key = layout.letter_key(self._me.pool, self._me.worker, self._number)
        try:
            message = self._store.get(key)
        except NotFound:
            return
        except StoreError as error:  # the lease tells when that has lasted too long
            tell(f"the mail could not be read: {error}")
            return
        self._number += 1
        self._mail_at = now  # there may be another
        self._warm_since = now
        letter = Letter.of_bytes(unseal("letter", key, message, self._me.secret))
        if letter.run != self._run:
            self._run = letter.run
            self._made.clear()
            self._solo.begin_run()
        self._solo.learn(letter.functions)
        self._solo.learn({name: self._function(*where) for name, where in letter.elsewhere.items()})
        self._queue += letter.tasks

    def _function(self, key: str, checksum: bytes) -> bytes:
        payload = bytes(self._store.get(key))
        if hashlib.sha256(payload).digest() != checksum:
            raise Tampered(f"{key} is not the function that the driver wrote there. It was not used.")
        return payload

    # ------------------------------------------------------------ tasks

    def _begin_next(self) -> None:
        while self._queue and self._solo.is_free and self._terminated_at is None:
            assignment = self._queue.popleft()
            inputs = self._inputs(assignment)
            if inputs is None:
                self._made[assignment.id, assignment.attempt] = None
                continue
            environment = assignment.environment
            if assignment.secrets:
                from cloudburst.runtime.backends.fargate.secrets import fetch

                try:
                    environment += tuple(fetch(dict(assignment.secrets)).items())
                except CloudburstError as error:
                    failure = Failure("refused", str(error), assignment.stage_step)
                    ended = Ended(self._me.worker, assignment.id, assignment.attempt, (), failure, 0.0, 0.0)
                    self._record(Performed(assignment, ended, ""))
                    continue
            tell(f"begins {assignment.stage} {assignment.prefix.rpartition('/')[2]} attempt {assignment.attempt}")
            self._solo.give(assignment._replace(inputs=inputs, environment=environment, secrets=()))

    def _inputs(self, assignment: Assignment) -> tuple[Artifact, ...] | None:
        """What a task reads; ``None`` if one of the tasks that it awaits has failed."""
        inputs: list[Artifact] = []
        for one in assignment.inputs:
            if isinstance(one, Awaited):
                made = self._made.get((one.task, one.attempt))
                if made is None:
                    return None
                inputs.append(made[one.output])
            else:
                inputs.append(one)
        return tuple(inputs)

    def _record(self, performed: Performed) -> None:
        assignment, ended, output = performed
        log = None
        if output:
            log = (f"{assignment.prefix}/log", 0, len(output))
            if len(output) > TAIL:
                self._keep_log(log[0], output)
        attempt = (assignment.id, assignment.attempt)
        self._made[attempt] = ended.artifacts if ended.failure is None else None
        while len(self._made) > _REMEMBERED:
            del self._made[next(iter(self._made))]
        key = layout.record_key(self._me.pool, self._run, *attempt)
        self._say(key, Said((ended._replace(worker=self._me.worker, log=log),), output[-TAIL:]))
        self._idle_since = self._warm_since = monotonic()

    def _keep_log(self, key: str, output: str) -> None:
        try:
            self._store.put(key, [output.encode()])
        except StoreError as error:
            tell(f"the whole output of a task could not be kept: {error}")

    # ------------------------------------------------------------ saying

    def _say(self, key: str, said: Said) -> None:
        self._unsaid.append((key, said))
        self._unsaid_at = 0.0
        self._say_again()

    def _say_again(self) -> None:
        """Write what has to be said; where the store cannot be reached, try again until the lease has lapsed."""
        while self._unsaid and monotonic() >= self._unsaid_at:
            key, said = self._unsaid[0]
            message = seal("said", key, said.as_bytes(), self._me.secret)
            try:
                # What an attempt came to is said once. If another worker had the same attempt, the first one holds.
                self._store.put(key, [message], if_absent=True)
            except StoreError as error:
                tell(f"a record could not be written, and is tried again: {error}")
                self._unsaid_at = monotonic() + _RETRY_S
                return
            self._unsaid.popleft()

    def _leave(self, cause: str, detail: str, **about: str) -> None:
        at = self._solo.at
        event: Event = Gone(self._me.worker, cause, detail, None if at is None else at.id)  # type: ignore[arg-type]
        self._unsaid_at = 0.0
        self._say(layout.bye_key(self._me.pool, self._me.worker), Said((event,), about=dict(about)))
        tell(f"ends: {detail}")


def versions() -> dict[str, object]:
    """What is installed here, for the driver to compare with what it has."""
    packages = {one.metadata["Name"].lower().replace("_", "-"): one.version for one in distributions()}
    return {"python": python_version(), "machine": machine(), "packages": packages}


def tell(text: str) -> None:
    """Say something in this machine's own log: never a value, an argument or a key."""
    sys.stdout.write(f"cloudburst: {text}\n")
    sys.stdout.flush()


def main() -> int:
    """Be a worker until there is no reason to."""
    me = identity(os.environ)
    keep_to_myself()
    store = open_store(me.store_url)
    key = f"{me.pool}/pool"
    terms = Terms.of_json(json.loads(unseal("pool", key, store.get(key), me.secret)))
    directory = Path(tempfile.mkdtemp(prefix="cloudburst-"))
    kept = f"&cache={directory / 'kept'}" if me.store_url.startswith("s3:") else ""
    solo = Solo(f"{me.store_url}{kept}", directory)
    try:
        supervisor = Supervisor(me, store, terms, solo)
        signal.signal(signal.SIGTERM, supervisor.terminate)
        return supervisor.serve()
    finally:
        solo.close()


if __name__ == "__main__":
    try:
        status = main()
    except CloudburstError as error:
        tell(f"{type(error).__name__}: {error}")
        status = 1
    sys.exit(status)
