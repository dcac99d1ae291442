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


class Box:
    """A value with methods named as pandas names its own: some shrink, some are views, one writes."""

    def __init__(self, content: str) -> None:
        self.content = content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Box) and self.content == other.content

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: Box) -> Box:
        return Box(f"({self.content}+{other.content})")

    def assign(self, text: str) -> Box:
        return Box(self.content + text)

    def head(self) -> Box:
        return Box(self.content[:5])

    def append(self, text: str) -> Box:
        self.content += text
        return Box(self.content + "!")

    def groupby(self) -> BoxView:
        return BoxView(self)

    @property
    def str(self) -> BoxView:
        return BoxView(self)

    @property
    def first(self) -> Box:
        return Box(self.content[:1])

    def __getitem__(self, name: str) -> Box:
        return Box(f"{self.content}[{name}]")


class BoxView:
    """What cannot leave its process."""

    def __init__(self, box: Box) -> None:
        self.box = box

    def __reduce__(self) -> Any:
        raise AssertionError("a view was stored")

    def __getitem__(self, name: str) -> BoxView:
        return BoxView(self.box[name])

    def sum(self) -> Box:
        return Box(f"sum {self.box.content}")

    def upper(self) -> Box:
        return Box(self.box.content.upper())


@cb.stage
def fill(text: str) -> Any:
    return Box(text)


@cb.stage
def pack(*boxes: Any) -> Any:
    return Box("/".join(box.content for box in boxes))


@cb.stage
def three(box: Any) -> Any:
    return [box, Box(box.content + "2"), Box(box.content + "3")]


@cb.stage
def first_two(nest: Any) -> Any:
    one, (two,) = nest["x"]
    return pack.func(one, two)


plus = cb.defer(lambda left, right: left + right)

OPS: dict[str, Any] = {
    "pack": lambda a, b: pack(a, b),
    "plus": lambda a, b: plus(a, b),
    "add": lambda a, b: a + b,
    "assign": lambda a, b: a.assign("x"),
    "head": lambda a, b: a.head(),
    "append": lambda a, b: a.append("y"),
    "group": lambda a, b: a.groupby().sum(),
    "item of group": lambda a, b: a.groupby()["c"].sum(),
    "upper": lambda a, b: a.str.upper(),
    "first": lambda a, b: a.first,
    "column": lambda a, b: a["c"],
    "sized": lambda a, b: a.options(memory=2048),
    "in containers": lambda a, b: first_two({"x": [a, (b,)]}),
    "map": lambda a, b: pack.map(three(a), b)[1],
    "map of an op": lambda a, b: pack.map(three(a).copy(), b.assign("z"))[-1],
}
"""How a Deferred is made of two others."""

PLAINLY: dict[str, Any] = {
    "pack": lambda a, b: pack.func(a, b),
    "plus": lambda a, b: a + b,
    "append": lambda a, b: Box(a.content).append("y"),
    "sized": lambda a, b: a,
    "in containers": lambda a, b: pack.func(a, b),
    "map": lambda a, b: pack.func(three.func(a)[1], b),
    "map of an op": lambda a, b: pack.func(three.func(a)[-1], b.assign("z")),
}
"""The same with plain values, where that is written in another way."""


@st.composite
def boxes(draw: st.DrawFn, largest: int = 16) -> tuple[list[Deferred[Any]], list[Any]]:
    """Some Deferreds of boxes, made in all ways in which nodes can ride, and their values."""
    known: list[tuple[Any, Box]] = [(fill("ab"), Box("ab")), (fill("cdefgh"), Box("cdefgh"))]
    for _ in range(draw(st.integers(1, largest))):
        (one, value), (two, other) = (draw(st.sampled_from(known)) for _ in range(2))
        name = draw(st.sampled_from(sorted(OPS)))
        made = PLAINLY.get(name, OPS[name])(value, other)
        if len(made.content) < 2000:
            known.append((OPS[name](one, two), made))
    chosen = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3))
    return [made for made, _ in chosen], [value for _, value in chosen]


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
