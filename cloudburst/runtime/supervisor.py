"""The program of a worker on a machine of its own: ``python -m cloudburst.runtime.supervisor``.

It finds its pool in one environment variable, says hello, and then looks for its next letter, performs what that asks
for, one task after another, and leaves a signed record of each, until one of these is so:

- nobody wants it any more: the lease is closed or gone, or has not changed for too long, which means that the driver is
  no more; or a letter says so. It ends at once, in the middle of a task too;
- it has had nothing to do for a while: it says goodbye and ends;
- its machine is taken back (SIGTERM while the lease is open): it goes on with its task for a while, begins no other,
  says goodbye and ends with 143. With the lease closed SIGTERM ends it at once;
- it has been up for a day.

The user's code never runs in this process, which holds the pool's key, but in a performer that it starts. This process
waits for nothing else than for that one: requests to the store are made by threads.

What was sent ahead reads results of tasks before it in the queue (``Awaited``). If such a task fails, what awaits it is
left out in silence: the driver, who reads the record of the failure, takes it back by the same rule.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from time import monotonic, sleep
from types import FrameType
from typing import NoReturn

from cloudburst.errors import CloudburstError, InternalError, NotFound, Tampered
from cloudburst.runtime import layout
from cloudburst.runtime.envelope import unseal
from cloudburst.runtime.errands import Errand
from cloudburst.runtime.events import Event, Gone, Hello
from cloudburst.runtime.greeting import introduction
from cloudburst.runtime.identity import Identity, identity, keep_to_myself
from cloudburst.runtime.lease import Lease, LeaseReader
from cloudburst.runtime.letters import Letter, Said
from cloudburst.runtime.mailbox import Grumbles, Letterbox, Outbox, Twin
from cloudburst.runtime.pending import Pending
from cloudburst.runtime.pool import pool_key
from cloudburst.runtime.protocols import Assignment, Store
from cloudburst.runtime.secrecy import Fetching
from cloudburst.runtime.solo import Performed, Solo
from cloudburst.runtime.stores import open_store, with_cache
from cloudburst.runtime.terms import Terms

TERMINATED = 143
FAILED = 1
"""The status of a worker that could not go on, or whose driver is no more."""

TAIL = 64 * 1024
"""Characters of output that a record carries."""

_LONGEST_WAIT_S = 1.0
_FAREWELL_S = 5.0
"""How long a worker that ends tries to say what is left to say."""
_FAREWELL_LOOK_S = 0.01
_LEASE_ANSWER_S = 5.0
"""How long a worker that got SIGTERM waits for the lease to tell why."""
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
        self._me, self._terms, self._solo = me, terms, solo
        grumble = Grumbles(tell)
        self._mail = Letterbox(me, store, terms, solo.wake, grumble)
        self._outbox = Outbox(me, store, solo.wake, grumble)
        self._lease = LeaseReader(store, me.pool, me.secret, terms.lease_limit_s)
        self._lease_errand: Errand[Lease | None] = Errand("lease", solo.wake)
        self._lease_at = self._lease_asked_at = self._lease_known_at = 0.0
        self._fetching = Fetching(solo.wake)
        self._queue = Pending()
        self._run = ""
        self._up_since = self._idle_since = monotonic()
        self._terminated_at: float | None = None
        self._is_sent_home = False

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
        hello = Said((Hello(self._me.worker),), about=introduction())
        self._outbox.say(layout.hello_key(self._me.pool, self._me.worker), hello, is_name=True)
        try:
            while True:
                for performed in self._solo.poll(self._wait_s()):
                    self._record(performed)
                if (status := self._looked_around()) is not None:
                    return status
                self._begin_next()
        except Twin as error:  # whatever it said would be taken for the other's
            tell(f"{error}")
            return FAILED
        except Tampered as error:
            self._leave("lost", str(error), tampered=str(error))
        except (InternalError, NotFound) as error:
            self._leave("lost", str(error))
        return FAILED

    # ------------------------------------------------------------ whether to go on

    def _looked_around(self) -> int | None:
        now = monotonic()
        standing = self._standing(now)
        if standing == "closed":
            return self._status
        if standing == "lapsed":
            limit_s = self._terms.lease_limit_s
            self._leave("host", f"the driver has not renewed its lease for {limit_s:g} s")
            return FAILED
        self._outbox.go()
        if (letter := self._mail.look(now)) is not None:
            self._take(letter)
        if self._is_sent_home:
            return self._status
        if self._terminated_at is not None:
            return self._going(now, self._terminated_at)
        return self._idle(now)

    @property
    def _status(self) -> int:
        return 0 if self._terminated_at is None else TERMINATED

    def _standing(self, now: float) -> str:
        """How the lease stands; a look at it is under way now and then."""
        errand, terms = self._lease_errand, self._terms
        standing = self._lease.standing
        if errand.is_answered:
            self._lease_known_at = self._lease_asked_at
            standing = self._lease.seen(errand.answer())
        if not errand.is_under_way and now >= self._lease_at:
            self._lease_at = now + min(terms.lease_interval_s, terms.lease_limit_s / _LEASE_LOOKS)
            self._lease_asked_at = now
            errand.send(self._lease.read)
        return standing

    def _going(self, now: float, since: float) -> int | None:
        """The machine is taken back: finish what can be, and give back the rest."""
        self._queue.clear()
        is_told_why = self._lease_known_at >= since or now >= since + _LEASE_ANSWER_S
        is_over = now >= since + self._terms.grace_s
        if is_over or (self._is_free and self._outbox.is_empty and is_told_why):
            self._leave("reclaimed", "its machine was taken back")
            return TERMINATED
        return None

    def _idle(self, now: float) -> int | None:
        terms, is_at_rest = self._terms, self._is_free and not self._queue and self._outbox.is_empty
        if now - self._up_since > terms.lifetime_s:
            self._leave("stopped" if is_at_rest else "lost", f"it has been up for {terms.lifetime_s:g} s, the most")
            return 0
        if not is_at_rest:
            return None
        if now - self._idle_since >= terms.linger_s and now - self._up_since >= terms.billed_s:
            self._leave("stopped", f"it had nothing to do for {now - self._idle_since:.0f} s")
            return 0
        return None

    @property
    def _is_free(self) -> bool:
        return self._solo.is_free and self._fetching.assignment is None

    def _wait_s(self) -> float:
        """How long there is nothing to do, unless something happens."""
        lease_at = float("inf") if self._lease_errand.is_under_way else self._lease_at
        due_at = min(self._mail.due_at, self._outbox.due_at, lease_at)
        return max(0.0, min(due_at - monotonic(), _LONGEST_WAIT_S))

    # ------------------------------------------------------------ tasks

    def _take(self, letter: Letter) -> None:
        self._is_sent_home = letter.is_last
        if letter.run != self._run:
            self._run = letter.run
            self._queue.begin_run()
            self._fetching.forget()
            self._solo.begin_run()
        self._solo.learn(letter.functions)
        self._queue.take(letter.tasks)

    def _begin_next(self) -> None:
        fetched = self._fetching.fetched()
        if isinstance(fetched, Performed):
            self._record(fetched._replace(ended=fetched.ended._replace(worker=self._me.worker)))
        elif fetched is not None:
            self._begin(fetched)
        while self._is_free and self._terminated_at is None and (assignment := self._queue.next()) is not None:
            if assignment.secrets:
                self._fetching.fetch(assignment)
            else:
                self._begin(assignment)

    def _begin(self, assignment: Assignment) -> None:
        tell(f"begins {assignment.stage} {assignment.prefix.rpartition('/')[2]} attempt {assignment.attempt}")
        self._solo.give(assignment)

    def _record(self, performed: Performed) -> None:
        assignment, ended, output = performed
        self._queue.ended(ended)
        name = f"{assignment.prefix}/log"
        log = (name, output.encode()) if len(output) > TAIL else None
        place = (name, 0, len(output)) if output else None
        key = layout.record_key(self._me.pool, self._run, ended.task, ended.attempt)
        said = Said((ended._replace(worker=self._me.worker, log=place),), output[-TAIL:])
        self._outbox.say(key, said, log=log)
        self._mail.keep_warm()
        self._idle_since = monotonic()

    # ------------------------------------------------------------ the end

    def _leave(self, cause: str, detail: str, **about: str) -> None:
        """Say goodbye, behind all that is still to be said, if the store takes it soon."""
        tell(f"ends: {detail}")
        at = self._solo.at or self._fetching.assignment
        event: Event = Gone(self._me.worker, cause, detail, None if at is None else at.id)  # type: ignore[arg-type]
        try:
            self._say_all()
            self._outbox.say(layout.bye_key(self._me.pool, self._me.worker), Said((event,), about=dict(about)))
            self._say_all()
        except Twin as error:
            tell(f"{error}")

    def _say_all(self) -> None:
        until = monotonic() + _FAREWELL_S
        while not self._outbox.is_empty and monotonic() < until:
            self._outbox.go()
            sleep(_FAREWELL_LOOK_S)


def tell(text: str) -> None:
    """Say something in this machine's own log: never a value, an argument or a key."""
    sys.stdout.write(f"cloudburst: {text}\n")
    sys.stdout.flush()


