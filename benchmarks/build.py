"""Build a graph: one call after another, each taking what earlier calls returned and a scalar."""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable
from hashlib import blake2b
from types import ModuleType
from typing import Any

from benchmarks.measure import Family, Figures, Metric

Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]

WIDTH = 100


def leaf(scalar):
    return scalar


def link(before, scalar):
    return before + scalar


def join(left, right, scalar):
    return left + right + scalar


def mix(first, second, third, fourth, scalar):
    return first + second + third + fourth + scalar


def chain(nodes: int, wrap: Wrap) -> Any:
    """Every call takes the one before."""
    start, step = wrap(leaf), wrap(link)
    node = start(0)
    for _ in range(nodes - 1):
        node = step(node, 1)
    return node


def tree(nodes: int, wrap: Wrap) -> Any:
    """A binary tree: half of the calls are leaves, the others take two."""
    start, step = wrap(leaf), wrap(join)
    row = [start(number) for number in range((nodes + 1) // 2)]
    while len(row) > 1:
        joined = [step(left, right, 1) for left, right in zip(row[::2], row[1::2], strict=False)]
        row = joined + row[2 * len(joined) :]
    return row[0]


def layered(nodes: int, wrap: Wrap) -> Any:
    """Rows of a hundred calls, each taking four of the row before."""
    start, step = wrap(leaf), wrap(mix)
    row = [start(number) for number in range(WIDTH)]
    for _ in range(nodes // WIDTH - 1):
        row = [step(*(row[(place + off) % WIDTH] for off in range(4)), place) for place in range(WIDTH)]
    return row


SHAPES: dict[str, Callable[[int, Wrap], Any]] = {"chain": chain, "tree": tree, "layered": layered}


def built(shape: str, nodes: int, wrap: Wrap) -> Figures:
    """Microseconds a node, and bytes a node of a second graph like it."""
    make = SHAPES[shape]
    make(100, wrap)
    began = time.perf_counter()
    graph = make(nodes, wrap)
    seconds = time.perf_counter() - began
    figures = {"time": seconds / nodes * 1e6}
    if nodes <= 10_000 and seconds < 1:
        del graph
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        graph = make(nodes, wrap)
        figures["memory"] = (tracemalloc.get_traced_memory()[0] - before) / nodes
    return figures


class Bare:
    """The least that a node can be: slots, and a key digested from the keys of its children."""

    __slots__ = ("arguments", "function", "key")

    def __init__(self, function: bytes, arguments: tuple[Any, ...]) -> None:
        self.function = function
        self.arguments = arguments
        keys = [argument.key if type(argument) is Bare else b"%d" % argument for argument in arguments]
        self.key = blake2b(b"".join([function, *keys]), digest_size=16).digest()


def with_floor(shape: str, nodes: int) -> Figures:
    def wrap(function):
        name = function.__qualname__.encode()
        return lambda *arguments: Bare(name, arguments)

    return built(shape, nodes, wrap)


def with_cloudburst(shape: str, nodes: int) -> Figures:
    import cloudburst

    return built(shape, nodes, cloudburst.stage)


def with_redun(shape: str, nodes: int) -> Figures:
    import redun

    return built(shape, nodes, redun.task(namespace="bench"))


def with_ray(shape: str, nodes: int) -> Figures:
    import ray

    return built(shape, nodes, lambda function: ray.remote(function).bind)


def with_dask(shape: str, nodes: int) -> Figures:
    import dask

    return built(shape, nodes, dask.delayed)


def with_hamilton(shape: str, nodes: int) -> Figures:
    """Hamilton's calls are functions of a module that name their sources; timed is the making of its driver."""
    from hamilton import driver

    lines: list[str] = []

    def wrap(function):
        def call(*arguments):
            *parents, _scalar = arguments
            name = f"n{len(lines)}"
            parameters = ", ".join(f"{parent}: int" for parent in parents)
            lines.append(
                f"def {name}({parameters}) -> int:\n    return {function.__name__}({', '.join(map(str, arguments))})\n"
            )
            return name

        return call

    SHAPES[shape](nodes, wrap)
    module = ModuleType("written")
    sys.modules[module.__name__] = module
    exec("".join(lines), vars(module))
    builder = driver.Builder().with_modules(module)
    began = time.perf_counter()
    built_driver = builder.build()
    seconds = time.perf_counter() - began
    if len(built_driver.graph.nodes) != len(lines):
        raise RuntimeError(f"{len(built_driver.graph.nodes)} nodes for {len(lines)} functions")
    return {"time": seconds / nodes * 1e6}


FAMILY = Family(
    title="Build a graph",
    contenders={
        "floor": with_floor,
        "cloudburst": with_cloudburst,
        "redun": with_redun,
        "ray": with_ray,
        "dask.delayed": with_dask,
        "Hamilton": with_hamilton,
    },
    metrics={
        "time": Metric(
            "µs a node", goal="≤ 2.5 × the floor; ahead of ray, Hamilton, dask.delayed; of redun at 100,000"
        ),
        "memory": Metric("B a node", goal="≤ 500"),
    },
    settings=[{"shape": shape, "nodes": nodes} for nodes in (10_000, 100_000) for shape in SHAPES],
    cap_s=8.0,
    note="The floor is a bare slotted node keyed by a blake2b digest of its children's keys. Memory is what "
    "tracemalloc counts for a second graph of 10,000 nodes. Of Hamilton only the making of its driver is timed, not "
    "that of its module.",
)
