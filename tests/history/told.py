"""Runs as their programs tell of them, put into a store by hand."""

from __future__ import annotations

from cloudburst.history.record import RunRecord, SizeRecord, StageRecord, to_json
from cloudburst.runtime import layout
from cloudburst.runtime.lease import lease_key
from cloudburst.runtime.protocols import Store
from cloudburst.runtime.stores.memory import MemoryStore

USER, OTHER = "u00aa11bb", "u22cc33dd"
POOL = "0123456789ab"
BEGUN_S = 1_700_000_000.0


class Ages(MemoryStore):
    """A store whose objects are as old as one says, in seconds."""

    def __init__(self, *, shared: bool = False) -> None:
        super().__init__(shared=shared)
        self.ages: dict[str, float] = {}

    def age_s(self, key: str) -> float:
        self.size(key)
        return self.ages.get(key, 0.0)


def stage(name: str = "fit", **told: object) -> StageRecord:
    given = {
        "state": "done", "size": SizeRecord(1024, 2048, None, False, "X86_64"), "tasks": 2, "done": 2, "running": 0,
        "failed": 0, "attempts": 2, "seconds": 3.5, "waited_s": 40.0, "bytes_in": 10, "bytes_out": 4096,
        "peak_mib": 188.2,
    }  # fmt: skip
    return StageRecord(stage=name, **{**given, **told})  # type: ignore[arg-type]


def told(run: str = "6a2-daily-1f3b5d7e", state: str = "done", *, user: str = USER, begun_s: float = BEGUN_S, **more):
    over = {} if state == "running" else {"ended_s": begun_s + 75.0}
    given = {"user": user, "pool": POOL, "tasks": 2, "done": 2, "stages": [stage()], **over, **more}
    return RunRecord(
        run, run.partition("-")[2].rpartition("-")[0], state, begun_s=begun_s, written_s=begun_s + 75.0, **given
    )


def put(store: Store, record: RunRecord) -> str:
    key = layout.history_key(record.user, record.run, record.begun_s)
    store.put(key, [to_json(record).encode()])
    return key


def renew(store: Store, user: str = USER, pool: str = POOL) -> str:
    """A lease that was written just now."""
    key = lease_key(layout.pool_prefix(user, pool))
    store.put(key, [b"renewed"])
    return key
