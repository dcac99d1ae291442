"""What tests share that make images: the base under its exact name, and a cache for all of a file's tests."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator

import pytest

from cloudburst.image.building import is_here
from cloudburst.runtime.backends.engine import EngineRefused
from tests.docker.images import PYTHON_VERSION, engine


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One cache for all tests of a file, as a user has."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CLOUDBURST_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def base(cache: None) -> Iterator[str]:
    """Python's own image, which is tagged with its exact version, as the default is.

    ``CLOUDBURST_TEST_BASE`` names another one that is to play it.
    """
    name = os.environ.get("CLOUDBURST_TEST_BASE") or f"python:{PYTHON_VERSION}-slim"
    exact = f"python:{platform.python_version()}-slim"
    try:
        engine().ask("image", "inspect", name, about="find the base")
    except EngineRefused as refused:
        pytest.skip(f"no {name} here. {refused}")
    before = identity(exact) if is_here(engine(), exact) else None
    engine().ask("tag", name, exact, about="tag the base")
    yield name
    if before is None:
        engine().ask("image", "rm", exact, about="take the tag away")
    else:
        engine().ask("tag", before, exact, about="give the tag back")


def identity(image: str) -> str:
    return engine().ask("image", "inspect", "--format", "{{.Id}}", image, about="look at it").strip()
