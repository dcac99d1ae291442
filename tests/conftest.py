"""What all tests share: keys and caches of their own, an order, and a watch on what they leave behind."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Iterator

import botocore.loaders
import botocore.session
import pytest

from tests.order import dealt

pytest.register_assert_rewrite("tests.contracts")

LONG = ("container", "heavy", "radosgw", "slow")
WATCHED = ("AWS_", "BOTO", "CLOUDBURST_", "MOTO_", "NO_PROXY", "no_proxy")


def pytest_configure(config):
    """Give the tests a key and a cache of their own, and not those of whoever runs them."""
    for variable in ("CLOUDBURST_CONFIG_DIR", "CLOUDBURST_CACHE_DIR"):
        if variable not in os.environ:
            directory = tempfile.TemporaryDirectory(prefix="cloudburst-tests-")
            config.add_cleanup(directory.cleanup)
            os.environ[variable] = directory.name
    # The clients that tests make themselves need not read what describes AWS's services again for each fake.
    botocore.session.create_loader = functools.cache(botocore.loaders.create_loader)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """What is long begins first."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    items[:] = dealt(items, _is_long, workers)


@pytest.fixture
def unmeasured_programs(monkeypatch):
    """Programs that a test starts run without coverage: other tests measure the same lines."""
    for name in ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def environment_of_a_test() -> Iterator[None]:
    """A test leaves the variables as it found them, or another would speak to a fake that is gone."""
    yield from _left_as_it_was()


@pytest.fixture(scope="module", autouse=True)
def environment_of_a_module() -> Iterator[None]:
    """So do the fixtures that a module shares."""
    yield from _left_as_it_was()


def _is_long(item: pytest.Item) -> bool:
    starts_programs = "unmeasured_programs" in getattr(item, "fixturenames", ())
    return starts_programs or any(item.get_closest_marker(name) for name in LONG)


def _left_as_it_was() -> Iterator[None]:
    before = _variables()
    yield
    after = _variables()
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    for name in changed:  # the next test is not to blame
        os.environ.pop(name, None)
        if name in before:
            os.environ[name] = before[name]
    told = "A monkeypatch inside of FakeAWS has to end inside: pytest.MonkeyPatch.context()."
    assert not changed, f"left changed: {', '.join(changed)}. {told}"


def _variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(WATCHED)}
