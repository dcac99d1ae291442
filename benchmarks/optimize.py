"""From written calls to a plan: 100,000 nodes, of which every second one is an equal of another."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.measure import Family, Figures, Metric

LANES = 5_000
STEPS = 9
NODES = 2 * LANES * (STEPS + 1)


def start(lane):
    return lane


def step(before):
    return before + 1


def lanes(start: Any, step: Any) -> list[Any]:
    """Each lane is a call and nine steps on it, and every lane is written twice."""
    ends = []
    for _ in range(2):
        for lane in range(LANES):
            node = start(lane)
            for _ in range(STEPS):
                node = step(node)
            ends.append(node)
    return ends


def with_cloudburst(what: str) -> Figures:
    import cloudburst as cb
    from cloudburst import session

    ends = lanes(cb.stage(start), cb.stage(step) if what == "stages" else step)
    began = time.perf_counter()
    prepared = session.prepare([end._expr for end in ends])
    seconds = time.perf_counter() - began
    expected = LANES * (STEPS + 1) if what == "stages" else LANES
    if len(prepared.plan.tasks) != expected:
        raise RuntimeError(f"{len(prepared.plan.tasks)} tasks, not {expected}")
    return {"time": seconds / NODES * 1e6}


def with_dask(what: str) -> Figures:
    import dask

    ends = lanes(dask.delayed(start, pure=True), dask.delayed(step, pure=True) if what == "stages" else step)
    began = time.perf_counter()
    dask.optimize(*ends)
    return {"time": (time.perf_counter() - began) / NODES * 1e6}


FAMILY = Family(
    title="Optimize and plan",
    contenders={"cloudburst": with_cloudburst, "dask.optimize": with_dask},
    metrics={"time": Metric("µs a node", goal="≤ 15")},
    settings=[{"what": "stages"}, {"what": "operators on stages"}],
    note=f"{NODES:,} nodes in lanes of {STEPS + 1}, half equal to others. cloudburst captures, optimizes and plans.",
)
