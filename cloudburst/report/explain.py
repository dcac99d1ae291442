"""What would run, in words: the tasks, what rides with them, what is one, what stays apart, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from cloudburst.graph.facts import Merged
from cloudburst.graph.graph import Graph
from cloudburst.graph.group import Grouping
from cloudburst.graph.nodes import Build, Call, FunctionValue, Literal, Sized, Stored
from cloudburst.report.amounts import at_most, counted, listed, often, times
from cloudburst.report.outline import Row, outline
from cloudburst.report.rates import rates_of, total_rates
from cloudburst.report.readings import readings_of, stored_readings, taken_in_part
from cloudburst.runtime.task import GIVEN, Plan

if TYPE_CHECKING:
    from cloudburst.prices import Tariff

MOST_LINES = 60
"""Of tasks; what is beyond is told in a sentence."""
MOST_NOTES = 8
"""Under each heading."""

_DEFAULT_SIZE = "default size: no cpu= or memory= was asked for; on this machine such a task takes one worker"


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """What would run. It prints itself; its attributes are the same as data."""

    rows: tuple[Row, ...]
    """The tasks in plan order, equal ones in one row."""
    sizes: tuple[str, ...]
    """For each row its size, and where it comes from if nobody asked for it."""
    stages: int
    """Distinct stages."""
    tasks: int
    """Tasks; one that is performed for each item of a list is one."""
    merged: tuple[str, ...]
    """What was written more than once and runs once."""
    apart: tuple[str, ...]
    """Why ops have tasks of their own."""
    stored: tuple[str, ...]
    """What is read from an earlier run, and of how much where less than all is needed."""
    unrecognised: tuple[str, ...]
    """Functions whose results no later run can recognise, and why."""
    files: tuple[str, ...] = ()
    """What is read of each file, of how much, and why not less."""
    in_part: tuple[str, ...] = ()
    """Which tasks read some columns only of what others store."""
    rates: tuple[str, ...] = ()
    """For each row what its machine costs; empty where nobody is paid."""
    costs: tuple[str, ...] = ()
    """What all machines cost together, and at which prices."""

    @classmethod
    def of(
        cls,
        plan: Plan,
        graph: Graph,
        grouping: Grouping,
        why_not: Mapping[str, str],
        tariff: Tariff | None = None,
    ) -> Explanation:
        """The explanation of a plan.

        Parameters
        ----------
        plan : Plan
            What would run.
        graph : Graph
            What it was made of.
        grouping : Grouping
            How that was divided, and why so.
        why_not : mapping
            By a function's name: why its results cannot be recognised by a later run.
        tariff : Tariff, optional
            What machines cost, where somebody is paid for them.
        """
        rows = outline(plan)
        return cls(
            rows=rows,
            sizes=tuple(_sizes(rows, plan, graph, grouping)),
            stages=len({task.stage for task in plan.tasks if task.stage_step is not None}),
            tasks=len(plan.tasks),
            merged=tuple(_merged(graph)),
            apart=tuple(_repeated(grouping.apart.values())),
            stored=tuple(stored_readings(graph)),
            unrecognised=tuple([f"{name}: {why}" for name, why in why_not.items()]),
            files=tuple(readings_of(graph)),
            in_part=tuple(taken_in_part(plan, rows)),
            rates=() if tariff is None else rates_of(rows, tariff),
            costs=() if tariff is None else total_rates(plan, rows, tariff),
        )

    @property
    def notes(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """What there is to say beside the tasks: headings, and sentences under each."""
        default = (_DEFAULT_SIZE,) if any(size.startswith("default size") for size in self.sizes) else ()
        notes = (
            ("Read from files", self.files),
            ("Read in part", self.in_part),
            ("Written more than once", self.merged),
            ("Read from an earlier run", self.stored),
            ("In tasks of their own", self.apart),
            ("Not recognised by later runs", self.unrecognised),
            ("What machines cost", self.costs),
            ("Sizes", default),
        )
        return tuple([(heading, sentences) for heading, sentences in notes if sentences])

    @property
    def totals(self) -> str:
        """One line: how many stages and tasks."""
        if not self.tasks:
            return "Nothing to run: every value is there already."
        fans = sum(len(row.tasks) for row in self.rows if row.is_fan)
        each = "one of them" if fans == 1 else f"{fans:,} of them"
        return f"{counted(self.stages, 'stage')}, {counted(self.tasks, 'task')}" + (
            f", {each} once for each item of a list" if fans else ""
        )

    def __str__(self) -> str:
        shown, left = self._shown()
        name_width = min(32, max([len(row.stage + times(len(row.tasks))) for row in shown], default=0))
        size_width = max([len(size) for size in self.sizes[: len(shown)]], default=0)
        number_width = len(str(len(shown)))
        margin = " " * (number_width + 4)
        lines = [self.totals, ""] if shown else [self.totals]
        for row, size in zip(shown, self.sizes, strict=False):
            name = row.stage + times(len(row.tasks))
            sources = self._sources(row)
            columns = f"  {row.number:>{number_width}}  {name:<{name_width}}  {size:<{size_width}}  {sources}"
            lines.append(columns.rstrip())
            lines += [f"{margin}  {detail}" for detail in self._details(row)]
        lines += [f"  … {left}"] if left else []
        for heading, sentences in self.notes:
            lines += ["", heading, *[f"  {sentence}" for sentence in at_most(sentences, MOST_NOTES)]]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        shown, left = self._shown()
        cell = 'style="text-align:left;vertical-align:top;padding:2px 10px"'
        parts = [f"<div><b>{escape(self.totals)}</b>", '<table style="border-collapse:collapse">']
        for row, size in zip(shown, self.sizes, strict=False):
            name = f"<b>{escape(row.stage)}</b>{times(len(row.tasks))}"
            details = "<br>".join(escape(text) for text in (self._sources(row), *self._details(row)) if text)
            cells = (str(row.number), name, escape(size), details)
            parts.append(f"<tr>{''.join(f'<td {cell}>{text}</td>' for text in cells)}</tr>")
        parts.append(f"</table>{f'<p>… {escape(left)}</p>' if left else ''}")
        for heading, sentences in self.notes:
            items = "".join(f"<li>{escape(sentence)}</li>" for sentence in at_most(sentences, MOST_NOTES))
            parts.append(f"<b>{escape(heading)}</b><ul>{items}</ul>")
        return "".join([*parts, "</div>"])

    def _shown(self) -> tuple[Sequence[Row], str]:
        """As many rows as there is room for, and a sentence about the others."""
        lines = 0
        for number, row in enumerate(self.rows):
            lines += 1 + len(self._details(row))
            if lines > MOST_LINES:
                left = self.rows[number:]
                tasks = sum(len(one.tasks) for one in left)
                names = listed(dict.fromkeys(one.stage for one in left))
                return self.rows[:number], f"and {counted(tasks, 'more task')}: {names}"
        return self.rows, ""

    def _sources(self, row: Row) -> str:
        reads = [number for number in row.reads if number != row.over]
        words = []
        if row.is_fan:
            words.append(f"for each item of {self._named(row.over) if row.over is not None else 'a list'}")
        if reads:
            words.append(f"{'with' if row.is_fan else 'from'} {listed(map(self._named, reads))}")
        if row.is_chained:
            words.append("from one another")
        return ", ".join(words)

    def _named(self, number: int) -> str:
        return f"{number} {self.rows[number - 1].stage}"

    def _details(self, row: Row) -> list[str]:
        details = []
        if row.first:
            details.append(f"first {listed(row.first)}")
        if row.then:
            details.append(f"then {listed(row.then)}")
        if len(row.stores) > 1:
            details.append(f"stores the values of {listed(row.stores)}")
        policy = [f"timeout {row.timeout_s:g} s"] if row.timeout_s is not None else []
        policy += [f"up to {counted(row.retries, 'retry')}"] if row.retries else []
        details += [", ".join(policy)] if policy else []
        return [*details, self.rates[row.number - 1]] if self.rates else details


def _sizes(rows: Sequence[Row], plan: Plan, graph: Graph, grouping: Grouping) -> list[str]:
    """Each row's size, with where it comes from."""
    place = {node.key: number for number, node in enumerate(graph.nodes)}
    heads = sorted(grouping.heads, key=lambda head: place[head.key])
    sizes = []
    for row in rows:
        task, what = plan.tasks[row.tasks[0]], heads[row.tasks[0]].what
        policy = what.policy if isinstance(what, Call | Sized) else None
        makers = {read.task for read in task.inputs if read.task != GIVEN}
        size = str(row.size)
        if row.size.cpu is None or (policy is not None and policy.size.cpu is not None):
            sizes.append(size)
        elif policy is None and len(makers) > 1:
            sizes.append(f"{size} (for what it reads)")
        elif policy is None and any(plan.tasks[maker].size == row.size for maker in makers):
            sizes.append(f"{size} (as what it reads)")
        else:
            sizes.append(f"{size} (by default)")
    return sizes


def _merged(graph: Graph) -> list[str]:
    """What was merged as equal, stages before ops; values that were only given several times are not told."""
    given = {n.key for n in graph.nodes if isinstance(n.what, Literal | FunctionValue | Build | Stored)}
    told: dict[tuple[bool, str], list[Merged]] = {}
    for one in graph.merged:
        if one.key not in given:
            told.setdefault((not one.is_stage, one.label), []).append(one)
    sentences = []
    for (_, label), those in sorted(told.items(), key=lambda item: item[0][0]):
        written, runs = sum(one.times for one in those), len(those)
        sentences.append(f"{label}: written {often(written)}, runs {often(runs)}")
    return sentences


def _repeated(sentences: Iterable[str]) -> list[str]:
    """Each sentence once, with how often it was said."""
    return [f"{sentence}{times(number)}" for sentence, number in Counter(sentences).items()]
