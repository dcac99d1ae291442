"""What providers have in common whose workers are machines of their own: the pool, which a run borrows."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cloudburst import settings
from cloudburst.errors import SettingsError
from cloudburst.kept import Kept
from cloudburst.providers.base import Whereabouts
from cloudburst.resources import Size
from cloudburst.settings.user import user_name, user_secret

if TYPE_CHECKING:
    from cloudburst.runtime.backends.remote import RemoteBackend
    from cloudburst.runtime.chronicle import Chronicle
    from cloudburst.runtime.pool import Pool
    from cloudburst.runtime.protocols import Backend, Fleet, Store
    from cloudburst.runtime.state import Limits
    from cloudburst.runtime.takeover import Resumed
    from cloudburst.runtime.terms import Terms


class RemoteProvider(ABC):
    """Pipelines on machines of their own, reached through a store.

    A pool of workers lasts for one run, or, once it is held, until ``close``.
    """

    default_size: Size
    end_s = 150.0
    """A little longer than a fleet insists on stopping its machines."""
    s3: Mapping[str, str | None] = MappingProxyType({})
    """Where S3 is, by ``endpoint_url`` and ``region``; empty where boto3's own settings say it."""

    def __init__(self, image: str, max_workers: int, linger_s: float, keep_warm_s: float | None) -> None:
        self._image = image
        self._max_workers = max_workers
        self._linger_s = linger_s
        self._keep_warm_s = keep_warm_s
        self._lock = threading.RLock()
        self._store: Store | None = None
        self._kept: Kept | None = None
        self._idle: list[RemoteBackend] = []
        self._is_held = False
        self._notes: list[str] = []
        self._owner = os.getpid()
        self._secret: bytes | None = None

    # ------------------------------------------------------------ what each has of its own

    @abstractmethod
    def _open_store(self) -> Store:
        """The store, found to be as it has to be."""

    @abstractmethod
    def _fleet(self, pool: Pool) -> Fleet:
        """The machines of a pool."""

    @abstractmethod
    def _check_before_launch(self) -> None:
        """See, before anything is started, whether machines could be."""

    def _stop_leftovers(self, pools: list[str]) -> int:  # noqa: ARG002
        """Stop what is still up of pools whose drivers are no more: how many machines."""
        return 0

    # ------------------------------------------------------------ what a provider is

    @property
    def store(self) -> Store:
        """Where values lie."""
        with self._lock:
            if self._store is None:
                self._store = self._open_store()
            return self._store

    @property
    def kept(self) -> Kept:
        """What earlier runs left there."""
        store = self.store
        with self._lock:
            if self._kept is None:
                self._kept = Kept(store, durable=True, user=self.user, secret=self.secret)
            return self._kept

    @property
    def secret(self) -> bytes:
        """The user's own key."""
        if self._secret is None:
            self._secret = user_secret()
        return self._secret

    @property
    def user(self) -> str:
        """A name for the user, the same in each of their programs."""
        return user_name(self.secret)

    def limits(self, keep_going: bool) -> Limits:
        """So many machines at once, each of the size of its task."""
        from cloudburst.runtime.state import Limits

        return Limits(
            workers=self._max_workers,
            cpu=None,
            memory_mib=None,
            keep_going=keep_going,
            shaped=True,
            reuse=self._linger_s > 0,
            prestart=self._linger_s > 0,
        ).scaled(settings.time_scale())

    def terms(self) -> Terms:
        """How often driver and workers look, and how long they wait."""
        from dataclasses import replace

        from cloudburst.runtime.terms import Terms

        terms = Terms()
        if self._linger_s == 0:
            terms = replace(terms, linger_s=terms.lease_limit_s)  # the driver ends each after its one task
        else:
            terms = replace(terms, linger_s=max(self._linger_s, self._keep_warm_s or 0.0))
        return terms.scaled(settings.time_scale())

    def borrow(self) -> Backend:
        """Workers for one run: those of the last one, where they were held."""
        from cloudburst.runtime.backends.remote import RemoteBackend
        from cloudburst.runtime.greeting import Greeting
        from cloudburst.runtime.pool import Pool

        store = self.store
        with self._lock:
            self._is_held = self._is_held or self._keep_warm_s is not None
            if self._idle:
                return self._idle.pop()
        self._check_before_launch()
        terms = self.terms()
        self._sweep(store, terms)
        pool = Pool(store, self.user, self.secret, terms)
        return RemoteBackend(pool, self._fleet(pool), Greeting(self._image))

    def give_back(self, backend: Any) -> None:
        """End the workers, or keep them for the next run if they are held."""
        with self._lock:
            self._notes += backend.notes()
            if self._is_held and not self._idle and backend.is_sound:
                self._idle.append(backend)
                return
        backend.close()

    def hold(self) -> None:
        """Keep workers from one run to the next until ``close``."""
        self._is_held = True

    def notes(self) -> list[str]:
        """Sentences for the user that have come up beside the run, each given once."""
        with self._lock:
            notes, self._notes = self._notes, []
            return notes

    def journal(self, prefix: str, backend: Any) -> Chronicle:
        """Where a run writes what happens."""
        from cloudburst.runtime.chronicle import Chronicle

        return Chronicle(self.store, prefix, self.secret, pool=backend.pool.id, run=backend.coming_run)

    def whereabouts(self, backend: Any) -> Whereabouts | None:  # noqa: ARG002
        """Where these workers are; ``None`` if nobody could look at them from elsewhere."""
        return None

    def take_up(self, prefix: str) -> Resumed:
        """Go on with a run of this user whose program was killed."""
        from cloudburst.runtime.greeting import Greeting
        from cloudburst.runtime.takeover import resume

        return resume(self.store, prefix, self.secret, self.user, self._fleet_again, Greeting(self._image))

    def _fleet_again(self, pool: Pool) -> Fleet:  # noqa: ARG002
        """The machines of a pool that another program has started."""
        raise SettingsError(f"{self!r} cannot go on with a run of another program: only runs on AWS can be resumed.")

    def close(self) -> None:
        """End all workers; the next run starts new ones."""
        if self._owner != os.getpid():
            return
        with self._lock:
            idle, self._idle = self._idle, []
            self._store = self._kept = None
            self._is_held = False  # a run that is still under way ends its workers itself
        for backend in idle:
            backend.close()

    def _sweep(self, store: Store, terms: Terms) -> None:
        """Stop and remove what programs of this user left that were killed."""
        from cloudburst.runtime.pool import leftovers, remove_all

        found = list(leftovers(store, self.user, terms.lease_limit_s))
        if not found:
            return
        stopped = self._stop_leftovers([pool for pool, _ in found])
        for _, prefix in found:
            remove_all(store, prefix + "/")
        pools = "a program" if len(found) == 1 else f"{len(found)} programs"
        left = f"{stopped} {'machine' if stopped == 1 else 'machines'} still up" if stopped else "no machine still up"
        self._notes.append(f"Left by {pools} of yours that did not end as it should: {left}; it was cleaned up.")
