"""Locks that lie in a project: the first of ``pylock.toml``, ``uv.lock``, ``poetry.lock`` and pinned requirements."""

from __future__ import annotations

from cloudburst.errors import ImageError
from cloudburst.image import poetry, pylocks, requirements
from cloudburst.image.mirror import Mirror
from cloudburst.image.project import Project
from cloudburst.image.resolver import uv
from cloudburst.image.wishes import Wish


def locked(wish: Wish) -> tuple[Mirror | None, list[str]]:
    """What the project's lock says, if it has one; and what is to be said of locks that were passed over.

    Raises
    ------
    ImageError
        If a lock cannot be read, or does not match the project.
    """
    project = Project(wish.project)
    if (wish.project / "pylock.toml").is_file():
        return pylocks.of_project(project, wish), []
    if (wish.project / "uv.lock").is_file():
        return _of_uv(project), []
    if (wish.project / "poetry.lock").is_file():
        return poetry.of_project(project, wish), []
    path, passed = requirements.find(wish.project)
    if path is None:
        return None, passed
    return requirements.of_project(project, path, wish), []


def _of_uv(project: Project) -> Mirror:
    try:
        uv("lock", "--check", about="see whether uv.lock matches pyproject.toml", within=project.directory)
    except ImageError as error:
        if "needs to be updated" not in str(error):
            raise
        raise pylocks.unmatched("uv.lock", "uv lock", "uv finds that it would change") from None
    said = uv(
        *("export", "--frozen", "--no-dev", "--no-emit-project", "--no-header", "--format", "pylock.toml", "--quiet"),
        about="read uv.lock",
        within=project.directory,
    )
    return pylocks.read_pylock(project, said, "uv.lock")
