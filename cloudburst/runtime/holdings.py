"""Which worker has what on its own disk: what it made and what it read lies there, and need not be fetched again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cloudburst.runtime.task import Artifact

REMEMBERED = 20_000
"""Artifacts of which it is known who has them; the oldest are forgotten first."""

LOOKED_AT = 64
"""Artifacts of one task that are looked at: of a list in more parts than that the first of them speak for it."""


@dataclass(slots=True)
class Holdings:
    """Workers by what they have."""

    holders: dict[str, dict[str, None]] = field(default_factory=dict)
    """By key of an artifact: the workers that have it, in the order in which they got it."""

    def note(self, worker: str, artifacts: Iterable[Artifact]) -> None:
        """A worker has these."""
        holders = self.holders
        for key, _ in _stored(artifacts):
            if key in holders:
                holders[key][worker] = None
            else:
                if len(holders) >= REMEMBERED:
                    del holders[next(iter(holders))]
                holders[key] = {worker: None}

    def forget(self, artifacts: Iterable[Artifact]) -> None:
        """These are no more."""
        for artifact in artifacts:
            if isinstance(artifact.body, str):
                self.holders.pop(artifact.body, None)

    def nbytes(self, artifacts: Iterable[Artifact]) -> dict[str, int]:
        """By worker: how many bytes of these it has, if any."""
        held: dict[str, int] = {}
        for key, nbytes in _stored(artifacts):
            for worker in self.holders.get(key, ()):
                held[worker] = held.get(worker, 0) + nbytes
        return held


def _stored(artifacts: Iterable[Artifact]) -> list[tuple[str, int]]:
    found = []
    for artifact in artifacts:
        for one in artifact.body[:LOOKED_AT] if isinstance(artifact.body, tuple) else (artifact,):
            if isinstance(one.body, str):
                found.append((one.body, one.nbytes))
            if len(found) >= LOOKED_AT:
                return found
    return found
