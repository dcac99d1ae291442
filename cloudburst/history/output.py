"""What the tasks of a run printed: from the store once a task has ended, or from CloudWatch, as it comes."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

from cloudburst.errors import AccessDenied, CodecError, NotFound
from cloudburst.history.book import Entry, History
from cloudburst.history.record import RunRecord, shown
from cloudburst.runtime import layout
from cloudburst.runtime.backends.fargate.streams import Streams

LOOK_S = 2.0
_BEGINS = re.compile(r"cloudburst: begins (.*) (\S+) attempt (\d+)")
_SLACK_S = 60.0
"""How far the clocks of a program and of CloudWatch may be apart."""


class Line(NamedTuple):
    """A line of output."""

    source: str
    """The stage whose task printed it, with the item where it is one of a fan; or the worker."""
    text: str


class Output:
    """The output of a run, each line once.

    Parameters
    ----------
    history : History
        Where the run is told of.
    entry : Entry
        Which one.
    stage : str, optional
        Only what tasks of this stage printed.
    endpoint_url : str, optional
        Of a service that plays AWS.
    sleep : callable
        Waits so many seconds.
    """

    def __init__(
        self,
        history: History,
        entry: Entry,
        stage: str | None = None,
        endpoint_url: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._history, self._entry, self._stage = history, entry, stage
        self._endpoint_url, self._sleep = endpoint_url, sleep
        self._number = 0
        self._told: set[tuple[str, int]] = set()
        """Tasks and attempts whose output was told; a run that was taken up may have some twice."""
        self._at: dict[str, str] = {}
        """By worker: the stage that it is at."""
        self._streams: Streams | None = None

    def lines(self) -> Iterator[Line]:
        """What there is: of the store, or, where that has nothing, of CloudWatch.

        Raises
        ------
        CodecError
            If what is told of the run is no record.
        """
        record = self._history.record(self._entry)
        has_any = False
        for line in self._stored():
            has_any = True
            yield line
        if not has_any and not self._number and self._has_streams(record):
            yield from self._streamed(record)

    def follow(self) -> Iterator[Line]:
        """What there is and what comes, until the run is over.

        Raises
        ------
        CodecError
            If what is told of the run is no record.
        """
        record = self._history.record(self._entry)
        is_streamed = record.state == "running" and self._has_streams(record)
        while True:
            is_over = record.state != "running"
            if is_streamed:
                try:
                    yield from self._streamed(record)
                except AccessDenied:
                    is_streamed = False
            if not is_streamed:
                yield from self._stored()
            if is_over:
                return
            self._sleep(LOOK_S)
            record = self._history.record(self._entry)

    # ------------------------------------------------------------ the store

    def _stored(self) -> Iterator[Line]:
        while True:
            key = layout.printed_key(self._entry.user, self._entry.run, self._number + 1)
            try:
                written = bytes(self._history.store.get(key))
            except NotFound:
                return
            self._number += 1
            for entry in written.splitlines():
                with suppress(CodecError):  # somebody else's
                    yield from self._entry_lines(entry)

    def _entry_lines(self, entry: bytes) -> Iterator[Line]:
        try:
            told = json.loads(entry)
            stage, task, text, attempt = (told[name] for name in ("stage", "task", "text", "attempt"))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise CodecError(f"This is no output of a run: {type(error).__name__}.") from None
        if not all(isinstance(one, str) for one in (stage, task, text)) or not isinstance(attempt, int):
            raise CodecError("This is no output of a run.")
        if (attempt and (task, attempt) in self._told) or self._stage not in (None, stage):
            return
        self._told.add((task, attempt))
        item = f"[{task.rpartition('[')[2]}" if task.endswith("]") else ""
        for line in text.rstrip("\n").split("\n"):
            yield Line(shown(f"{stage}{item}"), printable(line))

    # ------------------------------------------------------------ CloudWatch

    def _has_streams(self, record: RunRecord) -> bool:
        if not (record.log_group and record.workers):
            return False
        if self._streams is None:
            since_s = record.begun_s - _SLACK_S
            self._streams = Streams(record.log_group, record.region or None, self._endpoint_url, since_s)
        return True

    def _streamed(self, record: RunRecord) -> Iterator[Line]:
        assert self._streams is not None
        for worker in record.workers:
            for line in self._streams.lines(worker):
                begins = _BEGINS.fullmatch(line)
                if begins is not None:
                    self._at[worker] = begins[1]
                elif line.startswith("cloudburst: "):
                    if self._stage is None:
                        yield Line(f"worker {worker[:8]}", printable(line))
                elif self._stage in (None, self._at.get(worker, "")):
                    yield Line(shown(self._at.get(worker, f"worker {worker[:8]}")), printable(line))


def printable(line: str) -> str:
    r"""A line of output without what would move a terminal's cursor, but with its tabs.

    >>> printable("a\tb\x1b[2J")
    'a\tb\\x1b[2J'
    """
    return "\t".join(shown(part) for part in line.rstrip("\r").split("\t"))
