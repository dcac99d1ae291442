"""Locks that lie in a project: the first of ``pylock.toml``, ``uv.lock``, ``poetry.lock`` and pinned requirements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import tomlkit
from packaging.markers import default_environment
from packaging.pylock import Pylock, PylockUnsupportedVersionError, PylockValidationError
from packaging.requirements import InvalidRequirement, Requirement

from cloudburst.errors import ImageError
from cloudburst.image.mirror import Local, Mirror
from cloudburst.image.project import Project, read_toml
from cloudburst.image.resolver import target, uv
from cloudburst.image.wishes import Wish, plain_name


def locked(wish: Wish) -> tuple[Mirror | None, list[str]]:
    """What the project's lock says, if it has one; and what is to be said of locks that were passed over.

    Raises
    ------
    ImageError
        If a lock cannot be read, or does not match the project.
    """
    project = Project(wish.project)
    if (path := wish.project / "pylock.toml").is_file():
        return _of_pylock(project, path.read_text(encoding="utf-8"), "pylock.toml", wish, is_checked=True), []
    if (wish.project / "uv.lock").is_file():
        return _of_uv(project, wish), []
    if (path := wish.project / "poetry.lock").is_file():
        return _of_poetry(project, read_toml(path), wish), []
    pinned, passed = _requirements(wish.project)
    if pinned is None:
        return None, passed
    return _of_requirements(project, pinned, wish), []


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


# ---------------------------------------------------------------- pylock.toml, which uv.lock can be told as


def _of_uv(project: Project, wish: Wish) -> Mirror:
    try:
        uv("lock", "--check", about="see whether uv.lock matches pyproject.toml", within=wish.project)
    except ImageError as error:
        if "needs to be updated" not in str(error):
            raise
        raise _unmatched("uv.lock", "uv lock", "uv has found that it would change") from None
    said = uv(
        *("export", "--frozen", "--no-dev", "--no-emit-project", "--no-header", "--format", "pylock.toml", "--quiet"),
        about="read uv.lock",
        within=wish.project,
    )
    return _of_pylock(project, said, "uv.lock", wish, is_checked=False)


def _of_pylock(project: Project, text: str, source: str, wish: Wish, *, is_checked: bool) -> Mirror:
    document = tomlkit.parse(text)
    packages = document.unwrap()
    try:
        lock = Pylock.from_dict(packages)
    except (PylockValidationError, PylockUnsupportedVersionError) as error:
        raise ImageError(f"{source} cannot be read: {error}. Make it anew: uv export -o pylock.toml") from None
    elsewhere, local = [], []
    for one, raw in zip(lock.packages, packages.get("packages", []), strict=True):
        place: str | None = getattr(one.directory or one.archive, "path", None)
        if place is None:
            elsewhere.append(raw)
        elif (path := (wish.project / place).resolve()) != wish.project.resolve():
            local.append(Local(one.name, path))
    document["packages"] = elsewhere
    versions = {plain_name(one.name): str(one.version or "") for one in lock.packages}
    if is_checked:
        _check(project, versions, source, "uv export -o pylock.toml", wish)
    return Mirror(source, "pylock.toml", tomlkit.dumps(document), versions, tuple(local))


# ---------------------------------------------------------------- poetry.lock


def _of_poetry(project: Project, lock: Mapping[str, Any], wish: Wish) -> Mirror:
    packages = lock.get("package", [])
    if packages and "groups" not in packages[0]:
        raise ImageError(
            "poetry.lock was written by Poetry 1, and does not say which packages are for development only. Write it "
            "anew with Poetry 2: poetry lock."
        )
    environment = environment_of(wish)
    lines, local, versions = [], [], {}
    for one in packages:
        if "main" not in one["groups"] or one.get("optional") or not _applies(one, environment):
            continue
        versions[plain_name(one["name"])] = one["version"]
        place = one.get("source", {})
        if place.get("type") in ("directory", "file"):
            local.append(Local(one["name"], (wish.project / place["url"]).resolve()))
        else:
            lines.append(_poetry_line(one, place))
    _check(project, versions, "poetry.lock", "poetry lock", wish)
    return Mirror("poetry.lock", "requirements.txt", "".join(lines), versions, tuple(local))


def _applies(package: Mapping[str, Any], environment: Mapping[str, str]) -> bool:
    from packaging.markers import Marker

    said = package.get("markers")
    marker = said.get("main") if isinstance(said, Mapping) else said
    return marker is None or Marker(marker).evaluate(dict(environment))


def _poetry_line(package: Mapping[str, Any], place: Mapping[str, str]) -> str:
    if place.get("type") == "git":
        below = f"#subdirectory={place['subdirectory']}" if "subdirectory" in place else ""
        return f"{package['name']} @ git+{place['url']}@{place['resolved_reference']}{below}\n"
    if place.get("type") == "url":
        return f"{package['name']} @ {place['url']}\n"
    hashes = "".join(f" --hash={one['hash']}" for one in package.get("files", []))
    return f"{package['name']}=={package['version']}{hashes}\n"


# ---------------------------------------------------------------- requirements*.txt


def _requirements(directory: Path) -> tuple[Path | None, list[str]]:
    """The file of requirements to go by, and why there is none."""
    found = sorted(directory.glob("requirements*.txt"))
    if (main := directory / "requirements.txt") in found:
        found = [main]
    if not found:
        return None, []
    if len(found) > 1:
        listed = ", ".join(one.name for one in found)
        return None, [f"None of {listed} was read, as none is called requirements.txt."]
    loose = [name for name, is_pinned in _named(found[0]) if not is_pinned]
    if loose:
        listed = ", ".join(loose[:3]) + (", ..." if len(loose) > 3 else "")
        return None, [f"{found[0].name} was not read, as it does not pin {listed}: uv pip compile makes one that does."]
    return found[0], []


def _named(path: Path) -> Iterator[tuple[str, bool]]:
    """The packages that a file of requirements names, and whether each is pinned. uv reads all else in it."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        bare = line.partition(" #")[0].partition(" --")[0].strip()
        if not bare or bare.startswith(("#", "-")):
            continue
        try:
            requirement = Requirement(bare)
        except InvalidRequirement:  # a path, or an address alone
            continue
        pins = [one for one in requirement.specifier if one.operator in ("==", "===") and not one.version.endswith("*")]
        yield requirement.name, bool(pins or requirement.url)


