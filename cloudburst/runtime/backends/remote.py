"""Workers on machines of their own, reached through the store alone.

The driver's letters go to each worker's mailbox; what workers say it hears by listing one prefix twice a second. What
becomes of the machines is the fleet's to tell. Of the two the record in the store is the truth: when a machine is gone,
what its worker had said before is heard first.

One thread at a time may use it, but for :meth:`RemoteBackend.wake`. Only ``logs`` and ``close`` wait for the store.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from threading import Event as Bell
from time import monotonic
from typing import Any

from cloudburst.errors import Tampered
from cloudburst.resources import Size
from cloudburst.runtime import layout
from cloudburst.runtime.backends.correspondent import Attempt, Correspondent, Launched, said_nothing
from cloudburst.runtime.backends.post import Heard, Incoming, Outgoing, Tails
from cloudburst.runtime.events import Began, Cancelled, Ended, Event, Gone, Hello, LaunchFailed
from cloudburst.runtime.greeting import Greeting
from cloudburst.runtime.letters import named
from cloudburst.runtime.pool import Pool
from cloudburst.runtime.protocols import Assignment, Fell, Fleet, Started
from cloudburst.runtime.task import Awaited, Function

_LOOK_S = 0.1
_FLEET = "log of machine "
"""What a log's name begins with that the fleet has, because the worker could write no record."""


