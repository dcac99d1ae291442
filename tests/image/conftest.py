"""What tests of images share: an index on this disk, and caches of their own."""

from __future__ import annotations

import pytest

from cloudburst.image.wishes import wished
from tests.image.projects import wheel


@pytest.fixture(autouse=True)
def caches(tmp_path_factory, monkeypatch):
    """Caches of this test alone."""
    monkeypatch.setenv("CLOUDBURST_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A directory with the only packages there are."""
    directory = tmp_path / "index"
    wheel(directory, "alpha", "1.0", needs=["beta>=1"])
    wheel(directory, "beta", "1.0")
    wheel(directory, "beta", "2.0")
    wheel(directory, "gamma", "1.0")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(directory))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    return directory


@pytest.fixture
def project(tmp_path):
    """A directory with a name that has to be quoted."""
    directory = tmp_path / "mein Projekt ü"
    directory.mkdir()
    return directory


@pytest.fixture
def wish(project):
    return wished(project, python="3.11")
