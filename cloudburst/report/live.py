"""Progress as a table that is drawn again and again, with rich: in a terminal, and in a cell of a notebook.

Nothing of rich is imported before there is something to draw.
"""

from __future__ import annotations

import atexit
import io
import sys
import threading
from typing import TYPE_CHECKING, Any, TextIO

from cloudburst.report.amounts import counted, duration
from cloudburst.report.summary import Summary
from cloudburst.report.tally import StageTally, Tally

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.text import Text

MOST_STAGES = 20
_NOTEBOOK_COLUMNS = 100
_screen = threading.Lock()
"""Held by the run that is drawn: two at once would write over each other, the second waits for its turn."""


class Terminal:
    """A table at the foot of a terminal; what the program prints meanwhile goes above it."""

    def __init__(self, name: str, stream: TextIO) -> None:
        self._name = name
        self._stream = stream
        self._live: Live | None = None

    def draw(self, tally: Tally, seconds: float) -> None:
        if self._live is None:
            if not _screen.acquire(blocking=False):
                return
            self._open()
        assert self._live is not None
        room = min(MOST_STAGES, self._live.console.height - 3)
        self._live.update(table(self._name, tally, seconds, room), refresh=True)

    def close(self, tally: Tally, seconds: float) -> None:
        live = self._live
        if live is not None:
            try:
                self.draw(tally, seconds)
            finally:
                self._live = None
                self._stop(live)

    def tell(self, summary: Summary) -> None:
        is_drawn_on = _screen.locked()  # by another run: rich has put a stream in place that prints above its table
        print(summary, file=sys.stderr if is_drawn_on else self._stream, flush=True)

    def _open(self) -> None:
        from rich.console import Console
        from rich.live import Live

        try:
            console = Console(file=self._stream)
            is_seen = sys.stdout is not None and sys.stdout.isatty()
            self._live = Live(console=console, auto_refresh=False, redirect_stdout=is_seen, redirect_stderr=True)
            atexit.register(self._live.stop)  # a program that ends in the middle gets its cursor back
            self._live.start()
        except BaseException:
            self._live = None
            _screen.release()
            raise

    def _stop(self, live: Live) -> None:
        try:
            live.stop()
        finally:
            atexit.unregister(live.stop)
            _screen.release()


class Notebook:
    """A table below the cell that started the run."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._handle: Any = None
        self._last = ""

    def draw(self, tally: Tally, seconds: float) -> None:
        from rich.console import Console

        console = Console(
            file=io.StringIO(), record=True, width=_NOTEBOOK_COLUMNS, force_terminal=True, force_jupyter=False
        )
        console.print(table(self._name, tally, seconds, MOST_STAGES))
        self._last = _as_html(console)
        self._show(self._last)

    def close(self, tally: Tally, seconds: float) -> None:
        self.draw(tally, seconds)

    def tell(self, summary: Summary) -> None:
        from rich.console import Console
        from rich.text import Text

        console = Console(file=io.StringIO(), record=True, width=_NOTEBOOK_COLUMNS, force_jupyter=False)
        console.print(Text(str(summary)))
        self._show(self._last + _as_html(console))

    def _show(self, html: str) -> None:
        from IPython.display import HTML, display

        if self._handle is None:
            self._handle = display(HTML(html), display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(HTML(html))  # type: ignore[no-untyped-call]


def table(name: str, tally: Tally, seconds: float, room: int) -> RenderableType:
    """How a run stands, as something that rich can print: a heading, and a line for each stage.

    Parameters
    ----------
    name : str
        Of the run.
    tally : Tally
        Its numbers.
    seconds : float
        How long it has lasted.
    room : int
        Lines there are for stages. If there are more stages, those that are at work come first.
    """
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    lines = Table.grid(padding=(0, 1))
    shown = _chosen(tally.stages, max(1, room))
    for stage in shown:
        total = f"{stage.done:,}/{'?' if stage.unknown else f'{stage.total:,}'}"
        bar = ProgressBar(
            total=max(1, stage.total), completed=1 if stage.is_over and not stage.total else stage.done, width=24
        )
        lines.add_row(_mark(stage), Text(stage.name, overflow="ellipsis", no_wrap=True), bar, total, _remarks(stage))
    heading = Text.assemble((name, "bold"), f"  {duration(seconds)}  {tally.done:,} of {counted(tally.total, 'task')}")
    left = len(tally.stages) - len(shown)
    return Group(heading, lines, *([Text(f"  … and {counted(left, 'more stage')}", "dim")] if left else []))


def _mark(stage: StageTally) -> Text:
    from rich.text import Text

    if stage.is_over:
        return Text("✓", "green")
    return Text("●", "cyan") if stage.running or stage.done else Text("·", "dim")


def _remarks(stage: StageTally) -> Text:
    from rich.text import Text

    lost = stage.failed - stage.retries
    parts = (
        (f"{stage.running} running", "cyan") if stage.running else "",
        (counted(stage.retries, "retry"), "yellow") if stage.retries else "",
        (f"{lost} failed", "red") if lost > 0 else "",
    )
    return Text("  ").join(Text(*part) for part in parts if part)


def _chosen(stages: list[StageTally], room: int) -> list[StageTally]:
    """Those that there is room for, in plan order: at work before waiting before done."""
    if len(stages) <= room:
        return stages
    ranked = sorted(range(len(stages)), key=lambda n: 0 if stages[n].running else 2 if stages[n].is_over else 1)
    return [stages[number] for number in sorted(ranked[:room])]


def _as_html(console: Console) -> str:
    return console.export_html(inline_styles=True, code_format='<pre style="line-height:1.3;margin:0">{code}</pre>')
