"""The program that runs the user's code: ``python -m cloudburst.runtime.performer REQUESTS RECORDS LIFELINE``.

The three are descriptors of pipes. Messages come in by the first and go out by the second (see :mod:`.frames`). Nothing
is ever written to the third, which ends when the client does, and with it this process and all that it started.

=======================================  =================================================================
in                                       meaning
=======================================  =================================================================
``("run", path, directory, env, store)`` A run begins: what was loaded before is forgotten
``("functions", {id: payload})``         Functions that later tasks name
``("tasks", [task, ...])``               Attempts to perform one after another, each a :func:`.messages.task_message`
=======================================  =================================================================

Out go ``("ready",)``, once the first run could begin, and then one record for each attempt, in their order and each
before the next attempt begins, so that a client who has read a record knows what the process is at.
"""

from __future__ import annotations

import faulthandler
import fcntl
import os
import resource
import select
import signal
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Thread
from types import ModuleType
from typing import Any

from cloudburst.runtime import logs, place
from cloudburst.runtime.events import Failure
from cloudburst.runtime.frames import CHUNK, Inbox, Message, frame
from cloudburst.runtime.messages import assignment_of, record_message
from cloudburst.runtime.protocols import Assignment, Store
from cloudburst.runtime.steps import Record, perform
from cloudburst.runtime.stores import open_store

MOST_LOADED = 512
"""Functions that stay loaded; one that was dropped is loaded again when a task names it."""

_F_SETSIG = 10  # Linux; module fcntl has no name for it before 3.13
_PER_MIB = 1 << 20 if sys.platform == "darwin" else 1 << 10
_RESET_PEAK = b"5"
_SHORT_S = 0.001
_SHORTEN_EVERY_MS = 1000


class Functions(Mapping[str, Callable[..., Any]]):
    """The run's functions, loaded when first asked for."""

    def __init__(self) -> None:
        self._payloads: dict[str, bytes] = {}
        self._loaded: OrderedDict[str, Callable[..., Any]] = OrderedDict()

    def add(self, payloads: dict[str, bytes]) -> None:
        """Make functions known."""
        self._payloads |= payloads

    def __getitem__(self, function: str) -> Callable[..., Any]:
        loaded = self._loaded.get(function)
        if loaded is None:
            from cloudburst.runtime import arrival

            loaded = self._loaded[function] = arrival.load(self._payloads[function])
            if len(self._loaded) > MOST_LOADED:
                self._loaded.popitem(last=False)
        else:
            self._loaded.move_to_end(function)
        return loaded

    def __iter__(self) -> Iterator[str]:
        return iter(self._payloads)

    def __len__(self) -> int:
        return len(self._payloads)


class Performer:
    """Performs what comes in by one pipe and writes what became of it to another."""

    def __init__(self, requests: int, records: int, output: logs.Output) -> None:
        self._requests = requests
        self._records = records
        self._records_id = os.fstat(records).st_ino
        self._output = output
        self._functions = Functions()
        self._store: Store | None = None
        self._peak = _Peak()

    def serve(self) -> None:
        """Perform until nothing more can come."""
        inbox = Inbox()
        while data := os.read(self._requests, CHUNK):
            for message in inbox.feed(data):
                self._take(message)

    def _take(self, message: Message) -> None:
        if message[0] == "tasks":
            for task in message[1]:
                self._perform(assignment_of(task))
        elif message[0] == "functions":
            self._functions.add(message[1])
        else:
            self._begin_run(*message[1:])

    def _begin_run(self, path: list[str], directory: str | None, environment: dict[str, str], store: str) -> None:
        is_first = self._store is None
        self._functions = Functions()
        if self._store is None or self._store.url != store:
            self._store = open_store(store)
        sys.path[:] = path
        if directory is not None:
            os.chdir(directory)
        if environment != os.environ:
            os.environ.clear()
            os.environ.update(environment)
        if is_first:
            self._send(("ready",))
            _prepare()

    def _perform(self, assignment: Assignment) -> None:
        assert self._store is not None
        self._peak.reset()
        with _environment_of(assignment):
            record = _without_secrets(assignment) or perform(assignment, self._functions, self._store)
        peak_mib = self._peak.mib(record.seconds)
        _flush()
        self._send(record_message(assignment, record, peak_mib, self._output.next_attempt()))

    def _send(self, message: Message) -> None:
        if os.fstat(self._records).st_ino != self._records_id:  # the user's code closed it, and opened something else
            os._exit(os.EX_IOERR)
        data = memoryview(frame(message))
        while data:
            data = data[os.write(self._records, data) :]


