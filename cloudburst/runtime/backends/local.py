"""Workers on this machine: performers as programs of their own, supervised over pipes by the process that uses them.

The pool lives as long as its owner wants and serves one run after another. One thread at a time may use it, except for
:meth:`LocalBackend.wake` and :meth:`LocalBackend.logs`. Performers end when this process does, whatever ended it.
"""

from __future__ import annotations

import os
import selectors
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import Lock
from time import monotonic
from weakref import WeakSet

from cloudburst.errors import InternalError
from cloudburst.resources import Size
from cloudburst.runtime import layout, logs, oom
from cloudburst.runtime.events import Began, Event, Gone, Hello, LaunchFailed
from cloudburst.runtime.protocols import Assignment
from cloudburst.runtime.task import Function
from cloudburst.runtime.worker import Worker

ANNOUNCE_S = 0.005
"""How long an attempt must take to be worth a ``Began``."""

_LOOK_S = 1.0
_CLOSE_S = 10.0
_CLOSE_LOOK_S = 0.05
_LOG_TAIL = 2000
_NO_LAUNCH = ""
"""The token of a worker that an earlier run asked for: if it never comes up, nobody waits for it."""

_pools: WeakSet[LocalBackend] = WeakSet()


class LocalBackend:
    """Performer processes on this machine.

    Parameters
    ----------
    store_url : str
        The store that performers open.
    directory : path
        Where their logs go; it is made if it is not there.

    Examples
    --------
    >>> import tempfile
    >>> from cloudburst.resources import Size
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     backend = LocalBackend(f"file://{directory}/store", directory)
    ...     backend.equip({})
    ...     backend.launch(Size(1024, 2048), 1, "first")
    ...     events = backend.poll(60)
    ...     backend.close()
    >>> events
    [Hello(worker='w1', shape=None)]
    """

    def __init__(self, store_url: str, directory: str | os.PathLike[str]) -> None:
        self._store_url = store_url
        self._directory = Path(directory)
        self._directory.mkdir(parents=True, exist_ok=True)
        self._workers: dict[str, Worker] = {}
        self._functions: Mapping[str, Function] = {}
        self._news: list[Event] = []
        self._numbers = count(1)
        self._memory_kills = oom.kills()
        self._look_at = monotonic()
        self._in_use = Lock()
        self._selector = selectors.DefaultSelector()
        self._bell, self._button = os.pipe()
        os.set_blocking(self._bell, False)
        os.set_blocking(self._button, False)
        self._selector.register(self._bell, selectors.EVENT_READ)
        _pools.add(self)

    # ------------------------------------------------------------ a run

    def equip(self, functions: Mapping[str, Function]) -> None:
        """Begin a run: these are its functions, those of the run before are forgotten."""
        with self._alone():
            self._waited(0.0)  # what has happened since the last run is of no use to this one
            self._news.clear()
            self._memory_kills = oom.kills()
            self._functions = functions
            for worker in self._workers.values():
                worker.token = worker.token if worker.is_ready else _NO_LAUNCH
                self._introduce(worker)

    def workers(self) -> list[str]:
        """The workers that are up and have nothing to do, left by the run before."""
        return [one.name for one in self._workers.values() if one.is_ready and not one.attempts and one.fate is None]

    def launch(self, shape: Size, count: int, token: str) -> None:  # noqa: ARG002
        """Start performers; a local one has whatever size its tasks have."""
        with self._alone():
            for _ in range(count):
                name = f"w{next(self._numbers)}"
                try:
                    worker = Worker(name, token, self._directory)
                except OSError as error:
                    self._news.append(LaunchFailed(token, 1, f"a worker process could not be started: {error}"))
                    continue
                self._workers[name] = worker
                self._selector.register(worker.records, selectors.EVENT_READ, worker)
                self._introduce(worker)

    def assign(self, worker: str, tasks: Sequence[Assignment]) -> None:
        """Give tasks to a worker, behind those it has. One that has gone meanwhile is ``Gone`` through ``poll``."""
        with self._alone():
            if (one := self._workers.get(worker)) is not None:
                self._watching_room(one, lambda: one.assign(tasks, self._functions))

    def shape(self, worker: str) -> Size | None:  # noqa: ARG002 - it is the same for each
        """None: all workers share this machine."""
        return None

    def stop(self, workers: Sequence[str]) -> None:
        """Kill workers and what their tasks have started. Each is ``Gone`` through ``poll``."""
        with self._alone():
            for name in workers:
                if (one := self._workers.get(name)) is not None:
                    one.kill("stopped")

    def poll(self, timeout_s: float) -> list[Event]:
        """Wait until something has happened, at most so long, and return all that has."""
        with self._alone():
            events, self._news = self._news, []
            if not events:
                events = self._waited(timeout_s)
            return events

    def wake(self) -> None:
        """Have ``poll`` return now. Any thread, and a signal handler, may call it."""
        with suppress(BlockingIOError, OSError):  # full: it is awake already; closed: there is nobody to wake
            os.write(self._button, b"!")

    def logs(self, log: tuple[str, int, int]) -> str:
        """Text that an attempt printed."""
        name, start, end = log
        return logs.read(layout.log_path(self._directory, name), start, end)

    def pid(self, worker: str) -> int | None:
        """The process of a worker, if it is up."""
        one = self._workers.get(worker)
        return None if one is None else one.process.pid

    @property
    def has_workers(self) -> bool:
        """Whether there is a process, up or starting."""
        return bool(self._workers)

    def close(self) -> None:
        """Kill every worker and wait until none is left. The logs stay."""
        with self._alone():
            for worker in self._workers.values():
                worker.kill("stopped")
            until = monotonic() + _CLOSE_S
            while self._workers and monotonic() < until:
                self._waited(min(_CLOSE_LOOK_S, until - monotonic()))
            self._let_go()

    # ------------------------------------------------------------ inside

    def _introduce(self, worker: Worker) -> None:
        self._watching_room(worker, lambda: worker.begin_run(self._store_url))

    def _watching_room(self, worker: Worker, send: Callable[[], None]) -> None:
        """Send, and be told of room in the pipe as long as something could not be sent."""
        had = worker.has_unsent
        send()
        if worker.has_unsent and not had:
            self._selector.register(worker.requests, selectors.EVENT_WRITE, worker)
        elif had and not worker.has_unsent:
            self._selector.unregister(worker.requests)

    def _waited(self, timeout_s: float) -> list[Event]:
        until = monotonic() + timeout_s
        events: list[Event] = []
        while True:
            is_woken = False
            for key, _ in self._selector.select(max(0.0, self._wait_s(until))):
                if key.fd == self._bell:
                    is_woken = bool(os.read(self._bell, 4096))
                elif key.fd == key.data.records:
                    events += self._heard(key.data)
                elif key.data.name in self._workers:
                    self._watching_room(key.data, key.data.send)
            events += self._late()
            if events or is_woken or monotonic() >= until:
                return events

    def _wait_s(self, until: float) -> float:
        """How long nothing needs to be looked at but the pipes."""
        if self._workers:
            until = min(until, self._look_at)
        for worker in self._workers.values():
            if not worker.is_announced:
                until = min(until, worker.began + ANNOUNCE_S)
            if (deadline := worker.deadline) is not None:
                until = min(until, deadline)
        return until - monotonic()

    def _heard(self, worker: Worker) -> Iterator[Event]:
        was_ready = worker.is_ready
        ended, is_over = worker.receive()
        if worker.is_ready and not was_ready:
            yield Hello(worker.name)
        yield from ended
        if (is_over or worker.process.returncode is not None) and (gone := self._gone(worker)) is not None:
            yield gone

    def _late(self) -> Iterator[Event]:
        """What no pipe tells: attempts that go on, those that take too long, and workers that ended in silence."""
        now = monotonic()
        is_time_to_look = now >= self._look_at
        if is_time_to_look:
            self._look_at = now + _LOOK_S
        for worker in tuple(self._workers.values()):
            if not worker.is_announced and worker.attempts and now >= worker.began + ANNOUNCE_S:
                worker.is_announced = True
                yield Began(worker.name, worker.attempts[0].id, worker.attempts[0].number)
            if (deadline := worker.deadline) is not None and now >= deadline:
                worker.kill("timeout")
            elif is_time_to_look and worker.process.poll() is not None:  # a child of its own holds the pipe open
                yield from self._heard(worker)

    def _gone(self, worker: Worker) -> Gone | LaunchFailed | None:
        if worker.has_unsent:
            self._selector.unregister(worker.requests)
        self._selector.unregister(worker.records)
        del self._workers[worker.name]
        counted = oom.kills()
        gone = worker.bury(counted - self._memory_kills)
        self._memory_kills = self._memory_kills + 1 if gone.cause == "memory" else counted
        if worker.is_ready:
            return gone
        if worker.token == _NO_LAUNCH:
            return None
        printed = logs.read(worker.log, 0, logs.size(worker.log))[-_LOG_TAIL:].strip()
        detail = "did not start in time" if gone.cause == "timeout" else gone.detail
        return LaunchFailed(
            worker.token, 1, f"a worker process ended before it was ready ({detail}). {printed}".strip()
        )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._in_use.acquire(blocking=False):
            raise InternalError("Two threads use one local backend at the same time.")
        try:
            yield
        finally:
            self._in_use.release()

    def _let_go(self) -> None:
        """Close what this process has of the pool."""
        for worker in self._workers.values():
            worker.close_pipes()
        self._selector.close()
        for file in (self._bell, self._button):
            with suppress(OSError):
                os.close(file)
        _pools.discard(self)


def _forget_pools() -> None:
    """In a fork of this process: it must not hold the lifelines of performers that are not its own."""
    for pool in tuple(_pools):
        pool._let_go()


os.register_at_fork(after_in_child=_forget_pools)
