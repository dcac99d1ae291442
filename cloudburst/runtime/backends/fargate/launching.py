"""Launches: RunTask by tens, again with the same token where the answer was lost, and what is answered instead."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from cloudburst.errors import LaunchError
from cloudburst.resources import Size
from cloudburst.runtime.backends.fargate import rates
from cloudburst.runtime.backends.fargate.agenda import Urgency
from cloudburst.runtime.backends.fargate.callers import Callers, delay_s
from cloudburst.runtime.backends.fargate.definition import Definition
from cloudburst.runtime.backends.fargate.place import Clients, FargatePlace
from cloudburst.runtime.backends.fargate.refusals import NONE, Refusal, code_of, refusal_of_error, refusal_of_failure
from cloudburst.runtime.backends.fargate.requests import Chunk, chunks, is_spot, run_request
from cloudburst.runtime.events import LaunchFailed

MOST_TRIES = 8
_WORST_FIRST = ("never", "setup", "quota", "capacity", "passing")


class Launching:
    """The launches of one pool.

    Parameters
    ----------
    place : FargatePlace
        Where.
    pool_id, pool_variable : str
        Whose machines these are, and what their workers are told.
    clients : Clients
        Speak to AWS.
    callers : Callers
        Make the calls.
    granted : callable
        Is told of each task that was started: its ARN and the token of the launch.
    refused : callable
        Is told of those that will not come.
    """

    def __init__(
        self,
        place: FargatePlace,
        pool_id: str,
        pool_variable: str,
        clients: Clients,
        callers: Callers,
        granted: Callable[[str, str], None],
        refused: Callable[[LaunchFailed], None],
    ) -> None:
        self._place = place
        self._pool_id = pool_id
        self._pool_variable = pool_variable
        self._clients = clients
        self._callers = callers
        self._granted = granted
        self._refused = refused
        self._lock = threading.Lock()
        self._definition: Definition | None = None
        self._under_way = 0
        self._is_closed = False
        self.may_have_started = False
        """Whether there may be tasks at all."""
        self.is_unsure = False
        """Whether a call's answer was ever lost, so that there may be tasks that nobody knows of."""

    @property
    def is_under_way(self) -> bool:
        """Whether a call has been made whose answer is not there."""
        with self._lock:
            return self._under_way > 0

    def launch(self, shape: Size, count: int, token: str) -> None:
        """Ask for machines. Returns at once."""
        for chunk in chunks(shape, count, token):
            self._ask(chunk, 0)

    def close(self) -> None:
        """Make no call any more. Those under way go on."""
        with self._lock:
            self._is_closed = True

    def _ask(self, chunk: Chunk, tries: int, after_s: float = 0.0) -> None:
        wanted = rates.run(chunk.count, spot=is_spot(self._place, chunk.shape))
        self._callers.paced(Urgency.LAUNCH, wanted, partial(self._call, chunk, tries), after_s)

    def _call(self, chunk: Chunk, tries: int) -> None:
        with self._lock:
            if self._is_closed:
                return
            self._under_way += 1
        try:
            self._run(chunk, tries)
        finally:
            with self._lock:
                self._under_way -= 1

    def _run(self, chunk: Chunk, tries: int) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        place = self._place
        try:
            ecs = self._clients("ecs")
            definition = self._defined(ecs).arn()
            answer = ecs.run_task(**run_request(place, self._pool_id, self._pool_variable, definition, chunk))
        except LaunchError as error:
            self._refused(LaunchFailed(chunk.token, chunk.count, str(error), "setup"))
        except (BotoCoreError, ClientError) as error:
            existing = _existing(error)
            if existing:
                self._answered(chunk, existing, ())
            else:
                self._failed(chunk, tries, refusal_of_error(error))
        else:
            self._answered(chunk, [task["taskArn"] for task in answer.get("tasks", ())], answer.get("failures", ()))

    def _defined(self, ecs: Any) -> Definition:
        with self._lock:
            if self._definition is None:
                self._definition = Definition(ecs, self._place)
            return self._definition

    def _answered(self, chunk: Chunk, arns: Sequence[str], failures: Sequence[Mapping[str, Any]]) -> None:
        self.may_have_started |= bool(arns)
        for arn in arns:
            self._granted(arn, chunk.token)
        missing = chunk.count - len(arns)
        if missing > 0:
            nothing_said = Refusal("passing", NONE, f"ECS started {len(arns)} of {chunk.count} and does not say why")
            refusals = [refusal_of_failure(failure) for failure in failures] or [nothing_said]
            worst = min(refusals, key=lambda refusal: _WORST_FIRST.index(refusal.cause))
            self._refused(LaunchFailed(chunk.token, missing, worst.detail, worst.cause))

    def _failed(self, chunk: Chunk, tries: int, refusal: Refusal) -> None:
        """Ask again as the same call if nobody knows what became of it, as another if it has to be one, or give up."""
        if refusal.is_unknown:
            self.is_unsure = self.may_have_started = True
        if refusal.is_stale and self._definition is not None and tries < MOST_TRIES:
            self._definition.forget()
            self._ask(chunk._replace(generation=chunk.generation + 1), tries + 1)
        elif refusal.ask_again and tries + 1 < MOST_TRIES:
            self._ask(chunk, tries + 1, delay_s(tries))
        else:
            self._refused(LaunchFailed(chunk.token, chunk.count, refusal.detail, refusal.cause))


def _existing(error: Exception) -> list[str]:
    """The tasks that the same token has started before, with other parameters."""
    if code_of(error) != "ConflictException":
        return []
    answer: Any = getattr(error, "response", None) or {}
    return [str(arn) for arn in answer.get("resourceIds") or ()]
