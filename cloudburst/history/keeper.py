"""Tells, as long as a run goes on, what it has come to: in the store, where anybody with access can look.

A thread of its own writes, every few seconds while something changes, so that the run waits for nothing; and it looks
whether somebody wants the run to end. What goes wrong with that costs the run nothing.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from cloudburst.errors import CodecError, NotFound, StoreError
from cloudburst.history.figures import Figures
from cloudburst.history.listing import listed
from cloudburst.history.record import RunState, from_json, to_json
from cloudburst.providers.base import Provider, Whereabouts
from cloudburst.runtime import layout
from cloudburst.runtime.events import Command, Ended, Event, Gone
from cloudburst.runtime.protocols import Backend, Store
from cloudburst.runtime.task import Plan, TaskId

if TYPE_CHECKING:
    from cloudburst.runtime.outcome import Log, Outcome

INTERVAL_S = 5.0
_LEAST_S = 1.0
SHORT = 64 * 1024
"""Bytes of output that come with a record. More lies in the store until the run is done."""
_KEPT = 64 * 1024
"""Characters of longer output that stay at either end."""
_MOST_PRINTED = 32 << 20
"""Characters of output that are kept of a run."""
STOPPED = "somebody asked for it with cloudburst runs stop"


class Keeping(Protocol):
    """Watches a run from its start to its end: enter it around the driving of the run."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def see(self, events: Sequence[Event], commands: Sequence[Command]) -> None:
        """Take in what has happened and what was decided on it."""
        ...

    def finish(self, outcome: Outcome) -> None:
        """It is over: what became of it."""
        ...

    def notes(self) -> list[str]:
        """Sentences for the user about what could not be told."""
        ...


class Unkept:
    """Of a run that nobody else could look at, nothing is told."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is to be ended."""

    def see(self, events: Sequence[Event], commands: Sequence[Command]) -> None:
        """Look away."""

    def finish(self, outcome: Outcome) -> None:
        """Say nothing."""

    def notes(self) -> list[str]:
        """Nothing could go wrong."""
        return []


