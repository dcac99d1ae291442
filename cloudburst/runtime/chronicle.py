"""A run's journal in a store: what is run, and each batch of what has happened, so that another process can go on.

::

    journals/<run>/plan       the plan, its limits, and what whoever takes the run up has to know
    journals/<run>/<number>   a batch of events as a line (see :mod:`.journal`), written before it is acted on

All of it is signed with the user's own key: only the same user's programs take it for true. Nothing is written over:
of two programs that go on with one run, the second to write an entry is told of the other.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from cloudburst.errors import NotFound, StoreError
from cloudburst.runtime import layout
from cloudburst.runtime.envelope import Kind, derive, seal, unseal
from cloudburst.runtime.patience import LIMIT_S, patiently
from cloudburst.runtime.protocols import Store
from cloudburst.runtime.state import Limits
from cloudburst.runtime.task import Plan


class Begun(NamedTuple):
    """A run as it was begun."""

    plan: Plan
    limits: Limits
    pool: str
    """The id of the pool whose workers performed it."""
    run: str
    """What the pool's messages call it."""
    told: Any
    """What whoever began it wanted to be kept for whoever goes on with it."""


class Chronicle:
    """The journal of one run.

    Parameters
    ----------
    store : Store
        Where it lies.
    prefix : str
        That of the run's own keys.
    secret : bytes
        The user's own key.
    pool : str
        The id of the pool whose workers perform it.
    run : str
        What the pool's messages call it.
    patience_s : float
        How long a store is waited for that cannot be reached.
    """

    def __init__(
        self, store: Store, prefix: str, secret: bytes, pool: str = "", run: str = "", patience_s: float = LIMIT_S
    ) -> None:
        self._pool, self._run = pool, run
        self._patience_s = patience_s
        self._store = store
        self._prefix = layout.journal_prefix(prefix)
        self._secret = derive(secret, "journal")
        self._number = 0

    def begin(self, plan: Plan, limits: Limits, told: Any = None) -> None:
        """Write down what is run, and what else whoever goes on with it has to know.

        Places in the user's program are left out: they say nothing elsewhere.
        """
        tasks = [
            replace(task, origins=tuple([origin._replace(code=None) for origin in task.origins])) for task in plan.tasks
        ]
        plain = replace(plan, tasks=tuple(tasks), functions=dict(plan.functions))
        self._put("plan", "plan", pickle.dumps((plain, limits, self._pool, self._run, told), 5))

    def append(self, line: str) -> None:
        """Write down a batch of events. It is there when this returns."""
        self._number += 1
        self._put("journal", f"{self._number:06}", line.encode())

    def begun(self) -> Begun:
        """What is run.

        Raises
        ------
        NotFound
            If there is no such run.
        Tampered
            If it was not this user who began it.
        """
        key = f"{self._prefix}/plan"
        return Begun(*pickle.loads(unseal("plan", key, self._store.get(key), self._secret)))

    def lines(self) -> Iterator[str]:
        """All batches so far; what is appended from now on comes behind them."""
        self._number = 0
        while True:
            key = f"{self._prefix}/{self._number + 1:06}"
            try:
                message = self._store.get(key)
            except NotFound:
                return
            self._number += 1
            yield unseal("journal", key, message, self._secret).decode()

    def _put(self, kind: Kind, name: str, body: bytes) -> None:
        key = f"{self._prefix}/{name}"
        message = [seal(kind, key, body, self._secret)]
        if not patiently(lambda: self._store.put(key, message, if_absent=True), self._patience_s):
            raise StoreError(
                f"{key} is there already: another program goes on with this run, so this one stops. Wait for that one, "
                "or compute again."
            )
