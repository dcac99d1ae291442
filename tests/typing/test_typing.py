"""mypy and pyright see what the design promises, and find the mistakes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).parent / "cases"
ROOT = Path(__file__).parents[2]
MARKED = [
    number
    for number, line in enumerate((CASES / "mistakes.py").read_text().splitlines(), 1)
    if line.endswith("# error")
]

Told = dict[str, dict[int, str]]


@pytest.fixture(scope="module")
def mypy(tmp_path_factory: pytest.TempPathFactory) -> Told:
    cache = tmp_path_factory.mktemp("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--no-pretty", f"--cache-dir={cache}"]
    done = subprocess.run(
        [*command, "--follow-imports=silent", *map(str, sorted(CASES.glob("*.py")))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    told: Told = {}
    for line in done.stdout.splitlines():
        found = re.fullmatch(r"(.+?):(\d+): error: (.*)", line)
        if found:
            told.setdefault(Path(found[1]).name, {})[int(found[2])] = found[3]
    assert done.stderr == ""
    return told


@pytest.fixture(scope="module")
def pyright() -> Told:
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run(
        [*command, *map(str, sorted(CASES.glob("*.py")))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    if not done.stdout.lstrip().startswith("{"):
        pytest.skip(f"pyright does not run on this machine: {done.stderr.strip()[-200:]}")
    said = json.loads(done.stdout)
    assert said["summary"]["filesAnalyzed"] == 2
    told: Told = {}
    for found in said["generalDiagnostics"]:
        if found["severity"] == "error":
            told.setdefault(Path(found["file"]).name, {})[found["range"]["start"]["line"] + 1] = found["message"]
    return told


def test_mypy_knows_the_types(mypy: Told) -> None:
    assert mypy.get("stages.py", {}) == {}


def test_mypy_finds_the_mistakes_and_nothing_else(mypy: Told) -> None:
    assert sorted(mypy["mistakes.py"]) == MARKED


def test_pyright_knows_the_types(pyright: Told) -> None:
    assert pyright.get("stages.py", {}) == {}


def test_pyright_finds_the_mistakes_and_nothing_else(pyright: Told) -> None:
    assert sorted(pyright["mistakes.py"]) == MARKED
