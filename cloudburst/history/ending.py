"""Ending a run from elsewhere: its program is asked to, and where that is no more its machines are stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, NamedTuple

from cloudburst.history.book import Entry, History, pool_of
from cloudburst.history.record import RunState, to_json
from cloudburst.runtime import layout
from cloudburst.runtime.backends.fargate.place import FargatePlace
from cloudburst.runtime.backends.fargate.stopping import stop_leftovers
from cloudburst.runtime.pool import remove_all

WAIT_S = 60.0
_LOOK_S = 1.0
ENDED = "its program was killed; ended with cloudburst runs stop"


class Stopped(NamedTuple):
    """What became of the wish to end a run."""

    how: Literal["over", "asked", "ended", "swept"]
    """It was over before; its program was asked and has not answered yet; its program has ended it; or what its program
    has left behind was stopped here."""
    state: RunState
    machines: int = 0
    """Stopped here."""


def stop(
    history: History,
    entry: Entry,
    endpoint_url: str | None = None,
    *,
    scale: float = 1.0,
    wait_s: float = WAIT_S,
    sleep: Callable[[float], None] = time.sleep,
) -> Stopped:
    """Have a run end.

    A program that lives is asked by an object in the store, and stops its machines itself. Of one that is no more, the
    machines are stopped that are tagged with its user and its pool, and the run is marked as ended. To do it twice does
    no harm.

    Parameters
    ----------
    history : History
        Where the run is told of.
    entry : Entry
        Which one.
    endpoint_url : str, optional
        Of a service that plays AWS.
    scale : float
        How much shorter waits are than on AWS.
    wait_s : float
        How long the answer of a program that lives is waited for.
    sleep : callable
        Waits so many seconds.

    Returns
    -------
    Stopped

    Raises
    ------
    CodecError
        If what is told of the run is no record.
    LaunchError
        If its machines cannot be stopped.
    """
    record = history.record(entry)
    pool = pool_of(record)
    if record.state == "running" and pool is not None:
        history.store.put(layout.wish_key(pool, entry.run), [b'{"v": 1}'])
        until = time.monotonic() + wait_s
        while (standing := history.record(entry)).state == "running":
            if time.monotonic() >= until:
                return Stopped("asked", "running")
            sleep(_LOOK_S * scale)
        record = standing
        if record.state != "lost":
            return Stopped("ended", record.state)
    if record.state != "lost" or pool is None:
        return Stopped("over", record.state)
    place = FargatePlace(record.cluster, (), "", region=record.region or None, endpoint_url=endpoint_url)
    stopped = stop_leftovers(place, [record.pool], scale=scale, user=record.user)
    remove_all(history.store, f"{pool}/")  # a machine that was not found takes a lease that is gone for a closed one
    if record.ended_s is not None and not stopped:
        return Stopped("over", record.state)
    ended = replace(record, ended_s=time.time(), error=record.error or ENDED)
    history.store.put(entry.key, [to_json(ended).encode()])
    return Stopped("swept", "lost", stopped)
