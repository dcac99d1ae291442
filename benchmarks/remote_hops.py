"""From a stage to the one that needs its result, on workers that are up: how long a hop takes."""

from __future__ import annotations

import time

from benchmarks.elsewhere import aws_elsewhere
from benchmarks.measure import Family, Figures, Metric

HOPS = 24


def step(before):
    return before + 1


def with_cloudburst() -> Figures:
    """A chain: successors are sent along with what they wait for, eight at a time."""
    import cloudburst as cb

    with aws_elsewhere() as aws, cb.using(cb.init_aws(**aws.settings)):
        stage = cb.stage(cpu=1024, memory=2048)(step)
        stage(-1).compute()

        def chain(hops: int) -> float:
            node = stage(hops)
            for _ in range(hops - 1):
                node = stage(node)
            began = time.perf_counter()
            node.compute()
            return time.perf_counter() - began

        short, long = chain(8), chain(8 + HOPS)
        return {"hop": (long - short) / HOPS}


def one_by_one() -> Figures:
    """Runs of one stage each: the next is sent when the result of the one before is there."""
    import cloudburst as cb

    with aws_elsewhere() as aws, cb.using(cb.init_aws(**aws.settings)):
        from cloudburst.providers import current

        stage = cb.stage(cpu=1024, memory=2048)(step)
        stage(-1).compute()
        backend = current().borrow()
        try:
            from statistics import median

            return {"hop": median(_turns(backend, HOPS))}
        finally:
            current().give_back(backend)


def _turns(backend, hops: int) -> list[float]:
    """Seconds from handing a worker a task to hearing of its end."""
    from cloudburst.runtime.capture import capture
    from cloudburst.runtime.events import Ended
    from cloudburst.runtime.protocols import Assignment
    from cloudburst.runtime.task import Function, Output, Step, TaskId

    backend.equip({"step": Function(capture(step, stage="step").payload, None)})
    [worker] = backend.workers()
    seconds = []
    for hop in range(hops):
        task = Assignment(
            TaskId(hop), 1, (Step("call", "step", (hop,)),), (), (Output(0),), f"runs/hops/a/step-{hop}-1", stage="step"
        )
        began = time.perf_counter()
        backend.assign(worker, [task])
        while not any(isinstance(event, Ended) for event in backend.poll(10)):
            pass
        seconds.append(time.perf_counter() - began)
    return seconds


FAMILY = Family(
    title="A hop between warm workers",
    contenders={"cloudburst": with_cloudburst, "one by one": one_by_one},
    metrics={"hop": Metric("s", goal="at most 0.1 where sent ahead, 0.6 where not")},
    rounds=3,
    cap_s=180,
    note=(
        f"On the fake AWS, at the polling that is the default: a worker looks for mail four times a second, the driver "
        f"for records twice. *cloudburst* is a chain of {HOPS} stages, whose successors are sent ahead; *one by one* "
        "is the median of tasks that are sent when the one before has ended."
    ),
)
