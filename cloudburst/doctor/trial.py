"""One smallest task, end to end: what only a real start can tell, and how long each part of it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Any, NamedTuple

from cloudburst import settings as of_this_machine
from cloudburst.doctor.findings import Case, Result, open_, well, wrong
from cloudburst.errors import CloudburstError
from cloudburst.providers import using
from cloudburst.providers.aws import AwsProvider
from cloudburst.resources import Size
from cloudburst.runtime.backends.fargate.requests import started_by
from cloudburst.runtime.backends.remote import RemoteBackend
from cloudburst.settings.aws import AwsSettings
from cloudburst.stages import stage

_CPU, _MEMORY = 256, 512
"""The smallest machine there is."""
_PARTS = (
    ("until a machine is found and on the network", "createdAt", "pullStartedAt"),
    ("the image is pulled", "pullStartedAt", "pullStoppedAt"),
    ("its container starts", "pullStoppedAt", "startedAt"),
)
"""By what AWS tells of a task: from one moment to another."""
_ALL_ELSE = "checking, sending the code, the task itself, reading its value"


class Phase(NamedTuple):
    """A part of the way."""

    name: str
    seconds: float
    """Of AWS's."""


class Trial(NamedTuple):
    """A task that has given its value."""

    seconds: float
    """From the call to the value."""
    phases: tuple[Phase, ...]
    cost: str


class _Watched(AwsProvider):
    """Remembers which pool of machines it had, and keeps none for another run."""

    def __init__(self, settings: AwsSettings) -> None:
        super().__init__(settings)
        self.pool = ""

    def hold(self) -> None:
        """Each run ends its machines, so that its cost is known at its end."""

    def borrow(self) -> Any:
        backend = super().borrow()
        assert isinstance(backend, RemoteBackend)
        self.pool = backend.pool.id
        return backend


@stage(cpu=_CPU, memory=_MEMORY, retries=0)
def sign_of_life() -> str:
    """What the task does."""
    return "alive"


def tried(case: Case, results: Sequence[Result]) -> tuple[Result, Trial | None]:
    """Have a task run, if nothing that was looked at is wrong; what that finds is a result like the others."""
    if any(one.mark == "wrong" for one in results):
        return Result("run", (open_("not tried, as something else is wrong"),)), None
    try:
        done = trial(case)
    except CloudburstError as error:
        return Result("run", (wrong(str(error)),)), None
    return Result("run", (well(f"a task of {Size(_CPU, _MEMORY)} gave its value after {done.seconds:.1f} s"),)), done


def trial(case: Case) -> Trial:
    """Have one machine do one thing.

    Raises
    ------
    CloudburstError
        As a run does, with the mend.
    """
    scale = of_this_machine.time_scale()
    provider = _Watched(case.settings)
    begun = monotonic()
    with using(provider):
        run = sign_of_life().submit("doctor", progress=False)
        run.result_or_cancel()
    seconds = (monotonic() - begun) / scale
    provider.close()
    return Trial(seconds, _phases(_task(case, provider.pool), seconds), str(run.cost or ""))


def _task(case: Case, pool: str) -> Mapping[str, Any]:
    """What ECS tells of the machine; nothing if it is forgotten, or not for these credentials to see."""
    ecs, cluster = case.clients("ecs"), case.settings.compute_cluster
    for status in ("STOPPED", "RUNNING"):
        if found := ecs.list_tasks(cluster=cluster, startedBy=started_by(pool), desiredStatus=status)["taskArns"]:
            tasks: list[dict[str, Any]] = ecs.describe_tasks(cluster=cluster, tasks=found[:1])["tasks"]
            return tasks[0] if tasks else {}
    return {}


def _phases(task: Mapping[str, Any], seconds: float) -> tuple[Phase, ...]:
    """The parts that AWS tells the length of, and the rest."""
    found = []
    for name, start, end in _PARTS:
        first, last = task.get(start), task.get(end)
        if isinstance(first, datetime) and isinstance(last, datetime):
            found.append(Phase(name, (last - first).total_seconds()))
    rest = max(0.0, seconds - sum(one.seconds for one in found))
    return (*found, Phase(_ALL_ELSE, rest))
