"""What is told of one run: plain JSON that anybody may read, and that others could have written.

So it is only shown, with what a terminal would obey made visible, and nothing is deleted, stopped or unpickled on its
word alone. There are no values in it: no arguments, no variables, no secrets.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from cloudburst.errors import CodecError
from cloudburst.resources import Size

VERSION = 1

RunState = Literal["running", "done", "failed", "cancelled", "lost"]
"""``lost``: its program is no more, and has not said what became of it."""
StageState = Literal["waiting", "running", "done", "failed", "stopped", "skipped"]

LONGEST_LINE = 300
_MOST_ROWS = 10_000
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class SizeRecord:
    """The machine that a task had, with all that its price depends on."""

    cpu: int | None = None
    """CPU units."""
    memory: int | None = None
    """MiB."""
    storage: int | None = None
    """GiB of disk, where more than every machine has was asked for."""
    spot: bool = False
    architecture: str = ""

    def __str__(self) -> str:
        arm = ", ARM" if self.architecture == "ARM64" else ""
        return f"{Size(self.cpu, self.memory, self.storage, self.spot)}{arm}"


@dataclass(frozen=True, slots=True)
class StageRecord:
    """The tasks of one stage and one size."""

    stage: str
    state: StageState
    size: SizeRecord
    tasks: int
    """Known of."""
    done: int
    running: int
    failed: int
    """That gave no result in the end."""
    attempts: int
    seconds: float
    """Of all attempts together."""
    waited_s: float
    """From when a task could have begun until it did, all together."""
    bytes_in: int
    """Of the results of others that they were given, read or not."""
    bytes_out: int
    peak_mib: float
    error: str = ""
    """The last, in one line."""


@dataclass(frozen=True, slots=True)
class MachineRecord:
    """The machines of one size."""

    size: SizeRecord
    seconds: list[float] = field(default_factory=list)
    """Of each: from its worker's hello to its end, or to when this was written."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What is known of a run. ``to_json`` writes it as text, ``from_json`` reads it back.

    Examples
    --------
    >>> record = RunRecord("6a2-daily-x1", "daily", "done", begun_s=0.0, written_s=2.5)
    >>> from_json(to_json(record)) == record
    True
    """

    run: str
    name: str
    state: RunState
    begun_s: float
    """Seconds since 1970, by the clock of its program, as are all others here."""
    written_s: float
    ended_s: float | None = None
    user: str = ""
    pool: str = ""
    cloudburst: str = ""
    python: str = ""
    region: str = ""
    cluster: str = ""
    log_group: str = ""
    definition: str = ""
    lease_limit_s: float = 120.0
    tasks: int = 0
    """Known of."""
    more: bool = False
    """Whether there are more, whose number is not known yet."""
    done: int = 0
    attempts: int = 0
    error: str = ""
    """Of the first task that failed, or why the run was cancelled; in one line."""
    dollars: float | None = None
    """What it cost at list price; ``None`` until that is known."""
    cost: str = ""
    """The same in a sentence, which says at which prices."""
    stages: list[StageRecord] = field(default_factory=list)
    machines: list[MachineRecord] = field(default_factory=list)
    workers: list[str] = field(default_factory=list)
    """By which the logs of its machines are found."""

    @property
    def verb(self) -> str:
        """What stands before how long it took: ``done in``, ``failed after``."""
        return {"done": "done in", "running": "running for"}.get(self.state, f"{self.state} after")

    @property
    def machine_count(self) -> int:
        """How many machines it had."""
        return sum(len(one.seconds) for one in self.machines)

    @property
    def own_error(self) -> str:
        """What no stage's own error says already; empty if one does, or there is none."""
        is_told = any(one.error and self.error.endswith(one.error) for one in self.stages)
        return "" if is_told else self.error

    @property
    def seconds(self) -> float:
        """How long it took, or has taken when this was written."""
        return max(0.0, (self.written_s if self.ended_s is None else self.ended_s) - self.begun_s)


def to_json(record: RunRecord) -> str:
    """A record as it lies in the store."""
    return json.dumps({"v": VERSION, **asdict(record)})


def from_json(text: str | bytes) -> RunRecord:
    """Read a record.

    Raises
    ------
    CodecError
        If it is not one, or one of a later version.

    Examples
    --------
    >>> from_json('{"v": 1, "run": "6a2-daily-x1"}')
    Traceback (most recent call last):
    cloudburst.errors.CodecError: This is no record of a run: it has no name.
    """
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CodecError(f"This is no record of a run: {type(error).__name__}.") from None
    if not isinstance(told, dict) or told.get("v") != VERSION:
        raise CodecError(f"This is no record of a run that is known here: it has not version {VERSION}.")
    return _run(told)


