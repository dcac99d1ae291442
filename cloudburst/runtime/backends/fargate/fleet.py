"""The machines of one pool as Fargate tasks: launched, looked at, stopped.

Threads of the fleet's own speak to AWS, the most urgent call first, so that its owner waits for nothing but ``tail``
and ``close``. They are started with the first launch: none can be when the program is ending, which is when ``close``
needs them most.

It always ends. ``close`` stops the machines that are known, waits for calls that are under way, and then asks ECS which
tasks the pool has: a RunTask call whose answer was lost may have started some. What cannot be stopped ends by itself
when the pool's lease has lapsed, and the error says which those are.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any

from cloudburst.errors import LaunchError
from cloudburst.resources import Size
from cloudburst.runtime.backends.fargate import rates
from cloudburst.runtime.backends.fargate.agenda import Urgency
from cloudburst.runtime.backends.fargate.callers import Callers, delay_s
from cloudburst.runtime.backends.fargate.launching import Launching
from cloudburst.runtime.backends.fargate.machines import MOST_AT_ONCE, SOON_S, Machine, Machines, has_stopped, worker_of
from cloudburst.runtime.backends.fargate.meter import Meter
from cloudburst.runtime.backends.fargate.outcomes import is_worth_its_log
from cloudburst.runtime.backends.fargate.place import Clients, FargatePlace
from cloudburst.runtime.backends.fargate.refusals import refusal_of_error
from cloudburst.runtime.backends.fargate.requests import LAUNCH_TAG, check_pool
from cloudburst.runtime.backends.fargate.stopping import (
    DID_NOT_START,
    NOT_NEEDED,
    POOL_ENDED,
    Stopping,
    tasks_of,
)
from cloudburst.runtime.backends.fargate.tails import tail_of
from cloudburst.runtime.events import LaunchFailed
from cloudburst.runtime.protocols import Fell, Life, Sight, Started

LAUNCH_LIMIT_S = 600.0
CLOSE_S = 120.0
"""How long ``close`` goes on if ECS does not answer, on this machine's clock."""
SETTLE_S = 5.0
"""How long after a lost answer ECS may not list what it has started."""
_SWEEP_S = 0.25
_WAIT_S = 0.5


