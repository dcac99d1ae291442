"""Of each source only the columns are read that something uses."""

from __future__ import annotations

from typing import Any

import pandas as pd

import cloudburst as cb
from cloudburst.deferred import wrap
from cloudburst.graph.check import check
from cloudburst.graph.expr import make
from cloudburst.graph.facts import Facts
from cloudburst.graph.graph import Graph
from cloudburst.graph.nodes import File, Narrow, Source
from cloudburst.graph.project import project
from cloudburst.graph.walk import topological
from tests.graph.frames.parted import Parted, sample, source_of

PARTED = Parted(sample(), (3, 3, 3, 3))


@cb.stage
def load() -> pd.DataFrame:
    return pd.DataFrame()


@cb.stage
def use(frame: Any) -> int:
    return len(frame)


def unknown() -> Any:
    """A source of whose columns nothing is known."""
    return wrap(make(Source("csv", (File("/data/a.csv", 9, "1"),))))


def projected(*roots: Any, facts: Facts | None = None, digests: bool = False) -> Graph:
    exprs = tuple(root._expr for root in roots)
    nodes = tuple(topological(exprs))
    graph = Graph(exprs, nodes, {node.key: node.key for node in nodes} if digests else {})
    after = project(graph, facts or Facts())
    check(after, "project")
    return after


def columns(graph: Graph) -> list[Any]:
    return [node.what.columns for node in graph.nodes if isinstance(node.what, Source)]


def test_only_what_is_picked_is_read_in_the_order_of_the_file():
    d, facts = source_of(PARTED)
    names = list(PARTED.frame.columns)
    picked = [names[2], names[0]]
    assert columns(projected(d[picked], facts=facts)) == [(names[0], names[2])]


def test_without_a_schema_the_names_that_are_asked_for_are_read():
    d = unknown()
    assert columns(projected(d[["b", "a"]].sum())) == [("a", "b")]


def test_what_several_ways_need_is_read_together():
    d = unknown()
    assert columns(projected(d["a"].sum(), d[d["b"] > 1]["c"])) == [("a", "b", "c")]


def test_what_is_asked_for_whole_or_goes_to_a_function_is_read_whole():
    d = unknown()
    assert columns(projected(d["a"], d)) == [None]
    graph = projected(use(d[["a"]]), use(d))
    assert columns(graph) == [None]
    assert graph.readings[0].why_columns == "use needs every column"
    assert projected(d).readings[0].why_columns == "it is asked for whole"


def test_who_wants_every_column_is_named_through_ops_that_only_hand_it_on():
    d = unknown()
    graph = projected(use(d.head()))
    assert graph.readings[0].why_columns == "use needs every column"


def test_a_declared_parameter_needs_what_it_names():
    d = unknown()
    narrow = wrap(make(Narrow(("a", "c")), (d._expr,)))
    assert columns(projected(use(narrow))) == [("a", "c")]


def test_what_a_stage_gives_is_wanted_in_part_where_it_is_a_frame_for_certain():
    made = load()
    top = made["a"].sum()._expr
    picked = top.args[0]
    graph = Graph.of((top,))
    assert project(graph, Facts(frames={made._expr.key: None})).wanted == {(picked.key, made._expr.key): frozenset("a")}
    assert not project(graph, Facts()).wanted


def test_what_is_made_of_fewer_columns_and_not_wanted_whole_has_no_name_for_later_runs():
    d = unknown()
    head = d.head()
    picked = head["a"]
    graph = projected(picked, digests=True)
    named = {node.what.label for node in graph.nodes if node.key in graph.digests}
    assert named == {"[...]"}


def test_a_value_that_is_whole_keeps_its_name_though_some_columns_of_it_are_wanted():
    made = load()
    graph = Graph.of((made["a"]._expr,))
    graph = Graph(graph.roots, graph.nodes, {node.key: node.key for node in graph.nodes})
    after = project(graph, Facts(frames={made._expr.key: None}))
    assert made._expr.key in after.digests


def test_a_graph_without_frames_is_left_as_it_is():
    graph = Graph.of((use(1)._expr,))
    assert project(graph, Facts()) is graph


def test_a_long_chain_needs_what_each_of_its_ops_needs():
    d = unknown()
    for number in range(2000):
        d = d.assign(**{f"c{number % 7}": d[f"a{number}"] * 2})
    graph = projected(d[["c1"]])
    [read] = columns(graph)
    assert (
        {f"a{number}" for number in range(2000)}
        <= set(read)
        <= {f"{c}{number}" for c in "ac" for number in range(2000)}
    )
