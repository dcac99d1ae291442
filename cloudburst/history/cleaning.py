"""Removing what runs have left that are over or whose program is no more: never a living run.

A kept value goes only where that is asked for. What is removed is found by its place in the store: records, which
others could have written, name nothing that is. A record says whether a run is over only if it has not been rewritten
for long enough, and a program that lives rewrites that of its run once a minute.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from cloudburst.errors import NotFound
from cloudburst.history.book import History, is_renewed, pool_of
from cloudburst.history.listing import folders, listed
from cloudburst.runtime import layout
from cloudburst.runtime.lease import lease_key
from cloudburst.runtime.pool import pool_key
from cloudburst.runtime.protocols import Store
from cloudburst.runtime.terms import Terms

_THREADS = 16
_NAMED = re.compile(rb'"((?:runs|values)/[^"\\]+)"')


@dataclass(slots=True)
class Remains:
    """What could be removed.

    Attributes
    ----------
    runs : dict
        By the id of a run that is over: its keys with their bytes.
    pools : dict
        The same of pools, by what their keys begin with.
    living : list of str
        Runs that were passed over because their program lives, or nothing tells whether it does.
    kept : int
        Objects that were passed over because they hold values that were persisted or cached.
    receipts, values : dict
        What says where kept values are that are old enough, and those values: their keys with their bytes.
    families : set of str
        Of task definitions that runs have used which are not old enough.
    """

    runs: dict[str, dict[str, int]] = field(default_factory=dict)
    pools: dict[str, dict[str, int]] = field(default_factory=dict)
    living: list[str] = field(default_factory=list)
    kept: int = 0
    receipts: dict[str, int] = field(default_factory=dict)
    values: dict[str, int] = field(default_factory=dict)
    families: set[str] = field(default_factory=set)

    @property
    def objects(self) -> int:
        """How many there are."""
        return sum(map(len, self._all))

    @property
    def nbytes(self) -> int:
        """How much all of it takes."""
        return sum(sum(keys.values()) for keys in self._all)

    @property
    def _all(self) -> list[dict[str, int]]:
        """In the order in which it is to go: what names a value goes before that."""
        return [self.receipts, self.values, *self.runs.values(), *self.pools.values()]


def remains(history: History, older_than_s: float, limit_s: float | None = None, kept_s: float = math.inf) -> Remains:
    """Find what could be removed.

    Parameters
    ----------
    history : History
        Where to look.
    older_than_s : float
        For how long a run has to be over, by the store's own clock.
    limit_s : float, optional
        After how long a lease is taken for lapsed of which no record tells.
    kept_s : float, optional
        How long ago a value has to have been kept that is found too; by default none is.

    Returns
    -------
    Remains
    """
    store = history.store
    limit_s = Terms().lease_limit_s if limit_s is None else limit_s
    found = Remains()
    over, living, known_pools = _told(history, older_than_s, found)
    pools = list(_pools(store))
    renewed = {pool for pool in pools if is_renewed(store, pool, limit_s)}
    is_clear = not renewed - known_pools  # else a pool lives, and which run it performs is not told
    kept = _kept(store, kept_s, found)
    runs = dict.fromkeys([*folders(store, "runs/"), *folders(store, "journals/")])
    for run in runs:
        if run in living or (run not in over and not (is_clear and _is_old(store, run, older_than_s))):
            found.living.append(run)
        elif over.get(run, True):
            _take(store, run, over.get(run) == "done", kept, found)
    for pool in pools:
        if (
            pool not in renewed
            and pool not in known_pools
            and _age_s(store, [lease_key(pool), pool_key(pool)]) >= max(older_than_s, limit_s)
        ):
            found.pools[pool] = _sizes(store, f"{pool}/")
    return found


def remove(store: Store, found: Remains) -> None:
    """Remove it."""
    for keys in found._all:
        store.delete(keys)


def _told(history: History, older_than_s: float, found: Remains) -> tuple[dict[str, str], set[str], set[str]]:
    """What records tell: runs that are over, with how they ended (empty: too young); those that live; their pools."""
    over: dict[str, str] = {}
    living: set[str] = set()
    pools: set[str] = set()
    for entry, record, _ in history.latest(history.users()):
        if record is None:
            continue
        is_young = _age_s(history.store, [entry.key]) < older_than_s
        if is_young or record.state == "running":
            found.families.add(record.definition)
        if record.state == "running":
            living.add(entry.run)
            pools.add(pool_of(record) or "")
        else:
            over[entry.run] = "" if is_young else record.state
    return over, living, pools


def _take(store: Store, run: str, is_done: bool, kept: set[str], found: Remains) -> None:
    """Note what a run has left. What one that was done has left under its prefix, a program may still hold on to."""
    keys = _sizes(store, f"journals/{run}/")
    left = _sizes(store, f"runs/{run}/")
    spared = left.keys() if is_done else left.keys() & kept
    found.kept += len(spared)
    keys |= {key: nbytes for key, nbytes in left.items() if key not in spared}
    if keys:
        found.runs[run] = keys


def _is_old(store: Store, run: str, older_than_s: float) -> bool:
    """Whether a run of which no record tells has written nothing for so long."""
    limit_s = max(older_than_s, Terms().lifetime_s)
    journal = [key for key in listed(store, f"journals/{run}/") if key.rpartition("/")[2].isdigit()]
    last = journal[-1:] or list(_sizes(store, f"runs/{run}/"))[-1:] or list(_sizes(store, f"journals/{run}/"))[-1:]
    return _age_s(store, last) >= limit_s


def _kept(store: Store, kept_s: float, found: Remains) -> set[str]:
    """The objects that receipts of kept values name. Which are true only their users could say: all of them count.

    Those are noted that are older, and the values that none which is younger names.
    """

    def named(key: str) -> list[bytes]:
        try:
            return _NAMED.findall(bytes(store.get(key)))
        except NotFound:
            return []

    def is_old(key: str) -> bool:
        return _age_s(store, [key]) >= kept_s

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="cloudburst-kept") as threads:

        def old(those: dict[str, int]) -> dict[str, int]:
            if kept_s == math.inf:
                return {}
            aged = zip(those.items(), threads.map(is_old, those), strict=True)
            return {key: nbytes for (key, nbytes), is_it in aged if is_it}

        receipts = _sizes(store, "kept/")
        found.receipts = old(receipts)
        staying = [key for key in receipts if key not in found.receipts]
        kept = {name.decode(errors="replace") for names in threads.map(named, staying) for name in names}
        values = _sizes(store, layout.VALUES)
        found.values = old({key: nbytes for key, nbytes in values.items() if key not in kept})
    found.kept += len(values) - len(found.values)
    return kept


def _pools(store: Store) -> Iterable[str]:
    for user in folders(store, "pools/"):
        for pool in folders(store, layout.pools_prefix(user)):
            yield f"{layout.pools_prefix(user)}{pool}"


def _sizes(store: Store, prefix: str) -> dict[str, int]:
    found: dict[str, int] = {}
    after = ""
    while page := store.sizes(prefix, after):
        found |= page
        after = next(reversed(page))
    return found


def _age_s(store: Store, keys: Iterable[str]) -> float:
    """How long ago the first of these was written that is there; a long time if none is."""
    for key in keys:
        try:
            return store.age_s(key)
        except NotFound:
            continue
    return float("inf")
