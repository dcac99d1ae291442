"""A run as a page for a browser: one file that asks for nothing else, made of what its record tells.

Names, errors and all else that stands in a record could have been written by others. So everything is escaped, and the
page says of itself that nothing in it may run or be fetched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape

from cloudburst.history.record import MachineRecord, RunRecord, StageRecord, shown
from cloudburst.history.style import STYLE
from cloudburst.report.amounts import counted, duration, volume

MOST_BARS = 40
"""Stages that are drawn; the table has all."""
MOST_PIECES = 200
"""Machines of one size that are told apart where they are drawn."""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_COLUMNS = ("Stage", "State", "Tasks", "Size", "Work", "Waited", "Peak", "In", "Out", "Tries")
_TEXTS = ("Stage", "State", "Size")
"""Columns of words; the others are of numbers."""


def page(record: RunRecord, cost: str = "") -> str:
    """The page of a run, as it stood when its record was written.

    Parameters
    ----------
    record : RunRecord
        What is told of it.
    cost : str, optional
        What it cost, in a sentence.

    Returns
    -------
    str
        HTML, whole and in UTF-8.

    Examples
    --------
    >>> record = RunRecord("6a2-daily-x1", "a <b> c", "done", begun_s=0.0, written_s=2.5)
    >>> "<h1>a &lt;b&gt; c <span" in page(record)
    True
    """
    parts = [*_head(record, cost), *_errors(record), *_table(record.stages)]
    parts += [*_times(record.stages), *_machines(record.machines)]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{_text(record.name)}: {record.state}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            *parts,
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _text(told: str) -> str:
    """A text that others may have written, as it may stand in HTML."""
    return escape(shown(told))


def _head(record: RunRecord, cost: str) -> Iterator[str]:
    took = f"{record.verb} {duration(record.seconds)}"
    yield f'<h1>{_text(record.name)} <span class="state {record.state}">{took}</span></h1>'
    more = "+" if record.more else ""
    where = " in ".join(one for one in (record.cluster, record.region) if one)
    facts = [
        ("Run", record.run),
        ("User", record.user),
        ("Begun", _moment(record.begun_s)),
        ("As of" if record.state == "running" else "Ended", _moment(record.begun_s + record.seconds)),
        ("Tasks", f"{record.done:,} of {record.tasks:,}{more} done, in {counted(record.attempts, 'attempt')}"),
        ("Machines", f"{counted(record.machine_count, 'machine')}{f' of {where}' if where else ''}"),
        ("With", f"cloudburst {record.cloudburst} on Python {record.python}" if record.cloudburst else ""),
        ("Cost", cost.removeprefix("cost ")),
    ]
    yield "<dl>"
    yield from (f"<div><dt>{name}</dt><dd>{_text(fact)}</dd></div>" for name, fact in facts if fact)
    yield "</dl>"
    if record.state == "lost":
        yield '<p class="note">Its program is no more, and has not said what became of the run.</p>'


def _errors(record: RunRecord) -> Iterator[str]:
    told = [(one.stage, one.error) for one in record.stages if one.error]
    if record.own_error:
        told.insert(0, ("The run", record.own_error))
    if told:
        yield f"<section><h2>{'Error' if len(told) == 1 else 'Errors'}</h2>"
        yield from (f'<div class="error"><b>{_text(who)}</b><pre>{_text(error)}</pre></div>' for who, error in told)
        yield "</section>"


def _table(stages: Sequence[StageRecord]) -> Iterator[str]:
    if not stages:
        return
    yield "<section><h2>Stages</h2>"
    yield '<table class="stages"><thead><tr>'
    yield "".join(f'<th scope="col"{_class(title)}>{title}</th>' for title in _COLUMNS)
    yield "</tr></thead><tbody>"
    for one in stages:
        failed = f", {one.failed:,} failed" if one.failed else ""
        cells = [
            _text(one.stage),
            f'<span class="state {one.state}">{one.state}</span>',
            f"{one.done:,}/{one.tasks:,}{failed}",
            _text(str(one.size)),
            duration(one.seconds),
            duration(one.waited_s),
            volume(int(one.peak_mib * 1024 * 1024)) if one.peak_mib else "",
            volume(one.bytes_in),
            volume(one.bytes_out),
            f"{one.attempts:,}",
        ]
        named = zip(_COLUMNS[1:], cells[1:], strict=True)
        row = "".join(f'<td data-name="{title}"{_class(title)}>{cell}</td>' for title, cell in named)
        yield f'<tr><th scope="row">{cells[0]}</th>{row}</tr>'
    yield "</tbody></table>"
    yield (
        '<p class="note">Work is the time of all attempts together, waited that from when a task could have begun '
        "until it did, peak the most memory that one attempt used.</p></section>"
    )


def _class(title: str) -> str:
    return "" if title in _TEXTS else ' class="number"'


def _times(stages: Sequence[StageRecord]) -> Iterator[str]:
    """How long each stage worked and waited, beside the longest."""
    timed = sorted((one for one in stages if _time(one) > 0), key=_time, reverse=True)
    if not timed:
        return
    longest = _time(timed[0])
    yield "<section><h2>Where the time went</h2>"
    yield '<p class="key"><i class="work"></i> work <i class="waited"></i> waited, of all tasks together</p>'
    for one in timed[:MOST_BARS]:
        told = f"{duration(one.seconds)} of work, {duration(one.waited_s)} waited"
        yield _bar(one.stage, told, [("work", max(0.0, one.seconds)), ("waited", max(0.0, one.waited_s))], longest)
    if len(timed) > MOST_BARS:
        yield f'<p class="note">And {counted(len(timed) - MOST_BARS, "stage")} that took less.</p>'
    yield "</section>"


def _time(one: StageRecord) -> float:
    return max(0.0, one.seconds) + max(0.0, one.waited_s)


def _machines(machines: Sequence[MachineRecord]) -> Iterator[str]:
    """How long the machines of each size were up, beside the size with the most of it."""
    up = [(one, sorted((max(0.0, seconds) for seconds in one.seconds), reverse=True)) for one in machines]
    most = max((sum(lives) for _, lives in up), default=0.0)
    if not most:
        return
    yield "<section><h2>Machines</h2>"
    yield '<p class="key">How long they were up; a piece is one machine</p>'
    for one, lives in up:
        told = f"{counted(len(lives), 'machine')}, {duration(sum(lives))}{' together' if len(lives) > 1 else ''}"
        pieces = lives if len(lives) <= MOST_PIECES else [sum(lives)]
        yield _bar(str(one.size), told, [("machine", seconds) for seconds in pieces], most)
    yield "</section>"


def _bar(name: str, told: str, pieces: Sequence[tuple[str, float]], whole: float) -> str:
    """A line with a bar below it, whose pieces are so much of the whole."""
    drawn, place = [], 0.0
    for kind, amount in pieces:
        width = 100 * amount / whole
        if width > 0:
            drawn.append(f'<rect class="{kind}" x="{place:.3f}%" width="{width:.3f}%" height="100%"/>')
        place += width
    return (
        f'<div class="bar"><div><b>{_text(name)}</b> <span>{_text(told)}</span></div>'
        f'<svg role="img" aria-label="{_text(f"{name}: {told}")}">{"".join(drawn)}</svg></div>'
    )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
