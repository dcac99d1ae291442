"""What a driver counts while it drives: for the outcome, and to know whether there is anything that it waits for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cloudburst.runtime.events import Assign, Command, Delay, Due, Ended, Event, Gone, Hello, Launch, LaunchFailed
from cloudburst.runtime.outcome import Log
from cloudburst.runtime.task import TaskId


@dataclass(slots=True)
class Books:
    """The counts of a run."""

    queued: Counter[str] = field(default_factory=Counter)
    """By worker: attempts that it was given and that have not ended."""
    launching: int = 0
    started: int = 0
    attempts: int = 0
    nbytes: int = 0
    logs: list[tuple[TaskId, int, Log]] = field(default_factory=list)
    delays: dict[Due, Delay] = field(default_factory=dict)
    """Of a run that is taken up: those that are not over."""

    def happened(self, event: Event, attempts: Callable[[TaskId], int]) -> None:
        """Count an event. ``attempts`` tells how many attempts a task has had when it happens."""
        if isinstance(event, Ended):
            self.queued[event.worker] -= 1
            self.attempts += 1
            self.nbytes += sum([artifact.nbytes for artifact in event.artifacts])
            self._log(event.task, event.attempt, event.log)
        elif isinstance(event, Gone):
            del self.queued[event.worker]
            if event.task is not None:
                self.attempts += 1
                self._log(event.task, attempts(event.task), event.log)
        elif isinstance(event, Hello):
            self.launching = max(0, self.launching - 1)
        elif isinstance(event, LaunchFailed):
            self.launching = max(0, self.launching - event.count)
        elif isinstance(event, Due):
            self.delays.pop(event, None)

    def carried_out(self, commands: Sequence[Command]) -> None:
        """Count what a driver before this one has carried out."""
        for command in commands:
            if isinstance(command, Assign):
                self.assigned(command)
            elif isinstance(command, Launch):
                self.launched(command)
            elif isinstance(command, Delay):
                self.delays[Due(command.task, command.shape)] = command

    def assigned(self, command: Assign) -> None:
        """A worker was given attempts."""
        self.queued[command.worker] += len(command.tasks)

    def launched(self, command: Launch) -> None:
        """Workers were asked for."""
        self.started += command.count
        self.launching += command.count

    def withdrawn(self, worker: str) -> None:
        """An attempt was taken off a worker's queue."""
        self.queued[worker] -= 1

    @property
    def is_waiting(self) -> bool:
        """Whether an attempt, or a worker, is to be heard of."""
        return bool(self.launching or any(self.queued.values()))

    @property
    def busy(self) -> list[str]:
        """Workers that have something of this run."""
        return [worker for worker, queued in self.queued.items() if queued > 0]

    def _log(self, task: TaskId, attempt: int, log: Log | None) -> None:
        if log is not None and log[1] < log[2]:
            self.logs.append((task, attempt, log))
