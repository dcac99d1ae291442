"""The provider of local containers, without an engine: where its directory is, and what it looks at first."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

import cloudburst as cb
from cloudburst import providers
from cloudburst.providers.docker import DockerProvider
from cloudburst.runtime.backends import docker
from cloudburst.runtime.pool import Pool
from cloudburst.runtime.terms import Terms


@pytest.fixture(autouse=True)
def own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDBURST_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def labelled(monkeypatch: pytest.MonkeyPatch, **labels: str) -> None:
    found = {name.replace("_", "."): value for name, value in labels.items()}
    monkeypatch.setattr(docker, "image_labels", lambda image, engine=None: found)


def test_it_is_current_once_it_is_made() -> None:
    made = cb.init_docker(image="worker:1", max_workers=2)
    assert providers.current() is made
    assert repr(made) == "<Docker provider: 2 containers of worker:1>"
    assert made.default_size == (2048, 8192, None, None)
    cb.init_local()


def test_a_private_directory_is_made_when_it_is_needed_and_goes_with_the_provider(tmp_path: Path) -> None:
    made = cb.init_docker(image="worker:1")
    assert list(tmp_path.glob("cloudburst-*")) == []
    made.store.put("a/b", [b"x"])
    assert made.store.is_shared
    [directory] = tmp_path.glob(f"cloudburst-{os.getpid()}-*")
    cb.init_local()
    assert not directory.exists()


def test_what_a_killed_program_left_goes_with_the_next_one(tmp_path: Path) -> None:
    left = tmp_path / "cloudburst-999999999-abc"
    left.mkdir()
    made = cb.init_docker(image="worker:1")
    assert made.store.list("") == []
    assert not left.exists()
    cb.init_local()


def test_a_storage_of_ones_own_stays(tmp_path: Path) -> None:
    made = cb.init_docker(image="worker:1", storage=tmp_path / "mine")
    made.store.put("a/b", [b"x"])
    cb.init_local()
    assert (tmp_path / "mine").is_dir()
    assert list(tmp_path.glob("cloudburst-*")) == []


def test_containers_get_the_directory_and_the_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given: list[Any] = []
    monkeypatch.setattr(docker, "DockerFleet", lambda *args, **named: given.append((args, named)))
    made = cb.init_docker(image="worker:1", storage=tmp_path / "mine", engine="podman")
    pool = Pool(made.store, made.user, made.secret, Terms())
    made._fleet(pool)
    assert given == [(("worker:1", pool.id, pool.variable, tmp_path / "mine"), {"engine": "podman"})]
    cb.init_local()


def test_an_image_of_another_python_is_refused_before_anything_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    labelled(monkeypatch, org_cloudburst_python="3.1")
    monkeypatch.setattr(docker, "DockerFleet", lambda *args, **named: pytest.fail("a fleet was made"))
    with cb.using(cb.init_docker(image="worker:1")), pytest.raises(cb.ImageError, match=r"worker:1 has Python 3\.1"):
        cb.defer(sum)([1]).compute()


@pytest.mark.parametrize("labels", [{}, {"org_cloudburst_python": f"{sys.version_info[0]}.{sys.version_info[1]}"}])
def test_an_image_of_this_python_or_without_a_label_will_do(
    monkeypatch: pytest.MonkeyPatch, labels: dict[str, str]
) -> None:
    labelled(monkeypatch, **labels)
    made = cb.init_docker(image="worker:1")
    assert isinstance(made, DockerProvider)
    made._check_before_launch()
    cb.init_local()
