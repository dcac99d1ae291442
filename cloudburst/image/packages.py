"""All packages of an environment, installed for the image's platform on this machine, as one archive.

uv downloads with the indexes and credentials that are set up here, so that none of them comes near the image, and a
laptop of another kind gets what Linux needs.
"""

from __future__ import annotations

import glob
import hashlib
import io
import json
import os
import re
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from packaging.tags import parse_tag

from cloudburst.errors import ImageError
from cloudburst.image.bases import Layout
from cloudburst.image.mirror import Mirror
from cloudburst.image.resolver import no_wheel, target, uv, without_wheel
from cloudburst.image.trimming import is_unused, trimmed
from cloudburst.image.wheels import Wheel, image_tags
from cloudburst.image.wishes import Wish

_VERSION = 1
"""Of how archives are made: another number makes them anew."""

_EPOCH = 315532800  # 1980, the oldest that a zip file can tell
_KEPT_ARCHIVES = 6
_TWICE = re.compile(r"^(?P<library>.+?\.so)(?:\.\d+)*$")
_SHEBANG = re.compile(rb"\A#!(?:[^\n]*python[^\n]*|/bin/sh\n'''exec' [^\n]*python[^\n]*\n' ''')\n")


class Environment(NamedTuple):
    """What is installed together."""

    mirror: Mirror | None
    pins: tuple[str, ...]
    wheels: tuple[Wheel, ...]


def digest_of(environment: Environment, wish: Wish, layout: Layout) -> str:
    """What tells one environment from another."""
    mirror, pins, wheels = environment
    parts = {
        "version": _VERSION,
        "lock": mirror.lock if mirror is not None else "",
        "roots": mirror.roots if mirror is not None else "",
        "pins": list(pins),
        "wheels": sorted((one.name, one.digest) for one in wheels),
        "platform": wish.platform,
        "python": wish.python,
        "without": sorted(wish.without),
        "layout": layout,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def archive(environment: Environment, wish: Wish, layout: Layout, cache: Path) -> Path:
    """The archive of an environment; installed and packed if it is not there from before.

    Raises
    ------
    ImageError
        If a package cannot be had for the platform.
    """
    place = cache / "archives" / f"{digest_of(environment, wish, layout)}.tar"
    if place.exists():
        os.utime(place)
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="installing-", dir=cache) as scratch:
        prefix = Path(scratch, "prefix")
        try:
            _install(environment, wish, prefix, Path(scratch))
        except ImageError as error:
            raise without_wheel(error, wish) from None
        _check(prefix, wish)
        made = Path(scratch, "environment.tar")
        pack(prefix, layout, made)
        made.replace(place)
    _forget(place.parent)
    return place


def _install(environment: Environment, wish: Wish, prefix: Path, scratch: Path) -> None:
    mirror, pins, wheels = environment
    install = ("pip", "install", "--prefix", str(prefix), "--no-deps", *target(wish), "--quiet")
    if mirror is not None and mirror.lock:
        file = scratch / mirror.form
        file.write_text(_resolved(mirror, wish, scratch) if mirror.roots else mirror.lock, encoding="utf-8")
        uv(*install, "-r", str(file), about=f"install the packages of {mirror.source}", within=wish.project)
    if pins or wheels:
        uv(
            *install,
            *pins,
            *(str(one.path) for one in wheels),
            about="install cloudburst and local packages",
            within=wish.project,
        )


def _resolved(mirror: Mirror, wish: Wish, scratch: Path) -> str:
    """What the roots need on the image's platform, in the versions that are installed here where it needs the same."""
    constraints = scratch / "constraints.txt"
    constraints.write_text(mirror.lock, encoding="utf-8")
    return uv(
        *("pip", "compile", "-", "--constraint", str(constraints), *target(wish)),
        *("--no-header", "--no-annotate", "--quiet"),
        about=f"resolve {mirror.source} for {wish.platform} and Python {wish.minor}",
        within=wish.project,
        given=mirror.roots,
    )


def _check(prefix: Path, wish: Wish) -> None:
    """See that nothing was compiled for this machine instead of the image's."""
    wanted = image_tags(wish)
    for wheel in sorted(prefix.glob("**/*.dist-info/WHEEL")):
        tags = [
            line.partition(":")[2].strip() for line in wheel.read_text("utf-8").splitlines() if line.startswith("Tag:")
        ]
        if tags and not any(parse_tag(one) & wanted for one in tags):
            name, _, version = wheel.parent.name.removesuffix(".dist-info").partition("-")
            raise no_wheel(
                f"{name}=={version}", wish, f"What was compiled on this machine ({tags[0]}) may not run there."
            )


# ---------------------------------------------------------------- packing


def pack(prefix: Path, layout: Layout, to: Path) -> None:
    """Write what is installed under a prefix as an archive: the same bytes for the same content.

    Each file has the path that it is to have in the image.
    """
    with tarfile.open(to, "w", format=tarfile.PAX_FORMAT) as out:
        for path, name in sorted(_entries(prefix), key=lambda one: one[1]):
            entry = tarfile.TarInfo(_placed(name, layout))
            entry.mtime = _EPOCH
            if (same := _same(path)) is not None:
                entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, same, 0o777
                out.addfile(entry)
                continue
            content = trimmed(name, path.read_bytes())
            if name.startswith("bin/"):
                content = _SHEBANG.sub(b"#!/usr/bin/env python3\n", content)
            entry.size = len(content)
            entry.mode = 0o755 if name.startswith("bin/") or path.stat().st_mode & 0o100 else 0o644
            out.addfile(entry, io.BytesIO(content))


def _entries(prefix: Path) -> Iterator[tuple[Path, str]]:
    for path in prefix.rglob("*"):
        if path.is_dir():
            continue
        below = path.relative_to(prefix).as_posix()
        name = re.sub(
            r"^(?:local/)?(?:lib|lib64|Lib)/(?:python[\d.]+/)?(?:site|dist)-packages/", "site-packages/", below
        )
        name = re.sub(r"^(?:local/bin|Scripts)/", "bin/", name)
        if not is_unused(path, name):
            yield path, name


def _placed(name: str, layout: Layout) -> str:
    top, _, below = name.partition("/")
    place = f"{layout.packages}/{below}" if top == "site-packages" else f"{layout.prefix}/{name}"
    return place.lstrip("/")


def _same(path: Path) -> str | None:
    """The file beside this one that is the same library under another name: Arrow's are there twice."""
    if path.is_symlink():
        return os.readlink(path)
    found = _TWICE.match(path.name)
    if found is None:
        return None
    others = sorted(path.parent.glob(f"{glob.escape(found['library'])}.*"), key=lambda one: (len(one.name), one.name))
    for other in others:
        if other == path:
            return None
        if other.stat().st_size == path.stat().st_size and other.read_bytes() == path.read_bytes():
            return other.name
    return None


def _forget(archives: Path) -> None:
    """Remove those that were not used for longest."""
    found = sorted(archives.glob("*.tar"), key=lambda one: one.stat().st_mtime)
    for one in found[:-_KEPT_ARCHIVES]:
        one.unlink(missing_ok=True)
