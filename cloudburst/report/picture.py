"""A plan as a picture: tasks as boxes, what passes between them as arrows, in Graphviz's language and as SVG."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from cloudburst.errors import UsageError
from cloudburst.report.amounts import counted, listed, times
from cloudburst.report.outline import Row, outline, riders
from cloudburst.resources import Size
from cloudburst.runtime.task import GIVEN, Plan

MOST_BOXES = 200
"""Plans with more tasks are drawn with equal ones in one box."""

_NO_DOT = (
    "an SVG is drawn by dot, a program of Graphviz, which is not installed here: install it (apt install graphviz, "
    "brew install graphviz), or save the picture as text with .save('plan.dot') and draw it elsewhere."
)


@dataclass(frozen=True, slots=True, repr=False)
class Picture:
    """A plan in Graphviz's language; a notebook shows it drawn."""

    dot: str
    """The text, which needs no program to be made."""

    @classmethod
    def of(cls, plan: Plan) -> Picture:
        """The picture of a plan: a box for each task, or for each kind of task where they are more than 200."""
        from graphviz import Digraph, escape

        drawing = Digraph(
            graph_attr={"rankdir": "LR"},
            node_attr={
                "shape": "box",
                "style": "filled",
                "fillcolor": "#f3f6fa",
                "color": "#5b7089",
                "fontname": "sans-serif",
            },
            edge_attr={"color": "#5b7089"},
        )
        boxes, arrows = _of_tasks(plan) if len(plan.tasks) <= MOST_BOXES else _of_rows(outline(plan))
        for box in boxes:
            look = {"shape": "box3d"} if box.is_many else {}
            look |= {"penwidth": "2"} if box.is_target else {}
            drawing.node(box.name, "\\n".join(map(escape, box.text)), **look)
        for start, end in arrows:
            drawing.edge(start, end)
        return cls(drawing.source)

    @property
    def svg(self) -> str:
        """The picture drawn, as the text of an SVG file.

        Raises
        ------
        UsageError
            If Graphviz is not installed.
        """
        drawn = _drawn(self.dot)
        if drawn is None:
            raise UsageError(_NO_DOT)
        return drawn

    def save(self, path: str | PathLike[str]) -> None:
        """Write the picture to a file: ``.dot`` or ``.gv`` as text, ``.svg`` drawn.

        Raises
        ------
        UsageError
            If the name ends otherwise, or Graphviz is not installed.
        """
        file = Path(path)
        if file.suffix not in (".dot", ".gv", ".svg"):
            raise UsageError(f"a picture cannot be saved as {file.name!r}: the name must end with .dot, .gv or .svg.")
        file.write_text(self.svg if file.suffix == ".svg" else self.dot, encoding="utf-8")

    def __str__(self) -> str:
        return self.dot

    def __repr__(self) -> str:
        return "<Picture: .dot is its text, .svg the drawing, .save(path) writes either>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        drawn = _drawn(self.dot)
        if drawn is None:
            return {"text/plain": f"{self.dot}\n{_NO_DOT[0].upper()}{_NO_DOT[1:]}"}
        return {"image/svg+xml": drawn, "text/plain": self.dot}


@dataclass(frozen=True, slots=True)
class _Box:
    name: str
    text: tuple[str, ...]
    is_many: bool
    is_target: bool


_Drawing = tuple[list[_Box], list[tuple[str, str]]]


def _of_tasks(plan: Plan) -> _Drawing:
    targets = {target.task for target in plan.targets}
    boxes, arrows = [], []
    for task in plan.tasks:
        first, then = riders(task)
        is_fan = task.fan is not None
        text = _text(task.stage, task.size, first, then, "once an item" if is_fan else "")
        boxes.append(_Box(str(task.index), text, is_fan, task.index in targets))
        makers = dict.fromkeys(read.task for read in task.inputs if read.task != GIVEN)
        arrows += [(str(maker), str(task.index)) for maker in makers]
    return boxes, arrows


def _of_rows(rows: tuple[Row, ...]) -> _Drawing:
    shown = rows[:MOST_BOXES]
    boxes, arrows = [], []
    for row in shown:
        often = "once an item" if row.is_fan else "from one another" if row.is_chained else ""
        text = _text(row.stage + times(len(row.tasks)), row.size, row.first, row.then, often)
        boxes.append(_Box(str(row.number), text, row.is_fan or len(row.tasks) > 1, row.is_target))
        arrows += [(str(read), str(row.number)) for read in row.reads]
    left = sum(len(row.tasks) for row in rows[len(shown) :])
    if left:
        boxes.append(_Box("more", (f"… and {counted(left, 'more task')}",), True, False))
    return boxes, arrows


def _text(name: str, size: Size, first: tuple[str, ...], then: tuple[str, ...], often: str) -> tuple[str, ...]:
    before = (f"first {listed(first, most=4)}",) if first else ()
    behind = (f"then {listed(then, most=4)}",) if then else ()
    return (name, *((often,) if often else ()), str(size), *before, *behind)


def _drawn(dot: str) -> str | None:
    """The SVG, or nothing where the program that draws is not installed."""
    from graphviz import ExecutableNotFound, Source

    try:
        return str(Source(dot).pipe(format="svg", encoding="utf-8"))
    except ExecutableNotFound:
        return None
