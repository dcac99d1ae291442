"""The queries that are measured are planned as an expert writes them, and everyone is asked the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.queries import QUERIES
from cloudburst import pandas as cpd
from cloudburst import session
from cloudburst.graph.nodes import Source

ROWS = 3_000


def days(random, rows):
    return np.datetime64("1992-01-01", "us") + random.integers(0, 7 * 365, rows) * np.timedelta64(1, "D")


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Tables with the columns of TPC-H that matter and some that nobody wants, in two files each."""
    random = np.random.default_rng(1)
    orders = ROWS // 4
    made = {
        "customer": {
            "c_custkey": np.arange(100),
            "c_mktsegment": random.choice(["BUILDING", "MACHINERY"], 100),
            "c_comment": ["none"] * 100,
        },
        "orders": {
            "o_orderkey": np.arange(orders),
            "o_custkey": random.integers(0, 100, orders),
            "o_orderdate": days(random, orders),
            "o_shippriority": np.zeros(orders, "int64"),
            "o_comment": ["none"] * orders,
        },
        "lineitem": {
            "l_orderkey": random.integers(0, orders, ROWS),
            "l_quantity": random.integers(1, 51, ROWS).astype("float64"),
            "l_extendedprice": random.random(ROWS) * 1_000,
            "l_discount": random.integers(0, 11, ROWS) / 100,
            "l_tax": random.integers(0, 9, ROWS) / 100,
            "l_returnflag": random.choice(["A", "N", "R"], ROWS),
            "l_linestatus": random.choice(["F", "O"], ROWS),
            "l_shipdate": days(random, ROWS),
            "l_comment": ["none"] * ROWS,
        },
    }
    folder = tmp_path_factory.mktemp("tables")
    for name, columns in made.items():
        (folder / name).mkdir()
        table = pa.table(columns)
        half = len(table) // 2
        for number, part in enumerate((table[:half], table[half:])):
            pq.write_table(part, folder / name / f"{number}.parquet", row_group_size=500)
    return folder


def written(query, read, folder):
    return query.make(*(keep(read(folder / table)) for table, keep in query.keep.items()))


@pytest.mark.parametrize("name", QUERIES)
def test_columns_and_filters_by_hand_ask_for_the_same(name, tables):
    query = QUERIES[name]
    plain = written(query, pd.read_parquet, tables)
    frames = (
        pd.read_parquet(tables / table, columns=query.columns[table], filters=query.filters[table])
        for table in query.keep
    )
    by_hand = query.make(*frames)
    if isinstance(plain, pd.DataFrame):
        assert len(plain) > 1
        pd.testing.assert_frame_equal(by_hand.reset_index(drop=True), plain.reset_index(drop=True))
    else:
        assert by_hand == pytest.approx(plain)
        assert plain > 0


@pytest.mark.parametrize("name", QUERIES)
def test_a_natural_query_reads_what_an_expert_would_have_read(name, tables):
    query = QUERIES[name]
    prepared = session.prepare([written(query, cpd.read_parquet, tables)._expr], dry=True)
    sources = [node.what for node in prepared.graph.nodes if isinstance(node.what, Source)]
    read = {Path(what.files[0].path).parent.name: set(what.columns or ["everything"]) for what in sources}
    assert read == {table: set(query.masked(table)) for table in query.keep}


@pytest.mark.parametrize("name", QUERIES)
def test_a_natural_query_gives_exactly_what_pandas_gives(name, tables):
    query = QUERIES[name]
    ours = written(query, cpd.read_parquet, tables).compute()
    plain = written(query, pd.read_parquet, tables)
    if isinstance(plain, pd.DataFrame):
        pd.testing.assert_frame_equal(ours, plain, check_exact=True, check_index_type="exact")
    else:
        assert ours == plain
