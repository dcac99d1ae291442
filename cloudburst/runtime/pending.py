"""What a worker has been given and has not begun, and what it has made that some of that reads."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

from cloudburst.runtime.events import Ended
from cloudburst.runtime.protocols import Assignment
from cloudburst.runtime.task import Artifact, Awaited, TaskId

_Attempt = tuple[TaskId, int]


class Pending:
    """Attempts in their order.

    An attempt is taken once: a driver that took a run up sends again whatever it does not know to have arrived.
    """

    def __init__(self) -> None:
        self._queue: deque[Assignment] = deque()
        self._taken: set[_Attempt] = set()
        self._awaiting: Counter[_Attempt] = Counter()
        """By attempt: how many in the queue read what it makes."""
        self._made: dict[_Attempt, tuple[Artifact, ...] | None] = {}
        """Of those: what it made, ``None`` if it failed or was left out."""

    def __len__(self) -> int:
        return len(self._queue)

    def begin_run(self) -> None:
        """Forget the run before."""
        self.clear()
        self._taken.clear()

    def clear(self) -> None:
        """Nothing of it is performed any more."""
        self._queue.clear()
        self._awaiting.clear()
        self._made.clear()

    def take(self, assignments: Sequence[Assignment]) -> None:
        """Put attempts behind those that are there, without those that were taken before."""
        for one in assignments:
            if (attempt := (one.id, one.attempt)) not in self._taken:
                self._taken.add(attempt)
                self._queue.append(one)
                self._awaiting.update(_awaited(one))

    def next(self) -> Assignment | None:
        """The next attempt to perform, with what it awaited in its place; those that lack that are left out."""
        while self._queue:
            assignment = self._queue.popleft()
            inputs = self._inputs(assignment)
            for one in _awaited(assignment):
                self._awaiting[one] -= 1
                if not self._awaiting[one]:
                    del self._awaiting[one]
                    self._made.pop(one, None)
            if inputs is not None:
                return assignment._replace(inputs=inputs)
            self._note((assignment.id, assignment.attempt), None)
        return None

    def ended(self, ended: Ended) -> None:
        """An attempt has ended."""
        self._note((ended.task, ended.attempt), ended.artifacts if ended.failure is None else None)

    def _note(self, attempt: _Attempt, made: tuple[Artifact, ...] | None) -> None:
        if attempt in self._awaiting:
            self._made[attempt] = made

    def _inputs(self, assignment: Assignment) -> tuple[Artifact, ...] | None:
        inputs: list[Artifact] = []
        for one in assignment.inputs:
            if isinstance(one, Awaited):
                made = self._made.get((one.task, one.attempt))
                if made is None:
                    return None
                inputs.append(made[one.output])
            else:
                inputs.append(one)
        return tuple(inputs)


def _awaited(assignment: Assignment) -> list[_Attempt]:
    return [(one.task, one.attempt) for one in assignment.inputs if isinstance(one, Awaited)]