class _Peak:
    """The highest memory use of this process in an attempt: where the system cannot reset it, since the process began.

    Linux is asked by way of ``/proc``: its ``getrusage`` counts from before the program was loaded, when this process
    still was the client with all its memory.
    """

    def __init__(self) -> None:
        self._files: tuple[int, int] | None = None
        self._usual = 0.0
        with suppress(OSError):  # there is no /proc on macOS
            reset = os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)
            self._files = reset, os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)

    def reset(self) -> None:
        """An attempt begins."""
        if self._files is not None:
            try:
                os.write(self._files[0], _RESET_PEAK)
            except OSError:
                self._files = None

    def mib(self, seconds: float) -> float:
        """What an attempt used that took so long; a short one is taken to have used what was in use before."""
        if seconds < _SHORT_S and self._usual:
            return self._usual
        if self._files is not None:
            try:
                status = os.pread(self._files[1], 4096, 0)
                self._usual = _kib(status, b"VmRSS:") / 1024
                return _kib(status, b"VmHWM:") / 1024
            except (OSError, ValueError):  # the user's code closed it, or this kernel does not say
                self._files = None
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _PER_MIB


def _kib(status: bytes, name: bytes) -> int:
    start = status.index(name) + len(name)
    return int(status[start : status.index(b"kB", start)])


def main(requests: int, records: int, lifeline: int) -> None:
    """Serve until the client has no more to do, or is no more."""
    pipes = (requests, records, lifeline)
    for pipe in pipes:
        os.set_inheritable(pipe, False)
    os.register_at_fork(after_in_child=lambda: _close(pipes))
    place.become_performer()
    faulthandler.enable(sys.__stderr__ or 2)
    sys.stdout.reconfigure(line_buffering=True, encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    output = logs.Output(1)
    _go_before_client()
    _die_with_client(lifeline)
    Thread(target=_watch, args=(lifeline, output), daemon=True, name="cloudburst-lifeline").start()
    with suppress(BrokenPipeError):  # nobody is left to hear of it
        Performer(requests, records, output).serve()


@contextmanager
def _environment_of(assignment: Assignment) -> Iterator[None]:
    """The variables that a task has of its own, for as long as it is performed."""
    if not assignment.environment:
        yield
        return
    before = dict(os.environ)
    os.environ.update(assignment.environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _without_secrets(assignment: Assignment) -> Record | None:
    """What becomes of a task whose secrets nobody has fetched and that are not in the environment either."""
    missing = [name for name, _ in assignment.secrets if name not in os.environ]
    if not missing:
        return None
    names = ", ".join(missing)
    message = (
        f"its secret {names} is not there: on this machine a stage finds its secrets in your own environment. "
        f"Set {names} before you start the program."
    )
    return Record((), Failure("refused", message, assignment.stage_step), 0.0)


def _close(pipes: tuple[int, ...]) -> None:
    """Let go of the pipes in a process that a stage forked, so that they end with the performer."""
    for pipe in pipes:
        with suppress(OSError):
            os.close(pipe)


def _go_before_client() -> None:
    """Where memory runs out, have the kernel choose this process: the client can tell of it, and try again."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")


def _die_with_client(lifeline: int) -> None:
    """Have the kernel kill this process and its children when the lifeline ends, even while C code holds the GIL."""
    if sys.platform == "linux":
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, _F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)


def _watch(lifeline: int, output: logs.Output) -> None:
    """End everything when the lifeline does, and keep the log short until then."""
    end = select.poll()
    end.register(lifeline, select.POLLIN)
    while not end.poll(_SHORTEN_EVERY_MS):
        with suppress(OSError):  # a full disk: the attempt's end tries again
            output.shorten()
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _prepare() -> None:
    """Load what the first task will need, while the client is still making it."""
    import logging
    from importlib import import_module

    import_module("cloudburst.runtime.arrival")
    # Used only while the user has configured no logging of their own, which stays free to do so.
    logging.lastResort = logging.StreamHandler(sys.stderr)
    logging.lastResort.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.getLogger().setLevel(logging.INFO)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # the user's code closed or replaced it
            stream.flush()


if __name__ == "__main__":
    from cloudburst.runtime.performer import main as performer

    # The user's functions may belong to a __main__ of their own: it must not be this one.
    sys.modules["__main__"] = ModuleType("__main__")
    performer(*map(int, sys.argv[1:4]))
