"""Which values are used only through filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import cloudburst as cb
from cloudburst.deferred import wrap
from cloudburst.graph.expr import make
from cloudburst.graph.filtered import only_filtered
from cloudburst.graph.graph import Graph
from cloudburst.graph.nodes import Stored

FRAME = wrap(make(Stored(None, b"d", "frame")))


@cb.stage
def use(*values: Any) -> Any:
    return values


FILTERED: dict[str, Callable[[Any], Any]] = {
    "a mask": lambda d: d[d.i > 7],
    "a mask in loc": lambda d: d.loc[d.i > 7],
    "loc with labels": lambda d: d.loc[d.i > 7, ["i"]].sum(),
    "a query": lambda d: d.query("i > 7").groupby("k").sum(),
    "columns first": lambda d: d[["i", "k"]][d.i > 7],
    "two filters": lambda d: d[d.i > 7].merge(d.query("i < 3"), on="k"),
    "a stage afterwards": lambda d: use(d[d.i > 7]),
    "another size": lambda d: use(d.options(memory=4096).query("i > 7")),
}
WHOLE: dict[str, Callable[[Any], Any]] = {
    "itself": lambda d: d,
    "a column": lambda d: d["i"].sum(),
    "beside a filter": lambda d: use(d[d.i > 7], d),
    "a mask that is used": lambda d: use(d[d.i > 7], (d.i > 7).sum()),
    "a stage": lambda d: use(d),
    "a stage first": lambda d: use(d)[0].query("i > 7"),
    "a list": lambda d: use([d, 1]),
    "an op of a function": lambda d: cb.defer(len)(d),
    "a mask made by a function": lambda d: d[cb.defer(bool)(d.i)],
}


@pytest.mark.parametrize("name", FILTERED)
def test_what_only_filters_use_is_told(name: str) -> None:
    graph = Graph.of((FILTERED[name](FRAME)._expr,))
    assert FRAME._expr.key in only_filtered(graph)


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_used_otherwise_is_not(name: str) -> None:
    graph = Graph.of((WHOLE[name](FRAME)._expr,))
    assert FRAME._expr.key not in only_filtered(graph)


def test_a_long_chain_does_not_recurse() -> None:
    d: Any = FRAME
    for _ in range(5000):
        d = d.copy()
    assert FRAME._expr.key in only_filtered(Graph.of((d.query("i > 7")._expr,)))
    assert only_filtered(Graph.of((d._expr,))) == frozenset()
