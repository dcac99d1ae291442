"""What it was measured on."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

import psutil

PACKAGES = (
    "cloudburst",
    "cloudpickle",
    "dask",
    "distributed",
    "loky",
    "numpy",
    "pandas",
    "pyarrow",
    "ray",
    "redun",
    "sf-hamilton",
    "tpchgen-cli",
)


def processor() -> str:
    """The processor's own name where the system tells it."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def describe_machine(seconds: float) -> str:
    """Machine, system, Python and versions in two sentences."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = psutil.virtual_memory().total / 1e9
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    when = f"Measured on {time.strftime('%Y-%m-%d')} in {seconds / 60:.0f} minutes"
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{when} on {processor()}, {cores} cores, {memory:.0f} GB, {system}. {versions}."
