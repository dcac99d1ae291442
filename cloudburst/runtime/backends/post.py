"""The driver's mail: letters out, and in what workers have said. Threads make the requests.

Where the store cannot be reached for a while, both go on when it can; after as long as workers wait for their driver
that is an error.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from time import monotonic
from typing import NamedTuple

from cloudburst.errors import CodecError, NotFound, StoreError
from cloudburst.runtime import layout
from cloudburst.runtime.envelope import seal, unseal
from cloudburst.runtime.letters import INLINE, Letter, Said
from cloudburst.runtime.patience import passes, patiently
from cloudburst.runtime.pool import Pool
from cloudburst.runtime.protocols import Assignment, Store
from cloudburst.runtime.task import Function

_WRITERS = 8
_READERS = 16
_MOST_TAILS = 2000
_REMOVE_AGAIN_S = 5.0

_Elsewhere = tuple[str, bytes]


class Outgoing:
    """Letters to workers.

    Parameters
    ----------
    pool : Pool
        Whose they are.
    wake : callable
        Called by another thread when one could not be written.
    """

    def __init__(self, pool: Pool, wake: Callable[[], object]) -> None:
        self._pool, self._wake = pool, wake
        self._threads = ThreadPoolExecutor(_WRITERS, thread_name_prefix="cloudburst-letters")
        self._functions: Mapping[str, Function] = {}
        self._run = ""
        self._elsewhere: dict[str, Future[_Elsewhere]] = {}
        self._errors: deque[BaseException] = deque()
        self._is_closed = False

    def begin_run(self, run: str, functions: Mapping[str, Function]) -> None:
        """These are the functions that letters name from now on."""
        self._run, self._functions = run, functions
        self._elsewhere = {}

    def send(
        self,
        worker: str,
        number: int,
        tasks: tuple[Assignment, ...] = (),
        functions: Iterable[str] = (),
        *,
        is_last: bool = False,
    ) -> None:
        """Write a letter, soon."""
        payloads, elsewhere = {}, {}
        for name in functions:
            payload = self._functions[name].payload
            if len(payload) <= INLINE:
                payloads[name] = payload
            else:
                if name not in self._elsewhere:
                    self._elsewhere[name] = self._threads.submit(self._put_function, self._run, name, payload)
                elsewhere[name] = self._elsewhere[name]
        letter = Letter(self._run, payloads, {}, tasks, is_last)
        self._threads.submit(self._write, worker, number, letter, elsewhere).add_done_callback(self._written)

    def sent_before(self, worker: str, run: str) -> int:
        """The number of the last letter to a worker of a run that is taken up.

        Where one before that was never written, because its driver was killed, an empty one goes: the worker waits for
        it.
        """
        pool, prefix = self._pool, layout.mail_prefix(self._pool.prefix, worker)
        found: set[str] = set()
        after = ""
        while page := pool.store.list(prefix, after):
            found.update(page)
            after = page[-1]
        self.begin_run(run, {})
        number = 0
        while found:
            number += 1
            key = layout.letter_key(pool.prefix, worker, number)
            if key not in found:
                last = max(found)  # somebody may have planted it
                unseal("letter", last, pool.store.get(last), pool.secret)
                self.send(worker, number)
            found.discard(key)
        return number

    def check(self) -> None:
        """Raise what went wrong."""
        if self._errors:
            raise self._errors[0]

    def close(self) -> None:
        """Write nothing more."""
        self._is_closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)

    def wait(self) -> None:
        """Until nothing is being written any more."""
        self._threads.shutdown(wait=True)

    def _patiently(self, act: Callable[[], bool]) -> bool:
        return patiently(act, self._pool.terms.lease_limit_s, lambda: self._is_closed)

    def _put_function(self, run: str, name: str, payload: bytes) -> _Elsewhere:
        key = layout.function_key(self._pool.prefix, run, name)
        self._patiently(lambda: self._pool.store.put(key, [payload], if_absent=True))
        return key, hashlib.sha256(payload).digest()

    def _write(self, worker: str, number: int, letter: Letter, elsewhere: dict[str, Future[_Elsewhere]]) -> None:
        pool = self._pool
        letter = letter._replace(elsewhere={name: future.result() for name, future in elsewhere.items()})
        key = layout.letter_key(pool.prefix, worker, number)
        message = seal("letter", key, letter.as_bytes(), pool.secret)
        if not self._patiently(lambda: pool.store.put(key, [message], if_absent=True)):
            unseal("letter", key, pool.store.get(key), pool.secret)
            raise StoreError(
                f"{key} is there already: another program goes on with this run, so this one stops. Wait for that one, "
                "or compute again."
            )

    def _written(self, future: Future[None]) -> None:
        if not future.cancelled() and (error := future.exception()) is not None:
            self._errors.append(error)
            self._wake()


class Tails:
    """The ends of what attempts printed, which came with their records: those of the last two thousand.

    Parameters
    ----------
    store : Store
        Where all of it is, if it was too long.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tails: OrderedDict[str, str] = OrderedDict()

    def keep(self, name: str, tail: str) -> None:
        """Remember one."""
        self._tails[name] = tail
        if len(self._tails) > _MOST_TAILS:
            self._tails.popitem(last=False)

    def forget(self) -> None:
        """Begin anew."""
        self._tails.clear()

    def text(self, log: tuple[str, int, int]) -> str:
        """All that an attempt printed."""
        name, start, end = log
        tail = self._tails.get(name)
        if tail is not None and len(tail) >= end - start:
            return tail
        try:
            return bytes(self._store.get(name)).decode(errors="replace")
        except NotFound:  # all of it was in the record, and there were too many of those to keep
            return tail or ""