class RemoteBackend:
    """Workers of a pool.

    Parameters
    ----------
    pool : Pool
        Where mail and records lie; it is opened here, unless it was taken up, and closed with the backend.
    fleet : Fleet
        What starts and stops machines.
    greeting : Greeting, optional
        Is given what a worker says of its versions, and raises if that will not do.
    """

    def __init__(self, pool: Pool, fleet: Fleet, greeting: Greeting | None = None) -> None:
        self.pool, self._fleet, self._greeting = pool, fleet, greeting
        self._workers: dict[str, Correspondent] = {}
        self._left: set[str] = set()
        """Workers that are no more, or are not ours to hear any more."""
        self._early: dict[str, list[Heard]] = {}
        """What workers have said of which the fleet has not said yet that they were started."""
        self._launched: dict[str, Launched] = {}
        """By token as the fleet knows it: tokens of two runs of a pool must differ."""
        self._run = ""
        self._runs = 0
        self._is_taken_up = False
        self._news: list[Event] = []
        self._tails = Tails(pool.store)
        self._hear_at = 0.0
        self._fallen: list[str] = []
        """Workers whose machines were known to be gone when the present look at what there is began."""
        self._bell = Bell()
        self._is_woken = self._is_closed = False
        self._owner = os.getpid()
        self.is_sound = True
        """Whether another run may use it: nothing has gone wrong so far."""
        self._out, self._in = Outgoing(pool, self._bell.set), Incoming(pool, self._bell.set)
        if not pool.is_open:
            pool.open()

    # ------------------------------------------------------------ a run

    @property
    def coming_run(self) -> str:
        """What messages call the next run, for its journal."""
        return f"{self.pool.id}{self._runs + 1}"

    def equip(self, functions: Mapping[str, Function]) -> None:
        """Begin a run: these are its functions, those of the run before are forgotten."""
        if not self._is_taken_up:
            self._run = self.coming_run
            self._runs += 1
        self._out.begin_run(self._run, functions)
        if self._is_taken_up:
            self._is_taken_up = False
            return
        self._tails.forget()
        for worker in self._workers.values():
            worker.begin_run()
        self._news = [event for event in self._take_sights() if isinstance(event, Gone)]

    def take_up(
        self, run: str, workers: Mapping[str, Size], launches: Mapping[str, Size], departed: Iterable[str]
    ) -> None:
        """Go on with a run whose driver was killed: the next ``equip`` does not begin another.

        Parameters
        ----------
        run : str
            What messages call it.
        workers : mapping
            Those that are up, with their machines. What they were given has to be assigned again: they perform nothing
            twice.
        launches : mapping
            By token: what was asked for. The fleet says ``Started`` of what came of it, again.
        departed : iterable of str
            Workers that were up and are of no use any more.
        """
        self._left.update(departed)
        self._run, self._runs, self._is_taken_up = run, int(run.removeprefix(self.pool.id)), True
        for token, shape in launches.items():
            self._launched[f"{run}-{token}"] = Launched(run, token, shape)
        for name, shape in workers.items():
            one = self._workers[name] = Correspondent("", shape)
            one.is_up, one.is_seen = True, False
            one.letters = self._out.sent_before(name, run)

    def workers(self) -> list[str]:
        """The workers that are up and have nothing to do, left by the run before."""
        return [name for name, one in self._workers.items() if one.is_up and one.fell is None]

    def shape(self, worker: str) -> Size | None:
        """The machine that a worker has to itself."""
        one = self._workers.get(worker)
        return None if one is None else one.shape

    def launch(self, shape: Size, count: int, token: str) -> None:
        """Ask the fleet for machines."""
        full = f"{self._run}-{token}"
        self._launched[full] = Launched(self._run, token, shape)
        self._fleet.launch(shape, count, full)

    def assign(self, worker: str, tasks: Sequence[Assignment]) -> None:
        """Send a worker a letter with tasks, behind those it has. One that has gone meanwhile is ``Gone``."""
        one = self._workers.get(worker)
        if one is None:
            return
        missing = named(tasks) - one.known
        one.known |= missing
        for task in tasks:
            awaited = [(one.task, one.attempt) for one in task.inputs if isinstance(one, Awaited)]
            one.give((task.id, task.attempt), frozenset(awaited))
        self._out.send(worker, one.next_letter(), tuple(tasks), missing)

    def stop(self, workers: Sequence[str]) -> None:
        """End workers. Each is ``Gone`` at once: what it may still say is not heard."""
        ours = [name for name in workers if name in self._workers]
        for name in ours:
            one = self._workers[name]
            if one.is_up:  # it would take SIGTERM alone for its machine being taken back, and end its task first
                self._out.send(name, one.next_letter(), is_last=True)
            self._news.append(self._bury(name, "stopped", "stopped", one.at))
        self._fleet.stop(ours)

    def poll(self, timeout_s: float) -> list[Event]:
        """Wait until something has happened, at most so long, and return all that has."""
        try:
            return self._polled(monotonic() + timeout_s)
        except BaseException:
            self.is_sound = False
            raise

    def wake(self) -> None:
        """Have ``poll`` return now. Any thread, and a signal handler, may call it."""
        self._is_woken = True
        self._bell.set()

    def logs(self, log: tuple[str, int, int]) -> str:
        """Text that an attempt printed."""
        if log[0].startswith(_FLEET):
            return self._fleet.tail(log[0].removeprefix(_FLEET))
        return self._tails.text(log)

    def notes(self) -> list[str]:
        """Sentences for the user, each given once."""
        notes, self._in.notes = self._in.notes, []
        if self._greeting is not None:
            notes += self._greeting.warnings
            self._greeting.warnings = []
        return notes

    def close(self) -> None:
        """Close the lease, stop every machine, and remove what the pool has in the store.

        What goes wrong with one of these keeps none of the others from being done.
        """
        if self._is_closed or self._owner != os.getpid():
            return
        with ExitStack() as last_first:
            last_first.callback(self.pool.remove)
            last_first.callback(self._in.wait)
            last_first.callback(self._out.wait)
            last_first.callback(self._fleet.close)
            last_first.callback(self.pool.close_lease)
            self._out.close()
            self._in.close()
        self._is_closed = True

    # ------------------------------------------------------------ what happens

    def _polled(self, until: float) -> list[Event]:
        self._in.forget()
        while True:
            self._bell.clear()
            self._out.check()
            self.pool.check()
            events, self._news = self._news, []
            events += self._take_sights()
            events += self._hear()
            events += self._begun()
            events += self._late()
            if events or self._is_woken or monotonic() >= until:
                self._is_woken = False
                return events
            self._bell.wait(max(0.0, min(until - monotonic(), _LOOK_S)))

    def _hear(self) -> list[Event]:
        """Take in what workers have said, and see that they are listened to."""
        events: list[Event] = []
        heard = self._in.take()
        for one in heard or ():
            events += self._take(one)
        if heard is not None:
            for name in self._fallen:  # what their workers had said has been heard
                if (worker := self._workers.get(name)) is not None and worker.fell is not None:
                    ended = self._ending if worker.is_up else self._never_up
                    events += ended(worker, worker.fell)
        now = monotonic()
        if not self._in.is_listening and now >= self._hear_at and (self._workers or self._launched):
            self._hear_at = now + self.pool.terms.hearing_interval_s
            self._fallen = [name for name, one in self._workers.items() if one.fell is not None]
            self._in.listen()
        return events

    def _take(self, heard: Heard) -> list[Event]:
        """Events that a message is to the driver."""
        [event] = heard.said.events
        worker = event.worker  # type: ignore[union-attr]
        if worker not in self._workers and worker not in self._left:
            self._early.setdefault(worker, []).append(heard)  # the fleet is yet to say what it was started for
            return []
        self._in.passed_on(heard)
        if tampered := heard.said.about.get("tampered"):
            raise Tampered(f"A worker has found that {tampered}")
        one = self._workers.get(worker)
        if one is None:
            return []
        if isinstance(event, Hello):
            if self._greeting is not None:
                self._greeting(heard.said.about)
            was_up, one.is_up = one.is_up, True
            return [] if was_up else [Hello(worker, one.shape)]
        if isinstance(event, Gone):
            if event.cause == "reclaimed":
                one.bye = event
                return []
            return [self._bury(worker, event.cause, event.detail, None if event.task is None else one.at)]
        assert isinstance(event, Ended)
        return self._ended(one, event, heard)

    def _ended(self, one: Correspondent, event: Ended, heard: Heard) -> list[Event]:
        attempt = (event.task, event.attempt)
        if heard.key != layout.record_key(self.pool.prefix, self._run, *attempt) or not one.ended(attempt):
            return []
        if event.failure is not None:
            one.leave_out(attempt)
        if event.log is not None:
            self._tails.keep(event.log[0], heard.said.tail)
        return [event]

    def _begun(self) -> list[Event]:
        """Workers perform in order, so the first without a record is under way once its letter must have been read."""
        before = monotonic() - self.pool.terms.hearing_interval_s
        begun = [(name, one.begun(before)) for name, one in self._workers.items()]
        return [Began(name, *attempt) for name, attempt in begun if attempt is not None]

    # ------------------------------------------------------------ machines

    def _take_sights(self) -> list[Event]:
        events: list[Event] = []
        for sight in self._fleet.look():
            if isinstance(sight, Started):
                events += self._started(sight)
            elif isinstance(sight, LaunchFailed):
                events += self._ours(sight)
            elif (one := self._workers.get(sight.worker)) is not None:
                one.fell = one.fell or sight
                self._hear_at = 0.0
        return events

    def _started(self, sight: Started) -> list[Event]:
        worker, launched = sight.worker, self._launched.get(sight.token)
        if (known := self._workers.get(worker)) is not None:
            known.is_seen = True
            return []
        if launched is None or worker in self._left:  # the driver before this one had done with it
            self._left.add(worker)
            self._fleet.stop([worker])
            return []
        self._workers[worker] = Correspondent(sight.token, launched.shape)
        return [event for heard in self._early.pop(worker, ()) for event in self._take(heard)]

    def _never_up(self, one: Correspondent, fell: Fell) -> list[Event]:
        self._bury(fell.worker, "lost", "", None)
        detail = fell.detail
        if printed := self._fleet.tail(fell.worker).strip():
            detail = f"{detail}\nThe last lines of its log:\n{printed}"
        failed = self._ours(LaunchFailed(one.token, 1, detail, fell.launch or "passing"))
        ending = one.ending(fell)
        return [ending, *failed] if failed and isinstance(ending, Cancelled) else failed

    def _ours(self, failed: LaunchFailed) -> list[Event]:
        """With the token as the driver knows it, if it is of this run."""
        launched = self._launched.get(failed.token)
        if launched is None or launched.run != self._run:
            return []
        return [failed._replace(token=launched.token)]

    def _late(self) -> list[Event]:
        """Machines that run and whose workers say nothing, and those that were to be found and are not."""
        terms, now = self.pool.terms, monotonic()
        silent = [name for name, one in self._workers.items() if one.is_silent(now - terms.launch_limit_s)]
        unseen = [name for name, one in self._workers.items() if one.is_unseen(now - terms.lease_limit_s)]
        if silent:
            self._fleet.stop(silent)
        events: list[Event] = []
        for name in silent:
            events += self._never_up(self._workers[name], said_nothing(name, terms.launch_limit_s))
        gone = "its machine is not there any more"
        return events + [self._bury(name, "host", gone, self._workers[name].at) for name in unseen]

    def _ending(self, one: Correspondent, fell: Fell) -> list[Event]:
        name, ending = fell.worker, one.ending(fell)
        if isinstance(ending, Gone):
            return [self._bury(name, ending.cause, ending.detail, None if ending.task is None else one.at)]
        return [ending, self._bury(name, "stopped", fell.detail, one.at)]

    def _bury(self, worker: str, cause: Any, detail: str, at: Attempt | None) -> Gone:
        one = self._workers.pop(worker)
        self._left.add(worker)
        is_told = cause in ("lost", "memory", "host") and at is not None
        task = None if at is None else at[0]
        return Gone(worker, cause, detail, task, (f"{_FLEET}{worker}", 0, 1) if is_told and one.queue else None)
