"""What is asked of an image, checked before anything is looked at."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from cloudburst.errors import SettingsError
from cloudburst.settings.origins import Found, checked
from cloudburst.settings.tables import image_table

Platform = Literal["linux/amd64", "linux/arm64"]

FARGATE: Platform = "linux/amd64"
ARCHITECTURES: dict[str, Platform] = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}
"""What ECS calls the platforms."""
REPOSITORY = "cloudburst"

_PYTHON = re.compile(r"3\.\d{1,2}(\.\d{1,2})?")
_APT = re.compile(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?(=[A-Za-z0-9.+~:-]+)?")
_IMAGE = re.compile(r"[A-Za-z0-9][\w.:/@-]*")
_REPOSITORY = re.compile(
    r"(?:[A-Za-z0-9.-]+(?::\d+)?/)?[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
)
_PACKAGE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of an image. ``cb.image.build`` describes each."""

    project: Path
    python: str
    platform: Platform
    base: str
    apt: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()
    with_data: bool = False

    @property
    def minor(self) -> str:
        """The Python that functions and values travel between: ``"3.11"``."""
        return ".".join(self.python.split(".")[:2])

    @property
    def machine(self) -> str:
        """The processor as wheels name it."""
        return {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}[self.platform]


def wished(
    project: str | os.PathLike[str] = ".",
    *,
    python: str | None = None,
    platform: str | None = None,
    base: str | None = None,
    apt: Iterable[str] | None = None,
    run: Iterable[str] | None = None,
    without: Iterable[str] | None = None,
    with_data: bool | None = None,
) -> Wish:
    """Check what is asked and fill in what the project says, under ``[tool.cloudburst.image]``, and this environment.

    Raises
    ------
    SettingsError
        Naming what cannot be, and where it stands.

    Examples
    --------
    >>> wished(python="3.12", apt=["libpq5"]).base
    'python:3.12-slim'
    >>> wished(apt=["lib; rm"])
    Traceback (most recent call last):
    cloudburst.errors.SettingsError: apt='lib; rm' cannot be: it is the name of a Debian package, such as 'libpq5' or
    'libpq5=15.3-0+deb12u1'.
    """
    directory = Path(project).expanduser().absolute()
    if not directory.is_dir():
        raise SettingsError(f"project={str(project)!r} cannot be: there is no such directory.")
    given = {
        "python": python, "platform": platform, "base": base, "apt": apt, "run": run, "without": without,
        "with_data": with_data,
    }  # fmt: skip
    table = image_table(directory)
    found = {} if table is None else {name: Found(value, table.origin(name)) for name, value in table.values.items()}
    found |= {name: Found(value, "") for name, value in given.items() if value is not None}
    read = {name: checked(name, found.get(name), check) for name, check in _CHECKS.items()}
    read["base"] = read["base"] or f"python:{read['python']}-slim"
    return Wish(project=directory, **read)


def plain_name(package: str) -> str:
    """A package's name in the one spelling that indexes compare.

    >>> plain_name("Python_DateUtil")
    'python-dateutil'
    """
    return re.sub(r"[-_.]+", "-", package).lower()


def own_platform() -> Platform:
    """The platform of containers on this machine."""
    return "linux/arm64" if platform.machine().lower() in ("arm64", "aarch64") else "linux/amd64"


def check_repository(value: Any) -> str:
    """Where an image is to go: a name in this account's ECR, or ``HOST/NAME`` of another registry.

    >>> check_repository("Team/Worker")
    Traceback (most recent call last):
    cloudburst.errors.SettingsError: repository='Team/Worker' cannot be: it is a name such as 'team/worker' in ECR, or
    'ghcr.io/team/worker' of another registry, without a tag.
    """
    right = "a name such as 'team/worker' in ECR, or 'ghcr.io/team/worker' of another registry, without a tag"
    return _text("repository", value, _REPOSITORY, right)


def _base(value: Any) -> str | None:
    return None if value is None else _text("base", value, _IMAGE, "an image, 'python:3.11-slim'")


def _python(value: Any) -> str:
    if value is None:
        return ".".join(str(part) for part in sys.version_info[:3])
    return _text("python", value, _PYTHON, "a version of Python, such as '3.12' or '3.12.4'")


def _platform(value: Any) -> Platform:
    if value is None:
        return FARGATE
    if value not in get_args(Platform):
        raise SettingsError(f"platform={value!r} cannot be: it is 'linux/amd64' or 'linux/arm64'.")
    return value  # type: ignore[no-any-return]


def _with_data(value: Any) -> bool:
    if value not in (None, True, False):
        raise SettingsError(f"with_data={value!r} cannot be: it is true or false.")
    return bool(value)


def _step(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or "\n" in value or value.rstrip().endswith("\\"):
        raise SettingsError(
            f"run={value!r} cannot be: it is a shell command on one line; give more than one with run=[...]."
        )
    return value.strip()


def _each(name: str, values: Any, pattern: re.Pattern[str], right: str) -> tuple[str, ...]:
    return tuple(_text(name, one, pattern, right) for one in _list(name, values))


def _list(name: str, values: Any) -> list[Any]:
    if isinstance(values, str) or not isinstance(values, Iterable | None):
        raise SettingsError(f"{name}={values!r} cannot be: it is a list; write {name}=[{values!r}].")
    return list(values or ())


def _text(name: str, value: Any, pattern: re.Pattern[str], right: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise SettingsError(f"{name}={value!r} cannot be: it is {right}.")
    return value


_DEBIAN = "the name of a Debian package, such as 'libpq5' or 'libpq5=15.3-0+deb12u1'"
_CHECKS: dict[str, Callable[[Any], Any]] = {
    "python": _python,
    "platform": _platform,
    "base": _base,
    "apt": lambda value: _each("apt", value, _APT, _DEBIAN),
    "run": lambda value: tuple(_step(one) for one in _list("run", value)),
    "without": lambda value: frozenset(
        plain_name(one) for one in _each("without", value, _PACKAGE, "the name of a package, such as 'psycopg2'")
    ),
    "with_data": _with_data,
}
"""What each wish has to be, and what it is when nobody wishes anything."""
