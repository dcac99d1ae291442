"""What the driver costs while a hundred workers run."""

from __future__ import annotations

import time

from benchmarks.elsewhere import aws_elsewhere
from benchmarks.measure import Family, Figures, Metric

WORKERS = 100
STAGES = 1_000


def with_cloudburst() -> Figures:
    import psutil

    import cloudburst as cb

    def wait(number):
        time.sleep(10)
        return number

    with aws_elsewhere() as aws:
        cb.init_aws(**aws.settings, max_workers=WORKERS)
        stage = cb.stage(cpu=256, memory=512)(wait)
        run = cb.defer(len)([0]).submit()
        run.result()
        before = aws.counted()
        driver = psutil.Process()
        values = [stage(number) for number in range(STAGES)]
        began, cpu = time.perf_counter(), sum(driver.cpu_times()[:2])
        cb.compute(values)
        seconds, cpu = time.perf_counter() - began, sum(driver.cpu_times()[:2]) - cpu
        after = aws.counted()
    calls = {name: after["calls"].get(name, 0) - before["calls"].get(name, 0) for name in after["calls"]}
    return {
        "core": 100 * cpu / seconds,
        "memory": driver.memory_info().rss / 1e6,
        "RunTask": calls.get("RunTask", 0),
        "RegisterTaskDefinition": calls.get("RegisterTaskDefinition", 0),
        "DescribeTasks": calls.get("DescribeTasks", 0) / seconds,
        "ListObjectsV2": calls.get("ListObjectsV2", 0) / seconds,
    }


FAMILY = Family(
    title="The driver of a hundred workers",
    contenders={"cloudburst": with_cloudburst},
    metrics={
        "core": Metric("% of a core", goal="at most 5"),
        "memory": Metric("MB"),
        "RunTask": Metric("calls", goal="at most 10"),
        "RegisterTaskDefinition": Metric("calls", goal="none in the second run"),
        "DescribeTasks": Metric("calls a second", goal="at most 2"),
        "ListObjectsV2": Metric("calls a second", goal="at most 2"),
    },
    rounds=1,
    cap_s=600,
    note=f"{STAGES:,} stages of 10 s on {WORKERS} workers, all of them processes of this machine, on the fake AWS.",
)
