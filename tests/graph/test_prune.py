"""Row groups are skipped where filters exclude them, and every result is what it is of all rows."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cloudburst as cb
from cloudburst.deferred import Deferred, wrap
from cloudburst.graph import prune as pruning
from cloudburst.graph.check import check
from cloudburst.graph.expr import make
from cloudburst.graph.facts import Facts
from cloudburst.graph.frames import lineage
from cloudburst.graph.graph import Graph
from cloudburst.graph.nodes import File, Labels, Narrow, Relabel, RowGroup, Source, Stored
from cloudburst.graph.project import project
from cloudburst.graph.prune import prune
from cloudburst.runtime import artifacts
from cloudburst.runtime.stores.memory import MemoryStore
from cloudburst.schemas import stored_facts
from tests.frames.kept import stored as in_groups
from tests.graph.frames.parted import DAY, Parted, assert_same, evaluated, sample, source_of, stored_of

SIZES = (3, 3, 3, 3)
count_rows = cb.defer(len)


def optimized(*roots: Deferred[Any], facts: Facts) -> Graph:
    graph = prune(Graph.of(tuple(root._expr for root in roots)), facts)
    check(graph, "prune")
    return graph


def read(graph: Graph) -> list[int] | None:
    """The numbers of the row groups that are read of the one source; ``None`` for all."""
    [what] = [node.what for node in graph.nodes if isinstance(node.what, Source)]
    [told] = [reading.groups or (0, 0) for reading in graph.readings]
    return None if what.groups is None or told[0] == told[1] else [group.number for group in what.groups]


def groups_of(make_one: Callable[[Any], Any], parted: Parted | None = None) -> list[int] | None:
    """What is read for a pipeline, whose result must be what it is of all rows."""
    parted = parted or Parted(sample(), SIZES)
    d, facts = source_of(parted)
    made = make_one(d)
    roots = made if isinstance(made, tuple) else (made,)
    graph = optimized(*roots, facts=facts)
    before = evaluated(Graph.of(tuple(root._expr for root in roots)), parted)
    for one, other in zip(before, evaluated(graph, parted), strict=True):
        assert_same(one, other)
    return read(graph)


def let(value: Any, then: Callable[[Any], Any]) -> Any:
    """What is made of a value that is used more than once."""
    return then(value)


PRUNED: dict[str, tuple[Callable[[Any], Any], list[int]]] = {
    "a mask": (lambda d: d[d.i > 7], [2, 3]),
    "a mask by item": (lambda d: d[d["i"] > 7].sum(), [2, 3]),
    "a constant on the left": (lambda d: d[operator.gt(d.i, 7) & operator.lt(7, d.i)], [2, 3]),
    "a mask in loc": (lambda d: d.loc[d.i > 7], [2, 3]),
    "loc with labels": (lambda d: d.loc[d.i > 7, ["s", "i"]], [2, 3]),
    "loc with a label": (lambda d: d.loc[d.i > 7, "s"], [2, 3]),
    "a filtered series": (lambda d: d["s"][d["i"] <= 2], [0]),
    "loc of a series": (lambda d: d.s.loc[d.i <= 2], [0]),
    "a query": (lambda d: d.query("i < 3 or s == 'l'"), [0, 3]),
    "a query with variables": (lambda d: d.query("i < @n", local_dict={"n": 3, "lost": count_rows([])}), [0]),
    "a query with plain variables": (lambda d: d.query("i < @n", local_dict={"n": 3}), [0]),
    "isin of what is reckoned": (lambda d: d[(d.i > 7) & (d.i * 2).isin([16, 18, 0])], [2, 3]),
    "two columns of text": (lambda d: d[(d.i > 7) & (d.s <= d.s)], [2, 3]),
    "and": (lambda d: d[(d.i > 2) & (d.s < "f")], [1]),
    "or, not": (lambda d: d[~((d.i > 2) | (d.s < "b"))], [0]),
    "exclusive or": (lambda d: d[(d.i > 2) ^ (d.i > 5)], [1]),
    "a condition that is a column": (lambda d: d[d.b], [0, 1]),
    "not a column": (lambda d: d[~d.b], [2, 3]),
    "isin": (lambda d: d[d.i.isin([1, 11])], [0, 3]),
    "isin of text": (lambda d: d[d.s.isin(["a", "zz"])], [0]),
    "between": (lambda d: d[d.i.between(3, 6, inclusive="left")], [1]),
    "between moments": (lambda d: d[d.t.between("2024-01-02", pd.Timestamp("2024-01-03"))], [0]),
    "a moment": (lambda d: d[d.t >= pd.Timestamp("2024-01-11")], [3]),
    "a day": (lambda d: d[d.day == DAY], [0]),
    "floats": (lambda d: d[d.f < 1], [0]),
    "masked numbers": (lambda d: d[d.m == 4], [1]),
    "a method that compares": (lambda d: d[d.i.ge(9)], [3]),
    "none at all": (lambda d: d[d.i > 100], []),
    "a filter of a filter": (lambda d: let(d[d.i > 7], lambda e: e[e.s < "z"]), [2, 3]),
    "one mask for two": (lambda d: let(d.i > 7, lambda m: (d[m], d["s"][m])), [2, 3]),
    "two masks": (lambda d: (d[d.i < 2].i.sum(), d[d.i > 9].f.mean()), [0, 3]),
    "columns picked": (lambda d: let(d[["i", "s"]], lambda e: e[e.i > 7]), [2, 3]),
    "a column assigned": (lambda d: let(d.assign(z=d.i * 2 + d.f, y=1, x="a"), lambda e: e[d.i > 7]), [2, 3]),
    "a condition assigned": (lambda d: let(d.assign(big=d.i > 7), lambda e: e[e.big]), [2, 3]),
    "a column copied": (lambda d: let(d.assign(z=d.i), lambda e: e[e.z > 7]), [2, 3]),
    "renamed": (lambda d: let(d.rename(columns={"i": "j"}), lambda e: e[e.j > 7]), [2, 3]),
    "dropped": (lambda d: d.drop(columns=["s", "f"])[d.i > 7], [2, 3]),
    "copied": (lambda d: let(d.copy(), lambda e: e[e.i > 7]), [2, 3]),
    "with what is reckoned": (lambda d: d[(d.i > 7) & (d.f * 2 - abs(-d.i) <= d.i / 2)], [2, 3]),
    "with two columns": (lambda d: d[(d.i > 7) & (d.f < d.i)], [2, 3]),
    "with what is there": (lambda d: d[(d.i > 7) & d.f.notna() & ~d.s.isna()], [2, 3]),
    "on another machine": (lambda d: let(d.options(memory=4096), lambda e: e[e.i > 7]), [2, 3]),
    "ops that raise afterwards": (lambda d: d[d.i > 7].s.astype(int), [2, 3]),
    "a column that is not there": (lambda d: let(d, lambda e: e[e.i > 7]["lost"]), [2, 3]),
}

WHOLE: dict[str, Callable[[Any], Any]] = {
    "itself": lambda d: d,
    "a column": lambda d: d.i,
    "no filter": lambda d: d.i.sum(),
    "beside a filter": lambda d: (d[d.i > 7], d.i.max()),
    "a mask used elsewhere": lambda d: let(d.i > 7, lambda m: (d[m], m.sum())),
    "a mask that is asked for": lambda d: let(d.i > 7, lambda m: (d[m], m)),
    "a mask of another op": lambda d: d[d.i.cumsum() > 50],
    "a mask of fewer rows": lambda d: d[(d[d.i > 5].i > 7)],
    "a new column": lambda d: let(d.assign(i=9 - d.i), lambda e: e[e.i > 7]),
    "a mask of more rows": lambda d: d[d.i > 4][d.i > 7],
    "the first rows": lambda d: let(d.head(8), lambda e: e[e.i > 5]),
    "ops in between": lambda d: let(d.sort_values("s"), lambda e: e[e.i > 7]),
    "ops that may raise": lambda d: let(d.assign(z=d.s.astype(int)), lambda e: e[e.i > 7]),
    "whole numbers divided": lambda d: let(d.assign(z=d.i // d.i), lambda e: e[e.i > 7]),
    "whole numbers raised": lambda d: let(d.assign(z=d.i**2), lambda e: e[e.i > 7]),
    "a function": lambda d: d[lambda e: e.i > 7],
    "another function": lambda d: count_rows(d),
    "what is not decided": lambda d: d[d.f.isna()],
    "not of floats": lambda d: d[~(d.f > 1)],
    "text and a number": lambda d: d[d.s == 3],
    "a day and a moment": lambda d: d[d.day == pd.Timestamp(DAY)],
    "a moment and a day": lambda d: d[d.t < DAY],
    "zones": lambda d: d[d.t < pd.Timestamp("2024-01-02", tz="UTC")],
    "a frame compared": lambda d: d[d[["i"]] > 7],
    "a query that is not known": lambda d: d.query("i > 7 and i.sum() > 3"),
    "a query with more": lambda d: d.query("i > 7", engine="python"),
    "a query in a variable": lambda d: d.query("i > @n", local_dict={"n": d.i.min()}),
    "an index": lambda d: (d[d.i > 7], d.index),
    "labels that are a slice": lambda d: d.loc[d.i > 7, "i":"s"],
    "labels that are not there": lambda d: d.loc[d.i > 7, ["i", "lost"]],
    "labels that are not known": lambda d: d.loc[d.i > 7, d.columns],
    "an attribute of loc": lambda d: (d.loc.ndim, d[d.i > 7]),
    "a method that loc lacks": lambda d: (d.loc.query("i > 7"), d[d.i > 7]),
    "a series beside a number": lambda d: cb.defer(lambda _, series: series)(3, d.i),
    "text compared with moments": lambda d: d[(d.i > 7) & (d.s < d.t)],
    "loc by label": lambda d: d.loc[3],
    "loc by mask and label": lambda d: (d.loc[d.i > 7], d.loc[3, "i"]),
    "iloc": lambda d: d.iloc[:3],
    "dropped what is not there": lambda d: d.drop(columns=["lost"])[d.i > 7],
    "dropped rows": lambda d: d.drop(index=[3])[d.i > 7],
    "renamed to one name": lambda d: d.rename(columns={"i": "s"})[d.i > 7],
    "renamed by a function": lambda d: d.rename(columns=str.upper)[d.i > 7],
    "renamed rows": lambda d: d.rename(index={3: 4})[d.i > 7],
    "columns twice": lambda d: d[["i", "i"]][d.i > 7],
    "assigned a list": lambda d: d.assign(z=list(range(12)))[d.i > 7],
    "assigned other rows": lambda d: d.assign(z=d.i[d.i > 3])[d.i > 7],
    "an odd between": lambda d: d[d.i.between(3, 6, inclusive="odd")],
    "a between of series": lambda d: d[d.i.between(d.f, 6)],
    "isin of a series": lambda d: d[d.i.isin(d.m)],
    "isin of what is missing": lambda d: d[d.i.isin([1, None])],
    "isna with more": lambda d: d[d.i.isna(1)],
    "a comparison with a level": lambda d: d[d.i.gt(7, fill_value=0)],
    "conditions and numbers": lambda d: d[(d.i > 7) & 1],
    "numbers joined": lambda d: d[(d.i & 1) == 0],
    "a number turned": lambda d: d[~d.i > -3],
    "texts turned": lambda d: d[-d.s > "a"],
    "a series of numbers as mask": lambda d: d[d.i],
    "a copy that is deep": lambda d: let(d.copy(deep=True), lambda e: e[e.i > 7]),
    "a tuple of three": lambda d: d.loc[(d.i > 7, "i", "s")],
    "a mask in a list": lambda d: cb.defer(lambda given: given[0])([d.i > 7]),
}


@pytest.mark.parametrize("name", PRUNED)
def test_row_groups_are_skipped_below_a_filter(name: str) -> None:
    make_one, groups = PRUNED[name]
    assert groups_of(make_one) == groups


@pytest.mark.parametrize("name", WHOLE)
def test_everything_is_read_where_something_needs_it(name: str) -> None:
    assert groups_of(WHOLE[name]) is None


CLAUSES: dict[str, tuple[Callable[[Any], Any], list[str]]] = {
    "a mask": (lambda d: d[d.i > 7], ["i gt 7"]),
    "and": (lambda d: d[(d.i > 2) & (d.s < "f")], ["i gt 2", "s lt f"]),
    "or": (lambda d: d[(d.i > 2) | (d.s < "f")], []),
    "or with something in common": (lambda d: d[(d.i > 2) & (d.s < "f") | (d.i > 2) & d.b], ["i gt 2"]),
    "exclusive or": (lambda d: d[(d.i > 2) ^ (d.i > 5)], []),
    "not": (lambda d: d[~(d.i > 2)], []),
    "a constant on the left": (lambda d: d[operator.gt(7, d["i"])], ["i lt 7"]),
    "a query": (lambda d: d.query("2 < i <= 5 and s != 'c'"), ["i gt 2", "i le 5"]),
    "between": (lambda d: d[d.f.between(1, 2.5)], ["f ge 1.0", "f le 2.5"]),
    "isin": (lambda d: d[d.s.isin(["a", "k"])], ["s in a k"]),
    "isin of floats": (lambda d: d[d.f.isin([0.0])], []),
    "a whole number and a float": (lambda d: d[d.i > 2.5], []),
    "masked numbers": (lambda d: d[d.m == 4], ["m eq 4"]),
    "a moment": (lambda d: d[d.t >= pd.Timestamp("2024-01-11")], ["t ge 1704931200000000000"]),
    "a moment as text": (lambda d: d[d.t >= "2024-01-11"], ["t ge 1704931200000000000"]),
    "a day": (lambda d: d[d.day == DAY], ["day eq 19723"]),
    "what is reckoned": (lambda d: d[d.i * 2 > 7], []),
    "a column renamed": (lambda d: let(d.rename(columns={"i": "j"}), lambda e: e[e.j > 7]), ["i gt 7"]),
    "a column replaced": (lambda d: let(d.assign(i=d.f), lambda e: e[e.i > 2.0]), ["f gt 2.0"]),
    "a filter of a filter": (lambda d: let(d[d.i > 7], lambda e: e[e.s < "z"]), ["i gt 7"]),
    "two filters": (lambda d: (d[(d.i > 7) & (d.s < "z")], d[(d.i > 7) & d.b]), ["i gt 7"]),
    "two other filters": (lambda d: (d[d.i > 7], d[d.i > 8]), []),
    "beside something else": (lambda d: (d[d.i > 7], d.i.sum()), []),
    "a mask that is asked for": (lambda d: let(d.i > 7, lambda m: (d[m], m)), []),
}


@pytest.mark.parametrize("name", CLAUSES)
def test_rows_that_no_filter_keeps_may_be_left_out_as_they_are_read(name: str) -> None:
    make_one, clauses = CLAUSES[name]
    assert clauses_of(make_one, Parted(sample(), SIZES)) == clauses


def clauses_of(make_one: Callable[[Any], Any], parted: Parted) -> list[str]:
    """What the reader may ask of each row, where the results are what they are of all rows."""
    groups_of(make_one, parted)
    d, facts = source_of(parted)
    made = make_one(d)
    graph = optimized(*(made if isinstance(made, tuple) else (made,)), facts=facts)
    [what] = [node.what for node in graph.nodes if isinstance(node.what, Source)]
    return [" ".join(map(str, (one.column, one.name, *one.values))) for one in what.clauses]


def test_clauses_add_up_where_labels_are_stored() -> None:
    frame = sample().set_index(pd.Index(list("aabbccddeeff"), name="k"))

    def twice_filtered(d: Any) -> Any:
        e = d[d.i > 4]
        return e[e.s < "j"]

    assert clauses_of(twice_filtered, Parted(frame, SIZES)) == ["i gt 4", "s lt j"]


def test_rows_of_a_second_filter_are_kept_where_labels_are_a_range() -> None:
    assert groups_of(twice) == [0, 1]
    [result] = evaluated(Graph.of((twice(source_of(Parted(sample(), SIZES))[0])._expr,)), Parted(sample(), SIZES))
    assert not isinstance(result.index, pd.RangeIndex)


def test_filters_add_up_where_labels_are_stored() -> None:
    frame = sample().set_index(pd.Index(list("aabbccddeeff"), name="k"))

    def thrice(d: Any) -> Any:
        e = d[d.i > 4]
        return e[e.i < 9], e[e.s == "g"].f.sum()

    assert groups_of(thrice, Parted(frame, SIZES)) == [1, 2]


def test_a_pruned_source_says_what_all_of_it_was() -> None:
    parted = Parted(sample().set_axis(pd.RangeIndex(5, 29, 2), axis=0), SIZES)
    d, facts = source_of(parted)
    graph = optimized(d[d.i > 7], facts=facts)
    [what] = [node.what for node in graph.nodes if isinstance(node.what, Source)]
    assert what.labels == Labels(5, 29, 2)
    assert what.groups == (RowGroup(0, 2, 6), RowGroup(0, 3, 9))
    assert what.nullable == ("f", "m")


def test_only_the_first_filter_gives_a_new_index() -> None:
    d, facts = source_of(Parted(sample(), SIZES))
    e = d[d.i > 7]
    graph = optimized(e[e.f < 5], e.sum(), facts=facts)
    assert sum(isinstance(node.what, Relabel) for node in graph.nodes) == 1
    assert not any(isinstance(root.what, Relabel) for root in graph.roots)


def test_digests_stay_from_the_filter_on() -> None:
    parted = Parted(sample(), SIZES)
    d, facts = source_of(parted)
    kept = d[d.i > 7]
    graph = Graph.of((kept.f.sum()._expr,))
    digests = {node.key: bytes([number]) for number, node in enumerate(graph.nodes)}
    pruned = prune(replace(graph, digests=digests), facts)
    named = {node.what.label: pruned.digests.get(node.key) for node in pruned.nodes}
    assert named["relabel"] == digests[kept._expr.key]
    assert named[".sum()"] == digests[graph.roots[0].key]
    assert [label for label, digest in named.items() if digest is None] == ["read_parquet", ".i", "gt", "[...]"]


def test_digests_stay_where_no_filter_leaves_rows_out_any_more() -> None:
    frame = sample().set_index(pd.Index(list("aabbccddeeff"), name="k"))
    d, facts = source_of(Parted(frame, SIZES))
    one = d[d.i > 4]
    two = one[one.i < 9]
    graph = Graph.of((two._expr,))
    digests = {node.key: node.key for node in graph.nodes}
    pruned = prune(replace(graph, digests=digests), facts)
    assert set(pruned.digests.values()) == {two._expr.key}


def test_the_columns_that_are_wanted_go_with_the_nodes() -> None:
    d, facts = source_of(Parted(sample(), SIZES))
    kept = d[d.i > 7]
    graph = Graph.of((kept.f.sum()._expr,))
    [of_f] = [node for node in graph.nodes if node.what.label == ".f"]
    wanted = {(of_f.key, kept._expr.key): frozenset("f")}
    pruned = prune(replace(graph, wanted=wanted), facts)
    by_key = {node.key: node.what.label for node in pruned.nodes}
    assert {(by_key[by], by_key[of]): columns for (by, of), columns in pruned.wanted.items()} == {
        (".f", "relabel"): frozenset("f"),
        ("relabel", "[...]"): frozenset("f"),
    }


def test_columns_and_row_groups_are_left_out_together() -> None:
    parted = Parted(sample(), SIZES)
    d, facts = source_of(parted)
    root = d[d.i > 7].f._expr
    graph = prune(project(Graph.of((root,)), facts), facts)
    [what] = [node.what for node in graph.nodes if isinstance(node.what, Source)]
    assert what.columns == ("i", "f")
    assert read(graph) == [2, 3]
    assert what.nullable == ("f",)
    assert_same(evaluated(Graph.of((root,)), parted)[0], evaluated(graph, parted)[0])
    [reading] = graph.readings
    assert reading.columns == (2, 7)
    assert reading.groups == (2, 4)
    assert reading.nbytes == (12, 84)


def test_a_frame_that_is_narrowed_is_followed() -> None:
    parted = Parted(sample(), SIZES)
    d, facts = source_of(parted)
    narrow = wrap(make(Narrow(("i", "s", "lost")), (d._expr,)))
    assert read(optimized(narrow[narrow.i > 7], facts=facts)) == [2, 3]
    series = wrap(make(Narrow(("i",)), (d.i._expr,)))
    assert read(optimized(d[d.i > 7], series, facts=facts)) is None


def why(root: Any, facts: Facts) -> str:
    [reading] = optimized(root, facts=facts).readings
    return reading.why_rows


def test_it_says_what_needs_every_row() -> None:
    parted = Parted(sample(), SIZES)
    d, facts = source_of(parted)
    assert why(d.i.sum(), facts) == ".sum() needs every row"
    assert why(d[d.i > 7], facts) == ""
    assert why(d, facts) == "every row is asked for"
    assert why(d[d.i > -1], facts) == "each row group has rows that a filter may keep"
    assert why(d[(d.f < d.i)], facts) == "nothing rules out a row group"
    assert why(d[d.i > 7], Facts()) == "what its row groups hold is not known"


def test_a_source_whose_rows_may_not_be_skipped_is_read_whole() -> None:
    frame = sample()
    no_rows, facts = source_of(Parted(frame, SIZES, all_rows="its files differ"))
    assert why(no_rows[no_rows.i > 7], facts) == "its files differ"
    d, facts = source_of(Parted(frame, SIZES, not_skippable={"s": "s is nested"}))
    assert why(d[d.i > 7], facts) == "s is nested"
    assert why(d[["i", "f"]][d.i > 7], facts) == "s is nested"
    narrow = prune(project(Graph.of((d[d.i > 7].f._expr,)), facts), facts)
    assert read(narrow) == [2, 3]
    d, facts = source_of(Parted(frame, SIZES, nulls_told=False))
    assert why(d[d.i > 7], facts) == "whether a value of i is missing is not known"


def test_a_source_without_rows_has_nothing_to_skip() -> None:
    d, facts = source_of(Parted(sample(0), ()))
    assert read(optimized(d[d.i > 7], facts=facts)) is None
    assert why(d[d.i > 7], facts) == ""


def test_each_source_is_pruned_by_its_own_filters() -> None:
    parted = Parted(sample(), SIZES)
    one, facts = source_of(parted, "one")
    two, others = source_of(parted, "two")
    lost = wrap(make(Source("csv", (File("/data/c.csv", 100, "1"),))))
    facts = Facts(sources={**facts.sources, **others.sources})
    joined = one[one.i > 7].merge(two[two.i < 2], on="i").merge(lost[lost.i > 3], on="i")
    graph = optimized(joined, one[two.i > 7], facts=facts)
    groups = [node.what.groups for node in graph.nodes if isinstance(node.what, Source)]
    assert groups == [None, None, None], "the second root filters one by the rows of the other"
    graph = optimized(joined, facts=facts)
    numbers = {
        node.what.files[0].path: node.what.groups and [group.number for group in node.what.groups]
        for node in graph.nodes
        if isinstance(node.what, Source)
    }
    assert numbers == {"/data/one.parquet": [2, 3], "/data/two.parquet": [0], "/data/c.csv": None}


def test_a_graph_without_sources_stays_as_it_is() -> None:
    graph = Graph.of((cb.defer([1])._expr,))
    assert prune(graph, Facts()) is graph


def test_a_chain_of_thousands_of_filters_is_linear_and_does_not_recurse() -> None:
    d, facts = source_of(Parted(sample().set_index("s"), SIZES))
    for number in range(3000):
        d = d[d.i > number / 300]
    graph = optimized(d, facts=facts)
    assert read(graph) == [3]


# ---------------------------------------------------------------- stored results


def of_stored(make_one: Callable[[Any], Any], parted: Parted) -> tuple[int, ...] | None:
    """What is read for a pipeline over a stored result, whose result must be what it is of all rows."""
    d, facts = stored_of(parted)
    made = make_one(d)
    roots = made if isinstance(made, tuple) else (made,)
    before = Graph.of(tuple(root._expr for root in roots))
    graph = prune(project(before, facts), facts)
    check(graph, "prune")
    for one, other in zip(evaluated(before, parted), evaluated(graph, parted), strict=True):
        assert_same(one, other)
    [groups] = [node.what.groups for node in graph.nodes if isinstance(node.what, Stored)]
    return groups


@pytest.mark.parametrize("name", PRUNED)
def test_row_groups_of_a_stored_result_are_skipped_below_a_filter(name: str) -> None:
    make_one, groups = PRUNED[name]
    assert of_stored(make_one, Parted(sample(), SIZES)) == tuple(groups)


@pytest.mark.parametrize("name", WHOLE)
def test_a_stored_result_is_read_whole_where_something_needs_it(name: str) -> None:
    assert of_stored(WHOLE[name], Parted(sample(), SIZES)) is None


@pytest.mark.parametrize("labels", [pd.RangeIndex(10, -14, -2, name="r"), pd.Index(list("aabbccddeeff"), name="k")])
def test_labels_of_a_stored_result_are_those_of_all_rows(labels: pd.Index) -> None:
    parted = Parted(sample().set_axis(labels, axis=0), SIZES)
    assert of_stored(lambda d: d[d.i > 7], parted) == (2, 3)
    assert of_stored(twice, parted) == ((0, 1) if isinstance(labels, pd.RangeIndex) else (0,))


def test_attrs_and_the_name_of_the_columns_stay() -> None:
    frame = sample()[[*"ifsbtm"]].rename_axis(columns="kind")
    frame.attrs = {"unit": ["m"]}
    store = MemoryStore(shared=True)
    kept = wrap(make(Stored(in_groups(frame, store, "a/0", 3), b"kept", "kept")))
    few = Graph.of((kept.query("i > 7")._expr,))
    graph = prune(few, Facts(sources=stored_facts(few, store)))
    [what] = [node.what for node in graph.nodes if isinstance(node.what, Stored)]
    assert what.groups == (2, 3)
    part = artifacts.read(what.artifact._replace(groups=what.groups), store)
    [result] = evaluated(graph, Parted(frame, SIZES))
    for one in (part, result):
        assert one.attrs == {"unit": ["m"]}
        assert one.columns.name == "kind"


def test_a_stored_result_of_which_nothing_is_known_is_read_whole() -> None:
    d, _ = stored_of(Parted(sample(), SIZES))
    graph = Graph.of((d[d.i > 7]._expr,))
    assert prune(graph, Facts()) is graph


def test_a_stored_result_whose_rows_may_not_be_skipped_says_so() -> None:
    d, facts = stored_of(Parted(sample(), SIZES, all_rows="its row labels have a frequency"))
    assert why(d[d.i > 7], facts) == "its row labels have a frequency"


def test_a_stored_result_that_lacks_rows_has_no_digest() -> None:
    d, facts = stored_of(Parted(sample(), SIZES))
    kept = d[d.i > 7]
    graph = Graph.of((kept._expr,))
    pruned = prune(replace(graph, digests={node.key: node.key for node in graph.nodes}), facts)
    assert pruned.digests == {pruned.roots[0].key: kept._expr.key}


def test_what_is_read_of_a_stored_result_is_told() -> None:
    d, facts = stored_of(Parted(sample(), SIZES))
    root = d[d.i > 7].f._expr
    graph = prune(project(Graph.of((root,)), facts), facts)
    [leaf] = [node for node in graph.nodes if isinstance(node.what, Stored)]
    [reading] = graph.readings
    assert reading == (leaf.key, (2, 7), (2, 4), (12, 84), "", "")
    whole = prune(project(Graph.of((d._expr,)), facts), facts)
    assert whole.readings[0][1:] == ((7, 7), (4, 4), (84, 84), "it is asked for whole", "every row is asked for")


def test_files_and_stored_results_are_told_apart() -> None:
    parted = Parted(sample(), SIZES)
    file, facts = source_of(parted)
    result, others = stored_of(parted)
    unknown = wrap(make(Stored("artifact", b"unknown", "unknown")))
    facts = Facts(sources={**facts.sources, **others.sources})
    joined = result[result.i > 7].merge(file[file.i < 2], on="i").merge(unknown[unknown.i > 3], on="i")
    graph = optimized(joined, facts=facts)
    groups = {node.what.label: node.what.groups for node in graph.nodes if isinstance(node.what, Source | Stored)}
    assert groups == {"read_parquet": (RowGroup(0, 0, 0),), "a": (2, 3), "unknown": None}
    named = {node.key: node.what.label for node in graph.nodes}
    assert sorted(named[reading.key] for reading in graph.readings) == ["a", "read_parquet"]


# ---------------------------------------------------------------- random pipelines


def _condition(random: Random, f: Any, names: list[str], depth: int = 0) -> Any:
    if depth < 2 and random.random() < 0.4:
        one, other = (_condition(random, f, names, depth + 1) for _ in range(2))
        return random.choice([one & other, one | other, ~one, one ^ other])
    name = random.choice(names)
    constants: dict[str, list[Any]] = {
        "i": [0, 4, 7.5, 11], "f": [0.0, 2.5, 4], "s": ["a", "f", "l"], "b": [True, False], "m": [4, 8],
        "t": [pd.Timestamp("2024-01-05"), "2024-01-09"], "day": [DAY],
    }  # fmt: skip
    value = random.choice(constants.get(name, [1, 5]))
    series = f[name]
    how = random.random()
    if how < 0.15 and value != "2024-01-09":
        return series.isin([value])
    if how < 0.25:
        return series.isna() if how < 0.2 else series.notna()
    if how < 0.35:
        return series.between(value, value)
    return getattr(operator, random.choice(["lt", "le", "gt", "ge", "eq", "ne"]))(series, value)


def _step(random: Random, d: Any, f: Any, names: list[str]) -> tuple[Any, list[str]]:
    """One more op, with the columns that there are afterwards."""
    how = random.choice(["mask"] * 5 + ["loc", "loc", "query", "assign", "pick", "rename", "drop", "head", "strange"])
    if how in ("mask", "loc"):
        mask = _condition(random, f, names)
        return (f[mask] if how == "mask" else f.loc[mask]), names
    if how == "query":
        name = random.choice([one for one in names if one in ("i", "f", "b", "s")] or ["i"])
        return f.query({"i": "i > 4 & i < 9", "f": "f < 2 or f == 5", "b": "not b", "s": "'c' < s <= 'f'"}[name]), names
    if how == "assign":
        value = random.choice([f["i"] * 2, f["f"] - f["i"], f["i"] > 5, 1])
        if random.random() < 0.3:
            return f.assign(i=9 - f["i"]), names
        return f.assign(z=value), [*names, *(["z"] if "z" not in names else [])]
    if how == "pick" and len(names) > 3:
        names = [name for name in names if name in ("i", "f") or random.random() < 0.6]
        return f[names], names
    if how == "drop" and "s" in names:
        return f.drop(columns="s"), [name for name in names if name != "s"]
    if how == "rename" and "s" in names and "q" not in names:
        return f.rename(columns={"s": "q"}), ["q" if name == "s" else name for name in names]
    if how == "head":
        return f.head(7), names
    if how == "strange":
        return random.choice([f[d["i"] > 3], f.assign(z=f["s"].astype(int)), f[f["i"] % 2 == 0]]), names
    return f, names


def _roots(random: Random, d: Any) -> Iterator[Any]:
    for _ in range(random.choice([1, 1, 1, 2])):
        f, names = d, ["i", "f", "s", "b", "t", "day", "m"]
        for _ in range(random.randint(1, 4)):
            f, names = _step(random, d, f, names)
        end = random.choice(["", "", "i", "sum", "reset"])
        yield {"": f, "i": f["i"], "sum": f["f"].sum(), "reset": f.reset_index()}[end]


def _frame(random: Random) -> pd.DataFrame:
    frame = sample(random.choice([12, 12, 5]))
    if random.random() < 0.3:
        frame["i"] = np.array([random.choice([0, 1, 11]) for _ in range(len(frame))])
    labels = random.random()
    if labels < 0.3:
        return frame.set_axis(pd.RangeIndex(10, 10 - 2 * len(frame), -2), axis=0)
    if labels < 0.5:
        return frame.set_axis(pd.Index([random.choice("abc") for _ in range(len(frame))], name="k"), axis=0)
    return frame


def _sizes(random: Random, rows: int) -> tuple[int, ...]:
    cuts = sorted(random.randint(0, rows) for _ in range(3))
    return tuple(after - before for before, after in zip([0, *cuts], [*cuts, rows], strict=True))


class Tally:
    def __init__(self) -> None:
        self.all = self.skipped = self.raised = 0


def check_random(seed: int, tally: Tally) -> None:
    random = Random(seed)
    frame = _frame(random)
    parted = Parted(frame, _sizes(random, len(frame)))
    d, facts = source_of(parted)
    roots = list(_roots(random, d))
    before = Graph.of(tuple(root._expr for root in roots))
    if not any(isinstance(node.what, Source) for node in before.nodes):
        return
    passes = [project, prune] if random.random() < 0.5 else [prune]
    graph = before
    for one in passes:
        graph = one(graph, facts)
        check(graph, one.__name__)
    tally.all += 1
    tally.skipped += read(graph) is not None
    for plain, pruned in zip(evaluated(before, parted), evaluated(graph, parted), strict=True):
        tally.raised += type(plain).__name__ == "Raised"
        assert_same(plain, pruned)


def check_many(seeds: int) -> Tally:
    tally = Tally()
    for seed in range(seeds):
        check_random(seed, tally)
    return tally


@pytest.mark.filterwarnings("ignore:Boolean Series key will be reindexed")
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**40))
def test_random_pipelines_give_what_they_give_of_all_rows(seed: int) -> None:
    check_random(seed, Tally())


@pytest.mark.filterwarnings("ignore:Boolean Series key will be reindexed")
def test_random_pipelines_skip_row_groups_and_raise_often_enough() -> None:
    tally = check_many(250)
    assert tally.skipped > 0.3 * tally.all
    assert tally.raised > 0.05 * tally.all


# ---------------------------------------------------------------- planted faults


def _any_rows(self: Any, node: Any, of: Any, by: Any, asked: bytes = b"") -> Any:
    return None if by is None else self._filtered(node, of, by.column, asked)


def _second_filters(self: Any, node: Any, children: Any, line: Any, about: Any) -> None:
    stored = about and replace(about, frame=about.frame.set_axis(pd.Index([0] * len(about.frame)), axis=0))
    _HAND_DOWN(self, node, children, line, stored)


_HAND_DOWN = pruning._Sweep._hand_down
_LINE = lineage._Tracer._line


def _heads_have_a_line(self: Any, node: Any) -> Any:
    line = _LINE(self, node)
    return self._at(node.args[0]) if line is None and node.what.label in (".head()", ".cumsum()") else line


def _old_column(self: Any, one: Any, of: Any) -> Any:
    return of


def _no_index(labels: Any) -> Any:
    return Narrow(("i", "f", "s", "b", "t", "day", "m", "z", "q"))


def twice(d: Any) -> Any:
    """The index of the first filter is no range, and so that of the second is none."""
    return let(d[d.i.isin([0, 1, 4])], lambda e: e[e.i < 3])


FAULTS: dict[str, tuple[Any, str, Any, Callable[[Any], Any]]] = {
    "a mask of other rows filters": (lineage._Tracer, "_filter", _any_rows, WHOLE["a mask of fewer rows"]),
    "a later filter tells which labels are read": (pruning._Sweep, "_hand_down", _second_filters, twice),
    "an op that looks at other rows is total": (lineage._Tracer, "_line", _heads_have_a_line, WHOLE["the first rows"]),
    "an assigned column is the source's own": (lineage._Tracer, "_assigned", _old_column, WHOLE["a new column"]),
    "the first filter gets no new index": (pruning, "Relabel", _no_index, PRUNED["a mask"][0]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_noticed(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, name, wrong, make_one = FAULTS[fault]
    groups_of(make_one)
    monkeypatch.setattr(where, name, wrong)
    with pytest.raises(AssertionError):
        groups_of(make_one)