class Heard(NamedTuple):
    """What a worker has said, and the key under which it lies."""

    key: str
    said: Said


class Incoming:
    """What workers say: listed, read in parallel, and removed when it has been passed on.

    Parameters
    ----------
    pool : Pool
        Whose workers they are.
    wake : callable
        Called by another thread when there is something to take.
    """

    def __init__(self, pool: Pool, wake: Callable[[], object]) -> None:
        self._pool, self._wake = pool, wake
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="cloudburst-hearing")
        self._seen: set[str] = set()
        """Keys that were taken in, as long as they are there."""
        self._passed_on: list[str] = []
        self._removing: tuple[Future[None], list[str]] | None = None
        self._remove_at = 0.0
        self._listening: Future[list[Heard]] | None = None
        self._answered_at = monotonic()
        self.notes: list[str] = []
        """Sentences for the user."""

    @property
    def is_listening(self) -> bool:
        """Whether a look at what there is, is under way, or its answer is yet to be taken."""
        return self._listening is not None

    def listen(self) -> None:
        """Look what there is."""
        self._listening = self._threads.submit(self._listened)
        self._listening.add_done_callback(lambda _: self._wake())

    def take(self) -> list[Heard] | None:
        """What a look that is over has found; ``None`` if there is none. What it raised is raised here.

        Raises
        ------
        Tampered
            If others than this pool's workers have said something.
        StoreError
            If the store could not be reached for as long as workers wait for their driver.
        """
        if self._listening is None or not self._listening.done():
            return None
        future, self._listening = self._listening, None
        try:
            heard = future.result()
        except StoreError as error:
            if not passes(error) or monotonic() - self._answered_at > self._pool.terms.lease_limit_s:
                raise
            return None
        self._answered_at = monotonic()
        self._seen.update([one.key for one in heard])
        return heard

    def passed_on(self, heard: Heard) -> None:
        """The driver is told of it now; when it asks again it will have written that down."""
        self._passed_on.append(heard.key)

    def forget(self) -> None:
        """Remove what was passed on before now."""
        if self._removing is not None:
            future, keys = self._removing
            if not future.done():
                return
            self._removing = None
            error = future.exception()
            if error is None:
                self._seen.difference_update(keys)
            elif isinstance(error, StoreError):  # it can wait: what was seen is not taken in twice
                self._passed_on += keys
                self._remove_at = monotonic() + _REMOVE_AGAIN_S
                note = f"What workers had said could not be removed from the store: {error}"
                self.notes += [] if self.notes else [note]
            else:
                raise error
        if self._passed_on and monotonic() >= self._remove_at:
            keys, self._passed_on = self._passed_on, []
            self._removing = self._threads.submit(self._pool.store.delete, keys), keys

    def close(self) -> None:
        """Read nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def wait(self) -> None:
        """Until nothing is being read any more."""
        self._threads.shutdown(wait=True)

    def _listened(self) -> list[Heard]:
        prefix = layout.said_prefix(self._pool.prefix)
        after = ""
        keys: list[str] = []
        while not keys and (page := self._pool.store.list(prefix, after)):
            keys = [key for key in page if key not in self._seen]
            after = page[-1]
        futures = [self._threads.submit(partial(self._read, key)) for key in sorted(keys, key=_in_order)]
        return [heard for future in futures if (heard := future.result()) is not None]

    def _read(self, key: str) -> Heard | None:
        try:
            message = self._pool.store.get(key)
        except NotFound:  # removed since it was listed
            return None
        body = unseal("said", key, message, self._pool.secret)
        try:
            return Heard(key, Said.of_bytes(body))
        except CodecError as error:
            raise CodecError(f"What a worker said cannot be read: its image has another cloudburst. {error}") from error


def _in_order(key: str) -> tuple[int, str]:
    """Hellos before records, and goodbyes last: so a worker is known when its records are taken in."""
    name = key.rpartition("/")[2]
    return (0 if name.startswith("hello-") else 2 if name.startswith("bye-") else 1), name
