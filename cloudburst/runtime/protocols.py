"""The seams: everything outside the runtime's own decisions stands behind one of these.

A store keeps bytes, a codec turns values into bytes and back, a backend starts workers and says what became of them.
Nothing below calls up: a backend returns events, it never holds the driver.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from cloudburst.resources import Size
from cloudburst.runtime.events import Event
from cloudburst.runtime.task import Artifact, Function, Output, Step, TaskId

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

    def size(self, key: str) -> int:
        """Bytes of the object. Raises ``NotFound``."""
        ...

    def list(self, prefix: str, after: str = "") -> list[str]:
        """Keys that begin with prefix and come after ``after``, sorted, one page of at most 1,000."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove these; those that are not there are passed over."""
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
        """The value again, reading in place where it can. ``columns`` narrows a frame to these."""
        ...


class Assignment(NamedTuple):
    """One attempt as a worker gets it: the driver makes it from a task and the whereabouts of its inputs."""

    id: TaskId
    attempt: int
    steps: tuple[Step, ...]
    inputs: tuple[Artifact, ...]
    outputs: tuple[Output, ...]
    prefix: str
    """Output ``i`` goes under the key ``<prefix>/<i>`` unless it is small enough for the record."""
    timeout_s: float | None = None
    stage_step: int | None = None


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

    def stop(self, workers: Sequence[str]) -> None:
        """End workers now. Each is ``Gone`` through ``poll``."""
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
