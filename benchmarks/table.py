"""Results as Markdown: all of them for ``benchmarks/results``, the ones that matter most for the README."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measure import Family, Metric, Row, describe

OURS = "cloudburst"
BEGIN = "<!-- benchmarks: written by make bench -->"
END = "<!-- end of benchmarks -->"

LEGEND = (
    "Every figure is the median of fresh processes that took turns, with the least and the most below it; in brackets "
    "how many times as good cloudburst is. `> 8 s` is what was stopped after so long."
)


PICTURE = "benchmarks.png"


class Suite(NamedTuple):
    """Families that are measured and written down together."""

    title: str
    command: str
    file: str


ALL = Suite("How fast cloudburst is", "make bench", "README.md")
AWS = Suite("How fast cloudburst is on the fake AWS", "make bench-aws", "aws.md")
DATAFRAME = Suite("How fast cloudburst reads what is needed", "make bench-dataframe", "dataframe.md")


class Highlight(NamedTuple):
    """A row of the README's table."""

    what: str
    family: str
    metric: str
    setting: Mapping[str, Any]


HIGHLIGHTS = (
    Highlight("build a chain of 100,000 calls", "build", "time", {"shape": "chain", "nodes": 100_000}),
    Highlight("build a tree of 100,000 calls", "build", "time", {"shape": "tree", "nodes": 100_000}),
    Highlight("build 100,000 calls with four parents each", "build", "time", {"shape": "layered", "nodes": 100_000}),
    Highlight("optimize and plan 100,000 nodes", "optimize", "time", {"what": "stages"}),
    Highlight("deepest chain", "deep", "depth", {"recursion_limit": 1_000}),
    Highlight("10,000 independent stages", "throughput", "rate", {"calls": 10_000}),
    Highlight("1,000 dependent stages", "hops", "hop", {"hops": 1_000}),
    Highlight("a whole process to its first result", "cold", "first result", {}),
    Highlight("import", "cold", "import", {}),
    Highlight("hand over a frame of 1 GB", "handover", "rate", {}),
)


def amount(figure: float) -> str:
    """A figure with three digits that count."""
    if figure >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.1f}" if figure >= 10 else f"{figure:.2g}" if figure < 1 else f"{figure:.2f}"


def against(row: Row, who: str, metric: Metric) -> str:
    """A contender's median and how many times as good we are: ``25.3 (11×)``; or why it has none."""
    median = row.median(who)
    if median is None:
        return row.failures.get(who, "")
    ratio = row.ratio(OURS, who, metric.better)
    return amount(median) if ratio is None or who == OURS else f"{amount(median)} ({amount(ratio)}×)"


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def summary(rows: Sequence[Row], families: Mapping[str, Family]) -> str:
    """The README's table: what matters most, us first, then everyone else from the nearest to the farthest."""
    lines = []
    for highlight in HIGHLIGHTS:
        found = [row for row in rows if (row.family, row.metric, row.setting) == (highlight.family, *highlight[2:])]
        for row in found:
            metric = families[row.family].metrics[row.metric]
            others = [who for who in {**row.figures, **row.failures} if who != OURS]
            others.sort(key=lambda who: row.ratio(OURS, who, metric.better) or float("inf"))
            told = ", ".join(f"{who} {against(row, who, metric)}" for who in others)
            lines.append([highlight.what, f"{against(row, OURS, metric)} {metric.unit}", told])
    return table(["what", "cloudburst", "others (how many times as good cloudburst is)"], lines)


def report(rows: Sequence[Row], families: Mapping[str, Family], machine: str, suite: Suite) -> str:
    """Everything that was measured, with the picture of it where there is one."""
    parts = [
        f"# {suite.title}",
        f"{machine} Made by `{suite.command}`.",
        LEGEND,
        f"![Medians of all contenders]({PICTURE})" if suite is ALL else "",
    ]
    for name, family in families.items():
        mine = [row for row in rows if row.family == name and (row.figures or row.failures)]
        if mine:
            parts += [f"## {family.title}", family.note, *(_section(mine, metric, family) for metric in family.metrics)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(rows: Sequence[Row], metric: str, family: Family) -> str:
    mine = [row for row in rows if row.metric == metric and row.figures]
    if not mine:
        return ""
    meaning = family.metrics[metric]
    present = [who for who in family.contenders if any(who in row.figures or who in row.failures for row in mine)]
    lines = []
    for row in mine:
        spread = {who: f"<br>{amount(min(of))}–{amount(max(of))}" for who, of in row.figures.items() if len(of) > 1}
        cells = [against(row, who, meaning) + spread.get(who, "") for who in present]
        lines.append([describe(row.setting) or metric, *cells])
    goal = f" To reach: {meaning.goal}." if meaning.goal else ""
    return f"**{metric}**, {meaning.unit}; {meaning.better} is better.{goal}\n\n" + table(["", *present], lines)


def write_between_markers(path: Path, text: str) -> None:
    """Replace what stands between the two markers of a document."""
    old = path.read_text(encoding="utf-8")
    before, found, rest = old.partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not found or not closed:
        raise ValueError(f"{path.name} lacks the lines {BEGIN!r} and {END!r}, between which the table goes")
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
