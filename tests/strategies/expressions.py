"""Random expression graphs beside the values that they must have."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st

import cloudburst as cb
from cloudburst.deferred import Deferred

CALLS: list[str] = []


@cb.stage(cpu=256, memory=512)
def join(*parts: Any, sep: str = "-") -> tuple[Any, ...]:
    return (sep, *parts)


@cb.stage
def pair(left: Any, right: Any = None) -> dict[str, Any]:
    return {"left": left, "right": right}


@cb.stage
def size(value: Any) -> int:
    return len(repr(value))


wrap_twice = cb.defer(lambda value: [value, value])
first_of = cb.defer(lambda value: repr(value)[:3])


@st.composite
def graphs(draw: st.DrawFn, largest: int = 14) -> tuple[list[Deferred[Any]], list[Any]]:
    """Some Deferreds that share what is beneath them, and their values as plain Python gives them."""
    known: list[tuple[Any, Any]] = [(1, 1), ("a", "a"), (2.5, 2.5)]
    for _ in range(draw(st.integers(1, largest))):
        one, two = (draw(st.sampled_from(known)) for _ in range(2))
        kind = draw(st.sampled_from(["join", "join_sep", "pair", "size", "op", "shrink", "item", "nest", "eq", "map"]))
        if kind == "join":
            made = join(one[0], two[0]), ("-", one[1], two[1])
        elif kind == "join_sep":
            made = join(one[0], sep="+"), ("+", one[1])
        elif kind == "pair":
            made = pair(one[0], right=two[0]), {"left": one[1], "right": two[1]}
        elif kind == "size":
            made = size(one[0]), len(repr(one[1]))
        elif kind == "op":
            made = wrap_twice(one[0]), [one[1], one[1]]
        elif kind == "shrink":
            made = first_of(one[0]), repr(one[1])[:3]
        elif kind == "item":
            made = pair(one[0])["left"], one[1]
        elif kind == "nest":
            made = size([one[0], {"x": (two[0],)}]), len(repr([one[1], {"x": (two[1],)}]))
        elif kind == "eq":
            made = pair(one[0]) == pair(two[0]), {"left": one[1], "right": None} == {"left": two[1], "right": None}
        else:
            items = wrap_twice(one[0])
            made = size.map(items), [len(repr(one[1]))] * 2
        known.append(made)
    deferreds = [made for made in known if isinstance(made[0], Deferred)]
    chosen = draw(st.lists(st.sampled_from(deferreds), min_size=1, max_size=3))
    return [made[0] for made in chosen], [made[1] for made in chosen]
