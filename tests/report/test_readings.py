"""What is read of files, of stored values and of other tasks' values, in words."""

from __future__ import annotations

import re

import pandas as pd
import pytest

import cloudburst as cb
from cloudburst import pandas as cpd
from cloudburst.deferred import wrap
from cloudburst.graph.expr import make
from cloudburst.graph.facts import Facts, Reading
from cloudburst.graph.graph import Graph
from cloudburst.graph.nodes import File, Source, Stored
from cloudburst.graph.project import project
from cloudburst.graph.prune import prune
from cloudburst.report.readings import readings_of, stored_readings
from cloudburst.runtime.stores.memory import MemoryStore
from cloudburst.schemas import stored_facts
from tests.frames.kept import stored as in_groups

FRAME = pd.DataFrame({"a": range(100), "b": 1.5, "c": "text"})


@cb.stage
def load() -> pd.DataFrame:
    return FRAME


@cb.stage(reads={"frame": ["a", "b"]})
def use(frame: pd.DataFrame) -> int:
    return len(frame)


@cb.stage
def whole(frame: pd.DataFrame) -> int:
    return len(frame)


def files(*names):
    return tuple(File(f"/data/sales/{name}", 5000, "1") for name in names)


def told(reading, *names):
    node = make(Source("parquet", files(*names)))
    return readings_of(Graph((node,), (node,), readings=(reading._replace(key=node.key),)))


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        (Reading(b"", None, None, None), "a.parquet: every column"),
        (Reading(b"", (2, None), None, None), "a.parquet: at most 2 columns"),
        (Reading(b"", (15, 15), (4, 4), (9000, 9000)), "a.parquet: all 15 columns, all 4 row groups, about 8.79 KB"),
        (
            Reading(b"", (1, 1), (0, 4), (0, 9000)),
            "a.parquet: 1 of 1 column, 0 of 4 row groups, about 0 bytes of 8.79 KB",
        ),
    ],
)
def test_how_much_of_how_much_is_told(reading, words):
    assert told(reading, "a.parquet") == [words]


def test_several_files_are_told_by_their_folder():
    assert told(Reading(b"", (1, 3), None, None), "a.parquet", "b.parquet") == ["sales (2 files): 1 of 3 columns"]


def test_what_stands_in_the_way_is_told_beneath():
    reading = Reading(b"", (3, 3), (4, 4), None, "train needs every column", "train needs every row")
    assert told(reading, "a.parquet")[1:] == ["  train needs every column", "  train needs every row"]


def test_how_much_of_what_is_stored_is_read_is_told():
    store = MemoryStore(shared=True)
    frame = pd.DataFrame({"a": range(40), "b": 1.5, "c": "text"})
    artifact = in_groups(frame, store, "a/0", 10)
    clean = make(Stored(artifact, b"clean", "clean"))
    graph = Graph.of((wrap(clean).query("a > 33")["b"]._expr,))
    facts = Facts(sources=stored_facts(graph, store))
    [told] = stored_readings(prune(project(graph, facts), facts))
    assert re.fullmatch(r"clean: 2 of 3 columns, 1 of 4 row groups, about \d+ bytes of [\d.]+ KB", told)
    graph = Graph.of((wrap(clean)[wrap(clean)["a"] > wrap(clean)["b"]]._expr,))
    facts = Facts(sources=stored_facts(graph, store))
    assert stored_readings(prune(project(graph, facts), facts))[1:] == [
        "  it is asked for whole",
        "  nothing rules out a row group",
    ]


def test_a_graph_that_was_not_optimized_reads_everything(tmp_path):
    FRAME.to_parquet(tmp_path / "a.parquet")
    picked = cpd.read_parquet(tmp_path / "a.parquet")["a"]
    assert "a.parquet: 1 of 3 columns" in str(picked.explain())
    assert "a.parquet: every column" in str(picked.explain(optimize=False))


def test_what_a_task_reads_of_another_ones_value_is_told():
    made = load()
    text = str(cb.defer([use(made), whole(made), made["c"].count()]).explain())
    assert "Read in part" in text
    assert "use reads a, b of 1 load" in text


def test_a_task_of_which_several_values_are_stored_names_them():
    made = load()
    text = str(cb.defer([whole(made), made.query("a > 1"), made.describe()]).explain())
    assert "stores the values of load, .query(), .describe()" in text
    assert "stores" not in str(whole(made).explain())


def test_it_is_told_which_rows_are_left_for_pandas(tmp_path):
    FRAME.to_parquet(tmp_path / "a.parquet", row_group_size=10)
    frame = cpd.read_parquet(tmp_path / "a.parquet", columns=["a", "c"])
    text = str(frame[(frame["a"] >= 42) & (frame["c"] == "text")]["a"].explain())
    assert "a.parquet: all 2 columns, 6 of 10 row groups" in text
    assert "pandas gets rows where a >= 42 and c == 'text'" in text
