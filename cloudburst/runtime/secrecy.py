"""Secrets of a task, fetched by the worker that is to perform it, before it is begun."""

from __future__ import annotations

from collections.abc import Callable

from cloudburst.errors import CloudburstError
from cloudburst.runtime.errands import Errand
from cloudburst.runtime.events import Ended, Failure
from cloudburst.runtime.protocols import Assignment
from cloudburst.runtime.solo import Performed


class Fetching:
    """Fetches the secrets of one task at a time.

    Parameters
    ----------
    wake : callable
        Called when they are there, by another thread.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._errand: Errand[dict[str, str]] | None = None
        self.assignment: Assignment | None = None
        """Whose secrets are under way."""

    def fetch(self, assignment: Assignment) -> None:
        """Have them fetched."""
        from cloudburst.runtime.backends.fargate.secrets import fetch

        secrets = dict(assignment.secrets)
        self._errand = self._errand or Errand("secrets", self._wake)
        self.assignment = assignment
        self._errand.send(lambda: fetch(secrets))

    def forget(self) -> None:
        """Nobody waits for what is under way."""
        self._errand = self.assignment = None

    def fetched(self) -> Assignment | Performed | None:
        """The task with its secrets in its environment, or its end if they cannot be had; once."""
        assignment, errand = self.assignment, self._errand
        if assignment is None or errand is None or not errand.is_answered:
            return None
        self.assignment = None
        try:
            values = errand.answer()
        except CloudburstError as error:
            failure = Failure("refused", str(error), assignment.stage_step)
            return Performed(assignment, Ended("", assignment.id, assignment.attempt, (), failure, 0.0, 0.0), "")
        environment = (*assignment.environment, *values.items())
        return assignment._replace(environment=environment, secrets=())
