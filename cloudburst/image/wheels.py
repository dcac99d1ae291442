"""Local packages as wheels: built from copies, found again as long as nothing changed, told apart by content."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from cloudburst.errors import ImageError
from cloudburst.image.mirror import Local
from cloudburst.image.resolver import no_wheel, uv
from cloudburst.image.trees import Found, amount, copied, fingerprint, walked
from cloudburst.image.wishes import Wish

_GLIBC_MINOR = 28
_UNTOLD = ("/RECORD", "/direct_url.json")
"""Files of a wheel that say nothing of what it does."""


class Wheel(NamedTuple):
    """A wheel of a local package."""

    name: str
    path: Path
    digest: str
    """Of its content: the same for the same files, whenever they were packed."""
    note: str = ""


def wheel_of(local: Local, wish: Wish, cache: Path) -> Wheel:
    """The wheel of a local package, which is built if it is not one.

    Parameters
    ----------
    local : Local
        A directory, a wheel or an archive of source.
    wish : Wish
        What is asked.
    cache : Path
        Where wheels lie that were built before.

    Raises
    ------
    ImageError
        If it is gone, cannot be built, or is for another platform.
    """
    if not local.path.exists():
        raise ImageError(
            f"{local.name} is to be taken from {local.path}, which is not there. Correct the lock, and lock anew."
        )
    note = ""
    if local.path.is_dir():
        path = _built(local, wish, cache)
        note = _note(local.name, [] if wish.with_data else [one for one in walked(local.path) if one.is_data])
    elif local.path.suffix == ".whl":
        path = local.path
    else:
        path = _built(local, wish, cache)
    if not fits(path, wish):
        raise no_wheel(local.name, wish, f"{path.name} is for another machine: one made by cibuildwheel would do.")
    return Wheel(local.name, path, content_of(path), note)


def content_of(wheel: Path) -> str:
    """The digest of what a wheel holds, without when and how it was packed."""
    known = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as packed:
            for name in sorted(packed.namelist()):
                if not name.endswith(_UNTOLD):
                    known.update(f"{name}\0{hashlib.sha256(packed.read(name)).hexdigest()}\n".encode())
    except (zipfile.BadZipFile, OSError) as error:
        raise ImageError(f"{wheel} cannot be read as a wheel: {error}. Build it anew.") from error
    return known.hexdigest()


def fits(wheel: Path, wish: Wish) -> bool:
    """Whether a wheel can be installed in the image."""
    try:
        _, _, _, tags = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as error:
        raise ImageError(
            f"{wheel} is not named as a wheel is: {error}. Give it the name that it was built with."
        ) from None
    return bool(tags & image_tags(wish))


def image_tags(wish: Wish) -> frozenset[Tag]:
    """The tags of wheels that run in the image. What was compiled on a machine like this one has others."""
    version = tuple(int(part) for part in wish.minor.split("."))
    platforms = [f"manylinux_2_{minor}_{wish.machine}" for minor in range(_GLIBC_MINOR, 4, -1)]
    platforms += [f"{old}_{wish.machine}" for old in ("manylinux2014", "manylinux2010", "manylinux1")]
    interpreter = f"cp{version[0]}{version[1]}"
    return frozenset(
        [
            *cpython_tags(version, platforms=platforms),
            *compatible_tags(version, interpreter=interpreter, platforms=platforms),
        ]
    )


def _built(local: Local, wish: Wish, cache: Path) -> Path:
    known = fingerprint(local.path) if local.path.is_dir() else hashlib.sha256(local.path.read_bytes()).hexdigest()
    place = cache / "wheels" / hashlib.sha256(f"{known} {wish.with_data}".encode()).hexdigest()[:32]
    if found := list(place.glob("*.whl")):
        return found[0]
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="building-", dir=cache) as scratch:
        source, made = local.path, Path(scratch, "made")
        if local.path.is_dir():
            source = Path(scratch, local.path.name or "project")
            source.mkdir()
            copied(local.path, source, with_data=wish.with_data)
        uv(
            *("build", "--wheel", "--out-dir", str(made), str(source)),
            about=f"build a wheel of {local.name} from {local.path}",
            within=local.path if local.path.is_dir() else wish.project,
        )
        [wheel] = made.glob("*.whl")
        return wheel.replace(place / wheel.name)


def data_that_stays(scripts: Path) -> list[str]:
    """What is to be said of the data beside scripts, which are no package: none of it is in the image."""
    found = [one for one in walked(scripts) if one.is_data]
    stay = "stays" if len(found) == 1 else "stay"
    return [f"{_listed(found)} {stay} here: stages read from storage what they need."] if found else []


def _note(name: str, left: list[Found]) -> str:
    return f"{_listed(left)} of {name} left out; --with-data takes them along." if left else ""


def _listed(found: list[Found]) -> str:
    largest = sorted(found, key=lambda one: -one.size)
    names = ", ".join(one.below for one in largest[:3]) + (", ..." if len(found) > 3 else "")
    files = "1 data file" if len(found) == 1 else f"{len(found)} data files"
    return f"{files} ({names}; {amount(sum(one.size for one in found))})"
