"""Runs as tables for a terminal, and as JSON for scripts."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cloudburst.history.book import Seen
from cloudburst.history.record import RunRecord, SizeRecord, StageRecord, moment, shown
from cloudburst.report.amounts import counted, duration, volume
from cloudburst.resources import Size

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from cloudburst.settings.storage import StorageSettings

_COLOURS = {
    "done": "green",
    "running": "cyan",
    "failed": "red",
    "lost": "red",
    "cancelled": "yellow",
    "stopped": "yellow",
}
_PIPED_COLUMNS = 240
"""A table that goes into a file or a pipe is cut off nowhere."""
_WIDE = 100
_MONTHS_S = 300 * 86400.0
"""For so long a date needs no year."""
_GAP = 2
_SHORTEST_NAME, _SHORTEST_RUN = 9, 12
"""Columns that are left to these, however little room there is."""


def where(settings: StorageSettings) -> str:
    """A bucket and a prefix, as people name them."""
    return f"s3://{settings.bucket}{'/' if settings.prefix else ''}{settings.prefix}"


def as_json(seen: Seen) -> dict[str, Any]:
    """A run as scripts get it: times as text, all else as it was written."""
    entry, record, trouble = seen
    if record is None:
        return {"run": entry.run, "user": entry.user, "state": None, "begun": moment(entry.begun_s), "trouble": trouble}
    told = asdict(record)
    for name in ("begun", "written", "ended"):
        seconds = told.pop(f"{name}_s")
        told[name] = None if seconds is None else moment(seconds)
    return {**told, "seconds": round(record.seconds, 3)}


def print_runs(runs: Sequence[Seen], *, with_users: bool) -> None:
    """One line a run; beside its user it has no name, which stands in its id too."""
    titles = ("run", "user" if with_users else "name", "state", "started", "took", "tasks")
    rows = []
    for entry, record, _ in runs:
        whose = entry.user if with_users else record.name if record is not None else ""
        if record is None:
            cells = ["unreadable", _when(entry.begun_s), "", ""]
        else:
            cells = [record.state, _when(record.begun_s), duration(_took_s(record)), _tasks(record)]
        rows.append([shown(entry.run), shown(whose), *cells])
    console = _console()
    taken = sum(max(map(len, column)) + _GAP for column in list(zip(titles, *rows, strict=True))[2:])
    name = min(max(len(row[1]) for row in rows), _SHORTEST_NAME)
    run = min(max(len(row[0]) for row in rows), max(_SHORTEST_RUN, console.width - taken - name - _GAP))
    widths = {0: run, 1: max(name, console.width - taken - run - _GAP)}
    table = _table()
    for number, title in enumerate(titles):
        justify: Any = "right" if title == "tasks" else "left"
        table.add_column(title, no_wrap=True, overflow="ellipsis", max_width=widths.get(number), justify=justify)
    for row in rows:
        table.add_row(*_texts(*row))
    console.print(table)


def print_run(record: RunRecord) -> None:
    """What a run came to, a line a stage."""
    from rich.text import Text

    console = _console()
    head = Text.assemble(
        (shown(record.name), "bold"),
        ": ",
        (record.verb, _COLOURS.get(record.state, "")),
        f" {duration(_took_s(record))}",
    )
    console.print(head)
    by = f"{record.user}, with cloudburst {record.cloudburst} on Python {record.python}"
    at = f"{counted(record.machine_count, 'machine')} of {record.cluster} in {record.region}"
    for line in (record.run, f"begun {_when(record.begun_s)} by {by}", f"{_tasks(record)} tasks done on {at}"):
        console.print(Text(f"  {shown(line)}"))
    if line := cost_line(record):
        console.print(Text(f"  {shown(line)}"))
    if record.state == "lost":
        console.print(Text("  its program is no more, and has not said what became of it"))
    if record.own_error:
        console.print(Text(f"  {shown(record.own_error)}", style="red"))
    if record.stages:
        console.print()
        console.print(_stages(record.stages, is_wide=console.width >= _WIDE))
    for stage in record.stages:
        if stage.error:
            console.print(Text(f"{shown(stage.stage)}: {shown(stage.error)}", style="red"))


def cost_line(record: RunRecord) -> str:
    """What a run cost: as its program told it, else what its machines that are known of come to; empty for none."""
    if record.cost or not record.machines:
        return record.cost
    from cloudburst.prices import Machine, cost_of

    return str(
        cost_of(
            Machine(
                Size(size.cpu, size.memory, size.storage, size.spot),
                seconds,
                record.region,
                size.architecture or "X86_64",
                is_over=record.state != "running",
            )
            for size, lives in ((one.size, one.seconds) for one in record.machines)
            for seconds in lives
        )
    )


def _stages(stages: Sequence[StageRecord], *, is_wide: bool) -> Table:
    table = _table()
    table.add_column("stage", overflow="ellipsis")  # of the columns that may wrap, room is taken first
    for title in ("state", "tasks", "size", "work", "waited", "peak"):
        table.add_column(title, no_wrap=True, justify="left" if title in ("state", "size") else "right")
    for title in ("in", "out", "tries") if is_wide else ():
        table.add_column(title, no_wrap=True, justify="right")
    for one in stages:
        peak = volume(int(one.peak_mib * 1024 * 1024)) if one.peak_mib else ""
        cells = [shown(one.stage), one.state, f"{one.done:,}/{one.tasks:,}", _size(one.size, is_wide=is_wide)]
        cells += [duration(one.seconds), duration(one.waited_s), peak]
        cells += [volume(one.bytes_in), volume(one.bytes_out), f"{one.attempts:,}"] if is_wide else []
        table.add_row(*_texts(*cells))
    return table


def _table() -> Table:
    from rich.table import Table

    return Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))


def _texts(*cells: str) -> list[Any]:
    """Cells that mean nothing else than what stands in them; states have their colours."""
    from rich.text import Text

    return [Text(cell, style=_COLOURS.get(cell, "")) for cell in cells]


def _tasks(record: RunRecord) -> str:
    return f"{record.done:,}/{record.tasks:,}{'+' if record.more else ''}"


def _took_s(record: RunRecord) -> float:
    """How long it took, or has taken by now."""
    return max(record.seconds, time.time() - record.begun_s) if record.state == "running" else record.seconds


def _size(size: SizeRecord, *, is_wide: bool) -> str:
    if not is_wide and size.cpu is not None and size.memory is not None:
        return f"{size.cpu / 1024:g}/{size.memory / 1024:g} GB{' Spot' if size.spot else ''}"
    return str(size)


def _when(seconds: float) -> str:
    is_recent = abs(time.time() - seconds) < _MONTHS_S
    return datetime.fromtimestamp(seconds).astimezone().strftime("%b %d %H:%M" if is_recent else "%Y-%m-%d")


def _console() -> Console:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else _PIPED_COLUMNS, highlight=False, emoji=False, soft_wrap=False)
