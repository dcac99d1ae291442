"""What a program tells of its run while it goes on, and that it listens."""

from __future__ import annotations

import json

import pytest

from cloudburst.errors import StoreError
from cloudburst.history import keeper as keepers
from cloudburst.history.book import History
from cloudburst.history.keeper import Keeper, Unkept, keeping
from cloudburst.history.listing import listed
from cloudburst.providers.base import Whereabouts
from cloudburst.runtime import layout
from cloudburst.runtime.events import Ended, Failure, Gone, Hello
from cloudburst.runtime.outcome import Outcome
from cloudburst.runtime.retry import Failed
from cloudburst.runtime.stores.memory import MemoryStore
from cloudburst.runtime.task import TaskId
from tests.history.test_figures import SMALL, plan, task
from tests.history.told import POOL, USER, put, told
from tests.runtime.outages import Outages
from tests.testing.fargate import until

RUN = "6a2-daily-1f3b5d7e"
PREFIX = layout.pool_prefix(USER, POOL)
WHERE = Whereabouts(USER, POOL, PREFIX, 120.0, "eu-west-1", "data", "X86_64", False, None, "cloudburst-0")


class Printing:
    """A backend that knows what was printed."""

    def __init__(self, **texts):
        self.texts = texts

    def logs(self, log):
        return self.texts[log[0]]


class Halted:
    """A keeper whose looks a test takes itself: it waits between them until it is told that the run is over."""

    def __init__(self, store, planned, backend=None, **more):
        self.cancelled = []
        self.keeper = Keeper(store, planned, RUN, WHERE, backend or Printing(), self.cancelled.append, 3600.0, **more)

    def look(self):
        self.keeper._try(self.keeper._tell)
        self.keeper._try(self.keeper._look)


def outcome(status="done", reason="", failures=()):
    return Outcome(status, reason, (), failures, (), (), (), 1, 1, 0, 1.0, 1, ())


def ended(number=0, log=None, failure=None, attempt=1):
    return Ended("w1", TaskId(number), attempt, (), failure, 1.0, 1.0, log)


def record(store):
    history = History(store)
    return history.record(history.find(RUN))


def printed(store):
    found = []
    for key in listed(store, f"logs/{USER}/{RUN}/"):
        found += [json.loads(line) for line in bytes(store.get(key)).splitlines()]
    return [(one["stage"], one["attempt"], one["text"]) for one in found]


@pytest.fixture
def store():
    return MemoryStore()


def test_a_run_is_told_of_from_its_beginning_to_its_end(store):
    with Halted(store, plan(task(0, "fit"))).keeper as keeper:
        until(lambda: list(listed(store, "history/")), "the first word")
        assert record(store).state == "lost"  # its pool is another's to keep
        keeper.see([Hello("w1", SMALL), ended()], [])
        keeper.finish(outcome())
    told_last = record(store)
    assert (told_last.state, told_last.done, told_last.workers) == ("done", 1, ["w1"])
    assert len(list(listed(store, "history/"))) == 1
    assert keeper.notes() == []


def test_nothing_is_written_while_nothing_changes():
    store = Outages()
    kept = Halted(store, plan(task(0, "fit")))
    kept.look()
    kept.look()
    assert store.calls["put"] == 1
    kept.keeper.see([Hello("w1", SMALL)], [])
    kept.look()
    assert store.calls["put"] == 2


def test_but_once_in_a_while_that_nothing_has_changed(store, monkeypatch):
    monkeypatch.setattr(keepers, "_LOOKS_PER_WORD", 3)
    written = Outages(store)
    with Keeper(written, plan(task(0, "fit")), RUN, WHERE, Printing(), lambda reason: None, 0.001) as keeper:
        until(lambda: written.calls["put"] >= 4, "words of life")
        keeper.finish(outcome())
    assert written.calls["size"] >= 6


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_how_it_ended_is_told(store, status):
    failed = Failed(TaskId(0), 1, Failure("raised", "ValueError: no"), None)
    with Halted(store, plan(task(0, "fit"))).keeper as keeper:
        keeper.see([ended(failure=failed.failure)], [])
        keeper.finish(outcome(status, "enough" if status == "cancelled" else "", (failed,)))
    told_last = record(store)
    assert told_last.state == status
    assert told_last.error == ("enough" if status == "cancelled" else "fit: ValueError: no")
    assert told_last.stages[0].failed == 1


def test_a_run_that_breaks_off_is_told_as_failed(store):
    with pytest.raises(StoreError), Halted(store, plan(task(0, "fit"))).keeper:
        raise StoreError("S3 cannot be reached\nat all")
    assert (record(store).state, record(store).error) == ("failed", "StoreError: S3 cannot be reached")


