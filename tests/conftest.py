"""What all tests share."""

import os
import tempfile

import pytest

pytest.register_assert_rewrite("tests.contracts")


def pytest_configure(config):
    """Give the tests a key of their own, and not the one of whoever runs them."""
    if "CLOUDBURST_CONFIG_DIR" not in os.environ:
        directory = tempfile.TemporaryDirectory(prefix="cloudburst-tests-")
        config.add_cleanup(directory.cleanup)
        os.environ["CLOUDBURST_CONFIG_DIR"] = directory.name
