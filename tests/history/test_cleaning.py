"""What is removed of runs that are over, and what never is."""

from __future__ import annotations

import math

import pytest

from cloudburst.errors import StoreError
from cloudburst.history.book import History
from cloudburst.history.cleaning import remains, remove
from cloudburst.history.listing import folders, listed
from cloudburst.runtime import layout
from cloudburst.runtime.lease import lease_key
from tests.history.told import OTHER, POOL, USER, Ages, put, renew, told
from tests.runtime.outages import Outages

DAY_S = 86400.0
RUN = "6a2-daily-1f3b5d7e"


@pytest.fixture
def store():
    return Ages()


def left(store, run=RUN):
    """What a run leaves that did not succeed: values and a journal."""
    for key, data in {
        f"runs/{run}/a/fit-1-1/0": b"value",
        f"runs/{run}/given/0": b"given",
        f"journals/{run}/000001": b"line",
        f"journals/{run}/plan": b"plan",
    }.items():
        store.put(key, [data])


def found(store, older_than_s=0.0, kept_s=math.inf):
    return remains(History(store), older_than_s, kept_s=kept_s)


def keep(store, digest, *values, user=USER):
    """A receipt, and the values that it names."""
    parts = ", ".join(f'{{"key": "{value}", "nbytes": 5}}' for value in values)
    store.put(f"kept/{user}/{digest}", [b'{"v": 1, "mac": ""}\n{"artifact": {"parts": [%s]}}' % parts.encode()])
    for value in values:
        store.put(value, [b"value"])


@pytest.mark.parametrize("state", ["failed", "cancelled", "lost"])
def test_a_run_that_did_not_succeed_leaves_values_and_a_journal(store, state):
    left(store)
    put(store, told(state=state))
    there = found(store)
    assert (there.objects, there.nbytes, list(there.runs)) == (4, 5 + 5 + 4 + 4, [RUN])
    remove(store, there)
    assert {key.partition("/")[0] for key in listed(store, "")} == {"history"}
    assert found(store).objects == 0


def test_of_a_run_that_was_done_the_journal_goes_and_what_a_program_may_hold_stays(store):
    left(store)
    put(store, told(state="done"))
    there = found(store)
    assert sorted(there.runs[RUN]) == [f"journals/{RUN}/000001", f"journals/{RUN}/plan"]
    assert there.kept == 2


def test_kept_values_stay_whoevers_they_are(store):
    left(store)
    put(store, told(state="failed"))
    store.put(f"kept/{OTHER}/ab12", [b'{"v": 1, "kind": "receipt", "mac": ""}\n{"v": 1, "artifact": {"parts": [{"key": '
                                     + f'"runs/{RUN}/a/fit-1-1/0"'.encode() + b', "nbytes": 5}]}}'])  # fmt: skip
    there = found(store)
    assert f"runs/{RUN}/a/fit-1-1/0" not in there.runs[RUN]
    assert f"runs/{RUN}/given/0" in there.runs[RUN]
    assert there.kept == 1
    remove(store, there)
    assert bytes(store.get(f"runs/{RUN}/a/fit-1-1/0")) == b"value"


def test_kept_values_go_only_if_that_is_asked_for(store):
    keep(store, "ab", "values/1ab/1ab")
    store.ages.update(dict.fromkeys((f"kept/{USER}/ab", "values/1ab/1ab"), 1000 * DAY_S))
    assert (found(store).objects, found(store).kept) == (0, 1)
    there = found(store, kept_s=90 * DAY_S)
    assert (list(there.receipts), list(there.values), there.kept) == ([f"kept/{USER}/ab"], ["values/1ab/1ab"], 0)
    assert there.objects == 2
    remove(store, there)
    assert store.list("") == []


def test_a_value_stays_as_long_as_a_younger_receipt_names_it(store):
    keep(store, "ab", "values/1ab/1ab", "values/2cd/2cd")
    keep(store, "cd", "values/2cd/2cd", user=OTHER)
    store.ages |= dict.fromkeys((f"kept/{USER}/ab", "values/1ab/1ab", "values/2cd/2cd"), 100 * DAY_S)
    there = found(store, kept_s=90 * DAY_S)
    assert (list(there.receipts), list(there.values)) == ([f"kept/{USER}/ab"], ["values/1ab/1ab"])


def test_a_young_value_stays_whose_receipt_is_about_to_be_written(store):
    store.put("values/1ab/1ab", [b"value"])
    assert found(store, kept_s=DAY_S).objects == 0
    store.ages["values/1ab/1ab"] = 2 * DAY_S  # its program was killed between the two
    assert list(found(store, kept_s=DAY_S).values) == ["values/1ab/1ab"]


