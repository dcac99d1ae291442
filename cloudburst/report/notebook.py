"""A Deferred as a notebook shows it."""

from __future__ import annotations

from html import escape

from cloudburst.graph.graph import Graph
from cloudburst.graph.nodes import Attribute, Call, Literal, Method, Operator, Stored
from cloudburst.report.amounts import counted, listed

_CARD = (
    '<div style="border:1px solid #b9c5d3;border-radius:6px;padding:6px 12px;display:inline-block;'
    'font-family:sans-serif;font-size:90%">'
)


def card_html(title: str, graph: Graph) -> str:
    """A small card: what the Deferred is called, and what it is made of.

    Parameters
    ----------
    title : str
        Any text; it is escaped, as everything is.
    graph : Graph
        The expression, as it was written.

    Returns
    -------
    str
        HTML that needs nothing else.
    """
    kinds = [node.what for node in graph.nodes]
    stages = [what.label for what in kinds if isinstance(what, Call) and what.policy is not None]
    ops = [what for what in kinds if isinstance(what, Call | Method | Attribute | Operator)]
    values = [what for what in kinds if isinstance(what, Literal | Stored)]
    lines = [f"<b>{escape(title)}</b>"]
    if stages:
        lines.append(f"{counted(len(stages), 'stage call')}: {escape(listed(sorted(stages)))}")
    parts = [counted(len(ops) - len(stages), "op")] if len(ops) > len(stages) else []
    parts += [counted(len(values), "given value")] if values else []
    if parts:
        lines.append(", ".join(parts))
    lines.append("Not worked out yet: <code>.compute()</code> does it, <code>.explain()</code> says how.")
    return f"{_CARD}{'<br>'.join(lines)}</div>"
