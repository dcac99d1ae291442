"""Queries on Parquet files, written as if everything were read."""

from __future__ import annotations

import pickle
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import tpch
from benchmarks.measure import Family, Figures, Metric
from benchmarks.peers import WORKERS, distributed_client
from benchmarks.queries import QUERIES, Query
from benchmarks.resident import Resident

RUNS, ENOUGH_S = 3, 3.0
"""Runs that are counted, unless fewer have taken so long together."""

Run = Callable[[], Any]


def make(say: Callable[[str], None]) -> None:
    """Make the tables and work out the answers, unless they are there."""
    tpch.make(say)
    for name, query in QUERIES.items():
        kept = _answer_of(name)
        if kept.exists():
            continue
        answer = _by_hand(query)()
        if tpch.scale() == "1":
            query.answer(answer)
        kept.parent.mkdir(exist_ok=True)
        kept.write_bytes(pickle.dumps(answer))


def _answer_of(name: str) -> Path:
    return tpch.tables() / "answers" / f"{name}.pickle"


def timed(name: str, run: Run, *, exact: bool) -> Figures:
    """Seconds of a run that is not the first, and the most memory of all processes; what comes out is compared."""
    expected = pickle.loads(_answer_of(name).read_bytes())
    seconds: list[float] = []
    with Resident() as resident:
        agree(run(), expected, exact=exact)
        while len(seconds) < RUNS and sum(seconds) < ENOUGH_S:
            began = time.perf_counter()
            answer = run()
            seconds.append(time.perf_counter() - began)
            agree(answer, expected, exact=exact)
    return {
        "time": statistics.median(seconds),
        "peak": resident.peak / 1e6,
        "peak, files once": resident.peak_once / 1e6,
    }


def agree(answer: Any, expected: Any, *, exact: bool) -> None:
    """Refuse an answer that is not the one that pandas gives; unless exact, sums may differ in their last digits."""
    if not isinstance(expected, pd.DataFrame):
        answer, expected = pd.DataFrame({"value": [answer]}), pd.DataFrame({"value": [expected]})
    if exact:
        pd.testing.assert_frame_equal(answer, expected, check_exact=True, check_index_type="exact")
    else:
        answer, expected = answer.reset_index(drop=True), expected.reset_index(drop=True)
        pd.testing.assert_frame_equal(answer, expected, check_dtype=False, rtol=1e-9)


def _written(query: Query, read: Callable[[Path], Any]) -> Any:
    """The query, naturally written."""
    folder = tpch.tables()
    return query.make(*(keep(read(folder / table)) for table, keep in query.keep.items()))


def _by_hand(query: Query) -> Run:
    folder = tpch.tables()
    return lambda: query.make(
        *(keep(pd.read_parquet(folder / table, columns=query.masked(table))) for table, keep in query.keep.items())
    )


def with_cloudburst(query: str) -> Figures:
    import cloudburst as cb
    from cloudburst import pandas as cpd

    cb.init_local(workers=WORKERS)
    return timed(query, lambda: _written(QUERIES[query], cpd.read_parquet).compute(), exact=True)


def with_columns(query: str) -> Figures:
    return timed(query, _by_hand(QUERIES[query]), exact=True)


def with_filters(query: str) -> Figures:
    asked, folder = QUERIES[query], tpch.tables()

    def run() -> Any:
        frames = (
            pd.read_parquet(folder / table, columns=asked.columns[table], filters=asked.filters[table])
            for table in asked.keep
        )
        return asked.make(*frames)

    return timed(query, run, exact=False)


def with_everything(query: str) -> Figures:
    return timed(query, lambda: _written(QUERIES[query], pd.read_parquet), exact=True)


def with_dask(query: str) -> Figures:
    import dask.dataframe as dd

    with distributed_client():
        return timed(query, lambda: _written(QUERIES[query], dd.read_parquet).compute(), exact=False)


FAMILY = Family(
    title="Queries on Parquet files",
    contenders={
        "cloudburst": with_cloudburst,
        "by hand": with_columns,
        "by hand, filters=": with_filters,
        "everything": with_everything,
        "dask.dataframe": with_dask,
    },
    metrics={
        "time": Metric(
            "s",
            goal="at most 1.15 × by hand; ahead of dask.dataframe; at least 2 × as fast as everything on Q1, 4 × on "
            "Q3, 5 × on Q6",
        ),
        "peak": Metric("MB", goal="at most 1.2 × by hand"),
        "peak, files once": Metric("MB"),
    },
    settings=[{"query": name} for name in QUERIES],
    rounds=3,
    cap_s=90,
    note=f"Queries 1, 3 and 6 of TPC-H at scale factor {tpch.scale()}, {tpch.FILES} files of each of their three "
    f"tables, made by tpchgen-cli and written anew by pyarrow (snappy, groups of {tpch.ROW_GROUP:,} rows, statistics) "
    "with decimals as 64-bit floats and dates as times in microseconds: of decimals and dates pandas makes Python "
    "objects, which would be measured instead. *cloudburst*, *everything* (plain pandas) and *dask.dataframe* run the "
    "query as it is naturally written, `read_parquet(folder)` and then a mask, merges and a group-by; cloudburst on "
    f"its local provider, dask.dataframe on a LocalCluster, {WORKERS} worker processes each, dask's with one thread. "
    "*By hand* is the same in pandas with `columns=` for the reader, *by hand, filters=* with `filters=` in place of "
    "the mask too, so that Arrow leaves rows out before pandas sees them. What comes out is compared with what pandas "
    "gives: cloudburst's is exactly that, dask's to nine digits.\n\n"
    f"Time: the median of up to {RUNS} runs after a first one that is not counted. Peak: the most memory resident in "
    "the process and all its descendants at one time, the first run included, looked at every 10 ms; what two "
    "processes share counts twice. *Files once* counts pages of files, such as libraries, for the one process alone "
    "that has most of them.",
)
