"""A pool: workers, their mail, and the lease by which they live. A run borrows it.

All that a pool needs of a store lies under one prefix, which goes when the pool is closed. What is left under such a
prefix, with a lease that nobody renews, is what a driver left that was killed: ``leftovers`` finds it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import suppress
from typing import Self

from cloudburst.errors import NotFound, StoreError
from cloudburst.runtime import layout
from cloudburst.runtime.envelope import derive, seal, unseal
from cloudburst.runtime.identity import pool_variable
from cloudburst.runtime.lease import LeaseKeeper, lease_key
from cloudburst.runtime.protocols import Store
from cloudburst.runtime.terms import Terms

_ID_BYTES = 6


class Pool:
    """The pool of a driver.

    Parameters
    ----------
    store : Store
        Where mail, records and values lie.
    user : str
        A name for the user, the same in every program of theirs.
    secret : bytes
        The user's own key, of which the pool's is made.
    terms : Terms
        How often driver and workers look, and how long they wait.
    id : str, optional
        That of a pool that is there already, and is taken up.
    """

    def __init__(self, store: Store, user: str, secret: bytes, terms: Terms, id: str | None = None) -> None:  # noqa: A002
        self.store, self.terms = store, terms
        self.id = id or secrets.token_hex(_ID_BYTES)
        self.prefix = layout.pool_prefix(user, self.id)
        self.secret = derive(secret, f"pool {self.id}")
        self._keeper: LeaseKeeper | None = None

    def __repr__(self) -> str:
        return f"<pool {self.id}>"

    @property
    def variable(self) -> str:
        """What its machines are started with: where the pool is, and its key. Not for any log."""
        return pool_variable(self.store.url, self.prefix, self.secret)

    @property
    def is_open(self) -> bool:
        """Whether this program renews its lease."""
        return self._keeper is not None

    def open(self) -> None:
        """Write the terms and the lease, and have it renewed from now on."""
        key = pool_key(self.prefix)
        body = json.dumps(self.terms.as_json()).encode()
        self.store.put(key, [seal("pool", key, body, self.secret)])
        self._keep()

    @classmethod
    def found(cls, store: Store, user: str, secret: bytes, id: str) -> Self:  # noqa: A002
        """A pool that another program of this user has opened and is no more there for.

        Raises
        ------
        NotFound
            If it was closed, or cleaned up.
        Tampered
            If it was not this user who opened it.
        """
        pool = cls(store, user, secret, Terms(), id)
        key = pool_key(pool.prefix)
        pool.terms = Terms.of_json(json.loads(unseal("pool", key, store.get(key), pool.secret)))
        return pool

    def take_up(self) -> None:
        """Have the lease of a pool that was found renewed from now on.

        Raises
        ------
        StoreError
            If it is closed.
        """
        self._keep()

    def _keep(self) -> None:
        terms = self.terms
        self._keeper = LeaseKeeper(self.store, self.prefix, self.secret, terms.lease_interval_s, terms.lease_limit_s)

    def check(self) -> None:
        """See whether the lease is still renewed.

        Raises
        ------
        StoreError
            If not.
        """
        if self._keeper is not None:
            self._keeper.check()

    def let_go(self) -> None:
        """Renew the lease no more: if nobody else does, the workers end when it has lapsed."""
        if self._keeper is not None:
            keeper, self._keeper = self._keeper, None
            keeper.stop()

    def close_lease(self) -> None:
        """Tell workers that nobody wants them any more."""
        if self._keeper is not None:
            keeper, self._keeper = self._keeper, None
            keeper.close()

    def remove(self) -> None:
        """Remove all that it has in the store. A worker that is up takes a lease that is gone for a closed one."""
        remove_all(self.store, self.prefix + "/")


def pool_key(prefix: str) -> str:
    """Where a pool's terms lie."""
    return f"{prefix}/pool"


def leftovers(store: Store, user: str, limit_s: float, mine: str = "") -> Iterator[tuple[str, str]]:
    """Pools of this user whose lease nobody has renewed for too long: their ids and prefixes.

    Parameters
    ----------
    store : Store
        Where they are.
    user : str
        As the pools were opened with.
    limit_s : float
        How long a lease may stay as it is, by the store's own clock.
    mine : str
        A prefix to pass over.
    """
    seen: set[str] = set()
    after = ""
    while page := store.list(layout.pools_prefix(user), after):
        for key in page:
            seen.add("/".join(key.split("/")[:3]))
        # What comes after all keys of the last pool on the page: "0" is the character after "/".
        after = "/".join(page[-1].split("/")[:3]) + "0"
    for prefix in sorted(seen - {mine}):
        pool = prefix.rpartition("/")[2].partition("-")[2]
        if prefix != layout.pool_prefix(user, pool):
            continue
        try:
            is_over = _age_s(store, prefix) > limit_s
        except NotFound:  # it was closed, and a worker had something to say all the same
            _remove_late(store, prefix, limit_s)
            continue
        if is_over:
            yield pool, prefix


def _age_s(store: Store, prefix: str) -> float:
    """How long ago the lease was renewed, or the pool was opened whose driver was killed before it wrote one."""
    try:
        return store.age_s(lease_key(prefix))
    except NotFound:
        return store.age_s(pool_key(prefix))


def _remove_late(store: Store, prefix: str, limit_s: float) -> None:
    with suppress(NotFound):  # somebody else does it
        if all(store.age_s(key) > limit_s for key in store.list(prefix + "/")[:1]):
            remove_all(store, prefix + "/")


def remove_all(store: Store, prefix: str) -> None:
    """Remove all keys that begin with a prefix."""
    try:
        while page := store.list(prefix):
            store.delete(page)
    except StoreError as error:
        error.add_note(f"What lies under {prefix} could not be removed.")
        raise
