"""Five levels of stages on machines that take 40 s to start: what staying warm is worth."""

from __future__ import annotations

import time

from benchmarks.elsewhere import aws_elsewhere
from benchmarks.measure import Family, Figures, Metric

LEVELS, WIDTH = 5, 4
STAGE_S, START_S = 60.0, 40.0
SCALE = 0.25
CRITICAL_S = LEVELS * STAGE_S
UNEQUAL = ((1024, 2048), (2048, 4096), (1024, 8192), (4096, 8192), (1024, 2048))


def pipeline(equal: bool):
    import cloudburst as cb

    def work(seconds, before):
        time.sleep(seconds)
        return sum(before) + 1

    values = [1] * WIDTH
    for level in range(LEVELS):
        cpu, memory = UNEQUAL[0] if equal else UNEQUAL[level]
        stage = cb.stage(cpu=cpu, memory=memory, pure=False)(work)
        values = [stage(STAGE_S * SCALE, values) for _ in range(WIDTH)]
    return values


def spent(equal: bool, **settings) -> Figures:
    import cloudburst as cb

    with aws_elsewhere(SCALE, START_S) as aws:
        cb.init_aws(**aws.settings, max_workers=2 * WIDTH, **settings)
        began = time.perf_counter()
        cb.compute(pipeline(equal))
        seconds = (time.perf_counter() - began) / SCALE
        counted = aws.counted()
    work = LEVELS * WIDTH * STAGE_S
    return {
        "makespan": seconds / (START_S + CRITICAL_S),
        "idle": max(0.0, counted["worker_seconds"] - work),
        "machines": counted["tasks"],
    }


def with_cloudburst(shapes: str) -> Figures:
    return spent(shapes == "equal")


def a_machine_each(shapes: str) -> Figures:
    return spent(shapes == "equal", linger=0)


FAMILY = Family(
    title="Five levels with cold starts of 40 s",
    contenders={"cloudburst": with_cloudburst, "a machine for each stage": a_machine_each},
    metrics={
        "makespan": Metric("× (one start + critical path)", goal="at most 1.1 with equal shapes"),
        "idle": Metric("worker-seconds not worked"),
        "machines": Metric("Fargate tasks"),
    },
    settings=({"shapes": "equal"}, {"shapes": "unequal"}),
    rounds=2,
    cap_s=600,
    note=(
        f"{LEVELS} levels of {WIDTH} stages of {STAGE_S:.0f} s, each of which needs the whole level before it, on the "
        f"fake AWS with starts of {START_S:.0f} s, played at {SCALE} of their length. What real seconds the workers' "
        "programs take to start here count four times."
    ),
)
