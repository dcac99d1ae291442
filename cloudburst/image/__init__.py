"""The environment at hand as an image in a registry: workers have the Python and the packages of the program."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from cloudburst.errors import SettingsError

if TYPE_CHECKING:
    from cloudburst.image.making import Image

__all__ = ["Image", "build", "dockerfile", "find"]

_NEEDED = {"jinja2": "jinja2", "packaging": "packaging", "tomlkit": "tomlkit"}


def build(
    project: str | os.PathLike[str] = ".",
    *,
    repository: str = "cloudburst",
    push: bool = True,
    python: str | None = None,
    platform: str | None = None,
    base: str | None = None,
    apt: Iterable[str] | None = None,
    run: Iterable[str] | None = None,
    without: Iterable[str] | None = None,
    with_data: bool | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    engine: str | None = None,
    say: Callable[[str], None] | None = None,
    follow: Callable[[str], None] | None = None,
) -> Image:
    """Make an image that mirrors this environment, and push it; where nothing has changed, nothing is done.

    The packages are those of the project's ``pylock.toml``, ``uv.lock``, ``poetry.lock`` or pinned
    ``requirements.txt``, the first of them that is there, else those of the running environment. What is not given from
    ``python`` to ``with_data`` is as the project's pyproject.toml says under ``[tool.cloudburst.image]``.

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
    apt : list of str, optional
        Debian packages to install.
    run : list of str, optional
        Shell commands to run as root after the packages are there. All who have the image can read them.
    without : list of str, optional
        Packages to leave out.
    with_data : bool, optional
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
    from cloudburst.image.making import Making
    from cloudburst.image.registry import registry_of
    from cloudburst.image.wishes import check_repository, wished
    from cloudburst.runtime.backends.engine import find_engine

    say = say or _to_standard_error
    wish = wished(
        project, python=python, platform=platform, base=base, apt=apt, run=run, without=without, with_data=with_data
    )
    check_repository(repository)
    found = find_engine(engine)
    registry = registry_of(repository, region, endpoint_url, found) if push else None
    making = Making(wish, base_of(wish, found))
    if registry is None:
        return making.kept_here(found, repository, say, follow)
    return making.kept_there(found, registry, say, follow)


def find(
    project: str | os.PathLike[str] = ".",
    *,
    repository: str = "cloudburst",
    platform: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    engine: str | None = None,
) -> Image | None:
    """The image of this environment, if ``build`` has nothing left to do; nothing is built, pulled or pushed.

    Parameters
    ----------
    project, repository, platform, region, endpoint_url, engine
        As ``build`` takes them.

    Returns
    -------
    Image or None
        As it lies in the registry; ``None`` if it is not there, or if it was never made on this machine, which the
        base image is not on.

    Raises
    ------
    SettingsError, ImageError, EngineRefused
        As ``build`` does.

    Examples
    --------
    ``cb.image.find(repository="ghcr.io/team/worker") is None``
    """
    _need()
    from cloudburst.image.bases import base_of
    from cloudburst.image.building import is_here
    from cloudburst.image.making import Making
    from cloudburst.image.registry import registry_of
    from cloudburst.image.wishes import check_repository, wished
    from cloudburst.runtime.backends.engine import find_engine

    wish = wished(project, platform=platform)
    check_repository(repository)
    found = find_engine(engine)
    if not is_here(found, wish.base):
        return None
    return Making(wish, base_of(wish, found)).there(found, registry_of(repository, region, endpoint_url, found))


def dockerfile(
    project: str | os.PathLike[str] = ".",
    *,
    python: str | None = None,
    platform: str | None = None,
    base: str | None = None,
    apt: Iterable[str] | None = None,
    run: Iterable[str] | None = None,
    without: Iterable[str] | None = None,
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
    (1, True)
    """
    _need()
    from cloudburst.image.bases import Base, official
    from cloudburst.image.making import Making
    from cloudburst.image.wishes import wished

    wish = wished(project, python=python, platform=platform, base=base, apt=apt, run=run, without=without)
    return Making(wish, Base(wish.base, wish.base, official(wish))).dockerfile


def _need() -> None:
    missing = [package for module, package in _NEEDED.items() if find_spec(module) is None]
    if missing:
        raise SettingsError(
            f"Images are made with {', '.join(missing)}, not installed here: pip install 'cloudburst[image]'."
        )


def _to_standard_error(line: str) -> None:
    sys.stderr.write(f"cloudburst: {line}\n")
    sys.stderr.flush()


def __getattr__(name: str) -> Any:
    if name == "Image":  # what makes images is loaded when one is made
        return import_module("cloudburst.image.making").Image
    raise AttributeError(f"module 'cloudburst.image' has no attribute {name!r}")
