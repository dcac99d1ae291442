"""An image on its way: what goes in, what it is called for that, and what is left to be done."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cloudburst.image import building
from cloudburst.image.bases import Base
from cloudburst.image.environment import running
from cloudburst.image.locks import locked
from cloudburst.image.mirror import Local, Mirror
from cloudburst.image.needs import Needs, needs
from cloudburst.image.packages import Environment, archive, digest_of
from cloudburst.image.project import Project
from cloudburst.image.recipe import dockerfile_of
from cloudburst.image.registry import Registry
from cloudburst.image.wheels import Wheel, data_that_stays, wheel_of
from cloudburst.image.wishes import Wish
from cloudburst.runtime.backends.engine import Engine
from cloudburst.settings.user import own_cache

Say = Callable[[str], None]

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


class Making:
    """An image on its way.

    Parameters
    ----------
    wish : Wish
        What is asked.
    base : Base
        What it is made from.

    Raises
    ------
    ImageError
        If a lock cannot be read, or does not match the project.
    """

    def __init__(self, wish: Wish, base: Base) -> None:
        mirror, passed = locked(wish)
        self._wish = wish
        self._base = base
        self._mirror: Mirror = (mirror or running(wish)).without(wish.without)
        self._needs: Needs = needs(self._mirror.versions, self._mirror.local, wish)
        self._project = Project(wish.project)
        self._cache = own_cache() / "image"
        self._notes = [*passed, *self._mirror.notes]
        self.dockerfile = dockerfile_of(wish, self._mirror.source, base.name, has_project=self._project.is_package)

    def kept_here(self, engine: Engine, repository: str, say: Say, follow: Say | None) -> Image:
        """The image on this machine alone."""
        tag = self._tag(say)
        name = f"{repository}:{tag}"
        was_built = self._built(engine, name, say, follow)
        if not was_built:
            say(f"Nothing has changed: {name} is here.")
        return self._image(engine, name, name, tag, was_built=was_built, was_pushed=False)

    def there(self, engine: Engine, registry: Registry) -> Image | None:
        """The image, if it is in a registry."""
        return self._in(registry, engine, self._tag(lambda line: None))

    def kept_there(self, engine: Engine, registry: Registry, say: Say, follow: Say | None) -> Image:
        """The image in a registry."""
        tag = self._tag(say)
        if (found := self._in(registry, engine, tag)) is not None:
            say(f"Nothing has changed: {registry.uri()}:{tag} is in the registry.")
            return found
        if (uri := registry.uri()) is None:
            uri = registry.make()
            say(f"Made the repository {uri}.")
        name = f"{uri}:{tag}"
        was_built = self._built(engine, name, say, follow)
        say(f"Pushing {name}.")
        registry.log_in(engine)
        building.push(engine, name, follow)
        pushed = _by_digest(uri, tag, registry.digest(tag) or "")
        return self._image(engine, name, pushed, tag, was_built=was_built, was_pushed=True)

    def _in(self, registry: Registry, engine: Engine, tag: str) -> Image | None:
        uri = registry.uri()
        digest = None if uri is None else registry.digest(tag)
        if uri is None or digest is None:
            return None
        name = _by_digest(uri, tag, digest)
        return self._image(engine, f"{uri}:{tag}", name, tag, was_built=False, was_pushed=False)

    def _tag(self, say: Say) -> str:
        """What tells this image from all others: the digest of what goes in."""
        self._cache.mkdir(parents=True, exist_ok=True)
        local = (*self._mirror.local, *self._needs.local)
        wheels = tuple(wheel_of(one, self._wish, self._cache) for one in local)
        own: tuple[Wheel, ...] = ()
        if self._project.is_package:
            own = (wheel_of(Local(self._project.name, self._wish.project), self._wish, self._cache),)
        self._archived = {"environment.tar": Environment(self._mirror, self._needs.pins, wheels)}
        if own:
            self._archived["project.tar"] = Environment(None, (), own)
        else:
            self._notes += data_that_stays(self._wish.project)
        self._notes += [one.note for one in (*wheels, *own) if one.note]
        for note in self._notes:
            say(note)
        parts = {
            "base": self._base.identity,
            "dockerfile": self.dockerfile,
            "archives": {name: digest_of(one, self._wish, self._base.layout) for name, one in self._archived.items()},
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:_TAG_LENGTH]

    def _built(self, engine: Engine, name: str, say: Say, follow: Say | None) -> bool:
        """Build it if it is not on this machine; whether it had to be."""
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
        size = building.size_of(engine, here) if building.is_here(engine, here) else None
        return Image(name, tag, self._mirror.source, was_built, was_pushed, size, tuple(self._notes))


def _by_digest(uri: str, tag: str, digest: str) -> str:
    return f"{uri}@{digest}" if digest else f"{uri}:{tag}"
