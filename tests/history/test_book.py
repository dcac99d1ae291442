"""Which runs there are, which one is meant, and whether its program lives."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloudburst.errors import CodecError, NotFound, UsageError
from cloudburst.history.book import History
from cloudburst.history.record import to_json
from cloudburst.runtime import layout
from tests.history.told import BEGUN_S, OTHER, USER, Ages, put, renew, stage, told


@pytest.fixture
def store():
    return Ages()


@pytest.fixture
def history(store):
    return History(store)


def names(history, users, limit=None):
    return [one.entry.run for one in history.latest(users, limit)]


def test_the_newest_run_comes_first_whoever_started_it(store, history):
    for n, (run, user) in enumerate([("6a2-a-01", USER), ("001-b-02", OTHER), ("fff-c-03", USER)]):
        put(store, told(run, user=user, begun_s=BEGUN_S + n))
    assert history.users() == [USER, OTHER]
    assert names(history, history.users()) == ["fff-c-03", "001-b-02", "6a2-a-01"]
    assert names(history, [USER]) == ["fff-c-03", "6a2-a-01"]
    assert names(history, history.users(), limit=1) == ["fff-c-03"]


def test_no_more_is_read_than_is_asked_for(store, history, monkeypatch):
    for n in range(30):
        put(store, told(f"6a2-a-{n:02}", begun_s=BEGUN_S + n))
    read = []
    plain = store.get
    monkeypatch.setattr(store, "get", lambda key, ranges=None: (read.append(key), plain(key, ranges))[1])
    assert names(history, [USER], limit=3) == ["6a2-a-29", "6a2-a-28", "6a2-a-27"]
    assert len(read) == 3


# ---------------------------------------------------------------- whether its program lives


def test_a_run_goes_on_as_long_as_its_lease_is_renewed(store, history):
    put(store, told(state="running", stages=[stage(state="running", running=1), stage("other")]))
    entry = history.find("6a2")
    assert history.record(entry).state == "lost"
    lease = renew(store)
    record = history.record(entry)
    assert record.state == "running"
    assert [one.state for one in record.stages] == ["running", "done"]
    store.ages[lease] = 121.0
    record = history.record(entry)
    assert record.state == "lost"
    assert [(one.state, one.running) for one in record.stages] == [("stopped", 0), ("done", 0)]


def test_a_run_that_is_over_needs_no_lease(store, history):
    for state in ("done", "failed", "cancelled"):
        put(store, told(state=state))
        assert history.record(history.find("6a2")).state == state


@pytest.mark.parametrize("pool", ["", "../../x", "0123456789AB", "a/b"])
def test_a_record_that_names_no_pool_that_could_be_is_of_a_lost_run(store, history, pool):
    put(store, told(state="running", pool=pool))
    renew(store)
    assert history.record(history.find("6a2")).state == "lost"


def test_a_record_does_not_say_how_long_its_lease_is_good(store, history):
    put(store, told(state="running", lease_limit_s=1e10))
    store.ages[renew(store)] = 601.0
    assert history.record(history.find("6a2")).state == "lost"


# ---------------------------------------------------------------- what others may have written


def test_what_is_no_record_is_seen_and_stops_nothing(store, history):
    store.put(layout.history_key(USER, "6a2-broken-01", BEGUN_S), [b"{"])
    put(store, told("6a2-good-02", begun_s=BEGUN_S + 1))
    good, broken = history.latest([USER])
    assert (good.entry.run, good.trouble) == ("6a2-good-02", "")
    assert (broken.entry.run, broken.record) == ("6a2-broken-01", None)
    assert "no record of a run" in broken.trouble
    assert broken.entry.begun_s == BEGUN_S


def test_a_record_under_another_runs_name_is_none(store, history):
    forged = layout.history_key(USER, "6a2-other-02", BEGUN_S)
    store.put(forged, [to_json(told("6a2-mine-01\x1b[2J")).encode()])
    with pytest.raises(CodecError, match=r"another run, '6a2-mine-01\\x1b\[2J'"):
        history.record(history.find("6a2-other"))


def test_a_user_is_told_by_the_key(store, history):
    store.put(layout.history_key(OTHER, "6a2-a-01", BEGUN_S), [to_json(told("6a2-a-01")).encode()])
    assert history.latest([OTHER])[0].record is None


def test_other_things_that_lie_there_are_passed_over(store, history):
    for key in ("history/notes", f"history/{USER}/notes", f"history/{USER}/12-x", f"history/{USER}/8299999999-"):
        store.put(key, [b""])
    put(store, told())
    assert names(history, history.users()) == ["6a2-daily-1f3b5d7e"]


# ---------------------------------------------------------------- which one is meant


def test_an_id_or_a_beginning_that_no_other_has_is_a_run(store, history):
    for run in ("6a2-daily-01", "6a2-daily-02", "7b3-weekly-03", "7b3-weekly-033"):
        put(store, told(run))
    assert history.find("6a2-daily-02").run == "6a2-daily-02"
    assert history.find("6a2-daily-01").run == "6a2-daily-01"
    assert history.find("7b3-weekly-03").run == "7b3-weekly-03"  # another begins so too
    with pytest.raises(UsageError, match=r"2 runs begin with '6a2': 6a2-daily-0\d, 6a2-daily-0\d\. Give more"):
        history.find("6a2")


def test_the_last_run_is_ones_own_if_there_is_one(store, history):
    put(store, told("6a2-a-01", begun_s=BEGUN_S))
    put(store, told("001-b-02", user=OTHER, begun_s=BEGUN_S + 9))
    assert history.find("last", own=USER).run == "6a2-a-01"
    assert history.find("last", own="u99999999").run == "001-b-02"
    assert history.find("last").run == "001-b-02"


@pytest.mark.parametrize("named", ["daly", "daily", "1f3b5d7e", "6a2-dayli"])
def test_of_a_run_that_is_not_there_the_nearest_is_named(store, history, named):
    put(store, told())
    put(store, told("001-elsewhere-02"))
    with pytest.raises(NotFound, match=r"Did you mean 6a2-daily-1f3b5d7e\?"):
        history.find(named)


@pytest.mark.parametrize("named", ["zzz", "", "\x1b[2J"])
def test_where_none_is_near_the_latest_are_named(store, history, named):
    put(store, told())
    with pytest.raises(NotFound, match="The latest are 6a2-daily-1f3b5d7e") as caught:
        history.find(named)
    assert "\x1b" not in str(caught.value)


def test_where_there_is_no_run_at_all_it_says_so(history):
    with pytest.raises(NotFound, match="another bucket or prefix"):
        history.find("6a2")
    with pytest.raises(NotFound, match="no run here yet"):
        history.find("last")


def test_names_are_shown_without_what_a_terminal_obeys(store, history):
    put(store, replace(told(), run="6a2-\x1b[31mred-01"))
    with pytest.raises(NotFound) as caught:
        history.find("zzz")
    assert "\x1b" not in str(caught.value)
    assert "\\x1b[31mred" in str(caught.value)
