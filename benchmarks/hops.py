"""Calls that wait for one another: what a hop from one to the next costs."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.measure import Family, Figures, Metric
from benchmarks.peers import WORKERS, distributed_client, loky_pool, process_pool, ray_running

DEPTH = 100


def step(before):
    return before + 1


def hop(hops: int, run: Callable[[int], int]) -> Figures:
    """Milliseconds a hop."""
    began = time.perf_counter()
    counted = run(hops)
    seconds = time.perf_counter() - began
    if counted != hops:
        raise RuntimeError(f"{counted} hops of {hops}")
    return {"hop": seconds / hops * 1e3}


def with_cloudburst(hops: int) -> Figures:
    import cloudburst as cb

    cb.init_local(workers=WORKERS)
    stage = cb.stage(step)

    def run(hops: int) -> int:
        node = stage(0)
        for _ in range(hops - 1):
            node = stage(node)
        return node.compute()

    stage(-1).compute()
    return hop(hops, run)


def pooled(hops: int, pool) -> Figures:
    def run(hops: int) -> int:
        value = 0
        for _ in range(hops):
            value = pool.submit(step, value).result()
        return value

    return hop(hops, run)


def with_futures(hops: int) -> Figures:
    with process_pool() as pool:
        return pooled(hops, pool)


def with_loky(hops: int) -> Figures:
    with loky_pool() as pool:
        return pooled(hops, pool)


def with_ray(hops: int) -> Figures:
    with ray_running() as ray:
        function = ray.remote(step)

        def run(hops: int) -> int:
            value = 0
            for _ in range(hops):
                value = function.remote(value)
            return ray.get(value)

        return hop(hops, run)


def with_distributed(hops: int) -> Figures:
    with distributed_client() as client:

        def run(hops: int) -> int:
            value = 0
            for _ in range(hops):
                value = client.submit(step, value, pure=False)
            return value.result()

        return hop(hops // 2, run)


def with_redun(hops: int) -> Figures:
    """Three chains of a hundred, for redun goes no deeper."""
    import redun

    scheduler = redun.Scheduler()
    task = redun.task(namespace="bench")(step)

    def run(hops: int) -> int:
        value = 0
        for _ in range(hops // DEPTH):
            for _ in range(DEPTH):
                value = task(value)
            value = scheduler.run(value)
        return value

    scheduler.run(task(-1))
    return hop(min(hops, 3 * DEPTH), run)


FAMILY = Family(
    title="Dependent stages",
    contenders={
        "cloudburst": with_cloudburst,
        "concurrent.futures": with_futures,
        "loky": with_loky,
        "ray": with_ray,
        "distributed": with_distributed,
        "redun": with_redun,
    },
    metrics={"hop": Metric("ms a hop", goal="≤ 0.5")},
    settings=[{"hops": 1_000}],
    note="Each call takes what the one before returned. Pools of concurrent.futures and loky are asked anew with each "
    "result; the others are given the whole chain, distributed one of half the length, redun three of a hundred.",
)
