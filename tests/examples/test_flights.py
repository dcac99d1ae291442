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
        [sys.executable, EXAMPLE, "--out", "plot.png"], cwd=directory, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, directory, done.stderr


def test_it_agrees_with_plain_pandas(shown):
    printed, _, _ = shown
    assert "gives exactly the same" in printed


def test_it_ranks_the_airlines(shown):
    printed, _, _ = shown
    rows = re.findall(r"^(\w[\w .]+?) {2,}(\d+) +(-?[\d.]+) +(-?[\d.]+) +(-?[\d.]+)$", printed, re.MULTILINE)
    own = [float(row[-1]) for row in rows]
    assert len(rows) == 16
    assert own == sorted(own)
    assert rows[0][0] == "Alaska Airlines Inc."
    assert sum(int(row[1]) for row in rows) == 272_482


def test_it_saves_a_plot(shown):
    _, directory, _ = shown
    plot = (directory / "plot.png").read_bytes()
    assert plot.startswith(b"\x89PNG\r\n")
    assert len(plot) > 10_000
    assert [path.name for path in directory.iterdir()] == ["plot.png"]


def test_the_plan_shows_what_was_merged_and_the_fan(shown):
    printed, _, _ = shown
    plan = printed.partition("Minutes of delay")[0]
    for stage in ("read", "split_by_month", "join_month", "fit", "explain_delays", "draw"):
        assert stage in plan
