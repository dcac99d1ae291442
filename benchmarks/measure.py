"""Takes every measurement in a fresh process, the contenders in turn, round after round.

A *family* is one file here: contenders (functions of a setting that return figures by the name of their metric), the
settings they are given, and what the figures mean. A contender that fails or takes longer than the family's cap is told
once and left out of the rounds that follow.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import psutil

MARK = "figures: "

Figures = dict[str, float]
Contender = Callable[..., Figures]


class Metric(NamedTuple):
    """What a figure is and which way is better."""

    unit: str
    better: Literal["lower", "higher"] = "lower"
    goal: str = ""
    """What cloudburst is to reach, for people."""


@dataclass(frozen=True, slots=True)
class Family:
    """Measurements that belong together.

    Parameters
    ----------
    title : str
        For people.
    contenders : mapping of str to callable
        What is measured, by name, in the order in which they take their turns.
    metrics : mapping of str to Metric
        What the figures mean that contenders return.
    settings : sequence of mapping
        Arguments of the contenders; each gives a row for each metric.
    rounds : int
        How often each contender takes its turn.
    cap_s : float
        Seconds after which a contender is stopped.
    once : sequence of str
        Contenders that take one turn only: what they return is a count and no timing.
    note : str
        How it is measured, for people.
    """

    title: str
    contenders: Mapping[str, Contender]
    metrics: Mapping[str, Metric]
    settings: Sequence[Mapping[str, Any]] = ({},)
    rounds: int = 5
    cap_s: float = 60.0
    once: Sequence[str] = ()
    note: str = ""


@dataclass(slots=True)
class Row:
    """One line of the results: a metric under a setting, with every contender's figures."""

    family: str
    setting: dict[str, Any]
    metric: str
    figures: dict[str, list[float]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def median(self, who: str) -> float | None:
        """The contender's median, ``None`` where it has no figure."""
        figures = self.figures.get(who)
        return statistics.median(figures) if figures else None

    def ratio(self, who: str, to: str, better: str) -> float | None:
        """How many times as good ``who`` is as ``to``: above 1 is ahead."""
        mine, theirs = self.median(who), self.median(to)
        if not mine or not theirs:
            return None
        return theirs / mine if better == "lower" else mine / theirs


def load(name: str) -> Family:
    """The family of that file."""
    family: Family = importlib.import_module(f"benchmarks.{name}").FAMILY
    return family


def measure(name: str, say: Callable[[str], None], rounds: int | None = None) -> list[Row]:
    """Measure one family and tell each figure as it comes."""
    family = load(name)
    rows: list[Row] = []
    for setting in family.settings:
        here = {metric: Row(name, dict(setting), metric) for metric in family.metrics}
        out: set[str] = set()
        for turn in range(rounds or family.rounds):
            for who in family.contenders:
                if who in out or (turn and who in family.once):
                    continue
                figures, failure = in_a_fresh_process(name, who, setting, family.cap_s)
                for metric, figure in figures.items():
                    here[metric].figures.setdefault(who, []).append(figure)
                if failure:
                    out.add(who)
                    for row in here.values():
                        row.failures[who] = failure
                told = ", ".join(
                    f"{metric} {figure:.4g} {family.metrics[metric].unit}" for metric, figure in figures.items()
                )
                say(f"{name} {describe(setting)} {turn + 1}: {who}: {failure or told}")
        rows += here.values()
    return rows


def describe(setting: Mapping[str, Any]) -> str:
    """A setting in words: ``chain, 10,000 nodes``."""
    return ", ".join(
        f"{value:,} {key.replace('_', ' ')}" if isinstance(value, int) else str(value) for key, value in setting.items()
    )


def in_a_fresh_process(name: str, who: str, setting: Mapping[str, Any], cap_s: float) -> tuple[Figures, str]:
    """Run one contender once; its figures, or none and why."""
    command = [sys.executable, "-m", "benchmarks.measure", name, who, json.dumps(dict(setting))]
    quiet = os.environ | {
        "CLOUDBURST_PROGRESS": "0",
        "HAMILTON_AUTOLOAD_EXTENSIONS": "0",
        "HAMILTON_TELEMETRY_ENABLED": "false",
    }
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=quiet)
    try:
        out, err = started.communicate(timeout=cap_s)
        failure = f"exit code {started.returncode}"
    except subprocess.TimeoutExpired:
        stop_with_children(started.pid)
        out, err = started.communicate()
        failure = f"> {cap_s:g} s"
    except BaseException:
        stop_with_children(started.pid)
        raise
    told = [line.removeprefix(MARK) for line in out.splitlines() if line.startswith(MARK)]
    if told:
        return json.loads(told[-1]), ""
    if failure.startswith("exit code") and err.strip():
        failure = err.strip().splitlines()[-1][:200]
    return {}, failure


def tell(figures: Figures) -> None:
    """Hand figures to the process that measures; of several the last ones count, also when this process then dies."""
    print(MARK + json.dumps(figures), flush=True)


def stop_with_children(pid: int) -> None:
    """Stop a process and all that it started, daemons included."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family[1:], timeout=5)


if __name__ == "__main__":
    chosen = load(sys.argv[1]).contenders[sys.argv[2]]
    tell(chosen(**json.loads(sys.argv[3])))
