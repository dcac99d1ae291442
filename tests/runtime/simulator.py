"""A run without waiting: a clock that jumps from one happening to the next, and misfortune by script or by seed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

from cloudburst.runtime.events import Cancelled, Event, Hello
from cloudburst.runtime.state import Limits
from cloudburst.runtime.task import Plan, TaskId
from tests.runtime.plans import random_plan
from tests.runtime.world import FAILURES, LOSSES, World

Thing = tuple[str, Any]
"""What can happen next: its kind, and what it happens to."""


def random_limits(random: Random) -> Limits:
    """Limits of a small machine, or of one without limits."""
    return Limits(
        workers=random.randint(1, 4),
        cpu=random.choice((None, 1024, 4096)),
        memory_mib=random.choice((None, 4096, 8192)),
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
    """

    def __init__(
        self,
        seed: int,
        plan: Plan | None = None,
        limits: Limits | None = None,
        script: Mapping[TaskId, Iterable[str]] | None = None,
        misfortune: float | None = None,
    ) -> None:
        self.random = random = Random(seed)
        self.misfortune = random.choice((0.0, 0.05, 0.3)) if misfortune is None else misfortune
        self.launch_misfortune = random.choice((0.0, self.misfortune, 1.0)) if self.misfortune else 0.0
        self.script = {task: deque(endings) for task, endings in (script or {}).items()}
        self.seconds = {stage: random.choice((0.0001, 0.004, 3.0)) for stage in "fghw"}
        self.clock = 0.0
        self.agenda: dict[Thing, float] = {}
        self.world = World(
            plan or random_plan(random),
            limits or random_limits(random),
            [random.choice((0, 1, 2, 4, 30)) for _ in range(4)],
        )

    def run(self, most_batches: int = 3000) -> World:
        """Run to the end."""
        world, random = self.world, self.random
        world.tell(*[world.come() for _ in range(random.randint(0, world.limits.workers))])
        while world.state.status == "running":
            assert len(world.journal) < most_batches, "the run does not end"
            events = []
            for _ in range(random.choice((1, 1, 2, 6))):
                events += self._next()
            assert events or self.agenda, "the run waits for nothing"
            world.tell(*events)
        world.tell(Hello("late"), Cancelled("late"))
        return world

    def _next(self) -> list[Event]:
        """What happens next by the clock."""
        world = self.world
        lasting: dict[Thing, float] = {("delay", number): delay.seconds for number, delay in world.delays.items()}
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
        if kind == "coming":
            if random.random() >= self.launch_misfortune:
                return [world.come(what)]
            return [random.choice((world.refuse, world.die_unseen))(what)]
        name, (task, _) = what
        how = "done"
        if self.script.get(task):
            how = self.script[task].popleft()
        elif random.random() < self.misfortune:
            how = random.choice((*FAILURES, *LOSSES))
        if how in LOSSES:
            return [world.lose(name, how)]
        return [world.begin(name), world.end(name, how, self._seconds(task))]

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
