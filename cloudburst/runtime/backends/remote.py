"""Workers on machines of their own, reached through the store alone.

The driver's letters go to each worker's mailbox; what workers say it hears by listing one prefix twice a second. What
becomes of the machines is the fleet's to tell. Of the two the record in the store is the truth: when a machine is gone,
what its worker had said before is heard first.

One thread at a time may use it, except for :meth:`RemoteBackend.wake`. Requests to the store are made in parallel by
threads of its own.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from threading import Event as Bell
from time import monotonic
from typing import Any, NamedTuple

from cloudburst.errors import NotFound, Tampered
from cloudburst.resources import Size
from cloudburst.runtime import layout
from cloudburst.runtime.envelope import seal, unseal
from cloudburst.runtime.events import Began, Ended, Event, Gone, Hello, LaunchFailed
from cloudburst.runtime.greeting import Greeting
from cloudburst.runtime.letters import INLINE, Letter, Said, named
from cloudburst.runtime.pool import Pool
from cloudburst.runtime.protocols import Assignment, Fell, Fleet, Started
from cloudburst.runtime.task import Awaited, Function, TaskId

_THREADS = 16
_LOOK_S = 0.1
_MOST_TAILS = 2000


_Attempt = tuple[TaskId, int]


class _Remote:
    """A worker as its driver sees it."""

    __slots__ = ("announced", "asked_at", "fell", "first_at", "is_up", "known", "letters", "queue", "shape", "token")

    def __init__(self, token: str, shape: Size) -> None:
        self.token, self.shape = token, shape
        self.is_up = False
        self.known: set[str] = set()
        self.letters = 0
        self.queue: OrderedDict[_Attempt, frozenset[_Attempt]] = OrderedDict()
        """Attempts that it was given and that have no record, with those that each awaits."""
        self.fell: Fell | None = None
        """Its machine is no more, and what it has said before is yet to be heard."""
        self.asked_at = monotonic()
        self.first_at = 0.0
        """When the first attempt of the queue came to stand there."""
        self.announced: tuple[TaskId, int] | None = None


    def leave_out(self, failed: _Attempt) -> None:
        """An attempt has failed: the worker leaves out what awaits it, and what awaits that."""
        out = {failed}
        for attempt, awaited in tuple(self.queue.items()):
            if awaited & out:
                out.add(attempt)
                del self.queue[attempt]


class _Heard(NamedTuple):
    key: str
    said: Said


class RemoteBackend:
    """Workers of a pool.

    Parameters
    ----------
    pool : Pool
        Where mail and records lie; it is opened here and closed with the backend.
    fleet : Fleet
        What starts and stops machines.
    greeting : Greeting, optional
        Is given what a worker says of its versions, and raises if that will not do.
    """

    def __init__(self, pool: Pool, fleet: Fleet, greeting: Greeting | None = None) -> None:
        self.pool, self._fleet, self._greeting = pool, fleet, greeting
        self._store = pool.store
        self._workers: dict[str, _Remote] = {}
        self._left: set[str] = set()
        """Workers that are no more, or are not ours to hear any more."""
        self._early: dict[str, list[_Heard]] = {}
        """What workers have said of which the fleet has not said yet that they were started."""
        self._launched: dict[str, Size] = {}
        self._functions: Mapping[str, Function] = {}
        self._run = ""
        self._runs = count(1)
        self._news: list[Event] = []
        self._sending: set[Future[None]] = set()
        self._heard: set[str] = set()
        """Keys whose messages were passed on: to be removed once the driver has written that down."""
        self._removing: dict[Future[None], list[str]] = {}
        self._tails: OrderedDict[str, str] = OrderedDict()
        self._hear_at = 0.0
        self._bell = Bell()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="cloudburst-mail")
        pool.open()

    # ------------------------------------------------------------ a run

    def equip(self, functions: Mapping[str, Function]) -> None:
        """Begin a run: these are its functions, those of the run before are forgotten."""
        self._functions = functions
        self._run = f"{self.pool.id}{next(self._runs)}"
        self._tails.clear()
        for worker in self._workers.values():
            worker.known.clear()
            worker.queue.clear()
        self._news = [event for event in self._take_sights() if isinstance(event, Gone)]

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
        self._launched[full] = shape
        self._fleet.launch(shape, count, full)

    def assign(self, worker: str, tasks: Sequence[Assignment]) -> None:
        """Send a worker a letter with tasks, behind those it has. One that has gone meanwhile is ``Gone``."""
        one = self._workers.get(worker)
        if one is None:
            return
        missing = named(tasks) - one.known
        one.known |= missing
        if not one.queue:
            one.first_at = monotonic()
        for task in tasks:
            awaited = frozenset([(one.task, one.attempt) for one in task.inputs if isinstance(one, Awaited)])
            one.queue[task.id, task.attempt] = awaited
        one.letters += 1
        payloads = {name: self._functions[name].payload for name in missing}
        self._send(worker, one.letters, payloads, tuple(tasks))

    def stop(self, workers: Sequence[str]) -> None:
        """End workers. Each is ``Gone`` at once: what it may still say is not heard."""
        ours = [name for name in workers if name in self._workers]
        for name in ours:
            at = next(iter(self._workers[name].queue), (None,))[0]
            self._news.append(self._bury(name, "stopped", "stopped", at))
        self._fleet.stop(ours)

    def poll(self, timeout_s: float) -> list[Event]:
        """Wait until something has happened, at most so long, and return all that has."""
        self._forget_heard()
        until = monotonic() + timeout_s
        while True:
            self._check()
            events, self._news = self._news, []
            events += self._take_sights()
            if monotonic() >= self._hear_at:
                events += self._hear()
            events += self._begun()
            events += self._late()
            if events or self._bell.is_set() or monotonic() >= until:
                self._bell.clear()
                return events
            self._bell.wait(max(0.0, min(until - monotonic(), _LOOK_S)))

    def wake(self) -> None:
        """Have ``poll`` return now. Any thread, and a signal handler, may call it."""
        self._bell.set()

    def logs(self, log: tuple[str, int, int]) -> str:
        """Text that an attempt printed."""
        name, start, end = log
        if name.startswith(_FLEET):
            return self._fleet.tail(name.removeprefix(_FLEET))
        tail = self._tails.get(name)
        if tail is None or len(tail) < end - start:
            try:
                return bytes(self._store.get(name)).decode()
            except NotFound:  # all of it was in the record, and there were too many of those to keep
                return tail or ""
        return tail

    def notes(self) -> list[str]:
        """Sentences for the user, each given once."""
        if self._greeting is None:
            return []
        notes, self._greeting.warnings = self._greeting.warnings, []
        return notes

    def close(self) -> None:
        """Close the lease, stop every machine, and remove what the pool has in the store."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        try:
            self.pool.close_lease()
        finally:
            self._fleet.close()
        self.pool.remove()

    # ------------------------------------------------------------ mail

    def _send(self, worker: str, number: int, payloads: dict[str, bytes], tasks: tuple[Assignment, ...]) -> None:
        run, pool, store = self._run, self.pool, self._store

        def write() -> None:
            elsewhere = {}
            for name in [name for name, payload in payloads.items() if len(payload) > INLINE]:
                payload = payloads.pop(name)
                key = layout.function_key(pool.prefix, run, name)
                store.put(key, [payload], if_absent=True)
                elsewhere[name] = (key, hashlib.sha256(payload).digest())
            key = layout.letter_key(pool.prefix, worker, number)
            letter = Letter(run, payloads, elsewhere, tasks)
            store.put(key, [seal("letter", key, letter.as_bytes(), pool.secret)])

        future = self._threads.submit(write)
        self._sending.add(future)

    def _check(self) -> None:
        """Raise what went wrong while letters were written, or the lease was."""
        for future in [one for one in self._sending if one.done()]:
            self._sending.remove(future)
            future.result()
        self.pool.check()

    def _hear(self) -> list[Event]:
        """List what workers have said, and take it in."""
        self._hear_at = monotonic() + self.pool.terms.hearing_interval_s
        if not self._workers and not self._launched:
            return []
        fallen = [(name, one.fell) for name, one in self._workers.items() if one.fell is not None]
        keys = [key for key in self._store.list(layout.said_prefix(self.pool.prefix)) if key not in self._heard]
        events: list[Event] = []
        for heard in self._threads.map(self._read, sorted(keys, key=_in_order)):
            if heard is not None:
                events += self._take(heard)
        for name, fell in fallen:  # what their workers had said was in this list
            if name in self._workers:
                at = next(iter(self._workers[name].queue), (None,))[0]
                events.append(self._bury(name, fell.cause, fell.detail, at))
        return events

    def _read(self, key: str) -> _Heard | None:
        try:
            message = self._store.get(key)
        except NotFound:  # removed since it was listed
            return None
        return _Heard(key, Said.of_bytes(unseal("said", key, message, self.pool.secret)))

    def _take(self, heard: _Heard) -> list[Event]:
        """Events that a message is to the driver."""
        [event] = heard.said.events
        worker = event.worker  # type: ignore[union-attr]
        self._heard.add(heard.key)
        if worker not in self._workers and worker not in self._left:
            self._early.setdefault(worker, []).append(heard)  # the fleet is yet to say what it was started for
            return []
        if tampered := heard.said.about.get("tampered"):
            raise Tampered(f"A worker has found that {tampered}")
        one = self._workers.get(worker)
        if one is None:
            return []
        if isinstance(event, Hello):
            return self._hello(worker, one, heard.said)
        if isinstance(event, Gone):
            at = next(iter(one.queue), (None,))[0]
            return [self._bury(worker, event.cause, event.detail, at if event.task is not None else None)]
        assert isinstance(event, Ended)
        return self._ended(one, event, heard)

    def _hello(self, worker: str, one: _Remote, said: Said) -> list[Event]:
        if self._greeting is not None:
            self._greeting(said.about)
        if one.is_up:
            return []
        one.is_up = True
        return [Hello(worker, one.shape)]

    def _ended(self, one: _Remote, event: Ended, heard: _Heard) -> list[Event]:
        attempt = (event.task, event.attempt)
        if attempt not in one.queue or heard.key != layout.record_key(self.pool.prefix, self._run, *attempt):
            return []
        del one.queue[attempt]
        one.first_at = monotonic()
        if event.failure is not None:
            one.leave_out(attempt)
        if event.log is not None:
            self._tails[event.log[0]] = heard.said.tail
            if len(self._tails) > _MOST_TAILS:
                self._tails.popitem(last=False)
        return [event]

    def _forget_heard(self) -> None:
        """The driver has written down what it was told: these messages are needed no more."""
        for future in [one for one in self._removing if one.done()]:
            self._heard.difference_update(self._removing.pop(future))
            future.result()
        removing = {key for keys in self._removing.values() for key in keys}
        if keys := [key for key in self._heard if key not in removing]:
            self._removing[self._threads.submit(self._store.delete, keys)] = keys

    def _begun(self) -> list[Event]:
        """Workers perform in order, so the first without a record is under way once its letter must have been read."""
        before = monotonic() - self.pool.terms.hearing_interval_s
        events: list[Event] = []
        for name, one in self._workers.items():
            first = next(iter(one.queue), None)
            if first is not None and first != one.announced and one.first_at < before:
                one.announced = first
                events.append(Began(name, *first))
        return events

    # ------------------------------------------------------------ machines

    def _take_sights(self) -> list[Event]:
        events: list[Event] = []
        for sight in self._fleet.look():
            if isinstance(sight, Started):
                self._workers[sight.worker] = _Remote(sight.token, self._launched[sight.token])
                for heard in self._early.pop(sight.worker, ()):
                    events += self._take(heard)
            elif isinstance(sight, LaunchFailed):
                events.append(self._ours(sight))
            elif (one := self._workers.get(sight.worker)) is not None:
                if one.is_up:
                    one.fell = one.fell or sight
                    self._hear_at = 0.0
                else:
                    events.append(self._never_up(sight.worker, sight.detail, sight))
        return events

    def _never_up(self, worker: str, detail: str, fell: Fell | None = None) -> Event:
        one = self._workers.pop(worker)
        self._left.add(worker)
        cause = "passing" if fell is None or fell.launch is None else fell.launch
        if printed := self._fleet.tail(worker).strip():
            detail = f"{detail}\nThe last lines of its log:\n{printed}"
        return self._ours(LaunchFailed(one.token, 1, detail, cause))

    def _ours(self, failed: LaunchFailed) -> LaunchFailed:
        """With the token as the driver knows it."""
        return failed._replace(token=failed.token.rpartition("-")[2])

    def _late(self) -> list[Event]:
        """Machines that run and whose workers say nothing."""
        limit_s, now = self.pool.terms.launch_limit_s, monotonic()
        late = [name for name, one in self._workers.items() if not one.is_up and now - one.asked_at > limit_s]
        if late:
            self._fleet.stop(late)
        return [
            self._never_up(
                name,
                f"the machine {name} was granted, but its worker has said nothing for {limit_s:.0f} s: it may have no way "
                "to the storage (a route to S3, permissions of compute_task_role), or the image is not a worker's",
                Fell(name, "lost", "", "setup"),
            )
            for name in late
        ]

    def _bury(self, worker: str, cause: Any, detail: str, at: TaskId | None = None) -> Gone:
        one = self._workers.pop(worker)
        self._left.add(worker)
        is_told = cause in ("lost", "memory", "host") and at is not None
        return Gone(worker, cause, detail, at, (f"{_FLEET}{worker}", 0, 1) if is_told and one.queue else None)


def _in_order(key: str) -> tuple[int, str]:
    """Hellos before records, and goodbyes last: so a worker is known when its records are taken in."""
    name = key.rpartition("/")[2]
    return (0 if name.startswith("hello-") else 2 if name.startswith("bye-") else 1), name


_FLEET = "log of machine "
"""What a log's name begins with that the fleet has, because the worker could write no record."""
