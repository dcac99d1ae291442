"""The rules of the house: who may import whom, how long things are, and what importing costs."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import cloudburst

ROOT = Path(__file__).parents[1]
MODULES = sorted(ROOT.glob("cloudburst/**/*.py"))
SAYS_NOTHING = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "layer", "job"}
HEAVY = {"asyncio", "boto3", "botocore", "graphviz", "multiprocessing", "numpy", "pandas", "polars", "pyarrow", "rich"}

# Put together from halves, so that this file does not hold what it forbids.
MACHINE_PATHS = re.compile(r"(?<![\w.$])/(?:ro" + r"ot|ho" + r"me|Use" + r"rs|wo" + r"rk|fa" + r"rm)/\w")
REGISTRY_HOSTS = re.compile(
    r"://(?:files|pyp\w*|registry|deb)\.[\w-]+|(?<!\S)--(?:(?:extra-)?index-url|find-links)[ =]"
)


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def committed() -> Iterator[tuple[str, str]]:
    """Every text file of the project with its text."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name] if listed.returncode == 0 else ROOT.rglob("*.*")
    for path in paths:
        if path.is_file() and path.suffix not in {".png", ".parquet", ".pyc"} and ".venv" not in path.parts:
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def run(code: str) -> str:
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=unmeasured)
    return done.stdout.strip()


def test_imports_go_one_way():
    linted = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert "0 broken" in linted.stdout


def length_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring, which is as long as it has to be for those who read it."""
    first = function.body[0]
    is_told = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    told = first.end_lineno - first.lineno + 1 if is_told else 0
    return function.end_lineno - function.lineno + 1 - told


@pytest.mark.parametrize("path", MODULES, ids=names(MODULES))
def test_a_module_is_short_enough_to_read(path):
    source = path.read_text(encoding="utf-8")
    functions = [
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    lines = source.count("\n")
    assert lines <= 350
    assert {node.name: length for node in functions if (length := length_of(node)) > 60} == {}


@pytest.mark.parametrize("path", MODULES, ids=names(MODULES))
def test_a_module_has_a_name_that_says_something_and_a_sentence_about_itself(path):
    assert not SAYS_NOTHING & set(path.stem.split("_"))
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("module", ["cloudburst", "cloudburst.runtime.performer"])
def test_importing_loads_nothing_heavy(module):
    loaded = run(
        f"import sys, {module}; print(*sorted({HEAVY!r} & {{name.partition('.')[0] for name in sys.modules}}))"
    )
    assert loaded == ""


def test_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    newest = re.search(
        r"^## \[(\d[^]]*|Unreleased)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert cloudburst.__version__ == project["version"]
    assert newest is not None
    assert newest[1] in {project["version"], "Unreleased"}


def test_no_file_names_a_machine_or_a_package_index():
    found = [
        f"{name}:{number}: {line.strip()}"
        for name, text in committed()
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE_PATHS.search(line) or REGISTRY_HOSTS.search(line)
    ]
    assert found == []


def test_locks_pin_every_package_by_hash():
    for lock in sorted(ROOT.glob("requirements/*.txt")):
        packages = re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8").strip())
        assert len(packages) > 10
        assert [package for package in packages if "==" not in package or "--hash=sha256:" not in package] == []
