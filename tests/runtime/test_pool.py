from __future__ import annotations

import pytest

from cloudburst.errors import NotFound, StoreError, Tampered
from cloudburst.runtime import layout
from cloudburst.runtime.identity import identity
from cloudburst.runtime.lease import lease_key, write_lease
from cloudburst.runtime.pool import Pool, leftovers, pool_key
from cloudburst.runtime.stores.local import LocalStore
from cloudburst.runtime.stores.memory import MemoryStore
from cloudburst.runtime.terms import Terms
from tests.runtime.outages import Outages

SECRET = b"the user's own"


class Ages(MemoryStore):
    """A store whose objects are as old as one says."""

    def __init__(self):
        super().__init__()
        self.ages = {}

    def age_s(self, key):
        self.size(key)
        return self.ages.get(key, 0.0)


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "store", shared=True)


def test_a_pool_lies_under_one_prefix_that_goes_with_it(store):
    pool = Pool(store, "u1", SECRET, Terms())
    assert not pool.is_open
    pool.open()
    assert pool.is_open
    pool.check()
    assert store.list("") == [lease_key(pool.prefix), pool_key(pool.prefix)]
    pool.close_lease()
    pool.close_lease()
    assert not pool.is_open
    pool.check()
    pool.remove()
    assert store.list("") == []


def test_each_pool_has_a_key_of_its_own_that_is_made_of_the_users(store):
    one, other = Pool(store, "u1", SECRET, Terms()), Pool(store, "u1", SECRET, Terms())
    assert len({one.secret, other.secret, SECRET}) == 3
    assert Pool(store, "u1", SECRET, Terms(), one.id).secret == one.secret
    assert Pool(store, "u1", b"another's", Terms(), one.id).secret != one.secret


def test_machines_are_told_of_it_in_well_under_a_kilobyte_and_nobody_else(store):
    pool = Pool(store, "u1", SECRET, Terms())
    me = identity({"CLOUDBURST_POOL": pool.variable, "CLOUDBURST_WORKER": "w"})
    assert me == ("w", store.url, pool.prefix, pool.secret)
    assert len(pool.variable) < 1000
    assert pool.secret.hex() not in repr(pool)


def test_a_pool_is_found_by_its_id_with_its_terms(store):
    pool = Pool(store, "u1", SECRET, Terms(linger_s=3.5))
    pool.open()
    found = Pool.found(store, "u1", SECRET, pool.id)
    assert (found.terms, found.prefix, found.secret) == (pool.terms, pool.prefix, pool.secret)
    found.take_up()
    assert found.is_open
    found.let_go()
    found.let_go()
    assert not found.is_open
    pool.close_lease()
    with pytest.raises(StoreError, match="sent home"):
        found.take_up()


def test_one_that_was_planted_or_is_gone_is_not_found(store):
    with pytest.raises(NotFound):
        Pool.found(store, "u1", SECRET, "abc")
    theirs = Pool(store, "u1", b"another's", Terms(), "abc")
    theirs.open()
    theirs.close_lease()
    with pytest.raises(Tampered):
        Pool.found(store, "u1", SECRET, "abc")


# ---------------------------------------------------------------- what others left


def left(store, pool, lease_age_s=None, pool_age_s=None, user="u1"):
    prefix = layout.pool_prefix(user, pool)
    for key, age_s in ((lease_key(prefix), lease_age_s), (pool_key(prefix), pool_age_s)):
        if age_s is not None:
            store.put(key, [b"x"])
            store.ages[key] = age_s
    return prefix


def test_a_pool_whose_lease_nobody_renews_is_left_over():
    store = Ages()
    old = left(store, "old", 121, 500)
    left(store, "new", 119, 500)
    left(store, "theirs", 500, 500, user="u2")
    assert list(leftovers(store, "u1", 120)) == [("old", old)]
    assert list(leftovers(store, "u1", 120, mine=old)) == []


def test_one_whose_driver_was_killed_before_it_wrote_a_lease_too():
    store = Ages()
    left(store, "opening", None, 10)
    killed = left(store, "killed", None, 200)
    assert list(leftovers(store, "u1", 120)) == [("killed", killed)]


def test_what_came_too_late_into_a_closed_pool_goes_without_a_word():
    store = Ages()
    late = f"{left(store, 'closed')}/said/bye-w1"
    fresh = f"{left(store, 'closing')}/said/bye-w1"
    for key in (late, fresh):
        store.put(key, [b"x"])
    store.ages[late] = 200
    assert list(leftovers(store, "u1", 120)) == []
    assert store.list("") == [fresh]


def test_what_others_plant_beside_them_names_no_pool():
    store = Ages()
    for key in ("pools/u1/x", "pools/u1/000-abc/lease", "pools/u1/-/lease"):
        store.put(key, [b"x"])
        store.ages[key] = 500
    assert list(leftovers(store, "u1", 120)) == []


def test_many_pools_with_many_keys_are_all_looked_at_a_page_each():
    store = Ages()
    prefixes = [left(store, f"p{number}", 500, 500) for number in range(3)]
    for prefix in prefixes:
        for number in range(1200):
            store.put(f"{prefix}/mail/w/{number:06}", [b""])
    asked = Outages(store)
    assert sorted(prefix for _, prefix in leftovers(asked, "u1", 120)) == sorted(prefixes)
    assert asked.calls["list"] <= 4


def test_what_cannot_be_removed_is_named():
    store = Outages()
    pool = Pool(store, "u1", SECRET, Terms())
    write_lease(store, pool.prefix, pool.secret, 1)
    store.out_of_reach("delete")
    with pytest.raises(StoreError) as caught:
        pool.remove()
    assert caught.value.__notes__ == [f"What lies under {pool.prefix}/ could not be removed."]
