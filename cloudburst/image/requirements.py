"""``requirements*.txt``: which of them counts, whether it pins what it names, and what uv makes of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from cloudburst.image.mirror import Mirror
from cloudburst.image.project import Project
from cloudburst.image.pylocks import check, read_pylock
from cloudburst.image.resolver import target, uv
from cloudburst.image.wishes import Wish, plain_name
from cloudburst.settings.user import own_cache


def find(directory: Path) -> tuple[Path | None, list[str]]:
    """The file of requirements to go by; where there is none, what is to be said of those that were passed over."""
    found = sorted(directory.glob("requirements*.txt"))
    if (main := directory / "requirements.txt") in found:
        found = [main]
    if not found:
        return None, []
    if len(found) > 1:
        return None, [f"None of {_few(one.name for one in found)} was read, as none is called requirements.txt."]
    loose = [one.name for one in _named(found[0])[0] if not _is_pinned(one)]
    if not loose:
        return found[0], []
    why = f"as it does not pin {_few(loose)}: uv pip compile makes one that does"
    return None, [f"{found[0].name} was not read, {why}."]


def of_project(project: Project, path: Path, wish: Wish) -> Mirror:
    """The packages of a file of requirements, with those that they need.

    Raises
    ------
    ImageError
        If uv cannot read or resolve it, or it does not match the project.
    """
    mirror = read_pylock(project, _compiled(path, wish), path.name)
    check(project, mirror.versions, path.name, f"uv pip compile pyproject.toml -o {path.name}", wish)
    named = {plain_name(one.name) for one in _named(path)[0]} | {plain_name(one.name) for one in mirror.local}
    beside = sorted(set(mirror.versions) - named)
    if not beside:
        return mirror
    note = f"{path.name} does not pin what its packages need ({_few(beside)}): the newest that fit were taken."
    return replace(mirror, notes=(note,))


def _compiled(path: Path, wish: Wish) -> str:
    """What uv makes of it; remembered, if that depends on nothing but the file and how uv is set up."""
    command = ("pip", "compile", path.name, *target(wish), "--format", "pylock.toml", "--no-header", "--quiet")
    asked = [path.read_bytes(), *command]
    asked += [one.read_bytes() for name in ("uv.toml", "pyproject.toml") if (one := wish.project / name).exists()]
    known = hashlib.sha256(repr(asked).encode()).hexdigest()
    place = own_cache() / "image" / "requirements" / f"{known}.toml"
    if place.exists():
        return place.read_text(encoding="utf-8")
    said = uv(*command, about=f"read {path.name}", within=wish.project)
    if _named(path)[1]:
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = place.with_suffix(f".{os.getpid()}")
        fresh.write_text(said, encoding="utf-8")
        fresh.replace(place)
    return said


def _named(path: Path) -> tuple[list[Requirement], bool]:
    """The packages that a file names, and whether that is all there is in it. uv reads what else there is."""
    named, is_all = [], True
    for line in path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        bare = line.partition(" #")[0].partition(" --hash")[0].strip()
        if not bare or bare.startswith("#"):
            continue
        try:
            named.append(Requirement(bare))
        except InvalidRequirement:  # an option, a path, or an address alone
            is_all = False
    return named, is_all and all(one.url is None for one in named)


def _is_pinned(requirement: Requirement) -> bool:
    pins = [one for one in requirement.specifier if one.operator in ("==", "===") and not one.version.endswith("*")]
    return bool(pins or requirement.url)


def _few(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:3]) + (", ..." if len(listed) > 3 else "")