class FargateFleet:
    """Fargate tasks, each of which runs one worker.

    Parameters
    ----------
    place : FargatePlace
        Where and as what they run.
    pool_id : str
        Whose they are: at most 30 characters, by which they are found again.
    pool_variable : str
        What a worker is told, as ``CLOUDBURST_POOL``. It is secret.
    scale : float
        What all times are multiplied by.
    launch_limit_s : float
        How long a machine may take until its container runs.
    clients : Clients, optional
        Those of the place by default.
    clock : callable
        Gives seconds; it only goes forward.

    Notes
    -----
    A token names a launch within the pool: the same token again, by this process or another, is the same launch. So
    tokens of two runs of one pool must differ.

    Examples
    --------
    ::

        fleet = FargateFleet(place, "k2j4h5", "s3://bucket/prefix#pools/…")
        fleet.launch(Size(1024, 2048), 20, "first")     # two RunTask calls
        while not (sights := fleet.look()):
            time.sleep(0.5)
        fleet.close()
    """

    def __init__(
        self,
        place: FargatePlace,
        pool_id: str,
        pool_variable: str,
        *,
        scale: float = 1.0,
        launch_limit_s: float = LAUNCH_LIMIT_S,
        clients: Clients | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        check_pool(pool_id, pool_variable)
        self._place = place
        self._pool_id = pool_id
        self._clients = clients or Clients(place)
        self._callers = Callers(scale, clock)
        self._launching = Launching(
            place, pool_id, pool_variable, self._clients, self._callers, self._granted, self._refused
        )
        self._stopping = Stopping(place.cluster, self._clients, self._callers, self._accepted, self._absent)
        self._machines = Machines(scale, launch_limit_s)
        self._meter = Meter(scale)
        self._lock = threading.Lock()
        self._news: list[Sight] = []
        self._tokens: set[str] = set()
        self._is_looking = False
        self._is_closing = False
        self._ended = threading.Event()
        self._unlisted = ""
        self._owner = os.getpid()

    def launch(self, shape: Size, count: int, token: str) -> None:
        """Ask for machines; what was asked for under the same token before is not asked for again."""
        with self._lock:
            if self._is_closing or token in self._tokens:
                return
            self._tokens.add(token)
        self._begin()
        self._launching.launch(shape, count, token)

    def adopt(self) -> None:
        """Find the machines of this pool that another process has launched: each is ``Started`` through ``look``."""
        self._launching.may_have_started = True
        self._begin()
        self._callers.add(Urgency.LAUNCH, self._find)

    def look(self) -> list[Sight]:
        """What has happened to machines since the last look.

        Raises
        ------
        LaunchError
            If ECS refuses to say, or to stop a machine: the run cannot go on.
        """
        if self._callers.errors:
            raise self._callers.errors[0]
        with self._lock:
            news, self._news = self._news, []
            return news

    def stop(self, workers: Sequence[str]) -> None:
        """End machines. Each has fallen when its container is no more."""
        now = self._callers.now()
        with self._lock:
            machines = [found for worker in workers if (found := self._machines.stopping(worker, now)) is not None]
        for machine in machines:
            self._stopping.stop(machine.arn, NOT_NEEDED)

    def tail(self, worker: str) -> str:
        """The last lines of its log; empty if there is none, or if these credentials may not read it."""
        if not self._place.log_group:
            return ""
        return tail_of(self._clients("logs"), self._place.log_group, worker)

    def lives(self) -> list[Life]:
        """How long each machine is paid for since this was asked last; of those that are over it is the last word."""
        with self._lock:
            return self._meter.cut(self._callers.now())

    def close(self) -> None:
        """Stop every machine of the pool and return when ECS has accepted all of that. Ctrl-C does not cut it short.

        Raises
        ------
        LaunchError
            If some could not be stopped; it names them.
        """
        if os.getpid() != self._owner or not self._callers.have_begun:
            return  # they are another process's, or there are none
        is_over = False
        while not is_over:
            try:
                self._end()
                is_over = True
            except KeyboardInterrupt:  # a second one: what is billed has to go first
                continue
        self._callers.close()
        self._check_ended()

    # ------------------------------------------------------------ launches

    def _begin(self) -> None:
        self._callers.begin()
        with self._lock:
            if self._is_looking:
                return
            self._is_looking = True
        self._callers.add(Urgency.LOOK, self._look)

    def _granted(self, arn: str, token: str) -> None:
        with self._lock:
            if self._machines.granted(arn, token, self._callers.now()):
                self._meter.granted(worker_of(arn), self._callers.now())
                self._news.append(Started(token, worker_of(arn)))
            is_too_late = self._is_closing
        if is_too_late:
            self._stopping.stop(arn, POOL_ENDED)

    def _refused(self, refused: LaunchFailed) -> None:
        with self._lock:
            self._news.append(refused)

    def _find(self, tries: int = 0) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        cluster = self._place.cluster
        try:
            ecs = self._clients("ecs")
            arns = [arn for desired in ("RUNNING", "STOPPED") for arn in tasks_of(ecs, cluster, self._pool_id, desired)]
            for first in range(0, len(arns), MOST_AT_ONCE):
                some = arns[first : first + MOST_AT_ONCE]
                for task in ecs.describe_tasks(cluster=cluster, tasks=some, include=["TAGS"]).get("tasks", ()):
                    tags = {tag.get("key"): tag.get("value", "") for tag in task.get("tags") or ()}
                    self._granted(task["taskArn"], tags.get(LAUNCH_TAG, ""))
                    self._metered(task)
        except (BotoCoreError, ClientError) as error:
            refusal = refusal_of_error(error)
            if not refusal.ask_again:
                raise LaunchError(f"The machines of this pool cannot be listed: {refusal.detail}") from error
            self._callers.add(Urgency.LAUNCH, lambda: self._find(tries + 1), delay_s(tries))

    # ------------------------------------------------------------ looks

    def _look(self, tries: int = 0) -> None:
        """One DescribeTasks call at most, and the next look."""
        now = self._callers.now()
        with self._lock:
            if self._is_closing:
                return
            late = self._machines.late(now)
            self._news += [fell for _, fell in late]
            due = self._machines.due(now)
        for machine, _ in late:
            self._stopping.stop(machine.arn, DID_NOT_START)
        if not due:
            self._callers.add(Urgency.LOOK, self._look, SOON_S / 2)
            return
        self._callers.paced(Urgency.LOOK, rates.LOOK, lambda: self._describe(due, tries))

    def _describe(self, due: Sequence[Machine], tries: int) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        wanted = [machine.arn for machine in due]
        try:
            answer = self._clients("ecs").describe_tasks(cluster=self._place.cluster, tasks=wanted)
        except (BotoCoreError, ClientError) as error:
            refusal = refusal_of_error(error)
            if not refusal.ask_again:
                raise LaunchError(f"ECS does not say how the workers are: {refusal.detail}") from error
            self._callers.add(Urgency.LOOK, lambda: self._look(tries + 1), delay_s(tries))
            return
        tasks = answer.get("tasks", ())
        tails = [self._tail_of(task) for task in tasks]
        now = self._callers.now()
        for task in tasks:
            self._metered(task)
        with self._lock:
            sights = [self._machines.seen(task, now, tail) for task, tail in zip(tasks, tails, strict=True)]
            vanished = [self._machines.missing(str(one.get("arn", "")), now) for one in answer.get("failures", ())]
            for sight in vanished:
                if sight is not None:
                    self._meter.lost(sight.worker, now)
            self._news += [sight for sight in (*sights, *vanished) if sight is not None]
        self._callers.add(Urgency.LOOK, self._look)

    def _metered(self, task: Mapping[str, Any]) -> None:
        with self._lock:
            self._meter.take(task, self._callers.now())

    def _tail_of(self, task: Mapping[str, Any]) -> str:
        return self.tail(worker_of(task["taskArn"])) if has_stopped(task) and is_worth_its_log(task) else ""

    # ------------------------------------------------------------ stops

    def _accepted(self, arn: str, task: Mapping[str, Any]) -> None:
        self._metered(task)
        with self._lock:
            self._meter.stopped(worker_of(arn), self._callers.now())
            if (machine := self._machines.known.get(worker_of(arn))) is not None:
                machine.stopped_at = self._callers.now()

    def _absent(self, arn: str) -> None:
        with self._lock:
            self._meter.lost(worker_of(arn), self._callers.now())
            fell: Fell | None = self._machines.forget(worker_of(arn), "ECS does not know it any more")
            self._news += [fell] if fell is not None else []

    # ------------------------------------------------------------ the end

    def _end(self) -> None:
        """Have everything stopped, and wait for it. Beginning it again after an interruption does no harm."""
        with self._lock:
            self._is_closing = True
            arns = [machine.arn for machine in self._machines.known.values()]
        self._launching.close()
        self._callers.drop(Urgency.LAUNCH)
        for arn in arns:
            self._stopping.stop(arn, POOL_ENDED)
        began = monotonic()
        self._callers.add(Urgency.STOP, lambda: self._sweep(self._callers.now(), is_listed=False))
        while not self._ended.is_set() and monotonic() - began < CLOSE_S:
            self._ended.wait(_WAIT_S)

    def _sweep(self, began: float, *, is_listed: bool, tries: int = 0) -> None:
        """See whether all is accepted; ask ECS for more of the pool's tasks once no launch is under way."""
        from botocore.exceptions import BotoCoreError, ClientError

        after_s = _SWEEP_S
        is_unsettled = self._launching.is_unsure and self._callers.now() - began < SETTLE_S * self._callers.scale
        if not self._launching.is_under_way and not self._launching.may_have_started:
            is_listed = True
        elif not self._launching.is_under_way and (not is_listed or (is_unsettled and not self._stopping.waiting)):
            try:
                arns = list(tasks_of(self._clients("ecs"), self._place.cluster, self._pool_id))
            except (BotoCoreError, ClientError) as error:
                refusal = refusal_of_error(error)
                tries, after_s = tries + 1, delay_s(tries)
                is_listed = not refusal.ask_again
                self._unlisted = refusal.detail
            else:
                is_listed, self._unlisted = True, ""
                for arn in arns:
                    self._stopping.stop(arn, POOL_ENDED)
        if is_listed and not is_unsettled and not self._stopping.waiting:
            self._ended.set()
        else:
            self._callers.add(Urgency.STOP, lambda: self._sweep(began, is_listed=is_listed, tries=tries), after_s)

    def _check_ended(self) -> None:
        left = sorted(self._stopping.waiting | set(self._stopping.refused))
        if not left and self._ended.is_set() and not self._unlisted:
            return
        why = next(iter(self._stopping.refused.values()), self._unlisted or "ECS did not answer in time")
        which = f"Tasks may still run: {', '.join(left)}. " if left else "Whether tasks still run is not known. "
        raise LaunchError(
            f"The workers on cluster {self._place.cluster} could not all be stopped: {why.rstrip('.')}. {which}"
            "They end by themselves about two minutes after this program; look for them in the ECS console as tasks "
            f"started by cb-{self._pool_id}."
        ) from next(reversed(self._callers.errors), None)
