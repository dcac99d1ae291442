"""Nothing is up yet: a whole process to its first result from a worker, and what an import costs."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Family, Figures, Metric

PROGRAMS = {
    "cloudburst": """
import cloudburst as cb

@cb.stage
def answer(x):
    return x + 1

print(answer(41).compute(), flush=True)
""",
    "concurrent.futures": """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

def answer(x):
    return x + 1

if __name__ == "__main__":
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        print(pool.submit(answer, 41).result(), flush=True)
""",
    "loky": """
from loky import get_reusable_executor

def answer(x):
    return x + 1

print(get_reusable_executor(max_workers=2).submit(answer, 41).result(), flush=True)
""",
    "distributed": """
from distributed import Client

def answer(x):
    return x + 1

if __name__ == "__main__":
    with Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
        print(client.submit(answer, 41).result(), flush=True)
""",
    "ray": """
import ray

@ray.remote
def answer(x):
    return x + 1

ray.init(num_cpus=2, include_dashboard=False)
print(ray.get(answer.remote(41)), flush=True)
""",
}

IMPORTS = {
    "cloudburst": "cloudburst",
    "concurrent.futures": "concurrent.futures.process",
    "loky": "loky",
    "dask": "dask.delayed",
    "distributed": "distributed",
    "ray": "ray",
    "redun": "redun",
    "Hamilton": "hamilton.driver",
}


def first_result(who: str) -> float:
    """Seconds from starting Python to the line that the program prints."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "program.py")
        script.write_text(PROGRAMS[who])
        began = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as started:
            line = started.stdout.readline()
            seconds = time.perf_counter() - began
            started.stdout.read()
    if line.strip() != "42":
        raise RuntimeError(f"{who} said {line!r}")
    return seconds


def process_s(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def import_ms(who: str) -> float:
    """Milliseconds that an import adds to bare Python, the median of three pairs."""
    code = f"import {IMPORTS[who]}"
    return statistics.median(process_s(code) - process_s("pass") for _ in range(3)) * 1e3


def measured(who: str) -> Figures:
    figures = {}
    if who in PROGRAMS:
        figures["first result"] = first_result(who)
    figures["import"] = import_ms(who)
    return figures


FAMILY = Family(
    title="From nothing to the first result",
    contenders={who: lambda who=who: measured(who) for who in IMPORTS},
    metrics={"first result": Metric("s", goal="≤ 0.5"), "import": Metric("ms", goal="≤ 60")},
    note="First result: from starting Python to the line that it prints, workers spawned on the way, no pandas. "
    "Import: what it adds to bare Python; cloudburst loads what it needs when a name of it is first used, which is in "
    "the first result.",
)
