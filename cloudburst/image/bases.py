"""The base image by what it is and not by what it is called, and where its Python looks for packages."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from cloudburst.errors import ImageError
from cloudburst.image.wishes import Wish
from cloudburst.runtime.backends.engine import Engine, EngineRefused

_ABSENT = re.compile(r"no such image|image not known|failed to find image", re.IGNORECASE)
_OFFICIAL = re.compile(r"(?:docker\.io/)?(?:library/)?python:")
_ASKS = (
    "import json, sys, sysconfig; "
    "print(json.dumps(['%d.%d' % sys.version_info[:2], sysconfig.get_path('purelib'), sysconfig.get_path('data')]))"
)


class Layout(NamedTuple):
    """Where an image's Python has its packages, and what else packages bring."""

    packages: str
    prefix: str


class Base(NamedTuple):
    """What an image is made from."""

    name: str
    """For the Dockerfile: with its digest, where a registry has given one."""
    identity: str
    """What tells it from others of the same name."""
    layout: Layout


def base_of(wish: Wish, engine: Engine) -> Base:
    """Look at the base image, which is fetched if it is not on this machine.

    Raises
    ------
    EngineRefused
        If it cannot be had.
    ImageError
        If it has no Python, or another.
    """
    name, identity = _pinned(wish.base, engine)
    return Base(name, identity, official(wish) if _OFFICIAL.match(wish.base) else _asked(wish, engine))


def official(wish: Wish) -> Layout:
    """Where Python's own images have packages."""
    return Layout(f"/usr/local/lib/python{wish.minor}/site-packages", "/usr/local")


def _pinned(base: str, engine: Engine) -> tuple[str, str]:
    if "@" in base:
        return base, base
    look = ("image", "inspect", "--format", '{"id": {{json .Id}}, "digests": {{json .RepoDigests}}}', base)
    about = f"find the base image {base}"
    try:
        said = engine.ask(*look, about=about)
    except EngineRefused as refused:
        if not _ABSENT.search(refused.said):
            raise
        try:
            engine.image(base)
        except EngineRefused as missing:
            raise ImageError(
                f"The base image {base} cannot be had: {missing.said.rstrip('.')}. Correct base (--base) or python "
                "(--python), or log in to its registry."
            ) from None
        said = engine.ask(*look, about=about)
    known = json.loads(said)
    for one in known["digests"] or ():
        return f"{base}@{one.partition('@')[2]}", one
    return base, known["id"]  # made on this machine


def _asked(wish: Wish, engine: Engine) -> Layout:
    try:
        said = engine.ask(
            *("run", "--rm", "--entrypoint", "python3", wish.base, "-c", _ASKS), about=f"ask the Python of {wish.base}"
        )
    except EngineRefused as refused:
        raise ImageError(
            f"{wish.base} cannot be a base, as it has no python3 that runs here: {refused.said.rstrip('.')}. Take "
            "another base (--base), such as python:3.11-slim."
        ) from None
    version, packages, prefix = json.loads(said)
    if version != wish.minor:
        raise ImageError(
            f"{wish.base} has Python {version}, and Python {wish.minor} is wanted: functions cannot travel between "
            f"them. Take another base (--base), or name its Python (--python {version}) and run the program on that."
        )
    return Layout(packages, prefix)
