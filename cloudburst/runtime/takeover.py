"""Going on with a run whose driver was killed, in another program of the same user.

What was decided is in the run's journal, and where its workers are in the pool's part of the store. Both are signed
with the user's own key, from which the pool's is made again. The driver that goes on renews the lease at once, sends
again whatever it does not know to have arrived, and hears what was said meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from cloudburst.runtime.backends.remote import RemoteBackend
from cloudburst.runtime.chronicle import Chronicle
from cloudburst.runtime.driver import Driver
from cloudburst.runtime.events import Gone, Hello
from cloudburst.runtime.greeting import Greeting
from cloudburst.runtime.journal import read
from cloudburst.runtime.pool import Pool
from cloudburst.runtime.protocols import Fleet, Store
from cloudburst.runtime.task import Plan


class Resumed(NamedTuple):
    """A run that another program had begun: ``driver.drive(backend, observe, chronicle)`` ends it.

    Whoever gets one has to close the backend.
    """

    plan: Plan
    driver: Driver
    backend: RemoteBackend
    chronicle: Chronicle
    told: Any
    """What whoever began the run wanted to be kept."""


def resume(
    store: Store,
    prefix: str,
    secret: bytes,
    user: str,
    fleet_for: Callable[[Pool], Fleet],
    greeting: Greeting | None = None,
) -> Resumed:
    """Take a run up.

    Parameters
    ----------
    store : Store
        Where it lies.
    prefix : str
        That of the run's keys, by which it is known.
    secret : bytes
        The user's own key.
    user : str
        The name that the pool was opened with.
    fleet_for : callable
        Gives the pool's machines: each that is there, or was within the hour, has to be ``Started`` again, with the
        token of its launch.
    greeting : Greeting, optional
        For workers that have said nothing so far.

    Returns
    -------
    Resumed

    Raises
    ------
    NotFound
        If there is no such run, or its pool has been closed or cleaned up.
    StoreError
        If its workers have been sent home.
    Tampered
        If it is not this user's, or somebody has changed it.
    """
    begun = Chronicle(store, prefix, secret).begun()
    pool = Pool.found(store, user, secret, begun.pool)
    chronicle = Chronicle(store, prefix, secret, begun.pool, begun.run, pool.terms.lease_limit_s)
    pool.take_up()
    try:
        lines = list(chronicle.lines())
        driver = Driver(begun.plan, store, begun.limits, prefix=prefix)
        driver.take_up(lines)
        shapes, _, launches = driver.standing
        named = {event.worker for events in read(lines) for event in events if isinstance(event, Hello | Gone)}
        backend = RemoteBackend(pool, fleet_for(pool), greeting)
    except BaseException:
        pool.let_go()
        raise
    backend.take_up(begun.run, shapes, launches, named - shapes.keys())
    return Resumed(begun.plan, driver, backend, chronicle, begun.told)
