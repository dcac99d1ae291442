"""Events and commands as tests write them, and machines to tell them to."""

from __future__ import annotations

from cloudburst.runtime.events import Assign, Ended, Failure, Hello
from cloudburst.runtime.state import Limits, State
from cloudburst.runtime.task import TaskId
from tests.runtime.plans import artifact, plan

RAISED = Failure("raised", "ValueError: no", step=0)
LOG = ("w1", 0, 9)


def limits(workers=1, **fields):
    return Limits(**{"workers": workers, "cpu": None, "memory_mib": None, **fields})


def started(*tasks, workers=1, up=True, targets=None, given=(), **fields):
    """A machine with its workers ``w1``, ``w2``, ... up, and what it commanded first."""
    state = State(plan(*tasks, targets=targets, given=given), limits(workers, **fields))
    return state, state.start(*[Hello(f"w{number + 1}") for number in range(workers if up else 0)])


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
