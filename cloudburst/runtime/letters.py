"""What a driver and a worker on another machine say to each other: letters down, and up what has happened.

Both go through the store in envelopes (see :mod:`.envelope`). A letter's body is a pickle, which only the other end of
the pool can have signed; what a worker says is JSON that anyone may read.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from typing import Any, NamedTuple

from cloudburst.runtime.events import Event
from cloudburst.runtime.journal import from_line, to_line
from cloudburst.runtime.protocols import Assignment

INLINE = 32 * 1024
"""Bytes up to which a function travels in the letter that first names it."""


class Letter(NamedTuple):
    """What a worker is to do next, in order and behind what it has."""

    run: str
    """Which run of the pool it belongs to: with another one, the functions known before are forgotten."""
    functions: dict[str, bytes]
    """Payloads by id that this worker has not been given yet."""
    elsewhere: dict[str, tuple[str, bytes]]
    """Those that are too large for a letter: by id their key, and the SHA-256 of what lies there."""
    tasks: tuple[Assignment, ...]
    is_last: bool = False
    """The worker is to end, whatever it is at: what SIGTERM alone would leave open."""

    def as_bytes(self) -> bytes:
        """The body of the envelope."""
        return pickle.dumps(tuple(self), 5)

    @classmethod
    def of_bytes(cls, body: bytes) -> Letter:
        """The letter again: only for a body that has come out of an envelope whose code held."""
        return cls(*pickle.loads(body))


class Said(NamedTuple):
    """What a worker has said at one time."""

    events: tuple[Event, ...]
    tail: str = ""
    """The end of what the attempt printed; all of it, if the record names no log."""
    about: dict[str, Any] = {}  # noqa: RUF012 - nobody writes to it
    """With a hello: versions of Python and of packages. With a goodbye: an error that the driver is to raise."""

    def as_bytes(self) -> bytes:
        """The body of the envelope.

        >>> from cloudburst.runtime.events import Hello
        >>> print(Said((Hello("w1"),)).as_bytes().decode())
        {"v": 1, "events": [["Hello", "w1", null]], "tail": "", "about": {}}
        """
        return json.dumps(json.loads(to_line(self.events)) | {"tail": self.tail, "about": self.about}).encode()

    @classmethod
    def of_bytes(cls, body: bytes) -> Said:
        """What was said again."""
        told = json.loads(body)
        return cls(from_line(body.decode()), told["tail"], told["about"])


def named(assignments: Sequence[Assignment]) -> set[str]:
    """The ids of the functions that assignments name."""
    return {step.what for one in assignments for step in one.steps if step.kind in ("call", "function")}
