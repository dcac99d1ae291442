"""What happened in a run, as lines of JSON, so that another driver can go on from there.

A line is a batch of events as the state machine got them, written before anything is done on it::

    {"v": 1, "events": [["Ended", "w1", [3, -1], 1, [["pickle", {"b": "gAVLAS4="}, 5, null]], null, 0.2, 81.0, null]]}

Each event is its name and its fields in order, bytes as ``{"b": base64}``. What was commanded is not written: the same
events give the same commands.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, get_args

from cloudburst.errors import CodecError
from cloudburst.resources import Size
from cloudburst.runtime.events import Event, Failure
from cloudburst.runtime.state import Limits, State
from cloudburst.runtime.task import Artifact, Plan, TaskId

VERSION = 1

_EVENTS: dict[str, Any] = {event.__name__: event for event in get_args(Event)}


def to_line(events: Sequence[Event]) -> str:
    """Write a batch of events as a line, with its end.

    >>> from cloudburst.runtime.events import Hello
    >>> print(to_line([Hello("w1")]), end="")
    {"v": 1, "events": [["Hello", "w1", null]]}
    """
    plain = [(type(event).__name__, *map(_plain, event)) for event in events]
    return json.dumps({"v": VERSION, "events": plain}) + "\n"


def from_line(line: str) -> tuple[Event, ...]:
    """Read a batch of events.

    Parameters
    ----------
    line : str
        A line of a journal.

    Returns
    -------
    tuple of Event

    Raises
    ------
    CodecError
        If it is not one, or one of a later version.

    Examples
    --------
    >>> from_line('{"v": 1, "events": [["Due", [3, -1], null]]}')
    (Due(task=TaskId(task=3, item=-1), shape=None),)
    """
    try:
        entry = json.loads(line)
        if entry["v"] == VERSION:
            return tuple([_event(*event) for event in entry["events"]])
        wrong = f"it has version {entry['v']}, and version {VERSION} is what is known here"
    except (ValueError, TypeError, KeyError) as error:
        wrong = f"{type(error).__name__}: {error}"
    raise CodecError(f"This is no line of a journal: {wrong}.")


def read(lines: Iterable[str]) -> Iterator[tuple[Event, ...]]:
    """The batches in a journal, without a last line that its writer did not live to end."""
    for line in lines:
        if line.endswith("\n"):
            yield from_line(line)


def replay(plan: Plan, limits: Limits, batches: Iterable[Sequence[Event]]) -> State:
    """Bring a run to where it was.

    To have the last commands too, because it is not known which of them were carried out, keep the last batch back and
    give it to the state that this returns.

    Parameters
    ----------
    plan, limits : Plan, Limits
        As they were given to the first ``State``.
    batches : iterable of sequences of Event
        What it was given, the batch of ``start`` first.

    Returns
    -------
    State
        Equal to the one that got them first: the same further events give the same commands.
    """
    state = State(plan, limits)
    take = state.start
    for batch in batches:
        take(*batch)
        take = state.on
    return state


class Journal(Protocol):
    """What keeps the lines of a run: a list does for one that need not outlive the process."""

    def append(self, line: str, /) -> None:
        """Keep a line. When this returns, another process can read it."""
        ...


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"b": b64encode(value).decode("ascii")}
    if isinstance(value, Artifact) and value.groups is None:
        return [_plain(one) for one in value[:-1]]
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value


def _event(name: str, *fields: Any) -> Event:
    values = dict(zip(_EVENTS[name]._fields, map(_value, fields), strict=True))
    if values.get("task"):
        values["task"] = TaskId(*values["task"])
    if values.get("shape"):
        values["shape"] = Size(*values["shape"])
    if "artifacts" in values:
        values["artifacts"] = tuple([_artifact(artifact) for artifact in values["artifacts"]])
    if values.get("failure"):
        values["failure"] = Failure(*values["failure"])
    event: Event = _EVENTS[name](**values)
    return event


def _artifact(fields: tuple[Any, ...]) -> Artifact:
    codec, body, *others = fields
    made = tuple([_artifact(part) for part in body]) if isinstance(body, tuple) else body
    return Artifact(codec, made, *others)


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return tuple([_value(one) for one in value])
    if isinstance(value, dict):
        return b64decode(value["b"], validate=True)
    return value
