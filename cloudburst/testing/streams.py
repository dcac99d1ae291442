"""What containers print: lines that go to CloudWatch Logs, in batches."""

from __future__ import annotations

import time
from collections.abc import Iterator

from cloudburst.testing.account import Account
from cloudburst.testing.tasks import Task

_LONGEST = 256 * 1024


class Stream:
    """The output of one container, cut into lines and sent on as log events."""

    def __init__(self, account: Account, task: Task) -> None:
        self._account = account
        self._log = task.log
        self._rest = b""
        self._unsent: list[dict[str, object]] = []
        self.lines: list[str] = []
        """All that was printed."""
        if task.log is not None:
            account.logs.ensure_log_stream(*task.log)

    def take(self, data: bytes) -> Iterator[str]:
        """Take output; the lines that it completes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            yield self._line(line)

    def end(self) -> Iterator[str]:
        """Take what remains without an end of line."""
        if self._rest:
            yield self._line(self._rest)
            self._rest = b""

    def flush(self) -> None:
        """Send what was taken."""
        if self._log is not None and self._unsent:
            events, self._unsent = self._unsent, []
            if self._log[0] in self._account.logs.groups:
                self._account.logs.ensure_log_stream(*self._log)
                self._account.logs.put_log_events(*self._log, events)

    def _line(self, line: bytes) -> str:
        text = line.decode("utf-8", "replace").removesuffix("\r")
        if text:  # CloudWatch has no empty events
            self._unsent.append({"timestamp": int(time.time() * 1000), "message": text})
        self.lines.append(text)
        return text
