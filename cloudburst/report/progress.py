"""Progress of a run: live in a terminal or a notebook, in plain lines elsewhere if asked for, else silent.

The thread that drives the run only counts. A thread of its own draws, at most ten times a second and not before the run
has lasted long enough to be worth it. Whatever goes wrong with drawing ends the drawing and not the run.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from cloudburst.graph.facts import Merged
from cloudburst.report.amounts import at_most, counted, duration, listed
from cloudburst.report.summary import Summary, summarize
from cloudburst.report.tally import Tally
from cloudburst.runtime.events import Command, Event
from cloudburst.runtime.task import Plan

if TYPE_CHECKING:
    from cloudburst.prices import Cost
    from cloudburst.runtime.driver import Outcome

PATIENCE_S = 0.3
"""A run that is over sooner shows no progress."""
INTERVAL_S = 0.1
_LINE_S = 1.0
_NOTICES = 20
_LAST_DRAWING_S = 2.0


class Display(Protocol):
    """Where progress is shown."""

    def draw(self, tally: Tally, seconds: float) -> None:
        """Show how it stands after so many seconds."""
        ...

    def close(self, tally: Tally, seconds: float) -> None:
        """Show how it stands at the end, and leave the place as it was found."""
        ...

    def tell(self, summary: Summary) -> None:
        """Show what it came to."""
        ...


class Lines:
    """Plain lines: failures and retries at once, finished stages in at most one line a second."""

    def __init__(self, name: str, stream: TextIO) -> None:
        self._name = name
        self._stream = stream
        self._told: set[str] = set()
        self._next = 0.0

    def draw(self, tally: Tally, seconds: float) -> None:
        self._tell_notices(tally)
        if seconds >= self._next:
            over = [stage.name for stage in tally.stages if stage.is_over and stage.name not in self._told]
            if over:
                self._told.update(over)
                self._next = seconds + _LINE_S
                self._say(f"{listed(over)} done; {_standing(tally, seconds)}")

    def close(self, tally: Tally, seconds: float) -> None:  # noqa: ARG002
        self._tell_notices(tally)

    def tell(self, summary: Summary) -> None:
        print(summary, file=self._stream, flush=True)

    def _tell_notices(self, tally: Tally) -> None:
        notices = [tally.notices.popleft() for _ in range(len(tally.notices))]
        for notice in at_most(notices, _NOTICES):
            self._say(notice)

    def _say(self, text: str) -> None:
        print(f"{self._name}: {text}", file=self._stream, flush=True)


class Reporting:
    """Watches a run from its start to its end: enter it around the driving of the run.

    Parameters
    ----------
    plan : Plan
        What is run.
    merged : iterable of Merged
        What the optimizer found to be equal, for the summary.
    display : Display or None
        Where to show it; ``None`` is silent.
    always : bool
        Show the summary even if the run was over before there was any progress to show.

    Attributes
    ----------
    tally : Tally
        The run in numbers.
    trouble : Exception or None
        Why progress is shown no more.
    """

    def __init__(self, plan: Plan, merged: Iterable[Merged], display: Display | None, *, always: bool = False) -> None:
        self.tally = Tally(plan)
        self.trouble: Exception | None = None
        self._plan = plan
        self._merged = tuple(merged)
        self._display = display
        self._is_shown = always
        self._began = monotonic()
        self._over = threading.Event()
        self._artist: threading.Thread | None = None
        self.see: Callable[[Sequence[Event], Sequence[Command]], None] = self.tally.see

    def __enter__(self) -> Self:
        self._began = monotonic()
        if self._display is not None:
            artist = threading.Thread(target=self._draw, name="cloudburst progress", daemon=True)
            try:
                artist.start()
            except RuntimeError as trouble:  # as many threads as this process may have
                self.trouble = trouble
            else:
                self._artist = artist
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.tally.end()
        self._over.set()
        if self._artist is not None:
            self._artist.join(_LAST_DRAWING_S)

    def finish(self, outcome: Outcome, seconds: float, cost: Cost | None = None) -> Summary:
        """Tell what the run came to.

        Parameters
        ----------
        outcome : Outcome
            What became of the run.
        seconds : float
            How long the user waited.
        cost : Cost, optional
            What its machines cost, where somebody is paid.

        Returns
        -------
        Summary
            Shown already, if progress was.
        """
        summary = summarize(self._plan, self._merged, outcome, seconds, self.tally, cost)
        if self._display is not None and self._is_shown:
            self._safely(lambda display: display.tell(summary))
        return summary

    def _draw(self) -> None:
        """What the drawing thread does."""
        is_over = self._over.wait(PATIENCE_S)
        while not is_over and self.trouble is None:
            self._is_shown = True
            self._safely(lambda display: display.draw(self.tally, self._seconds()))
            is_over = self._over.wait(INTERVAL_S)
        if self._is_shown:
            self._safely(lambda display: display.close(self.tally, self._seconds()))

    def _seconds(self) -> float:
        return monotonic() - self._began

    def _safely(self, show: Callable[[Display], None]) -> None:
        if self._display is not None:
            try:
                show(self._display)
            except Exception as trouble:  # noqa: BLE001 - a broken terminal is no reason to lose a run
                self.trouble = self.trouble or trouble


def reporter(plan: Plan, merged: Iterable[Merged], wanted: bool | None) -> Reporting:
    """What watches a run and shows its progress where there is somebody to see it.

    Parameters
    ----------
    plan : Plan
        What will run.
    merged : iterable of Merged
        What the optimizer found to be equal.
    wanted : bool or None
        True shows progress in any case, as plain lines on stderr where it is no terminal; False never; None only in a
        terminal or a notebook.

    Returns
    -------
    Reporting
    """
    return Reporting(plan, merged, _display(plan, wanted), always=wanted is True)


def _display(plan: Plan, wanted: bool | None) -> Display | None:
    if wanted is False:
        return None
    if _is_notebook():
        from cloudburst.report.live import Notebook

        return Notebook(plan.name)
    stream = sys.stderr
    if stream is not None and stream.isatty():
        from cloudburst.report.live import Terminal

        return Terminal(plan.name, stream)
    return Lines(plan.name, stream) if wanted and stream is not None else None


def _is_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def _standing(tally: Tally, seconds: float) -> str:
    at_least = "at least " if any(stage.unknown for stage in tally.stages) else ""
    return f"{tally.done:,} of {at_least}{counted(tally.total, 'task')}, {duration(seconds)}"
