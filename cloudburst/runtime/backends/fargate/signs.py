"""What DescribeTasks says of a task, read so that nothing it says, or leaves out, can make the reader stumble."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

CONTAINER = "worker"
"""The name of the one container of a task."""

_EVIDENCE = 600


class Signs(NamedTuple):
    """The marks of how a task ended."""

    stop_code: str = ""
    reasons: tuple[str, ...] = ()
    """Why, as ECS words it: of the task, then of its containers."""
    exit_code: int | None = None
    has_run: bool = False
    """Whether its container was ever started."""
    tail: str = ""
    """The last that it printed, where that was asked for."""

    @property
    def said(self) -> str:
        """The reasons as evidence for people."""
        return shortened("; ".join(dict.fromkeys(self.reasons)))

    def says(self, pattern: str) -> bool:
        """Whether one of the reasons holds that."""
        return any(re.search(pattern, plain(reason)) for reason in self.reasons)


def signs_of(task: object, tail: str = "") -> Signs:
    """Read the marks of a task from the answer of DescribeTasks.

    Parameters
    ----------
    task : object
        One of the answer's ``tasks``.
    tail : str
        The last that it printed.

    Examples
    --------
    >>> signs_of({"stoppedReason": "InternalError", "containers": [{"name": "worker", "exitCode": 139}]}).exit_code
    139
    """
    fields = task if isinstance(task, Mapping) else {}
    containers = list(_mappings(fields.get("containers")))
    reasons = [_text(fields.get("stoppedReason")), *[_text(one.get("reason")) for one in containers]]
    exits = [
        (_text(one.get("name")) != CONTAINER, code)
        for one in containers
        if isinstance(code := one.get("exitCode"), int) and not isinstance(code, bool)
    ]
    exit_code = min(exits, key=lambda pair: pair[0])[1] if exits else None
    return Signs(
        stop_code=_text(fields.get("stopCode")),
        reasons=tuple([reason for reason in reasons if reason]),
        exit_code=exit_code,
        has_run=bool(fields.get("startedAt")) or exit_code is not None,
        tail=tail,
    )


def plain(text: str) -> str:
    """Text to look for words in: lower case, and apostrophes that are apostrophes.

    >>> plain("You’ve reached the limit")
    "you've reached the limit"
    """
    return text.lower().replace("’", "'")


def shortened(text: str) -> str:
    """On one line, and no more of it than anybody reads."""
    text = " ".join(text.split())
    return text if len(text) <= _EVIDENCE else f"{text[: _EVIDENCE - 1]}…"


def _mappings(value: object) -> Iterator[Mapping[str, Any]]:
    for one in value if isinstance(value, list | tuple) else ():
        if isinstance(one, Mapping):
            yield one


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
