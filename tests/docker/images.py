"""The worker's image, and images made from it: built once, by the test that asks first, and found again by content."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest

from cloudburst.errors import CloudburstError
from cloudburst.runtime.backends.engine import Engine, EngineRefused, find_engine

ROOT = Path(__file__).parents[2]
PYTHON_VERSION = ".".join(platform.python_version_tuple()[:2])
_BASE = f"python:{PYTHON_VERSION}-slim"
_BUILD_S = 900.0
_CONTEXT = (
    ".dockerignore", "LICENSE", "README.md", "docker/**/*", "docs/iam/*", "examples/flights.py", "pyproject.toml",
)  # fmt: skip
_NAME = "cloudburst-test"

OBEYS = """\
FROM {worker}
ENTRYPOINT ["python", "-c", "import os; exec(os.environ['CLOUDBURST_POOL'])"]
"""
"""An image that does what stands in the variable that tells a worker its pool: to a fleet that is a worker."""


def engine() -> Engine:
    """Docker or Podman; the test is skipped where neither answers, and fails if ``CLOUDBURST_TEST_CONTAINERS=1``."""
    found = _engine()
    if not isinstance(found, Engine):
        _do_without(found)
    return found


def worker_image() -> str:
    """The image that ``docker/Dockerfile`` makes of this checkout, for this Python."""
    found = engine()
    if not isinstance(base := _base(found), dict):
        _do_without(base)
    return _worker_image(found)


def image_of(dockerfile: str) -> str:
    """An image that is made of a Dockerfile alone; ``{worker}`` is the worker's image."""
    return _image_of(engine(), dockerfile.format(worker=worker_image()))


def _do_without(reason: str) -> NoReturn:
    if os.environ.get("CLOUDBURST_TEST_CONTAINERS") == "1":
        pytest.fail(f"Containers are to be tested. {reason}")
    pytest.skip(f"no containers here. {reason}")


@cache
def _engine() -> Engine | str:
    try:
        found = find_engine()
        found.ask("info", about="tell how it is")
    except CloudburstError as error:
        return str(error)
    return found


@cache
def _base(engine: Engine) -> dict[str, Any] | str:
    try:
        return engine.image(_BASE)
    except EngineRefused as error:
        return str(error)


@cache
def _worker_image(engine: Engine) -> str:
    paths = sorted(path for pattern in (*_CONTEXT, "cloudburst/**/*.py") for path in ROOT.glob(pattern))
    content = [f"{path.relative_to(ROOT)}\0{path.read_text()}" for path in paths if path.is_file()]
    arguments = ["--file", str(ROOT / "docker/Dockerfile"), "--build-arg", f"PYTHON_VERSION={PYTHON_VERSION}"]
    return _built(
        engine,
        "worker",
        [*content, str(_base(engine))],
        lambda tag: engine.ask(
            "build", *arguments, "--tag", tag, str(ROOT), about=f"build {tag}", limit_s=_BUILD_S, with_errors=True
        ),
    )


@cache
def _image_of(engine: Engine, dockerfile: str) -> str:
    def build(tag: str) -> None:
        with tempfile.TemporaryDirectory() as context:
            Path(context, "Dockerfile").write_text(dockerfile)
            engine.ask("build", "--tag", tag, context, about=f"build {tag}", limit_s=_BUILD_S, with_errors=True)

    return _built(engine, "made", [dockerfile], build)


def _built(engine: Engine, kind: str, content: list[str], build: Callable[[str], object]) -> str:
    tag = f"{_NAME}-{kind}:{hashlib.sha256(repr(content).encode()).hexdigest()[:12]}"
    with Path(tempfile.gettempdir(), f"{_NAME}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test processes ask at the same time
        try:
            engine.ask("image", "inspect", tag, about=f"find {tag}")
        except EngineRefused:
            build(tag)
    return tag
