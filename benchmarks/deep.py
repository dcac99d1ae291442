"""How deep a chain may be: 100,000 operations on one stage."""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.measure import Family, Figures, Metric, tell
from benchmarks.peers import distributed_client, ray_running

OPS = 100_000
DEPTHS = (50, 100, 150, 200, 300, 500, 700, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, OPS)


def start():
    return 0


def step(before):
    return before + 1


def with_cloudburst(recursion_limit: int) -> Figures:
    import cloudburst as cb
    from cloudburst import session

    cb.init_local(workers=2)
    cb.defer(0).compute()
    sys.setrecursionlimit(recursion_limit)
    figures: Figures = {}

    def timed(name: str, act: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        value = act()
        figures[name] = time.perf_counter() - began
        return value

    def build() -> Any:
        node = cb.stage(start)()
        for _ in range(OPS):
            node = step(node)
        return node

    chain = timed("build", build)
    timed("optimize and plan", lambda: session.prepare([chain._expr]))
    copy = timed("pickle and back", lambda: pickle.loads(pickle.dumps(chain)))
    timed("print", lambda: (repr(chain), str(chain.explain())))
    if timed("compute", chain.compute) != OPS:
        raise RuntimeError("the chain was not counted")
    del copy

    def free() -> None:
        nonlocal chain
        del chain

    timed("free", free)
    return figures | {"depth": float(OPS)}


def deepest(works: Callable[[int], int]) -> Figures:
    """Go deeper until it fails; each depth reached is told, for some failures end the process."""
    reached = {"depth": 0.0}
    for depth in DEPTHS:
        try:
            if works(depth) != depth:
                raise RuntimeError(f"{depth} steps were not counted")
        except RecursionError:
            break
        except Exception as error:  # peers wrap the recursion error in their own
            if "ecursion" not in f"{error!r} {error.__cause__!r}":
                raise
            break
        reached = {"depth": float(depth)}
        tell(reached)
    return reached


def with_redun(recursion_limit: int) -> Figures:
    import redun

    sys.setrecursionlimit(recursion_limit)
    scheduler = redun.Scheduler()
    first, then = redun.task(namespace="bench")(start), redun.task(namespace="bench")(step)

    def works(depth: int) -> int:
        node = first()
        for _ in range(depth):
            node = then(node)
        return scheduler.run(node)

    return deepest(works)


def with_ray(recursion_limit: int) -> Figures:
    with ray_running() as ray:
        sys.setrecursionlimit(recursion_limit)
        first, then = ray.remote(start), ray.remote(step)

        def works(depth: int) -> int:
            node = first.bind()
            for _ in range(depth):
                node = then.bind(node)
            return ray.get(node.execute())

        return deepest(works)


def with_hamilton(recursion_limit: int) -> Figures:
    from types import ModuleType

    from hamilton import driver

    sys.setrecursionlimit(recursion_limit)

    def works(depth: int) -> int:
        lines = [
            f"def n{place}(n{place - 1}: int) -> int:\n    return n{place - 1} + 1\n" for place in range(1, depth + 1)
        ]
        module = ModuleType(f"written_{depth}")
        sys.modules[module.__name__] = module
        exec("def n0() -> int:\n    return 0\n" + "".join(lines), vars(module))
        return driver.Builder().with_modules(module).build().execute([f"n{depth}"])[f"n{depth}"]

    return deepest(works)


def with_dask(recursion_limit: int) -> Figures:
    import dask

    with distributed_client():
        sys.setrecursionlimit(recursion_limit)

        def works(depth: int) -> int:
            node = dask.delayed(start)()
            for _ in range(depth):
                node = dask.delayed(step)(node)
            return node.compute()

        return deepest(works)


SECONDS = ("build", "optimize and plan", "pickle and back", "print", "compute", "free")

FAMILY = Family(
    title="A chain of 100,000 operations",
    contenders={
        "cloudburst": with_cloudburst,
        "redun": with_redun,
        "ray": with_ray,
        "dask.delayed": with_dask,
        "Hamilton": with_hamilton,
    },
    metrics={"depth": Metric("operations", "higher", goal=f"{OPS:,}")} | {name: Metric("s") for name in SECONDS},
    settings=[{"recursion_limit": 1_000}, {"recursion_limit": 200}],
    cap_s=20.0,
    once=["redun", "ray", "dask.delayed", "Hamilton"],
    note="Depth is the deepest chain that was computed, of "
    + ", ".join(f"{depth:,}" for depth in DEPTHS)
    + ", within 20 s.",
)