def terms_of(me: Identity, store: Store) -> Terms:
    """What the pool has agreed on.

    Raises
    ------
    Tampered
        If somebody else wrote it; the driver is told, if it can be.
    NotFound
        If there is no such pool any more.
    """
    key = pool_key(me.pool)
    try:
        return Terms.of_json(json.loads(unseal("pool", key, store.get(key), me.secret)))
    except Tampered as error:
        gone = Gone(me.worker, "lost", str(error), None)
        outbox = Outbox(me, store, lambda: None, Grumbles(tell))
        outbox.say(layout.bye_key(me.pool, me.worker), Said((gone,), about={"tampered": str(error)}))
        until = monotonic() + _FAREWELL_S
        while not outbox.is_empty and monotonic() < until:
            sleep(_FAREWELL_LOOK_S)
            outbox.go()
        raise


def main() -> int:
    """Be a worker until there is no reason to."""
    signal.signal(signal.SIGTERM, _end)  # the first process of a container has to ask for it
    me = identity(os.environ)
    keep_to_myself()
    store = open_store(me.store_url)
    try:
        terms = terms_of(me, store)
    except NotFound:
        tell("ends: its pool is not there any more")
        return FAILED
    directory = Path(tempfile.mkdtemp(prefix="cloudburst-"))
    solo = Solo(with_cache(me.store_url, str(directory / "kept")), directory)
    try:
        supervisor = Supervisor(me, store, terms, solo)
        signal.signal(signal.SIGTERM, supervisor.terminate)
        return supervisor.serve()
    finally:
        solo.close()


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    # Not by an exception, which is lost where the signal comes in a finalizer. What was started ends with its pipes.
    os._exit(TERMINATED)


if __name__ == "__main__":
    try:
        status = main()
    except CloudburstError as error:
        tell(f"{type(error).__name__}: {error}")
        status = FAILED
    sys.exit(status)