def _of_requirements(project: Project, path: Path, wish: Wish) -> Mirror:
    said = uv(
        *("pip", "compile", path.name, *target(wish), "--format", "pylock.toml", "--no-header", "--quiet"),
        about=f"read {path.name}",
        within=wish.project,
    )
    mirror = _of_pylock(project, said, path.name, wish, is_checked=True)
    beside = sorted(
        set(mirror.versions) - {plain_name(name) for name, _ in _named(path)} - {one.name for one in mirror.local}
    )
    if not beside:
        return mirror
    listed = ", ".join(beside[:3]) + (", ..." if len(beside) > 3 else "")
    note = f"{path.name} does not pin what its packages need ({listed}): the newest that fit were taken."
    return Mirror(mirror.source, mirror.form, mirror.lock, mirror.versions, mirror.local, notes=(note,))


# ---------------------------------------------------------------- what a lock has to match


def _check(project: Project, versions: Mapping[str, str], source: str, again: str, wish: Wish) -> None:
    """See that what the project says it needs is in its lock."""
    environment = environment_of(wish)
    for needed in project.dependencies():
        if needed.marker is not None and not needed.marker.evaluate(dict(environment)):
            continue
        version = versions.get(plain_name(needed.name))
        if version is None:
            raise _unmatched(source, again, f"it lacks {needed.name}")
        if version and not needed.specifier.contains(version, prereleases=True):
            raise _unmatched(source, again, f"pyproject.toml wants {needed}, and it has {version}")


def _unmatched(source: str, again: str, why: str) -> ImageError:
    return ImageError(f"{source} does not match pyproject.toml: {why}. Write it anew: {again}")


def path_of_url(url: str) -> Path | None:
    """The path that a ``file:`` address means; ``None`` of any other.

    >>> path_of_url("file:///srv/a%20b.whl")
    PosixPath('/srv/a b.whl')
    """
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None
