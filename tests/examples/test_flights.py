"""The example that users see first: it runs, what it shows is right, and it agrees with plain pandas."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights.py"


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What the program printed, with the directory that it ran in."""
    directory = tmp_path_factory.mktemp("flights")
    done = subprocess.run(
        [sys.executable, EXAMPLE, "--out", "plot.png"], cwd=directory, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, directory, done.stderr


def test_it_agrees_with_plain_pandas(shown):
    printed, _, _ = shown
    assert "Plain pandas gives exactly the same." in printed


def test_it_ranks_the_airlines(shown):
    printed, _, _ = shown
    rows = re.findall(r"^(\w[\w .]+?) {2,}(\d+) +(-?[\d.]+) +(-?[\d.]+) +(-?[\d.]+)$", printed, re.MULTILINE)
    own = [float(row[-1]) for row in rows]
    assert len(rows) == 16
    assert own == sorted(own)
    assert rows[0][0] == "Alaska Airlines Inc."
    assert sum(int(row[1]) for row in rows) == 272_482


def test_it_saves_a_plot_and_leaves_nothing_else(shown):
    _, directory, _ = shown
    plot = (directory / "plot.png").read_bytes()
    assert plot.startswith(b"\x89PNG\r\n")
    assert len(plot) > 10_000
    assert [path.name for path in directory.iterdir()] == ["plot.png"]


def test_the_plan_shows_the_fan_and_what_is_merged(shown):
    plan = shown[0].partition("What an hour")[0]
    assert re.search(r"join_month .* for each item of \d+ split_by_month", plan)
    assert re.search(r"split_by_month: written twice, runs once", plan)
    sizes = set(re.findall(r"[\d.]+ vCPU, \d+ GB", plan))
    assert sizes >= {"0.25 vCPU, 1 GB", "0.5 vCPU, 1 GB", "0.5 vCPU, 2 GB", "1 vCPU, 2 GB", "2 vCPU, 4 GB"}


def test_the_summary_counts_stages_and_every_month(shown):
    _, _, progress = shown
    stages, tasks = map(int, re.search(r"(\d+) stages, (\d+) tasks", progress).groups())
    assert stages == 6
    assert tasks >= 9 + 11  # 9 calls of stages are left after merging; one of them is performed for each of 12 months
    assert "14 calls of stages written, 9 run" in progress
    assert re.search(r"\d+ MB passed between tasks", progress)
