"""A run without waiting: a clock that jumps from one happening to the next, and misfortune by script or by seed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

from cloudburst.runtime.events import Cancelled, Ended, Event, Gone, Hello
from cloudburst.runtime.state import Limits
from cloudburst.runtime.task import Plan, TaskId
from tests.runtime.plans import SHAPES, SIZES, random_plan
from tests.runtime.world import FAILURES, LOSSES, REFUSALS, World

Thing = tuple[str, Any]
"""What can happen next: its kind, and what it happens to."""


def random_limits(random: Random) -> Limits:
    """Limits of a small machine, of one without limits, or of machines for each worker."""
    is_shaped = random.random() < 0.6
    return Limits(
        workers=random.randint(1, 4),
        cpu=None if is_shaped else random.choice((None, 1024, 4096)),
        memory_mib=None if is_shaped else random.choice((None, 4096, 8192)),
        shaped=is_shaped,
        reuse=not is_shaped or random.random() < 0.8,
        quota_wait_s=random.choice((20.0, 1800.0)),
        prestart=random.random() < 0.5,
        keep_going=random.random() < 0.5,
        crash_retries=random.randint(0, 2),
        grace_s=random.choice((0.0, 1.0)),
    )


class Simulation:
    """A world that runs by itself.

    Parameters
    ----------
    seed : int
        All chance comes from it: the plan, the limits, what happens when, and how it ends.
    plan, limits : Plan, Limits, optional
        Instead of random ones.
    script : mapping of TaskId to iterable of str, optional
        How the attempts of a task end, one after another, before chance takes over.
    misfortune : float, optional
        How likely an attempt is to fail, a launch is to be refused, and so on.
    killed : bool
        The driver is killed at every batch, and another takes the run up.
    """

    def __init__(
        self,
        seed: int,
        plan: Plan | None = None,
        limits: Limits | None = None,
        script: Mapping[TaskId, Iterable[str]] | None = None,
        misfortune: float | None = None,
        killed: bool = False,
    ) -> None:
        self.random = random = Random(seed)
        self.misfortune = random.choice((0.0, 0.05, 0.3)) if misfortune is None else misfortune
        self.launch_misfortune = random.choice((0.0, self.misfortune, 1.0)) if self.misfortune else 0.0
        self.endings = random.choice(((*FAILURES, *LOSSES), (*FAILURES, *LOSSES), ("reclaimed",), ("raised", "memory")))
        """How an attempt may fail."""
        if self.misfortune and len(self.endings) < 3:
            self.misfortune = 0.4
        self.script = {task: deque(endings) for task, endings in (script or {}).items()}
        self.seconds = {stage: random.choice((0.0001, 0.004, 3.0)) for stage in "fghw"}
        self.clock = 0.0
        self.agenda: dict[Thing, float] = {}
        limits = limits or random_limits(random)
        sizes = SHAPES if limits.shaped else SIZES
        self.world = World(
            plan
            or random_plan(random, 12, random.sample(sizes, random.randint(1, len(sizes))), random.choice((0, 0.8))),
            limits,
            [random.choice((0, 1, 2, 4, 30)) for _ in range(4)],
            Random(seed) if killed else None,
        )
        self.refusals = random.choices(REFUSALS, (8, 8, 8, 1, 1), k=random.randint(1, 3))
        self.quota = random.choice((2048, 4096, 10**9)) if self.misfortune else 10**9
        """CPU units that machines may have together."""
        self.spare_misfortune = random.choice((0.0, 1.0)) if self.misfortune else 0.0

    def run(self, most_batches: int = 3000) -> World:
        """Run to the end."""
        world, random = self.world, self.random
        up = range(random.randint(0, world.limits.workers))
        world.tell(*[world.come(shape=random.choice(SHAPES)) for _ in up])
        while world.state.status == "running":
            assert len(world.journal) < most_batches, "the run does not end"
            events = []
            for _ in range(random.choice((1, 1, 2, 6))):
                events += self._next()
            assert events or self.agenda, "the run waits for nothing"
            world.tell(*self._as_heard(events))
        world.tell(Hello("late"), Cancelled("late"))
        return world

    def _as_heard(self, events: list[Event]) -> list[Event]:
        """Records are heard in any order."""
        if self.world.limits.shaped and not any(isinstance(event, Gone) for event in events):
            records = [event for event in events if isinstance(event, Ended)]
            self.random.shuffle(records)
            self.world.met["records out of order"] += len(records) > 1
            return [records.pop() if isinstance(event, Ended) else event for event in events]
        return events

    def _next(self) -> list[Event]:
        """What happens next by the clock."""
        world = self.world
        lasting: dict[Thing, float] = {("delay", number): delay.seconds for number, delay in world.delays.items()}
        lasting |= {("stopping", name): self.random.uniform(0.5, 2) for name in world.stopping}
        lasting |= {("coming", number): self.random.uniform(0.5, 2) for number in world.coming}
        lasting |= {
            ("worker", (name, queue[0])): self._seconds(queue[0][0]) for name, queue in world.workers.items() if queue
        }
        self.agenda = {thing: self.agenda.get(thing, self.clock + seconds) for thing, seconds in lasting.items()}
        if not self.agenda:
            return []
        thing = min(self.agenda, key=self.agenda.__getitem__)
        self.clock = self.agenda.pop(thing)
        return [*self._besides(), *self._happens(*thing)]

    def _seconds(self, task: TaskId) -> float:
        return self.seconds[self.world.plan.tasks[task.task].stage[0]] * self.random.uniform(0.5, 2)

    def _happens(self, kind: str, what: Any) -> list[Event]:
        world, random = self.world, self.random
        if kind == "delay":
            return [world.due(what)]
        if kind == "stopping":
            return [world.fall(what)]
        if kind == "coming":
            return [self._launched(what)]
        name, (task, _) = what
        how = "done"
        if self.script.get(task):
            how = self.script[task].popleft()
        elif random.random() < self.misfortune:
            how = random.choice(self.endings)
        if how in LOSSES:
            return [world.lose(name, how)]
        return [world.begin(name), world.end(name, how, self._seconds(task))]

    def _launched(self, number: int) -> Event:
        world, random = self.world, self.random
        shape = world.coming[number][1]
        if world.limits.shaped:
            machines = [shape, *[world.shapes[name] for name in (*world.workers, *world.stopping)]]
            if sum([one.cpu or 0 for one in machines]) > self.quota:
                return world.refuse(number, "quota")
            if shape.spot and random.random() < self.spare_misfortune:
                return world.refuse(number, "capacity")
        if random.random() >= self.launch_misfortune:
            return world.come(number)
        if random.random() < 0.5:
            return world.refuse(number, random.choice(self.refusals))
        return world.die_unseen(
            number, random.choice(("lost", "reclaimed", "stopped" if world.limits.shaped else "lost"))
        )

    def _besides(self) -> list[Event]:
        """What nobody waits for."""
        world, random = self.world, self.random
        if random.random() >= self.misfortune / 2:
            return []
        what = random.choice(("again", "again", "straggler", "idle", "cancel"))
        if what == "again":
            again = world.can_come_again()
            world.met["told again"] += bool(again)
            return [random.choice(again)] if again else []
        if what == "straggler":
            return [world.straggle()] if world.stragglers else []
        if what == "idle":
            # The one whose attempt is just ending stays.
            idle = [name for name, queue in world.workers.items() if not queue]
            return [world.leave(random.choice(idle), random.choice(("lost", "stopped")))] if idle else []
        return [Cancelled("enough")] if random.random() < 0.1 else []
