"""Projects that images are made of, and what runs in the images."""

from __future__ import annotations

from pathlib import Path

from tests.docker.images import engine
from tests.image.projects import package, uv, wheel


def mixed_project(directory: Path, more: str = "") -> Path:
    """A package with a private wheel, a direct URL, an editable neighbour, and a lock; ``more`` is for its settings."""
    project = directory / "mein Projekt ü"
    addressed = wheel(directory / "far away", "addressed")
    wheel(project / "wheels", "private", files={"private.py": "ANSWER = 42\n"})
    package(directory / "neighbour", "neighbour", "NAME = 'neighbour'\n")
    sources = """
        [tool.uv.sources]
        private = { path = "wheels/private-1.0-py3-none-any.whl" }
        neighbour = { path = "../neighbour", editable = true }
    """
    needs = ["private", "neighbour", f"addressed @ {addressed.as_uri()}"]
    package(project, "mine", "VERSION = 1\n", needs=needs, more=sources + more)
    uv(project, "lock", "--offline")
    return project


def printed(image: str, code: str, *options: str) -> str:
    """What a program prints in a container of an image."""
    command = ("run", "--rm", *options, "--entrypoint", "python3", image, "-c", code)
    return engine().ask(*command, about="run a program").strip()


def apt_of(image: str) -> list[str]:
    """A Debian package for it, if it has the means to install one."""
    has_apt = printed(image, "import shutil; print(bool(shutil.which('apt-get')))") == "True"
    return ["libgomp1"] if has_apt else []
