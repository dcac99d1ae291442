"""From a written chain of dataframe operations to a plan."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import Family, Figures, Metric

FLOATS = [f"f{number}" for number in range(10)]
COLUMNS = [*FLOATS, "i0", "i1", "i2", "s0", "s1"]
RUNS = 5


def write(path: Path) -> None:
    """A file of 15 columns."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    numbers = np.arange(1_000)
    words = [f"word {number % 7}" for number in numbers]
    kinds = {"f": numbers * 0.5, "i": numbers, "s": words}
    columns = {name: kinds[name[0]] for name in COLUMNS}
    pq.write_table(pa.table(columns), path, row_group_size=100)


def chain(frame: Any, operations: int) -> Any:
    """Assign, filter, select, fill, cast, and again, on another column each time; two columns are wanted at the end."""
    for number in range(operations - 1):
        column = FLOATS[number % len(FLOATS)]
        match number % 5:
            case 0:
                frame = frame.assign(made=frame[column] * 2)
            case 1:
                frame = frame[frame[column] >= number - operations]
            case 2:
                frame = frame[COLUMNS]
            case 3:
                frame = frame.fillna({column: 0.0})
            case _:
                frame = frame.astype({column: "float64"})
    return frame[["f0", "s1"]]


def timed(read: Callable[[str], Any], plan: Callable[[Any], Any], operations: int, runs: int) -> Figures:
    """Milliseconds, and microseconds an operation, after a short chain that is not counted."""
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "columns.parquet")
        write(path)
        plan(chain(read(str(path)), 5))
        for _ in range(runs):
            written = chain(read(str(path)), operations)
            began = time.perf_counter()
            plan(written)
            seconds.append(time.perf_counter() - began)
    median = statistics.median(seconds)
    return {"time": median * 1e3, "an operation": median / operations * 1e6}


def with_cloudburst(operations: int) -> Figures:
    from cloudburst import pandas as cpd
    from cloudburst import session

    def plan(written: Any) -> None:
        prepared = session.prepare([written._expr], dry=True)
        if not prepared.plan.tasks:
            raise RuntimeError("nothing was planned")

    return timed(cpd.read_parquet, plan, operations, RUNS)


def with_dask(operations: int) -> Figures:
    import dask.dataframe as dd

    try:
        return timed(dd.read_parquet, lambda written: written.optimize(), operations, 1)
    except Exception as error:  # what went wrong is told by the first error, or by one that was raised over it
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, RecursionError):
            cause = cause.__cause__ or cause.__context__
        if cause is not None:
            raise RecursionError("recursion is too deep") from None
        raise


FAMILY = Family(
    title="Optimize a chain of dataframe operations",
    contenders={"cloudburst": with_cloudburst, "dask.dataframe": with_dask},
    metrics={
        "time": Metric("ms", goal="at most 60 for 200 operations"),
        "an operation": Metric("µs", goal="for 2,000 operations what it is for 200"),
    },
    settings=[{"operations": 200}, {"operations": 2_000}],
    rounds=3,
    once=["dask.dataframe"],
    cap_s=30,
    note=f"In turn an assignment, a filter, a selection, `fillna` and `astype` on a Parquet file of {len(COLUMNS)} "
    "columns, of which two are wanted at the end: an operation is what the user writes, and is up to three nodes. "
    f"cloudburst captures, reads the footer, optimizes and plans; the median of {RUNS} in a process. Of dask.dataframe "
    "`optimize()` is timed, once.",
)
