"""Many independent calls that do nothing, on two workers that are up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.measure import Family, Figures, Metric
from benchmarks.peers import WORKERS, distributed_client, loky_pool, process_pool, ray_running


def same(number):
    return number


def rate(calls: int, run: Callable[[range], list[Any]]) -> Figures:
    """Calls a second, from the first call written to the last result here."""
    numbers = range(calls)
    began = time.perf_counter()
    results = run(numbers)
    seconds = time.perf_counter() - began
    if results != list(numbers):
        raise RuntimeError("not what was sent")
    return {"rate": calls / seconds}


def with_cloudburst(calls: int) -> Figures:
    import cloudburst as cb

    cb.init_local(workers=WORKERS)
    stage = cb.stage(same)
    cb.compute([stage(-number) for number in range(1, 101)])
    return rate(calls, lambda numbers: cb.compute([stage(number) for number in numbers]))


def with_map(calls: int) -> Figures:
    import cloudburst as cb

    cb.init_local(workers=WORKERS)
    stage = cb.stage(same)
    cb.compute([stage(-number) for number in range(1, 101)])
    return rate(calls, lambda numbers: stage.map(list(numbers)).compute())


def with_futures(calls: int) -> Figures:
    with process_pool() as pool:
        return rate(
            calls, lambda numbers: [sent.result() for sent in [pool.submit(same, number) for number in numbers]]
        )


def with_loky(calls: int) -> Figures:
    with loky_pool() as pool:
        return rate(
            calls, lambda numbers: [sent.result() for sent in [pool.submit(same, number) for number in numbers]]
        )


def with_ray(calls: int) -> Figures:
    with ray_running() as ray:
        function = ray.remote(same)
        return rate(calls, lambda numbers: ray.get([function.remote(number) for number in numbers]))


def with_distributed(calls: int) -> Figures:
    with distributed_client() as client:
        return rate(calls // 5, lambda numbers: client.gather(client.map(same, numbers, pure=False)))


FAMILY = Family(
    title="Independent stages",
    contenders={
        "cloudburst": with_cloudburst,
        "concurrent.futures": with_futures,
        "loky": with_loky,
        "ray": with_ray,
        "distributed": with_distributed,
        "cloudburst map": with_map,
    },
    metrics={"rate": Metric("a second", "higher", goal="≥ concurrent.futures")},
    settings=[{"calls": 10_000}],
    note="Calls that return their argument, on two workers that are up, from the first call to the last result. "
    "distributed is given a fifth of them.",
)
