"""What tests of whole runs on the fake AWS share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def own_key(tmp_path_factory, monkeypatch):
    """The user's own key: one of this test alone."""
    monkeypatch.setenv("CLOUDBURST_CONFIG_DIR", str(tmp_path_factory.mktemp("config")))


@pytest.fixture(autouse=True)
def unmeasured_programs(monkeypatch):
    """No coverage in the hundreds of workers that start here: ``tests/runtime`` measures the same programs."""
    for name in ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"):
        monkeypatch.delenv(name, raising=False)
