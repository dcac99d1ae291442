"""What all tests share."""

import os
import tempfile

import pytest

pytest.register_assert_rewrite("tests.contracts")


def pytest_configure(config):
    """Give the tests a key and a cache of their own, and not those of whoever runs them."""
    for variable in ("CLOUDBURST_CONFIG_DIR", "CLOUDBURST_CACHE_DIR"):
        if variable not in os.environ:
            directory = tempfile.TemporaryDirectory(prefix="cloudburst-tests-")
            config.add_cleanup(directory.cleanup)
            os.environ[variable] = directory.name
