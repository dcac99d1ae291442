from __future__ import annotations

import pytest

from cloudburst.runtime.backends.remote import RemoteBackend
from cloudburst.runtime.pool import Pool
from cloudburst.runtime.stores.local import LocalStore
from cloudburst.runtime.terms import Terms
from tests.contracts.backends import BackendContract
from tests.runtime.fleets import ProcessFleet

QUICK = Terms(hearing_interval_s=0.05, mail_interval_s=0.05)
SECRET = b"the user's own"


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "store")


@pytest.fixture
def pool(store):
    return Pool(store, "u1", SECRET, QUICK)


@pytest.fixture
def fleet(pool, tmp_path):
    return ProcessFleet(pool, tmp_path)


@pytest.fixture
def backend(pool, fleet):
    backend = RemoteBackend(pool, fleet)
    yield backend
    backend.close()
    assert not fleet.machines or all(one.poll() is not None for one in fleet.machines.values())


class TestRemoteBackend(BackendContract):
    pass
