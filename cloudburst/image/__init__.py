"""The environment at hand as an image in a registry: workers have the Python and the packages of the program."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from cloudburst.errors import SettingsError
from cloudburst.settings.user import cache_directory

if TYPE_CHECKING:
    from cloudburst.image.bases import Base
    from cloudburst.image.mirror import Mirror
    from cloudburst.image.needs import Needs
    from cloudburst.image.registry import Registry
    from cloudburst.image.wheels import Wheel
    from cloudburst.image.wishes import Wish
    from cloudburst.runtime.backends.engine import Engine

__all__ = ["Image", "build", "dockerfile"]

_NEEDED = {"jinja2": "jinja2", "packaging": "packaging", "tomlkit": "tomlkit"}
_TAG_LENGTH = 20


@dataclass(frozen=True, slots=True)
class Image:
    """An image that mirrors an environment.

    Attributes
    ----------
    name : str
        What to give to ``cb.init_docker(image=...)`` or ``cb.init_aws(compute_image=...)``: with its digest, where a
        registry tells it.
    tag : str
        The digest of everything that went in.
    source : str
        Where the environment was read: ``uv.lock``, ``the running environment``.
    was_built, was_pushed : bool
        What had to be done.
    size_bytes : int or None
        Unpacked; ``None`` if it is in the registry and not on this machine.
    notes : tuple of str
        What is worth knowing: data that was left out, packages that are not pinned.
    """

    name: str
    tag: str
    source: str
    was_built: bool
    was_pushed: bool
    size_bytes: int | None
    notes: tuple[str, ...] = ()


def build(
    project: str | os.PathLike[str] = ".",
    *,
    repository: str = "cloudburst",
    push: bool = True,
    python: str | None = None,
    platform: str | None = None,
    base: str | None = None,
    apt: Iterable[str] = (),
    run: Iterable[str] = (),
    without: Iterable[str] = (),
    with_data: bool = False,
    region: str | None = None,
    endpoint_url: str | None = None,
    engine: str | None = None,
    say: Callable[[str], None] | None = None,
    follow: Callable[[str], None] | None = None,
) -> Image:
    """Make an image that mirrors this environment, and push it; where nothing has changed, nothing is done.

    The packages are those of the project's ``pylock.toml``, ``uv.lock``, ``poetry.lock`` or pinned
    ``requirements.txt``, the first of them that is there, else those of the running environment.

    Parameters
    ----------
    project : path
        The project's directory.
    repository : str
        Where it is pushed: a name in this account's ECR, which is made when it is missing, or the address of a
        repository in another registry, such as ``"ghcr.io/team/worker"``.
    push : bool
        Leave it on this machine with ``False``.
    python : str, optional
        ``"3.12"`` or ``"3.12.4"``; the version that runs here by default.
    platform : str, optional
        ``"linux/amd64"``, the default, or ``"linux/arm64"`` for Graviton.
    base : str, optional
        The image it is made from; ``python:VERSION-slim`` by default.
    apt : list of str
        Debian packages to install.
    run : list of str
        Shell commands to run as root after the packages are there. All who have the image can read them.
    without : list of str
        Packages to leave out.
    with_data : bool
        Take along large data files in local packages too.
    region : str, optional
        ECR's; what boto3 finds by default.
    endpoint_url : str, optional
        Of a service that plays AWS, for tests.
    engine : str, optional
        ``"docker"`` or ``"podman"``; the first of them that is there by default.
    say : callable, optional
        Given a line for each thing that is done; printed to standard error by default.
    follow : callable, optional
        Given each line that Docker or Podman prints.

    Returns
    -------
    Image
        With its name, pinned by digest.

    Raises
    ------
    SettingsError
        Naming an argument that cannot be.
    ImageError
        Saying what is in the way, with the mend.
    EngineRefused
        If Docker or Podman does not answer.

    Examples
    --------
    ``cb.init_docker(image=cb.image.build(push=False).name)``
    """
    _need()
    from cloudburst.image.bases import base_of
    from cloudburst.image.registry import registry_of
    from cloudburst.image.wishes import wished
    from cloudburst.runtime.backends.engine import find_engine

    say = say or _to_standard_error
    wish = wished(
        project, python=python, platform=platform, base=base, apt=apt, run=run, without=without, with_data=with_data
    )
    found = find_engine(engine)
    registry = registry_of(repository, region, endpoint_url, found) if push else None
    making = _Making(wish, base_of(wish, found))
    if registry is None:
        return making.kept_here(found, repository, say, follow)
    return making.kept_there(found, registry, say, follow)


def dockerfile(
    project: str | os.PathLike[str] = ".",
    *,
    python: str | None = None,
    platform: str | None = None,
    base: str | None = None,
    apt: Iterable[str] = (),
    run: Iterable[str] = (),
    without: Iterable[str] = (),
) -> str:
    """The Dockerfile that ``build`` would use; nothing is built, and no registry or engine is asked.

    Parameters
    ----------
    project, python, platform, base, apt, run, without
        As ``build`` takes them.

    Returns
    -------
    str
        Its text.

    Raises
    ------
    SettingsError, ImageError
        As ``build`` does.

    Examples
    --------
    >>> import tempfile
    >>> from cloudburst import image
    >>> with tempfile.TemporaryDirectory() as project:
    ...     text = image.dockerfile(project, python="3.12", apt=["libpq5"])
    >>> text.count("FROM python:3.12-slim"), "libpq5" in text
    (2, True)
    """
    _need()
    from cloudburst.image.bases import Base, official
    from cloudburst.image.wishes import wished

    wish = wished(project, python=python, platform=platform, base=base, apt=apt, run=run, without=without)
    return _Making(wish, Base(wish.base, wish.base, official(wish))).dockerfile


class _Making:
    """An image on its way: what goes in, and what it is called for that."""

    def __init__(self, wish: Wish, base: Base) -> None:
        from cloudburst.image.dockerfile import dockerfile_of
        from cloudburst.image.environment import running
        from cloudburst.image.locks import locked
        from cloudburst.image.needs import needs
        from cloudburst.image.project import Project

        mirror, passed = locked(wish)
        self._wish = wish
        self._base = base
        self._mirror: Mirror = (mirror or running(wish)).without(wish.without)
        self._needs: Needs = needs(self._mirror.versions, self._mirror.local, wish)
        self._project = Project(wish.project)
        self._cache = cache_directory() / "image"
        self._notes = [*passed, *self._mirror.notes]
        self.dockerfile = dockerfile_of(wish, self._mirror.source, base.name, has_project=self._project.is_package)

    def kept_here(
        self, engine: Engine, repository: str, say: Callable[[str], None], follow: Callable[[str], None] | None
    ) -> Image:
        """The image on this machine alone."""
        tag = self._tag(say)
        name = f"{repository}:{tag}"
        was_built = self._built(engine, name, say, follow)
        if not was_built:
            say(f"Nothing has changed: {name} is here.")
        return self._image(engine, name, name, tag, was_built=was_built, was_pushed=False)

    def kept_there(
        self, engine: Engine, registry: Registry, say: Callable[[str], None], follow: Callable[[str], None] | None
    ) -> Image:
        """The image in a registry."""
        from cloudburst.image.building import push

        tag = self._tag(say)
        uri = registry.uri()
        digest = None if uri is None else registry.digest(tag)
        if uri is not None and digest is not None:
            name = f"{uri}:{tag}"
            say(f"Nothing has changed: {name} is in the registry.")
            return self._image(engine, name, _by_digest(uri, tag, digest), tag, was_built=False, was_pushed=False)
        if uri is None:
            uri = registry.make()
            say(f"Made the repository {uri}.")
        name = f"{uri}:{tag}"
        was_built = self._built(engine, name, say, follow)
        say(f"Pushing {name}.")
        registry.log_in(engine)
        push(engine, name, follow)
        pushed = _by_digest(uri, tag, registry.digest(tag) or "")
        return self._image(engine, name, pushed, tag, was_built=was_built, was_pushed=True)

    def _tag(self, say: Callable[[str], None]) -> str:
        """What tells this image from all others: the digest of what goes in."""
        from cloudburst.image.mirror import Local
        from cloudburst.image.packages import Environment, digest_of
        from cloudburst.image.wheels import wheel_of

        self._cache.mkdir(parents=True, exist_ok=True)
        local = (*self._mirror.local, *self._needs.local)
        wheels = tuple(wheel_of(one, self._wish, self._cache) for one in local)
        own: tuple[Wheel, ...] = ()
        if self._project.is_package:
            own = (wheel_of(Local(self._project.name, self._wish.project), self._wish, self._cache),)
        self._archived = {"environment.tar": Environment(self._mirror, self._needs.pins, wheels)}
        if own:
            self._archived["project.tar"] = Environment(None, (), own)
        self._notes += [one.note for one in (*wheels, *own) if one.note]
        for note in self._notes:
            say(note)
        parts = {
            "base": self._base.identity,
            "dockerfile": self.dockerfile,
            "archives": {name: digest_of(one, self._wish, self._base.layout) for name, one in self._archived.items()},
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:_TAG_LENGTH]

    def _built(
        self, engine: Engine, name: str, say: Callable[[str], None], follow: Callable[[str], None] | None
    ) -> bool:
        """Build it if it is not on this machine; whether it had to be."""
        from cloudburst.image import building
        from cloudburst.image.packages import archive

        if building.is_here(engine, name):
            return False
        say(f"Building {name} from {self._mirror.source}, for {self._wish.platform} and Python {self._wish.python}.")
        archives = {
            name: archive(one, self._wish, self._base.layout, self._cache) for name, one in self._archived.items()
        }
        with tempfile.TemporaryDirectory(prefix="context-", dir=self._cache) as context:
            building.context_of(Path(context), self.dockerfile, archives)
            building.build(engine, name, Path(context), self._wish, follow)
        return True

    def _image(self, engine: Engine, here: str, name: str, tag: str, *, was_built: bool, was_pushed: bool) -> Image:
        from cloudburst.image.building import is_here, size_of

        size = size_of(engine, here) if is_here(engine, here) else None
        return Image(name, tag, self._mirror.source, was_built, was_pushed, size, tuple(self._notes))


def _by_digest(uri: str, tag: str, digest: str) -> str:
    return f"{uri}@{digest}" if digest else f"{uri}:{tag}"


def _need() -> None:
    missing = [package for module, package in _NEEDED.items() if find_spec(module) is None]
    if missing:
        raise SettingsError(
            f"Images are made with {', '.join(missing)}, not installed here: pip install 'cloudburst[image]'."
        )


def _to_standard_error(line: str) -> None:
    sys.stderr.write(f"cloudburst: {line}\n")
    sys.stderr.flush()
