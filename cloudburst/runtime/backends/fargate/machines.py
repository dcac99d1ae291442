"""The machines of a pool: which are to be looked at when, and what DescribeTasks makes known of each.

There is no clock and no client in here: times come as arguments, what is found leaves as ``Sight``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudburst.runtime.backends.fargate.outcomes import NETWORK, Outcome, outcome_of, with_evidence
from cloudburst.runtime.protocols import Fell

MOST_AT_ONCE = 100
"""Tasks that one DescribeTasks call may name."""

SOON_S = 1.0
"""How often a machine is looked at that is coming or going."""
LATER_S = 5.0
"""How often one is that runs."""
MISSING_S = 60.0
"""How long a machine may be unknown to ECS, which is not told everything at once."""
QUICKEST_S = 0.1
"""However fast AWS is played, looking costs what it costs."""
STOPPED_S = 300.0
"""How long after it was to stop a machine is taken for stopped, whatever ECS says."""


@dataclass(slots=True)
class Machine:
    """One Fargate task, from RunTask's answer until it has stopped."""

    arn: str
    token: str
    """Of the launch that it came of."""
    since: float
    """When it was granted."""
    look_at: float
    status: str = "PROVISIONING"
    has_run: bool = False
    missing_since: float | None = None
    stopped_at: float | None = None
    """When ECS accepted that it is to stop."""
    is_stopping: bool = False
    """Whether it was asked to."""

    @property
    def worker(self) -> str:
        """What its worker calls itself."""
        return worker_of(self.arn)


def worker_of(arn: str) -> str:
    """The name of the worker of a task.

    >>> worker_of("arn:aws:ecs:us-east-1:123456789012:task/data/0f1e2d3c")
    '0f1e2d3c'
    """
    return arn.rpartition("/")[2]


@dataclass(slots=True)
class Machines:
    """All machines that have not fallen.

    Parameters
    ----------
    scale : float
        What all times here are multiplied by.
    launch_limit_s : float
        How long a machine may take until its container runs.
    """

    scale: float = 1.0
    launch_limit_s: float = 600.0
    known: dict[str, Machine] = field(default_factory=dict, init=False)
    """By worker."""
    _seen_before: set[str] = field(default_factory=set, init=False)
    _vain: dict[str, set[str]] = field(default_factory=dict, init=False)
    """By kind of outcome: the launches that ended so since a machine last came to run."""

    def granted(self, arn: str, token: str, now: float) -> bool:
        """A machine was granted. False if it is known: what was said twice is answered twice."""
        worker = worker_of(arn)
        if worker in self._seen_before:
            return False
        self._seen_before.add(worker)
        self.known[worker] = Machine(arn, token, now, now + self._after(SOON_S))
        return True

    def due(self, now: float) -> list[Machine]:
        """Those that it is time to look at, the longest overdue first, as many as one call takes."""
        due = sorted((one for one in self.known.values() if one.look_at <= now), key=lambda one: one.look_at)
        return due[:MOST_AT_ONCE]

    def seen(self, task: Mapping[str, Any], now: float, tail: str = "") -> Fell | None:
        """What DescribeTasks says of one; ``tail`` is the last of its log where that may tell more."""
        machine = self.known.get(worker_of(str(task.get("taskArn", ""))))
        if machine is None:
            return None
        machine.missing_since = None
        machine.status = str(task.get("lastStatus", machine.status))
        if not machine.has_run and (machine.status == "RUNNING" or task.get("startedAt")):
            machine.has_run = True
            self._vain.clear()
        if has_stopped(task):
            return self._fell(machine, outcome_of(task, tail))
        is_steady = machine.status == "RUNNING" and not machine.is_stopping
        machine.look_at = now + self._after(LATER_S if is_steady else SOON_S)
        return None

    def missing(self, arn: str, now: float) -> Fell | None:
        """DescribeTasks does not know it: so it is in the first seconds, and when it has aged out an hour later."""
        machine = self.known.get(worker_of(arn))
        if machine is None:
            return None
        if machine.missing_since is None:
            machine.missing_since = now
        machine.look_at = now + self._after(SOON_S)
        if now - machine.missing_since < MISSING_S * self.scale:
            return None
        return self._fell(machine, Outcome("missing", "lost", "ECS does not know it any more", "passing"))

    def late(self, now: float) -> list[tuple[Machine, Fell]]:
        """Those that have not come to run in their time; and those that ECS never says have stopped."""
        found = []
        for machine in tuple(self.known.values()):
            if machine.is_stopping:
                if machine.stopped_at is not None and now - machine.stopped_at > STOPPED_S * self.scale:
                    found.append((machine, self._fell(machine, Outcome("stopped", "stopped", "it was stopped"))))
            elif not machine.has_run and now - machine.since > self.launch_limit_s * self.scale:
                what = f"it has been in {machine.status} for {self.launch_limit_s / 60:g} minutes and did not start"
                mend = f"{NETWORK} A very large image takes long, too."
                outcome = Outcome("late", "lost", with_evidence(what, "", mend), "setup")
                found.append((machine, self._fell(machine, outcome)))
        return found

    def stopping(self, worker: str, now: float) -> Machine | None:
        """It was asked to stop: look at it soon. ``None`` if it is not there, or was asked before."""
        machine = self.known.get(worker)
        if machine is None or machine.is_stopping:
            return None
        machine.is_stopping = True
        machine.look_at = now + self._after(SOON_S)
        return machine

    def forget(self, worker: str, detail: str) -> Fell | None:
        """ECS says that there is no such task to stop."""
        machine = self.known.get(worker)
        return None if machine is None else self._fell(machine, Outcome("stopped", "stopped", detail))

    def _after(self, seconds: float) -> float:
        return max(QUICKEST_S, seconds * self.scale)

    def _fell(self, machine: Machine, outcome: Outcome) -> Fell:
        del self.known[machine.worker]
        if machine.is_stopping:
            return Fell(machine.worker, "stopped", "it was stopped")
        launch = None if machine.has_run and outcome.launch != "setup" else outcome.launch
        if outcome.borne:
            vain = self._vain.setdefault(outcome.kind, set())
            vain.add(machine.token)
            launch = "passing" if len(vain) <= outcome.borne else launch
        return Fell(machine.worker, outcome.cause, outcome.detail, launch)


def has_stopped(task: Mapping[str, Any]) -> bool:
    """Whether its container is no more. The machine's clean-up after it takes long and tells nothing."""
    status = task.get("lastStatus")
    if status != "DEPROVISIONING":
        return status == "STOPPED"
    containers = task.get("containers") or ()
    return bool(task.get("stopCode") and containers) and all(one.get("lastStatus") == "STOPPED" for one in containers)