def test_what_names_a_value_goes_before_it(store):
    keep(store, "ab", "values/1ab/1ab")
    outage = Outages(store)
    there = found(outage, kept_s=0.0)
    outage.refuse = lambda method, key: StoreError("S3 cannot be reached") if outage.calls["delete"] > 1 else None
    with pytest.raises(StoreError):
        remove(outage, there)
    assert store.list("") == ["values/1ab/1ab"]


def test_what_lies_with_a_run_goes_once_nothing_young_names_it(store):
    """As values were kept before they had a place of their own."""
    left(store)
    put(store, told(state="failed"))
    keep(store, "ab", f"runs/{RUN}/a/fit-1-1/0")
    assert f"runs/{RUN}/a/fit-1-1/0" not in found(store, kept_s=90 * DAY_S).runs[RUN]
    store.ages[f"kept/{USER}/ab"] = 100 * DAY_S
    assert f"runs/{RUN}/a/fit-1-1/0" in found(store, kept_s=90 * DAY_S).runs[RUN]


def test_a_run_that_goes_on_is_left_alone_with_its_pool(store):
    left(store)
    put(store, told(state="running"))
    renew(store)
    there = found(store)
    assert (there.objects, there.living) == (0, [RUN])


def test_a_run_whose_program_is_no_more_is_not(store):
    left(store)
    put(store, told(state="running"))
    store.ages[renew(store)] = 200.0
    there = found(store)
    assert list(there.runs) == [RUN]
    assert list(there.pools) == [layout.pool_prefix(USER, POOL)]
    remove(store, there)
    assert list(folders(store, "")) == ["history"]


def test_what_is_younger_stays(store):
    left(store)
    key = put(store, told(state="failed"))
    store.ages[key] = 6 * DAY_S
    there = found(store, 7 * DAY_S)
    assert (there.objects, there.living) == (0, [])
    store.ages[key] = 8 * DAY_S
    assert found(store, 7 * DAY_S).objects == 4


def test_a_young_lapsed_pool_stays(store):
    store.ages[renew(store)] = 2 * DAY_S
    assert found(store, 7 * DAY_S).pools == {}
    assert len(found(store, DAY_S).pools) == 1


def test_a_run_of_which_nothing_is_told_goes_when_it_is_old_and_no_unknown_pool_lives(store):
    left(store)
    assert (found(store).objects, found(store).living) == (0, [RUN])  # written just now
    store.ages[f"journals/{RUN}/000001"] = 2 * DAY_S
    assert found(store).objects == 4
    lease = renew(store)  # perhaps that of this run
    assert (found(store).objects, found(store).living) == (0, [RUN])
    put(store, told("7b3-other-02", state="running"))  # no: of another
    assert found(store).objects == 4
    store.ages[lease] = 3 * DAY_S
    assert found(store).objects == 5


def test_a_record_that_cannot_be_read_spares_its_run_until_it_is_old(store):
    left(store)
    store.put(layout.history_key(USER, RUN, 0.0), [b"{"])
    assert found(store).living == [RUN]


def test_a_forged_record_names_nothing_that_is_removed(store):
    store.put("elsewhere/data", [b"precious"])
    store.put("runs/other/x", [b"precious"])
    store.ages["runs/other/x"] = 0.0
    put(store, told("../elsewhere", state="failed"))
    put(store, told(state="lost", pool="../../elsewhere"))
    remove(store, found(store))
    assert bytes(store.get("elsewhere/data")) == bytes(store.get("runs/other/x")) == b"precious"


def test_sources_and_histories_stay(store):
    put(store, told(state="failed"))
    store.put("sources/ab1/ab12/a.parquet", [b"file"])
    store.put(layout.printed_key(USER, RUN, 1), [b"printed"])
    assert found(store).objects == 0


def test_the_families_that_young_runs_use_are_told(store):
    put(store, told("6a2-a-01", definition="cloudburst-111111111111"))
    store.ages[put(store, told("6a2-b-02", definition="cloudburst-222222222222"))] = 9 * DAY_S
    assert found(store, 7 * DAY_S).families == {"cloudburst-111111111111"}


def test_a_lease_that_is_gone_does_not_keep_a_pool(store):
    pool = layout.pool_prefix(USER, POOL)
    store.put(f"{pool}/said/bye-w1", [b"late"])
    assert list(found(store).pools) == [pool]
    assert lease_key(pool) not in found(store).pools[pool]
