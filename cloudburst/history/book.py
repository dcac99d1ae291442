"""What the store tells of runs: which there are, what each came to, and whether its program still lives.

Everything is read from the store, so it is the same on any machine, whoever started a run.
"""

from __future__ import annotations

import difflib
import heapq
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from cloudburst.errors import CodecError, NotFound, UsageError
from cloudburst.history.listing import folders, listed
from cloudburst.history.record import RunRecord, from_json, shown
from cloudburst.runtime import layout
from cloudburst.runtime.lease import lease_key
from cloudburst.runtime.protocols import Store

LAST = "last"
_THREADS = 16
_MOST_NAMED = 5
_LEAST_LIMIT_S, _MOST_LIMIT_S = 6.0, 600.0
"""Between these a record is believed of how long a lease may stay as it is."""
_KEY = re.compile(r"history/[^/]+/\d{10}-.+", re.DOTALL)
_POOL = re.compile(r"[0-9a-f]{4,30}")
_USER = re.compile(r"u[0-9a-f]{8}")


class Entry(NamedTuple):
    """A run that there is something of."""

    key: str
    user: str
    run: str

    @property
    def begun_s(self) -> float:
        """When it was begun, to the second, as its key tells."""
        return layout.begun_of_history(self.key)


class Seen(NamedTuple):
    """A run as it was found."""

    entry: Entry
    record: RunRecord | None
    """``None`` if what lies there is no record."""
    trouble: str = ""
    """Why it is none."""


class History:
    """The runs in a store.

    Parameters
    ----------
    store : Store
        Where they lie.

    Examples
    --------
    >>> from cloudburst.history.record import to_json
    >>> from cloudburst.runtime.stores.memory import MemoryStore
    >>> store = MemoryStore()
    >>> record = RunRecord("6a2-daily-x1", "daily", "done", begun_s=0.0, written_s=2.5, user="u1f00aa22")
    >>> store.put(layout.history_key("u1f00aa22", "6a2-daily-x1", 0.0), [to_json(record).encode()])
    True
    >>> History(store).find("6a2").run
    '6a2-daily-x1'
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def users(self) -> list[str]:
        """Everybody who has runs here."""
        return list(folders(self.store, layout.history_prefix()))

    def entries(self, users: Sequence[str]) -> Iterator[Entry]:
        """The runs of these users, the newest first."""
        each = [listed(self.store, layout.history_prefix(user)) for user in users]
        for key in heapq.merge(*each, key=lambda key: key.rpartition("/")[2]):
            if _KEY.fullmatch(key):
                yield Entry(key, *layout.run_of_history(key))

    def latest(self, users: Sequence[str], limit: int | None = None) -> list[Seen]:
        """The newest runs of these users as they stand, the newest first."""
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="cloudburst-history") as threads:
            return list(threads.map(self.seen, islice(self.entries(users), limit)))

    def seen(self, entry: Entry) -> Seen:
        """A run as it stands now, whatever lies in its place."""
        try:
            return Seen(entry, self.record(entry))
        except (CodecError, NotFound) as error:
            return Seen(entry, None, str(error))

    def record(self, entry: Entry) -> RunRecord:
        """A run as it stands now: one whose program is no more and has not said so is ``lost``.

        Raises
        ------
        CodecError
            If what lies there is no record of this run.
        NotFound
            If it is not there any more.
        """
        record = from_json(bytes(self.store.get(entry.key)))
        if (record.user, record.run) != (entry.user, entry.run):
            raise CodecError(f"What lies there is the record of another run, {record.run!r}.")
        return record if record.state != "running" or self.lives(record) else _lost(record)

    def lives(self, record: RunRecord) -> bool:
        """Whether the program that drives a run is there: it renews the lease of the run's machines."""
        prefix = pool_of(record)
        if prefix is None:
            return False
        limit_s = min(max(record.lease_limit_s, _LEAST_LIMIT_S), _MOST_LIMIT_S)
        return is_renewed(self.store, prefix, limit_s)

    def find(self, named: str, own: str | None = None) -> Entry:
        """The run that somebody means.

        Parameters
        ----------
        named : str
            Its id, a beginning that no other has, or ``last``.
        own : str, optional
            The user whose last one ``last`` is, if they have any.

        Raises
        ------
        NotFound
            If there is none; with the nearest.
        UsageError
            If there are several.
        """
        users = self.users()
        if named == LAST:
            entry = next(self.entries([own]), None) if own in users and own is not None else None
            entry = entry or next(self.entries(users), None)
            if entry is None:
                raise NotFound("There is no run here yet.")
            return entry
        entries = list(self.entries(users))
        found = [one for one in entries if one.run == named] or [one for one in entries if one.run.startswith(named)]
        if not named or not found:
            raise NotFound(f"There is no run {named!r} here. {_nearest(named, entries)}")
        if len(found) > 1:
            raise UsageError(f"{len(found)} runs begin with {named!r}: {_names(found)}. Give more of the id.")
        return found[0]


def _lost(record: RunRecord) -> RunRecord:
    """A run as its program left it that is no more."""
    stages = [replace(one, state="stopped", running=0) if one.state == "running" else one for one in record.stages]
    return replace(record, state="lost", stages=stages)


def pool_of(record: RunRecord) -> str | None:
    """What the keys of the pool of a run begin with; ``None`` if the record names none that could be."""
    if not (_USER.fullmatch(record.user) and _POOL.fullmatch(record.pool)):
        return None
    return layout.pool_prefix(record.user, record.pool)


def is_renewed(store: Store, pool: str, limit_s: float) -> bool:
    """Whether a lease was written within so many seconds, by the store's own clock."""
    try:
        return store.age_s(lease_key(pool)) <= limit_s
    except NotFound:
        return False


def _nearest(named: str, entries: Sequence[Entry]) -> str:
    by_name = [(name, one) for one in entries for name in (one.run, one.run.partition("-")[2].rpartition("-")[0])]
    near = difflib.get_close_matches(named, [name for name, _ in by_name], n=_MOST_NAMED, cutoff=0.5)
    within = [one for one in entries if named and named in one.run]
    chosen = within or list(dict.fromkeys(one for name, one in by_name if name in near))
    if chosen:
        return f"Did you mean {_names(chosen)}?"
    return f"The latest are {_names(entries)}." if entries else "There is none at all: is it another bucket or prefix?"


def _names(entries: Sequence[Entry]) -> str:
    names = [shown(one.run) for one in entries[:_MOST_NAMED]]
    return ", ".join(names) + (" …" if len(entries) > _MOST_NAMED else "")