class Keeper:
    """Keeps the history of one run.

    Parameters
    ----------
    store : Store
        Where it goes.
    plan : Plan
        What is run.
    run : str
        Its id.
    where : Whereabouts
        Where its machines are.
    backend : Backend
        Knows what was printed.
    cancel : callable
        Ends the run, for a reason.
    interval_s : float
        How often it is told, and looked for wishes.
    is_taken_up : bool
        Whether another program had begun it.
    """

    def __init__(
        self,
        store: Store,
        plan: Plan,
        run: str,
        where: Whereabouts,
        backend: Backend,
        cancel: Callable[[str], None],
        interval_s: float = INTERVAL_S,
        *,
        is_taken_up: bool = False,
    ) -> None:
        self._store, self._run, self._where, self._backend, self._cancel = store, run, where, backend, cancel
        self._interval_s = interval_s
        now_s = time.time()
        anew = layout.history_key(where.user, run, now_s), now_s, 0
        self._key, begun_s, self._number = (_told_before(store, where.user, run) if is_taken_up else None) or anew
        self._figures = Figures(plan, run, where, begun_s)
        self._lock = threading.Lock()
        self._printed: list[tuple[TaskId, int, Log, str | None]] = []
        self._room = _MOST_PRINTED
        self._state: RunState | None = None
        self._reason = ""
        self._has_changed = True
        self._is_wished = False
        self._trouble: StoreError | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="cloudburst history", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._state is None:
            self._state = "failed"
            self._reason = f"{type(error).__name__}: {error}" if error is not None else ""
        self._has_changed = True
        self._over.set()
        self._thread.join()

    def see(self, events: Sequence[Event], commands: Sequence[Command]) -> None:
        """Take in what has happened and what was decided on it."""
        with self._lock:
            self._figures.see(events, commands, time.time())
            self._has_changed = True
            for event in events:
                if isinstance(event, Ended) and event.log is not None and event.log[1] < event.log[2]:
                    is_short = event.log[2] - event.log[1] <= SHORT
                    text = self._backend.logs(event.log) if is_short else None
                    self._printed.append((event.task, event.attempt, event.log, text))
                elif isinstance(event, Gone) and event.task is not None and event.cause != "stopped":
                    self._printed.append((event.task, 0, (event.worker, 0, 0), f"[its worker is gone: {event.detail}]"))

    def finish(self, outcome: Outcome) -> None:
        """It is over: what became of it."""
        with self._lock:
            self._figures.give_up([failed.task for failed in outcome.failures])
        self._state, self._reason = outcome.status, outcome.reason

    def notes(self) -> list[str]:
        """Sentences for the user about what could not be told."""
        if self._trouble is None:
            return []
        return [f"What `cloudburst runs` tells of this run could not be written: {self._trouble}"]

    # ------------------------------------------------------------ the thread

    def _keep(self) -> None:
        is_over = False
        while not is_over:
            self._try(self._tell)
            self._try(self._look)
            is_over = self._over.wait(self._interval_s)
        self._try(self._tell)

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except StoreError as trouble:
            self._trouble = trouble
            self._has_changed = True
        except Exception as trouble:  # noqa: BLE001 - a history that cannot be kept is no reason to lose a run
            self._trouble = StoreError(f"{type(trouble).__name__}: {trouble}")

    def _tell(self) -> None:
        if not self._has_changed:
            return
        with self._lock:
            record = self._figures.record(time.time(), self._state or "running", self._reason)
            printed, self._printed = self._printed, []
            self._has_changed = False
        self._write_printed(printed)
        self._store.put(self._key, [to_json(record).encode()])
        self._trouble = None

    def _write_printed(self, printed: list[tuple[TaskId, int, Log, str | None]]) -> None:
        lines = []
        for task, attempt, (name, _, _), text in printed:
            if self._room > 0:
                whole = self._long(name) if text is None else text
                self._room -= len(whole)
                note = (
                    "" if self._room > 0 else "\n[cloudburst: of what this run prints from here on nothing is kept]\n"
                )
                told = {"stage": self._figures.stage_of(task), "task": self._figures.name_of(task), "attempt": attempt}
                lines.append(json.dumps({**told, "text": whole + note}))
        if lines:
            self._number += 1
            key = layout.printed_key(self._where.user, self._run, self._number)
            self._store.put(key, ["\n".join(lines).encode()])

    def _long(self, name: str) -> str:
        try:
            text = bytes(self._store.get(name)).decode(errors="replace")
        except NotFound:
            return ""
        left_out = len(text) - 2 * _KEPT
        if left_out <= 0:
            return text
        return f"{text[:_KEPT]}\n[cloudburst: {left_out} characters of output left out here]\n{text[-_KEPT:]}"

    def _look(self) -> None:
        if self._is_wished:
            return
        try:
            self._store.size(layout.wish_key(self._where.prefix, self._run))
        except NotFound:
            return
        self._is_wished = True
        self._cancel(STOPPED)


def keeping(
    provider: Provider,
    plan: Plan,
    run: str,
    backend: Backend,
    cancel: Callable[[str], None],
    *,
    scale: float = 1.0,
    is_taken_up: bool = False,
) -> Keeping:
    """What keeps the history of a run, where anybody could look at it.

    Parameters
    ----------
    provider : Provider
        Where it runs.
    plan : Plan
        What is run.
    run : str
        Its id.
    backend : Backend
        Its workers.
    cancel : callable
        Ends the run, for a reason.
    scale : float
        How much shorter waits are than on AWS.
    is_taken_up : bool
        Whether another program had begun it.
    """
    where = provider.whereabouts(backend)
    if where is None:
        return Unkept()
    interval_s = max(_LEAST_S, INTERVAL_S * scale)
    return Keeper(provider.store, plan, run, where, backend, cancel, interval_s, is_taken_up=is_taken_up)


def _told_before(store: Store, user: str, run: str) -> tuple[str, float, int] | None:
    """Of a run that is taken up: the key of its record, when it was begun, and how much was kept of what it printed."""
    key = next(
        (key for key in listed(store, layout.history_prefix(user)) if layout.run_of_history(key)[1] == run), None
    )
    if key is None:
        return None
    with suppress(CodecError):  # somebody else has written it
        begun_s = from_json(bytes(store.get(key))).begun_s
        prefix = layout.printed_key(user, run, 0).rpartition("/")[0]
        return key, begun_s, sum(1 for _ in listed(store, f"{prefix}/"))
    return None
