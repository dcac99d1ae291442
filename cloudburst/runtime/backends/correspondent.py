"""A worker on another machine as its driver sees it: what it was sent, and what of that has not ended."""

from __future__ import annotations

from collections import OrderedDict
from time import monotonic
from typing import NamedTuple

from cloudburst.resources import Size
from cloudburst.runtime.events import Cancelled, Gone
from cloudburst.runtime.protocols import Fell
from cloudburst.runtime.task import TaskId

Attempt = tuple[TaskId, int]


class Launched(NamedTuple):
    """Machines that were asked for: in which run, by its token for them, and of which shape."""

    run: str
    token: str
    shape: Size


class Correspondent:
    """A worker of a pool.

    Parameters
    ----------
    token : str
        That of its launch, as the fleet knows it.
    shape : Size
        Its machine.
    """

    __slots__ = (
        "_announced", "_asked_at", "_first_at", "bye", "fell", "is_seen", "is_up", "known", "letters", "queue",
        "shape", "token",
    )  # fmt: skip

    def __init__(self, token: str, shape: Size) -> None:
        self.token, self.shape = token, shape
        self.is_up = False
        """Whether it has said hello."""
        self.is_seen = True
        """Whether the fleet has it; of one that was taken up it is yet to say so."""
        self.known: set[str] = set()
        """Functions that it was sent."""
        self.queue: OrderedDict[Attempt, frozenset[Attempt]] = OrderedDict()
        """Attempts that it was given and that have no record, with those that each awaits."""
        self.fell: Fell | None = None
        """Its machine is no more, and what it has said before is yet to be heard."""
        self.bye: Gone | None = None
        """It has said that its machine is taken back; by whom, only the fleet can tell."""
        self.letters = 0
        self._asked_at = self._first_at = monotonic()
        self._announced: Attempt | None = None

    def begin_run(self) -> None:
        """Forget the run before."""
        self.known.clear()
        self.queue.clear()
        self._announced = None

    def next_letter(self) -> int:
        """The number of the letter that it gets now."""
        self.letters += 1
        return self.letters

    def give(self, attempt: Attempt, awaited: frozenset[Attempt]) -> None:
        """It is given an attempt, behind those that it has."""
        if not self.queue:
            self._first_at = monotonic()
        self.queue[attempt] = awaited

    def ended(self, attempt: Attempt) -> bool:
        """An attempt has ended, if it has been given it and not ended before."""
        if attempt not in self.queue:
            return False
        del self.queue[attempt]
        self._first_at = monotonic()
        return True

    def leave_out(self, failed: Attempt) -> None:
        """An attempt has failed: the worker leaves out what awaits it, and what awaits that."""
        out = {failed}
        for attempt, awaited in tuple(self.queue.items()):
            if awaited & out:
                out.add(attempt)
                del self.queue[attempt]

    @property
    def at(self) -> Attempt | None:
        """What it is at: it performs in order."""
        return next(iter(self.queue), None)

    def begun(self, before: float) -> Attempt | None:
        """The attempt that it is at, once, if that stands first since then."""
        at = self.at
        if at is None or at == self._announced or self._first_at >= before:
            return None
        self._announced = at
        return at

    def ending(self, fell: Fell) -> Gone | Cancelled:
        """What it is to the driver that the machine is no more, once all that the worker said has been heard.

        Nobody but the driver is to stop a machine that has something to do: who does wants the run to end.
        """
        name, cause, detail, _ = fell
        if cause == "stopped" and (self.queue or not self.is_up):
            return Cancelled(f"its machine {name} was stopped by somebody else: {detail}")
        if self.bye is not None and cause not in ("stopped", "host"):
            return self.bye
        return Gone(name, cause, detail, None if self.at is None else self.at[0])

    def is_silent(self, since: float) -> bool:
        """Whether it has a machine for so long and has not said hello."""
        return not self.is_up and self._asked_at < since

    def is_unseen(self, since: float) -> bool:
        """Whether it was taken up so long ago and the fleet does not have it."""
        return not self.is_seen and self._asked_at < since


def said_nothing(worker: str, limit_s: float) -> Fell:
    """What a machine is taken for that runs and whose worker does not say hello."""
    return Fell(
        worker,
        "lost",
        f"the machine {worker} was granted, but its worker has said nothing for {limit_s:.0f} s: it may have no way to "
        "the storage (a route to S3, compute_task_role), or the image is not a worker's",
        "setup",
    )
