"""The seams: everything outside the runtime's own decisions stands behind one of these.

A store keeps bytes, a codec turns values into bytes and back, a backend starts workers and says what became of them.
Nothing below calls up: a backend returns events, it never holds the driver.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from cloudburst.resources import Size
from cloudburst.runtime.events import Event, LaunchCause, LaunchFailed
from cloudburst.runtime.task import Artifact, Awaited, Function, Output, Step, TaskId

Buffer = bytes | bytearray | memoryview


@runtime_checkable
class Store(Protocol):
    """Immutable byte objects under keys such as ``runs/3f-daily/a/clean-49059bab2dec-1/0``."""

    @property
    def url(self) -> str:
        """What ``stores.open_store`` turns into this store again, in any process."""
        ...

    def get(self, key: str, ranges: Sequence[tuple[int, int]] | None = None) -> memoryview:
        """The object, or the concatenation of its byte ranges (start, end).

        Where the store is local the whole object is a private copy-on-write mapping: writable, without copying, and
        nobody else sees what is written. Raises ``NotFound``.
        """
        ...

    def put(self, key: str, parts: Sequence[Buffer], *, if_absent: bool = False) -> bool:
        """Write the concatenation of parts, whole or not at all. False only if ``if_absent`` and the key is taken."""
        ...

    def copy(self, key: str, to: str) -> None:
        """Have the object lie under another key too, over what may be there; nobody reads it for that.

        Raises ``NotFound``.
        """
        ...

    def size(self, key: str) -> int:
        """Bytes of the object. Raises ``NotFound``."""
        ...

    def list(self, prefix: str, after: str = "") -> list[str]:
        """Keys that begin with prefix and come after ``after``, sorted, one page of at most 1,000."""
        ...

    def sizes(self, prefix: str, after: str = "") -> dict[str, int]:
        """The same keys as ``list`` gives, in the same order, with the bytes of each object."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove these; those that are not there are passed over."""
        ...

    def age_s(self, key: str) -> float:
        """Seconds since the object was last written, by the store's own clock. Raises ``NotFound``."""
        ...

    @property
    def is_shared(self) -> bool:
        """Whether others than this user may write to it: values then go as data where they can, with checksums."""
        ...


@runtime_checkable
class Codec(Protocol):
    """One way to write values as bytes. What it takes it gives back equal: values, dtypes, index, freq, attrs."""

    name: str

    def takes(self, value: object) -> bool:
        """Whether this codec writes that value exactly; decided from types alone."""
        ...

    def encode(self, value: object) -> list[Buffer]:
        """The value as buffers to be concatenated. Raises ``CodecError``."""
        ...

    def decode(self, data: memoryview, columns: Sequence[str] | None = None) -> object:
        """The value again, reading in place where it can. ``columns`` narrows a frame of pandas to these."""
        ...


class Assignment(NamedTuple):
    """One attempt as a worker gets it: the driver makes it from a task and the whereabouts of its inputs."""

    id: TaskId
    attempt: int
    steps: tuple[Step, ...]
    inputs: tuple[Artifact | Awaited, ...]
    """Awaited ones only where the backend's workers take what was sent ahead (``Limits.shaped``)."""
    outputs: tuple[Output, ...]
    prefix: str
    """Output ``i`` goes under the key ``<prefix>/<i>`` unless it is small enough for the record."""
    timeout_s: float | None = None
    stage_step: int | None = None
    environment: tuple[tuple[str, str], ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()
    stage: str = ""
    """Name of the stage, for a worker's log and for notes in errors."""
    columns: tuple[tuple[str, ...] | None, ...] = ()
    """For each input the columns that are read of a frame, ``None`` for all; empty where all are read whole."""
    reads: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Parameters of the stage and the only columns that it is given of them, for its errors."""

    def __repr__(self) -> str:  # the values of variables and arguments are for no log
        return f"<attempt {self.attempt} of {self.stage or 'task'} {self.id}>"


@runtime_checkable
class Backend(Protocol):
    """A place where workers run. All but ``poll`` return at once."""

    def launch(self, shape: Size, count: int, token: str) -> None:
        """Start workers. Each says ``Hello`` or the launch says ``LaunchFailed``, through ``poll``."""
        ...

    def equip(self, functions: Mapping[str, Function]) -> None:
        """Begin a run with these functions, known by id; a worker gets each before its first task that names it."""
        ...

    def workers(self) -> list[str]:
        """Workers that are up and idle when a run begins: they say no ``Hello`` again."""
        ...

    def shape(self, worker: str) -> Size | None:
        """The machine that one of these has to itself; ``None`` where workers share one."""
        ...

    def stop(self, workers: Sequence[str]) -> None:
        """End workers now. Each is ``Gone`` through ``poll``. One that is no more is passed over."""
        ...

    def assign(self, worker: str, tasks: Sequence[Assignment]) -> None:
        """Give tasks to a worker, to be performed in order behind those it has."""
        ...

    def poll(self, timeout_s: float) -> list[Event]:
        """Wait until something has ended, at most so long, and return all that has: the only source of endings."""
        ...

    def wake(self) -> None:
        """Have ``poll`` return now, with nothing if there is nothing. May be called by any thread."""
        ...

    def logs(self, log: tuple[str, int, int]) -> str:
        """Text that an attempt wrote: the place is that of ``Ended.log``."""
        ...

    def close(self) -> None:
        """End every worker and wait until none is left."""
        ...


class Started(NamedTuple):
    """A machine was granted for a launch; its worker has said nothing yet."""

    token: str
    worker: str


class Fell(NamedTuple):
    """A machine is no more. What its worker recorded before that holds."""

    worker: str
    cause: Literal["lost", "memory", "reclaimed", "host", "stopped"]
    detail: str
    """For people: what happened, and the mend where there is one."""
    launch: LaunchCause | None = None
    """If it never came to run the worker: why, in the words of a launch."""


Sight = Started | LaunchFailed | Fell


class Life(NamedTuple):
    """How long a machine is paid for, as far as that is known."""

    worker: str
    shape: Size
    seconds: float
    """From the start of its image pull to its end, or until now."""
    before_s: float = 0.0
    """As much of that an earlier run of the pool has been told of."""
    is_over: bool = True
    is_known: bool = True
    """Whether its provider has told what became of it."""


@runtime_checkable
class Fleet(Protocol):
    """Machines of one pool, each of which runs the worker program. All but ``close`` return at once."""

    def launch(self, shape: Size, count: int, token: str) -> None:
        """Ask for machines. Each is ``Started`` or ``LaunchFailed`` through ``look``."""
        ...

    def look(self) -> list[Sight]:
        """What has happened to machines since the last look; what takes time is done by a thread of the fleet's own."""
        ...

    def stop(self, workers: Sequence[str]) -> None:
        """End machines. Each is ``Fell`` through ``look``."""
        ...

    def tail(self, worker: str) -> str:
        """The last that a machine's log says, for an error; empty where there is none."""
        ...

    def close(self) -> None:
        """Stop every machine of the pool, also those whose launch was under way, and return when all is accepted."""
        ...