def shown(text: str) -> str:
    r"""A text that others wrote, in one line, with whatever a terminal would obey made visible.

    >>> shown("a\x1b[2Jb\nc")
    'a\\x1b[2Jb\\x0ac'
    """
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode() if found[0] != "\n" else "\\x0a", text)


def one_line(text: str) -> str:
    """The first line of a text, shortened to what a row has room for."""
    first = text.strip().partition("\n")[0].strip()
    return first if len(first) <= LONGEST_LINE else f"{first[: LONGEST_LINE - 1]}…"


def moment(seconds: float) -> str:
    """A time as scripts read it.

    >>> moment(0.5)
    '1970-01-01T00:00:00.500Z'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# ---------------------------------------------------------------- reading what others may have written


def _run(told: dict[str, Any]) -> RunRecord:
    return RunRecord(
        run=_text(told, "run"),
        name=_text(told, "name"),
        state=_one_of(told, "state", get_args(RunState)),
        begun_s=_number(told, "begun_s"),
        written_s=_number(told, "written_s"),
        ended_s=None if told.get("ended_s") is None else _number(told, "ended_s"),
        lease_limit_s=_number(told, "lease_limit_s"),
        tasks=_count(told, "tasks"),
        more=told.get("more") is True,
        done=_count(told, "done"),
        attempts=_count(told, "attempts"),
        stages=_several(told, "stages", _stage),
        machines=_several(told, "machines", _machine),
        workers=[one for one in _several(told, "workers", str) if re.fullmatch(r"[A-Za-z0-9-]{1,64}", one)],
        dollars=None if told.get("dollars") is None else _number(told, "dollars"),
        **{name: _text(told, name) for name in _TEXTS},
    )


_TEXTS = ("user", "pool", "cloudburst", "python", "region", "cluster", "log_group", "definition", "error", "cost")


def _stage(told: Any) -> StageRecord:
    return StageRecord(
        stage=_text(told, "stage"),
        state=_one_of(told, "state", get_args(StageState)),
        size=_size(told.get("size")),
        error=_text(told, "error"),
        tasks=_count(told, "tasks"),
        done=_count(told, "done"),
        running=_count(told, "running"),
        failed=_count(told, "failed"),
        attempts=_count(told, "attempts"),
        seconds=_number(told, "seconds"),
        waited_s=_number(told, "waited_s"),
        bytes_in=_count(told, "bytes_in"),
        bytes_out=_count(told, "bytes_out"),
        peak_mib=_number(told, "peak_mib"),
    )


def _machine(told: Any) -> MachineRecord:
    return MachineRecord(_size(told.get("size")), [_number({"seconds": one}, "seconds") for one in told["seconds"]])


def _size(told: Any) -> SizeRecord:
    amounts = {name: None if told.get(name) is None else _count(told, name) for name in ("cpu", "memory", "storage")}
    return SizeRecord(**amounts, spot=told.get("spot") is True, architecture=_text(told, "architecture"))


def _several(told: dict[str, Any], name: str, read: Callable[[Any], Any]) -> list[Any]:
    found = _value(told, name, list)
    try:
        return [read(one) for one in found[:_MOST_ROWS]]
    except (AttributeError, KeyError, TypeError):
        raise _malformed(name) from None


def _text(told: dict[str, Any], name: str) -> str:
    return str(_value(told, name, str))[: 4 * LONGEST_LINE]


def _count(told: dict[str, Any], name: str) -> int:
    return int(_value(told, name, int))


def _number(told: dict[str, Any], name: str) -> float:
    number = float(_value(told, name, (int, float)))
    if not math.isfinite(number) or abs(number) > 1e11:  # beyond it there are no dates
        raise _malformed(name)
    return number


def _one_of(told: dict[str, Any], name: str, known: tuple[Any, ...]) -> Any:
    if (found := _value(told, name, str)) not in known:
        raise _malformed(name)
    return found


def _value(told: dict[str, Any], name: str, kind: Any) -> Any:
    if name not in told:
        raise CodecError(f"This is no record of a run: it has no {name}.")
    found = told[name]
    if not isinstance(found, kind) or isinstance(found, bool) or (isinstance(found, int) and abs(found) > 1 << 62):
        raise _malformed(name)
    return found


def _malformed(name: str) -> CodecError:
    return CodecError(f"This is no record of a run: its {name} cannot be.")
