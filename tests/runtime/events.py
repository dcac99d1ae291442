"""Events and commands as tests write them, and machines to tell them to."""

from __future__ import annotations

from collections import Counter, deque
from typing import NamedTuple

from cloudburst.resources import Size
from cloudburst.runtime.events import Assign, Ended, Event, Failure, Gone, Hello, Launch, Stop
from cloudburst.runtime.state import Limits, State
from cloudburst.runtime.task import TaskId
from tests.runtime.plans import SMALL, artifact, plan

RAISED = Failure("raised", "ValueError: no", step=0)
LOG = ("w1", 0, 9)


def limits(workers=1, **fields):
    return Limits(**{"workers": workers, "cpu": None, "memory_mib": None, **fields})


def started(*tasks, workers=1, up=True, targets=None, given=(), shape=None, **fields):
    """A machine with its workers ``w1``, ``w2``, ... up, and what it commanded first."""
    state = State(plan(*tasks, targets=targets, given=given), limits(workers, **fields))
    return state, state.start(*[Hello(f"w{number + 1}", shape) for number in range(workers if up else 0)])


def started_shaped(*tasks, shape=SMALL, **fields):
    """The same, where each worker has a machine of its own."""
    return started(*tasks, shape=shape, shaped=True, **fields)


def made(task, attempt=1, worker="w1", *, results=None):
    """A record of a success."""
    number, item = task = TaskId(*task) if isinstance(task, tuple) else TaskId(task)
    results = (artifact(f"{number}.{item}-{attempt}"),) if results is None else results
    return Ended(worker, task, attempt, results, None, 5.0, 80.0, LOG)


def failed(task, attempt=1, worker="w1", *, failure=RAISED, kept=()):
    """A record of a failure."""
    return Ended(
        worker, TaskId(*task) if isinstance(task, tuple) else TaskId(task), attempt, kept, failure, 5.0, 80.0, LOG
    )


def assign(worker, *tasks):
    return Assign(worker, tuple([(TaskId(task), attempt) for task, attempt in tasks]))


class Deeds(NamedTuple):
    """What a run without misfortune took."""

    launched: Counter[Size]
    """By shape."""
    performed: dict[str, list[TaskId]]
    """By worker, in order."""
    letters: int
    stopped: list[str]
    state: State


def run_to_end(*tasks, seconds=5.0, given=(), targets=None, **fields):
    """Run a plan on machines that come when they are asked for; busy workers end one attempt each in turn."""
    state = State(plan(*tasks, targets=targets, given=given), limits(**{"shaped": True, **fields}))
    deeds = Deeds(Counter(), {}, 0, [], state)
    queues: dict[str, deque[tuple[TaskId, int]]] = {}
    commands = state.start()
    while state.status == "running":
        events: list[Event] = []
        for command in commands:
            if isinstance(command, Launch):
                deeds.launched[command.shape] += command.count
                for _ in range(command.count):
                    name = f"w{len(deeds.performed) + 1}"
                    deeds.performed[name], queues[name] = [], deque()
                    events.append(Hello(name, command.shape if state.limits.shaped else None))
            elif isinstance(command, Assign):
                queues[command.worker] += command.tasks
                deeds = deeds._replace(letters=deeds.letters + 1)
            elif isinstance(command, Stop):
                deeds.stopped.extend(command.workers)
                events += [Gone(name, "stopped", "", None) for name in command.workers]
        if not events:
            for name, queue in queues.items():
                if queue:
                    at, attempt = queue.popleft()
                    deeds.performed[name].append(at)
                    events.append(made(at, attempt, name)._replace(seconds=seconds))
        commands = state.on(*events)
    return deeds
