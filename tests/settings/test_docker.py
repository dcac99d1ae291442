"""Settings of local containers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import cloudburst as cb
from cloudburst.settings import cpus
from cloudburst.settings.docker import docker_settings

DEFAULTS: dict[str, Any] = {"image": "worker", "max_workers": None, "linger": None, "storage": None, "engine": None}


def test_as_many_containers_as_there_are_cpus_by_default() -> None:
    made = docker_settings(**DEFAULTS)
    assert (made.image, made.max_workers, made.linger_s, made.storage, made.engine) == (
        "worker",
        cpus(),
        10.0,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("image", "", "image='' cannot be: it is the name of an image"),
        ("image", None, "image=None"),
        ("image", "my image", "image='my image'"),
        ("max_workers", 0, "max_workers=0 cannot be: it is the number of containers at once"),
        ("max_workers", True, "max_workers=True"),
        ("linger", -1, "linger=-1 cannot be: it is a number of seconds"),
        ("linger", float("inf"), "linger=inf"),
        ("linger", "1", "linger='1'"),
        ("engine", "lxc", "engine='lxc' cannot be: it is 'docker' or 'podman'"),
        ("storage", 5, "storage=5 cannot be"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(name: str, value: Any, said: str) -> None:
    with pytest.raises(cb.SettingsError, match=said):
        docker_settings(**DEFAULTS | {name: value})


def test_a_storage_of_ones_own_is_made(tmp_path: Path) -> None:
    made = docker_settings(**DEFAULTS | {"storage": tmp_path / "a", "linger": 0, "engine": "podman"})
    assert (tmp_path / "a").is_dir()
    assert (made.storage, made.linger_s, made.engine) == (tmp_path / "a", 0.0, "podman")