def test_a_wish_ends_the_run_once(store):
    kept = Halted(store, plan(task(0, "fit")))
    kept.look()
    store.put(layout.wish_key(PREFIX, "6a2-daily-of-another"), [b""])
    kept.look()
    assert kept.cancelled == []
    store.put(layout.wish_key(PREFIX, RUN), [b""])
    kept.look()
    kept.look()
    assert kept.cancelled == [keepers.STOPPED]


# ---------------------------------------------------------------- what was printed


def test_what_was_printed_is_kept_when_a_task_has_ended(store):
    kept = Halted(store, plan(task(0, "load"), task(1, "fit")), Printing(one="loading\n", two="fitting\n"))
    kept.keeper.see([ended(0, ("one", 0, 8)), ended(1, ("nothing", 5, 5))], [])
    kept.look()
    kept.keeper.see([ended(1, ("two", 0, 8), attempt=2), Gone("w1", "lost", "killed", TaskId(1))], [])
    kept.look()
    kept.look()
    assert printed(store) == [
        ("load", 1, "loading\n"),
        ("fit", 2, "fitting\n"),
        ("fit", 0, "[its worker is gone: killed]"),
    ]
    assert len(list(listed(store, "logs/"))) == 2


def test_of_long_output_both_ends_are_kept(store):
    store.put("runs/r/a/fit/log", [b"a" * 100_000 + b"z" * 100_000])
    kept = Halted(store, plan(task(0, "fit")))
    kept.keeper.see([ended(0, ("runs/r/a/fit/log", 0, 200_000)), ended(0, ("runs/gone", 0, 200_000))], [])
    kept.look()
    [(_, _, text), (_, _, gone)] = printed(store)
    assert text.startswith("a" * 65536 + "\n[cloudburst: 68928 characters of output left out here]\nz")
    assert text.endswith("z" * 65536)
    assert gone == ""


def test_a_run_that_prints_without_end_is_cut_off_and_says_so(store, monkeypatch):
    monkeypatch.setattr(keepers, "_MOST_PRINTED", 10)
    kept = Halted(store, plan(task(0, "fit")), Printing(one="0123456789abc", two="more"))
    kept.keeper.see([ended(0, ("one", 0, 13)), ended(0, ("two", 0, 4))], [])
    kept.look()
    [(_, _, text)] = printed(store)
    assert text.startswith("0123456789abc\n[cloudburst: ")


# ---------------------------------------------------------------- trouble


def test_a_store_that_cannot_be_reached_costs_the_run_nothing_and_is_told():
    store = Outages()
    store.out_of_reach()
    with Halted(store, plan(task(0, "fit"))).keeper as keeper:
        keeper.see([ended()], [])
        keeper.finish(outcome())
    [note] = keeper.notes()
    assert "cloudburst runs" in note
    assert "S3 cannot be reached" in note


def test_what_could_not_be_written_is_written_when_it_can_be():
    store = Outages()
    kept = Halted(store, plan(task(0, "fit")))
    store.out_of_reach("put")
    kept.look()
    store.back()
    kept.look()
    assert record(store.inner).state == "lost"
    assert kept.keeper.notes() == []


# ---------------------------------------------------------------- a run that is taken up


def test_a_run_that_is_taken_up_goes_on_in_its_record(store):
    put(store, told(state="running"))
    put(store, told("7b3-other-02", state="running"))
    store.put(layout.printed_key(USER, RUN, 1), [b'{"stage": "fit", "task": "fit-0", "attempt": 1, "text": "before"}'])
    kept = Halted(store, plan(task(0, "fit")), Printing(one="after"), is_taken_up=True)
    kept.keeper.see([ended(0, ("known", 0, 5)), ended(0, ("one", 0, 5), attempt=2)], [])  # the first was told before
    kept.look()
    assert len(list(listed(store, f"history/{USER}/"))) == 2
    assert record(store).begun_s == told().begun_s
    assert [text for _, _, text in printed(store)] == ["before", "after"]


@pytest.mark.parametrize("lies_there", [None, b"{"])
def test_where_nothing_was_told_before_it_begins_anew(store, lies_there):
    if lies_there:
        store.put(layout.history_key(USER, RUN, 1.0), [lies_there])
    Halted(store, plan(task(0, "fit")), is_taken_up=True).look()
    newest = next(History(store).entries([USER]))
    assert History(store).record(newest).state == "lost"


# ---------------------------------------------------------------- runs on this machine


def test_of_a_run_on_this_machine_nothing_is_told():
    import cloudburst as cb

    provider = cb.init_local(workers=1)
    with keeping(provider, plan(), RUN, object(), lambda reason: None) as unkept:
        unkept.see([], [])
        unkept.finish(outcome())
    assert isinstance(unkept, Unkept)
    assert unkept.notes() == []
