"""What a provider is: a store and a backend together, and what they allow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

from cloudburst.kept import Kept
from cloudburst.resources import Size

if TYPE_CHECKING:
    from cloudburst.runtime.protocols import Backend, Store
    from cloudburst.runtime.state import Limits
    from cloudburst.runtime.task import Plan


class Whereabouts(NamedTuple):
    """Where the machines of a run are, for those who look at it from elsewhere."""

    user: str
    pool: str
    """The id of the pool whose workers perform it."""
    prefix: str
    """What the keys of that pool begin with."""
    lease_limit_s: float
    """How long its lease may stay as it is while its driver lives."""
    region: str
    cluster: str
    architecture: str
    spot: bool
    """What a size gets that does not say."""
    log_group: str | None
    definition: str
    """The family of the task definition."""


class Journal(Protocol):
    """Takes what happens in a run, a line at a time, and has it written down before it returns."""

    def begin(self, plan: Plan, limits: Limits, told: object) -> None:
        """Write down what is run, and what else whoever goes on with it has to know."""
        ...

    def append(self, line: str) -> None:
        """Write down what has happened."""
        ...


class Provider(Protocol):
    """A store and a backend together, and what they allow."""

    @property
    def store(self) -> Store:
        """Where values lie."""
        ...

    @property
    def kept(self) -> Kept:
        """What earlier runs left there."""
        ...

    @property
    def s3(self) -> Mapping[str, str | None]:
        """Where S3 is, by ``endpoint_url`` and ``region``; empty where boto3's own settings say it."""
        ...

    @property
    def default_size(self) -> Size:
        """What a task gets that has no size of its own."""
        ...

    @property
    def end_s(self) -> float:
        """How long the end of a run that was cancelled is waited for: until what could still be billed is stopped."""
        ...

    def limits(self, keep_going: bool) -> Limits:
        """What may run at once."""
        ...

    def borrow(self) -> Backend:
        """A backend for one run, with the workers that are up already."""
        ...

    def give_back(self, backend: Backend) -> None:
        """The run is over: its workers may serve the next."""
        ...

    def hold(self) -> None:
        """Keep workers from one run to the next until ``close``."""
        ...

    def notes(self) -> list[str]:
        """Sentences for the user that have come up beside the run, each given once."""
        ...

    def journal(self, prefix: str, backend: Backend) -> Journal | None:
        """Where a run writes what happens, so that another program can go on with it; ``None`` if nobody could."""
        ...

    def whereabouts(self, backend: Backend) -> Whereabouts | None:
        """Where these workers are; ``None`` if nobody could look at them from elsewhere."""
        ...

    def close(self) -> None:
        """Stop all workers and remove what is private to this process."""
        ...
