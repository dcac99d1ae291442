"""What an environment is made of: its packages with their exact versions, and where that is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

import tomlkit

from cloudburst.image.wishes import plain_name


class Local(NamedTuple):
    """A package that lies on this machine: a directory to be built, or a wheel or an archive of source."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Mirror:
    """The packages of an environment."""

    source: str
    """Where they were read, for people: ``uv.lock``, ``the running environment``."""
    form: Literal["pylock.toml", "requirements.txt"]
    lock: str
    """The packages that come from elsewhere, in that form, complete and pinned; under ``roots``, constraints."""
    versions: Mapping[str, str]
    """What is pinned, by plain name; empty text where the version is not known."""
    local: tuple[Local, ...] = ()
    roots: str = ""
    """If not empty: what is asked for, which is to be resolved for the platform under these versions."""
    notes: tuple[str, ...] = field(default=())

    def without(self, names: frozenset[str]) -> Mirror:
        """The same without some packages."""
        if not names:
            return self
        left = {name: version for name, version in self.versions.items() if name not in names}
        local = tuple(one for one in self.local if plain_name(one.name) not in names)
        if self.form == "pylock.toml":
            return replace(self, lock=_pylock_without(self.lock, names), versions=left, local=local)
        kept = [_lines_without(text, names) for text in (self.lock, self.roots)]
        return replace(self, lock=kept[0], roots=kept[1], versions=left, local=local)


def _pylock_without(text: str, names: frozenset[str]) -> str:
    if not text:
        return ""
    document = tomlkit.parse(text)
    packages = document["packages"].unwrap()
    left = [one for one in packages if plain_name(str(one["name"])) not in names]
    document["packages"] = left
    return tomlkit.dumps(document) if left else ""


def _lines_without(text: str, names: frozenset[str]) -> str:
    """Requirements as this package writes them: one a line."""
    from packaging.requirements import Requirement

    kept = [
        line
        for line in text.splitlines()
        if line and plain_name(Requirement(line.partition(" --hash=")[0]).name) not in names
    ]
    return "".join(f"{line}\n" for line in kept)
