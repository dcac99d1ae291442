"""A worker's mail: letters that come one after another, and what it has to say, written as soon as the store takes it.

All requests are made by threads (see :mod:`.errands`), so that a store that hangs keeps nobody from ending a task that
takes too long, or from hearing SIGTERM.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from random import uniform
from time import monotonic
from typing import Literal

from cloudburst.errors import InternalError, NotFound, StoreError, Tampered
from cloudburst.runtime import layout
from cloudburst.runtime.envelope import seal, unseal
from cloudburst.runtime.errands import Errand
from cloudburst.runtime.identity import Identity
from cloudburst.runtime.letters import Letter, Said
from cloudburst.runtime.protocols import Store
from cloudburst.runtime.terms import Terms

_JITTER = (0.8, 1.2)
_LINES = 4
_RETRY_S = 1.0
_TOLD_S = 60.0


class Twin(InternalError):
    """Somebody of this worker's name has said hello before."""


class Grumbles:
    """Says what goes wrong again and again, but no more than once a minute.

    Parameters
    ----------
    tell : callable
        Says it.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._again_at: dict[str, float] = {}

    def __call__(self, what: str, error: Exception) -> None:
        now = monotonic()
        if now >= self._again_at.get(what, now):
            self._again_at[what] = now + _TOLD_S
            self._tell(f"{what}, which is tried again: {error}")


class Letterbox:
    """The letters of a worker, in their order.

    Parameters
    ----------
    me : Identity
        Whose they are.
    store : Store
        Where they lie.
    terms : Terms
        How often to look.
    wake : callable
        Called when there is something to take, by another thread.
    grumble : callable
        Is told what goes wrong.
    """

    def __init__(self, me: Identity, store: Store, terms: Terms, wake: Callable[[], object], grumble: Grumbles) -> None:
        self._me, self._store, self._terms, self._grumble = me, store, terms, grumble
        self._errand: Errand[Letter | None] = Errand("mail", wake)
        self._number = 1
        self._look_at = 0.0
        self._warm_since = monotonic()

    def keep_warm(self) -> None:
        """Something has happened: look often."""
        self._warm_since = monotonic()

    @property
    def due_at(self) -> float:
        """When there is something to do here, unless an answer comes before."""
        return float("inf") if self._errand.is_under_way else self._look_at

    def look(self, now: float) -> Letter | None:
        """The next letter, if it has come; the functions that it only names are in it then.

        Raises
        ------
        Tampered
            If somebody else wrote it, or one of them.
        NotFound
            If such a function is not there.
        """
        try:
            letter = self._errand.answer() if self._errand.is_answered else None
        except (Tampered, NotFound):
            raise
        except StoreError as error:  # the lease tells when that has lasted too long
            letter = None
            self._grumble("the mail could not be read", error)
        if letter is not None:
            self._number += 1
            self._look_at = now  # there may be another
            self._warm_since = now
        if not self._errand.is_under_way and now >= self._look_at:
            self._look(now)
        return letter

    def _look(self, now: float) -> None:
        terms = self._terms
        is_warm = now - self._warm_since < terms.cool_after_s
        self._look_at = now + uniform(*_JITTER) * (terms.mail_interval_s if is_warm else terms.cool_interval_s)
        number = self._number
        self._errand.send(lambda: self._fetched(number))

    def _fetched(self, number: int) -> Letter | None:
        key = layout.letter_key(self._me.pool, self._me.worker, number)
        try:
            message = self._store.get(key)
        except NotFound:
            return None
        letter = Letter.of_bytes(unseal("letter", key, message, self._me.secret))
        fetched = {name: self._function(*where) for name, where in letter.elsewhere.items()}
        return letter._replace(functions=letter.functions | fetched, elsewhere={})

    def _function(self, key: str, checksum: bytes) -> bytes:
        payload = bytes(self._store.get(key))
        if hashlib.sha256(payload).digest() != checksum:
            raise Tampered(
                f"{key} is not the function that the driver wrote there. It was not used. Somebody else can write to "
                "this storage: look who has access to it, and use another prefix or bucket."
            )
        return payload


class Outbox:
    """What a worker has said and the store has not taken yet.

    Parameters
    ----------
    me, store, wake, grumble
        As for :class:`Letterbox`.
    """

    def __init__(self, me: Identity, store: Store, wake: Callable[[], object], grumble: Grumbles) -> None:
        self._me, self._store, self._wake, self._grumble = me, store, wake, grumble
        self._waiting: deque[Callable[[], Literal[True]]] = deque()
        self._under_way: dict[Errand[Literal[True]], Callable[[], Literal[True]]] = {}
        self._idle: list[Errand[Literal[True]]] = []
        self._again_at = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether all has been said."""
        return not (self._waiting or self._under_way)

    @property
    def due_at(self) -> float:
        """When there is something to do here, unless an answer comes before."""
        return self._again_at if self._waiting and len(self._under_way) < _LINES else float("inf")

    def say(self, key: str, said: Said, *, log: tuple[str, bytes] | None = None, is_name: bool = False) -> None:
        """Leave a message, once: what an attempt came to is said by whoever says it first.

        Parameters
        ----------
        key : str
            Where.
        said : Said
            What.
        log : tuple of str and bytes, optional
            What it names, to be there before it.
        is_name : bool
            Nobody else may have said it: ``Twin`` is raised by a later ``go`` if somebody has.
        """
        message = seal("said", key, said.as_bytes(), self._me.secret)

        def write() -> Literal[True]:
            if log is not None:
                self._store.put(log[0], [log[1]])
            if not self._store.put(key, [message], if_absent=True) and is_name:
                raise Twin(f"A worker that is called {self._me.worker} has been up before: this one ends.")
            return True

        self._waiting.append(write)
        self.go()

    def go(self) -> None:
        """Go on writing; what could not be written is tried again until the worker ends."""
        for errand, write in tuple(self._under_way.items()):
            if not errand.is_answered:
                continue
            del self._under_way[errand]
            self._idle.append(errand)
            try:
                errand.answer()
            except StoreError as error:
                self._grumble("a message to the driver could not be written", error)
                self._waiting.appendleft(write)
                self._again_at = monotonic() + _RETRY_S
        while self._waiting and len(self._under_way) < _LINES and monotonic() >= self._again_at:
            errand = self._idle.pop() if self._idle else Errand("said", self._wake)
            self._under_way[errand] = write = self._waiting.popleft()
            errand.send(write)
