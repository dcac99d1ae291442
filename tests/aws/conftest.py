"""What tests of whole runs on the fake AWS share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def own_key(tmp_path_factory, monkeypatch):
    """The user's own key: one of this test alone."""
    monkeypatch.setenv("CLOUDBURST_CONFIG_DIR", str(tmp_path_factory.mktemp("config")))


@pytest.fixture(autouse=True)
def unmeasured(unmeasured_programs):
    """Hundreds of workers start here, which are those of ``tests/runtime``."""
