import gc

import pytest

from cloudburst.errors import StoreError
from cloudburst.runtime.stores import open_store
from cloudburst.runtime.stores.memory import MemoryStore
from tests.contracts.stores import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self):
        return MemoryStore()


def test_two_stores_share_nothing():
    one, two = MemoryStore(), MemoryStore()
    one.put("a", [b"1"])
    assert two.list("") == []
    assert one.url != two.url


def test_a_store_that_nobody_holds_cannot_be_opened():
    url = MemoryStore().url
    gc.collect()
    with pytest.raises(StoreError, match="directory"):
        open_store(url)


def test_a_store_of_another_process_cannot_be_opened():
    with pytest.raises(StoreError, match="not in the memory of this process"):
        open_store("memory:0-1")


def test_it_passes_for_a_shared_one_if_told_so():
    assert not MemoryStore().is_shared
    assert MemoryStore(shared=True).is_shared
