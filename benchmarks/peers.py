"""The peers as their own documentation starts them on this machine: worker processes that are up, nothing shown."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

WORKERS = 2


def nothing(_: Any = None) -> None:
    """Bring a worker up."""


@contextmanager
def process_pool(workers: int = WORKERS) -> Iterator[ProcessPoolExecutor]:
    """``concurrent.futures`` with its workers up."""
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(nothing, range(100)))
        yield pool


@contextmanager
def loky_pool() -> Iterator[Any]:
    """loky's reusable executor with its workers up."""
    from loky import get_reusable_executor

    pool = get_reusable_executor(max_workers=WORKERS)
    list(pool.map(nothing, range(100)))
    yield pool
    pool.shutdown()


@contextmanager
def ray_running(workers: int = WORKERS, **settings: Any) -> Iterator[Any]:
    """A local ray with its workers up."""
    import ray

    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, **settings)
    warm = ray.remote(nothing)
    ray.get([warm.remote() for _ in range(100)])
    yield ray
    ray.shutdown()


@contextmanager
def distributed_client(workers: int = WORKERS) -> Iterator[Any]:
    """A local cluster of dask.distributed with its workers up."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            memory_limit=0,
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster) as client,
    ):
        client.gather(client.map(nothing, range(100), pure=False))
        yield client
