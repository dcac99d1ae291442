"""Stopping tasks: StopTask again and again until ECS has accepted it, and finding those that nobody knows of."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from cloudburst.errors import LaunchError
from cloudburst.runtime.backends.fargate import rates
from cloudburst.runtime.backends.fargate.agenda import Urgency
from cloudburst.runtime.backends.fargate.callers import Callers, delay_s
from cloudburst.runtime.backends.fargate.machines import MOST_AT_ONCE
from cloudburst.runtime.backends.fargate.place import Clients, FargatePlace
from cloudburst.runtime.backends.fargate.refusals import code_of, refusal_of_error, words_of
from cloudburst.runtime.backends.fargate.requests import started_by
from cloudburst.runtime.backends.fargate.signs import plain

NOT_NEEDED = "cloudburst: not needed any more"
POOL_ENDED = "cloudburst: its pool has ended"
DID_NOT_START = "cloudburst: it did not start in time"
LEFT_OVER = "cloudburst: left by a program that is no more"

MOST_TRIES = 6


class Stopping:
    """The StopTask calls of one pool.

    Parameters
    ----------
    cluster : str
        Where.
    clients : Clients
        Speak to AWS.
    callers : Callers
        Make the calls.
    accepted : callable
        Is told the ARN of each task that is to stop, and what ECS says of it.
    absent : callable
        Is told the ARN of each that ECS does not know.
    """

    def __init__(
        self,
        cluster: str,
        clients: Clients,
        callers: Callers,
        accepted: Callable[[str, Mapping[str, Any]], None],
        absent: Callable[[str], None],
    ) -> None:
        self._cluster = cluster
        self._clients = clients
        self._callers = callers
        self._accepted = accepted
        self._absent = absent
        self._lock = threading.Lock()
        self._asked: set[str] = set()
        self._waiting: set[str] = set()
        self.refused: dict[str, str] = {}
        """By ARN: why ECS would not."""

    @property
    def waiting(self) -> set[str]:
        """Those that ECS has not accepted yet."""
        with self._lock:
            return set(self._waiting)

    def stop(self, arn: str, reason: str) -> bool:
        """Have a task stopped, once. False if it was asked for before."""
        with self._lock:
            if arn in self._asked:
                return False
            self._asked.add(arn)
            self._waiting.add(arn)
        self._ask(arn, reason, 0)
        return True

    def _ask(self, arn: str, reason: str, tries: int, after_s: float = 0.0) -> None:
        self._callers.paced(Urgency.STOP, rates.STOP, partial(self._call, arn, reason, tries), after_s)

    def _call(self, arn: str, reason: str, tries: int) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._clients("ecs").stop_task(cluster=self._cluster, task=arn, reason=reason)
        except (BotoCoreError, ClientError) as error:
            refusal = refusal_of_error(error)
            if is_unknown_task(error):
                self._absent(arn)
            elif refusal.ask_again:  # for as long as the owner waits: what is not stopped is billed
                self._ask(arn, reason, tries + 1, delay_s(tries))
                return
            else:
                self.refused[arn] = refusal.detail
                self._callers.errors.append(LaunchError(f"Task {arn} cannot be stopped: {refusal.detail}"))
        else:
            self._accepted(arn, answer.get("task") or {})
        with self._lock:
            self._waiting.discard(arn)


def is_unknown_task(error: Exception) -> bool:
    """Whether ECS says that there is no such task."""
    is_refused = code_of(error) in ("InvalidParameterException", "ClientException")
    return is_refused and "task was not found" in plain(words_of(error))


def tasks_of(ecs: Any, cluster: str, pool_id: str, desired: str = "RUNNING") -> Iterator[str]:
    """The ARNs of the tasks of a pool that are to run, or that have stopped within the hour."""
    for page in ecs.get_paginator("list_tasks").paginate(
        cluster=cluster, startedBy=started_by(pool_id), desiredStatus=desired
    ):
        yield from page.get("taskArns", ())


def stop_leftovers(
    place: FargatePlace,
    pool_ids: Iterable[str],
    *,
    scale: float = 1.0,
    clients: Clients | None = None,
    user: str | None = None,
) -> int:
    """Stop the machines of pools whose owner is gone, and wait until ECS has accepted that.

    Parameters
    ----------
    place : FargatePlace
        Where they run.
    pool_ids : iterable of str
        Pools of this user whose lease has lapsed.
    scale : float
        What all times are multiplied by.
    clients : Clients, optional
        Those of the place by default.
    user : str, optional
        Only machines whose tags name this user and the pool; whoever gives it has the pools from what others could
        have written.

    Returns
    -------
    int
        How many were stopped.

    Raises
    ------
    LaunchError
        If ECS will not list or stop them.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    clients = clients or Clients(place)
    ecs = clients("ecs")
    limits = rates.Rates(scale)

    def insistently(wanted: dict[str, int], call: Callable[[], Any]) -> Any:
        tries = 0
        while True:
            while wait_s := limits.take(wanted, time.monotonic()):
                time.sleep(wait_s)
            try:
                return call()
            except (BotoCoreError, ClientError) as error:
                if is_unknown_task(error):
                    return None
                refusal = refusal_of_error(error)
                tries += 1
                if not refusal.ask_again or tries == MOST_TRIES:
                    raise LaunchError(
                        f"Machines that an earlier program left on {place.cluster} cannot be stopped: {refusal.detail}"
                    ) from error
                time.sleep(delay_s(tries - 1) * scale)

    stopped = 0
    for pool_id in pool_ids:
        arns = insistently(rates.LIST, partial(_listed, ecs, place.cluster, pool_id))
        if user is not None:
            wanted = {"cloudburst:pool": pool_id, "cloudburst:user": user}
            arns = insistently(rates.LOOK, partial(_tagged, ecs, place.cluster, arns, wanted))
        for arn in arns:
            stop = partial(ecs.stop_task, cluster=place.cluster, task=arn, reason=LEFT_OVER)
            stopped += insistently(rates.STOP, stop) is not None
    return stopped


def _tagged(ecs: Any, cluster: str, arns: list[str], wanted: dict[str, str]) -> list[str]:
    """Those of some tasks that have these tags."""
    found = []
    for first in range(0, len(arns), MOST_AT_ONCE):
        some = arns[first : first + MOST_AT_ONCE]
        for task in ecs.describe_tasks(cluster=cluster, tasks=some, include=["TAGS"]).get("tasks", ()):
            tags = {tag.get("key"): tag.get("value") for tag in task.get("tags") or ()}
            if wanted.items() <= tags.items():
                found.append(str(task["taskArn"]))
    return found


def _listed(ecs: Any, cluster: str, pool_id: str) -> list[str]:
    return list(tasks_of(ecs, cluster, pool_id))
