"""What a worker needs whatever the project does: cloudburst as it runs here, and the packages it is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

import cloudburst
from cloudburst.errors import ImageError
from cloudburst.image.environment import directory_of
from cloudburst.image.mirror import Local
from cloudburst.image.pylocks import environment_of
from cloudburst.image.wishes import Wish, plain_name

_OURS = "cloudburst"
_EXTRA = "aws"
_FOR_PEOPLE = frozenset({"click", "graphviz", "rich"})
"""What cloudburst shows things with where somebody looks on: not in a worker."""


class Needs(NamedTuple):
    """What is added to a mirror."""

    pins: tuple[str, ...]
    local: tuple[Local, ...]


def needs(versions: Mapping[str, str], local: tuple[Local, ...], wish: Wish) -> Needs:
    """What of a worker's packages a lock lacks, in the versions that are installed here.

    Parameters
    ----------
    versions : mapping
        What the lock has, by plain name.
    local : tuple of Local
        Its local packages.
    wish : Wish
        What is asked.

    Raises
    ------
    ImageError
        If the lock has versions that this cloudburst cannot work with.
    """
    locked = versions.get(_OURS)
    if locked and locked != cloudburst.__version__:
        raise ImageError(
            f"The lock has cloudburst {locked}, and this program runs {cloudburst.__version__}: a worker has to be of "
            "the same. Bring the environment and its lock together (uv sync, or uv lock --upgrade-package cloudburst)."
        )
    pins = [
        f"{name}=={version}"
        for name, version in sorted(_closure(versions, wish).items())
        if name not in versions and name not in wish.without
    ]
    if _OURS in {plain_name(one.name) for one in local}:
        return Needs(tuple(pins), ())
    where = _checkout()
    if where is not None:
        return Needs(tuple(pins), () if where == wish.project.resolve() else (Local(_OURS, where),))
    return Needs((*pins, *([] if locked else [f"{_OURS}=={cloudburst.__version__}"])), ())


def _closure(versions: Mapping[str, str], wish: Wish) -> dict[str, str]:
    """All packages that cloudburst needs, with the versions they have here."""
    found: dict[str, str] = {}
    waiting = [(_OURS, _EXTRA)]
    while waiting:
        package, extra = waiting.pop()
        for needed in _requirements(package, extra, wish):
            name = plain_name(needed.name)
            if package == _OURS:
                _check(needed, versions.get(name, ""))
            if name not in found and (here := _installed(name)) is not None:
                found[name] = here.version
                waiting += [(name, one) for one in ("", *needed.extras)]
    return found


def _requirements(package: str, extra: str, wish: Wish) -> Iterator[Requirement]:
    here = _installed(package)
    for line in (here.requires or ()) if here is not None else ():
        requirement = Requirement(line)
        if package == _OURS and requirement.name in _FOR_PEOPLE:
            continue
        environment = {**environment_of(wish), "extra": extra}
        if requirement.marker is None or requirement.marker.evaluate(environment):
            yield requirement


def _check(needed: Requirement, version: str) -> None:
    if version and not needed.specifier.contains(version, prereleases=True):
        raise ImageError(
            f"The lock has {needed.name} {version}, and cloudburst {cloudburst.__version__} needs "
            f"{needed.name}{needed.specifier}. Add cloudburst to the project's dependencies, and lock anew."
        )


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _checkout() -> Path | None:
    """The directory that cloudburst was installed from; ``None`` where it came from an index."""
    runs = Path(cloudburst.__file__).resolve().parents[1]
    if (runs / "pyproject.toml").exists():
        return runs
    here = _installed(_OURS)
    where = None if here is None else directory_of(here)
    return None if where is None else where.resolve()
