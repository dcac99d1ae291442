"""``pylock.toml``, the standard's lock, which uv makes of others; and whether a lock still fits its project."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import tomlkit
from packaging.markers import default_environment
from packaging.pylock import Pylock, PylockUnsupportedVersionError, PylockValidationError

from cloudburst.errors import ImageError
from cloudburst.image.mirror import Local, Mirror
from cloudburst.image.project import Project
from cloudburst.image.wishes import Wish, plain_name

_MADE_BY = "uv export -o pylock.toml"


def read_pylock(project: Project, text: str, source: str) -> Mirror:
    """The packages of a lock; those that lie on this machine apart, and without the project itself.

    Raises
    ------
    ImageError
        If it is no such lock.
    """
    try:
        document = tomlkit.parse(text)
        packages = document.unwrap()
        lock = Pylock.from_dict(packages)
    except (tomlkit.exceptions.ParseError, PylockValidationError, PylockUnsupportedVersionError) as error:
        raise ImageError(f"{source} cannot be read: {error}. Make it anew: {_MADE_BY}") from None
    elsewhere, local, versions = [], [], {}
    for one, raw in zip(lock.packages, packages["packages"], strict=True):
        place: str | None = getattr(one.directory or one.archive, "path", None)
        path = None if place is None else (project.directory / place).resolve()
        if path == project.directory.resolve():
            continue
        versions[plain_name(one.name)] = str(one.version or "")
        if path is None:
            elsewhere.append(_absolute(raw, project.directory))
        else:
            local.append(Local(one.name, path))
    document["packages"] = elsewhere
    return Mirror(source, "pylock.toml", tomlkit.dumps(document) if elsewhere else "", versions, tuple(local))


def _absolute(package: dict[str, Any], directory: Path) -> dict[str, Any]:
    """A package whose files are found from anywhere: the lock is read from another directory than its own."""
    for file in [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]:
        if "path" in file:
            file["path"] = str((directory / file["path"]).resolve())
    return package


def of_project(project: Project, wish: Wish) -> Mirror:
    """The ``pylock.toml`` of a project, found to match what the project says it needs."""
    mirror = read_pylock(project, (project.directory / "pylock.toml").read_text(encoding="utf-8"), "pylock.toml")
    check(project, mirror.versions, "pylock.toml", _MADE_BY, wish)
    return mirror


def check(project: Project, versions: Mapping[str, str], source: str, again: str, wish: Wish) -> None:
    """See that what the project says it needs is in its lock.

    Raises
    ------
    ImageError
        Naming what differs, and how to lock anew.
    """
    environment = environment_of(wish)
    for needed in project.dependencies():
        if needed.marker is not None and not needed.marker.evaluate(dict(environment)):
            continue
        version = versions.get(plain_name(needed.name))
        if version is None:
            raise unmatched(source, again, f"it lacks {needed.name}")
        if version and not needed.specifier.contains(version, prereleases=True):
            raise unmatched(source, again, f"pyproject.toml wants {needed}, and it has {version}")


def unmatched(source: str, again: str, why: str) -> ImageError:
    """The error for a lock that is older than its project."""
    return ImageError(f"{source} does not match pyproject.toml: {why}. Write it anew: {again}")


def environment_of(wish: Wish) -> dict[str, str]:
    """What markers ask about, as the image's Python would answer."""
    full = wish.python if wish.python.count(".") == 2 else f"{wish.python}.0"
    return {
        **{name: str(value) for name, value in default_environment().items()},
        "implementation_name": "cpython",
        "implementation_version": full,
        "os_name": "posix",
        "platform_machine": wish.machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": full,
        "python_version": wish.minor,
        "sys_platform": "linux",
    }


def path_of_url(url: str) -> Path | None:
    """The path that a ``file:`` address means; ``None`` of any other.

    >>> path_of_url("file:///srv/a%20b.whl")
    PosixPath('/srv/a b.whl')
    """
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None
