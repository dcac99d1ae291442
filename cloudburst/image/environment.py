"""The environment that this program runs in, as its packages' own metadata describes it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from cloudburst.errors import ImageError
from cloudburst.image.mirror import Local, Mirror
from cloudburst.image.pylocks import path_of_url
from cloudburst.image.wishes import Wish, own_platform, plain_name

TOOLS = frozenset({"cloudburst", "pip", "uv"})
"""What is no part of one: what makes it, of which the image's Python has its own, and what every image gets."""


def running(wish: Wish, installed: Iterable[Distribution] | None = None) -> Mirror:
    """The packages that are installed here.

    Parameters
    ----------
    wish : Wish
        What is asked.
    installed : iterable of Distribution, optional
        Those of this process by default.

    Raises
    ------
    ImageError
        If one was installed from a file or directory that is gone.
    """
    found = _first_of_each(distributions() if installed is None else installed)
    lines, local = {}, []
    for name, one in found.items():
        line = _line(name, one)
        if isinstance(line, Local):
            if line.path != wish.project.resolve():
                local.append(line)
        else:
            lines[name] = line
    versions = {name: one.version for name, one in found.items()}
    lock = "".join(f"{lines[name]}\n" for name in sorted(lines))
    roots = "" if _is_here(wish) else "".join(f"{lines[name]}\n" for name in sorted(set(lines) - _needed(found, lines)))
    return Mirror("the running environment", "requirements.txt", lock, versions, tuple(sorted(local)), roots)


def _first_of_each(installed: Iterable[Distribution]) -> dict[str, Distribution]:
    """The distribution that is imported, where more than one lies on the path."""
    found: dict[str, Distribution] = {}
    for one in installed:
        if one.metadata["Name"]:
            found.setdefault(plain_name(one.metadata["Name"]), one)
    return {name: one for name, one in found.items() if name not in TOOLS}


def _line(name: str, one: Distribution) -> str | Local:
    """How a package is asked for so that the same comes."""
    origin = origin_of(one)
    url = origin.get("url", "")
    if not url:
        return f"{name}=={one.version}"
    below = f"#subdirectory={origin['subdirectory']}" if origin.get("subdirectory") else ""
    if "vcs_info" in origin:
        how = origin["vcs_info"]
        return f"{name} @ {how['vcs']}+{url}@{how['commit_id']}{below}"
    path = path_of_url(url)
    if path is None:
        return f"{name} @ {url}{below}"
    path = path / origin.get("subdirectory", "")
    if not path.exists():
        raise ImageError(
            f"{name} {one.version} was installed from {path}, which is gone. Install it from where it is now, or leave "
            f"it out with --without {name}."
        )
    return Local(name, path.resolve())


def origin_of(one: Distribution) -> Mapping[str, Any]:
    """Where a package was installed from, if not from an index: what its ``direct_url.json`` says."""
    text = one.read_text("direct_url.json")
    read = json.loads(text) if text else {}
    return read if isinstance(read, dict) else {}


def _is_here(wish: Wish) -> bool:
    """Whether the packages that are installed here are those that the image needs, none more and none less."""
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    return sys.platform == "linux" and wish.platform == own_platform() and wish.minor == ours


def _needed(found: Mapping[str, Distribution], among: Iterable[str]) -> set[str]:
    """The packages that others need, of those that come from elsewhere."""
    needed: set[str] = set()
    for name in among:
        for line in found[name].requires or ():
            try:
                requirement = Requirement(line)
            except InvalidRequirement:  # of an old package: then what it needs is asked for by name
                continue
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                needed.add(plain_name(requirement.name))
    return needed


def directory_of(one: Distribution) -> Path | None:
    """The directory that a package was installed from, if it was."""
    origin = origin_of(one)
    return path_of_url(origin["url"]) if "dir_info" in origin else None
