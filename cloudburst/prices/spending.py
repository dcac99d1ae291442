"""What a run spends: which stage has which machine for how long, watched while it goes on.

An attempt that ended has told how long it took. One that was lost had its machine from the end of the attempt before
it, as far as that was heard of here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic

from cloudburst.prices.cost import Cost, Machine, cost_of
from cloudburst.prices.live import Asking
from cloudburst.prices.tariff import Hourly, PriceList
from cloudburst.resources import Size
from cloudburst.runtime.events import Assign, Command, Ended, Event, Gone
from cloudburst.runtime.protocols import Life
from cloudburst.runtime.task import Plan, TaskId


@dataclass(frozen=True, slots=True)
class Tariff:
    """What machines of a provider cost, as far as that is known without asking anybody."""

    prices: PriceList
    architecture: str
    most_machines: int
    """That may be up at once."""

    def hourly(self, size: Size) -> Hourly | None:
        """What an hour of a machine costs; ``None`` where no list price is known."""
        return self.prices.hourly(size, self.architecture)


@dataclass(slots=True)
class _Busy:
    """What a worker was given and has not ended, and since when it is at it."""

    since: float
    queue: dict[tuple[TaskId, int], None] = field(default_factory=dict)


class Spending:
    """Watches a run, and tells in the end what it cost.

    Parameters
    ----------
    plan : Plan
        What is run.
    region, architecture : str
        Of all its machines.
    asking : Asking
        Gives the prices; it is begun with the run.
    clock : callable
        Gives seconds; it only goes forward.
    """

    def __init__(
        self, plan: Plan, region: str, architecture: str, asking: Asking, clock: Callable[[], float] = monotonic
    ) -> None:
        self._plan = plan
        self._region, self._architecture = region, architecture
        self._asking = asking
        self._clock = clock
        self._busy: dict[str, _Busy] = {}
        self._had: dict[str, dict[str, float]] = {}
        """By worker, by stage: seconds."""
        self._has_begun = False

    def see(self, events: Sequence[Event], commands: Sequence[Command]) -> None:
        """Take in what has happened and what was decided on it."""
        if not self._has_begun:
            self._has_begun = True
            self._asking.begin()
        now = self._clock()
        for event in events:
            if isinstance(event, Ended):
                self._add(event.worker, event.task, event.seconds)
                self._ended(event.worker, (event.task, event.attempt), now)
            elif isinstance(event, Gone):
                self._gone(event.worker, event.task, now)
        for command in commands:
            if isinstance(command, Assign) and command.tasks:
                busy = self._busy.setdefault(command.worker, _Busy(now))
                busy.queue.update(dict.fromkeys(command.tasks))

    def cost(self, lives: Iterable[Life]) -> Cost:
        """What it cost, once it is over.

        Parameters
        ----------
        lives : iterable of Life
            Of its machines.
        """
        now = self._clock()
        for worker in tuple(self._busy):
            self._gone(worker, None, now)
        prices = self._asking.prices()
        machines = [
            Machine(
                life.shape,
                life.seconds,
                self._region,
                self._architecture,
                self._had.get(life.worker, {}),
                life.before_s,
                life.is_over,
                life.is_known,
            )
            for life in lives
        ]
        order = dict.fromkeys(task.stage for task in self._plan.tasks)
        return cost_of(machines, tuple(order), lambda _: prices)

    def _ended(self, worker: str, attempt: tuple[TaskId, int], now: float) -> None:
        if (busy := self._busy.get(worker)) is not None:
            busy.queue.pop(attempt, None)
            busy.since = now
            if not busy.queue:
                del self._busy[worker]

    def _gone(self, worker: str, at: TaskId | None, now: float) -> None:
        """What it was at, or would have come to next, had it to its end."""
        if (busy := self._busy.pop(worker, None)) is not None:
            first = next(iter(busy.queue))[0]
            self._add(worker, first if at is None else at, now - busy.since)

    def _add(self, worker: str, task: TaskId, seconds: float) -> None:
        had, stage = self._had.setdefault(worker, {}), self._plan.tasks[task.task].stage
        had[stage] = had.get(stage, 0.0) + seconds
