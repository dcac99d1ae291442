"""``poetry.lock``: its packages as requirements, each with its hashes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from packaging.markers import Marker

from cloudburst.errors import ImageError
from cloudburst.image.mirror import Local, Mirror
from cloudburst.image.project import Project, read_toml
from cloudburst.image.pylocks import check, environment_of
from cloudburst.image.wishes import Wish, plain_name


def of_project(project: Project, wish: Wish) -> Mirror:
    """The ``poetry.lock`` of a project, as far as it applies to the image.

    Raises
    ------
    ImageError
        If it cannot be read, or does not match the project.
    """
    packages = read_toml(project.directory / "poetry.lock").get("package", [])
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
            local.append(Local(one["name"], (project.directory / place["url"]).resolve()))
        else:
            lines.append(_line(one, place))
    check(project, versions, "poetry.lock", "poetry lock", wish)
    return Mirror("poetry.lock", "requirements.txt", "".join(lines), versions, tuple(local))


def _applies(package: Mapping[str, Any], environment: Mapping[str, str]) -> bool:
    said = package.get("markers")
    marker = said.get("main") if isinstance(said, Mapping) else said
    return marker is None or Marker(marker).evaluate(dict(environment))


def _line(package: Mapping[str, Any], place: Mapping[str, str]) -> str:
    if place.get("type") == "git":
        below = f"#subdirectory={place['subdirectory']}" if "subdirectory" in place else ""
        return f"{package['name']} @ git+{place['url']}@{place['resolved_reference']}{below}\n"
    if place.get("type") == "url":
        return f"{package['name']} @ {place['url']}\n"
    hashes = "".join(f" --hash={one['hash']}" for one in package.get("files", []))
    return f"{package['name']}=={package['version']}{hashes}\n"
