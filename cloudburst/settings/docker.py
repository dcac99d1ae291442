"""The settings of pipelines in local containers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from cloudburst.errors import SettingsError
from cloudburst.settings import cpus, storage_directory
from cloudburst.settings.checks import LINGER_S, seconds

Engine = Literal["docker", "podman"]


@dataclass(frozen=True, slots=True)
class DockerSettings:
    """How pipelines run in local containers."""

    image: str
    max_workers: int
    linger_s: float
    storage: Path | None
    engine: Engine | None


def docker_settings(
    image: Any, max_workers: Any, linger: Any, storage: str | os.PathLike[str] | None, engine: Any
) -> DockerSettings:
    """Check settings.

    Raises
    ------
    SettingsError
        Naming the setting.
    """
    if not isinstance(image, str) or not image or any(one.isspace() for one in image):
        raise SettingsError(
            f"image={image!r} cannot be: it is the name of an image, such as 'cloudburst-worker:latest'."
        )
    if max_workers is None:
        max_workers = cpus()
    if isinstance(max_workers, bool) or not isinstance(max_workers, int) or max_workers < 1:
        raise SettingsError(
            f"max_workers={max_workers!r} cannot be: it is the number of containers at once, 1 or more."
        )
    linger_s = LINGER_S if linger is None else seconds("linger", linger)
    if engine is not None and engine not in get_args(Engine):
        raise SettingsError(f"engine={engine!r} cannot be: it is 'docker' or 'podman'.")
    directory = None if storage is None else storage_directory(storage)
    return DockerSettings(image, max_workers, linger_s, directory, engine)
