from __future__ import annotations

import pickle

import pytest

from cloudburst.errors import NotFound, StoreError, Tampered
from cloudburst.runtime import patience
from cloudburst.runtime.chronicle import Chronicle
from cloudburst.runtime.envelope import seal
from cloudburst.runtime.limits import Limits
from cloudburst.runtime.task import Origin
from tests.runtime.outages import Outages
from tests.runtime.plans import plan, task
from tests.runtime.test_envelope import Touch

PREFIX = "runs/6a2-daily-x1"
LIMITS = Limits(3, None, None, shaped=True)


@pytest.fixture
def store():
    return Outages()


@pytest.fixture
def chronicle(store):
    return Chronicle(store, PREFIX, b"secret", "p1", "p11")


def again(store, secret=b"secret", prefix=PREFIX):
    return Chronicle(store, prefix, secret)


def test_what_was_begun_is_read_by_another_process(chronicle, store):
    code = (lambda: 1).__code__
    a_plan = plan(task(0, origins=(Origin("f", code, 3),)), task(1, 0))
    chronicle.begin(a_plan, LIMITS)
    begun = again(store).begun()
    assert (begun.limits, begun.pool, begun.run) == (LIMITS, "p1", "p11")
    assert begun.plan.tasks[0].origins == (Origin("f", None, 3),)
    assert begun.plan.tasks[1] == a_plan.tasks[1]


def test_lines_come_back_in_order_and_go_on_behind_the_last(chronicle, store):
    for number in range(12):
        chronicle.append(f"line {number}\n")
    second = again(store)
    assert list(second.lines()) == [f"line {number}\n" for number in range(12)]
    second.append("another\n")
    assert list(again(store).lines())[-1] == "another\n"


def test_of_two_programs_that_go_on_with_a_run_one_is_told(chronicle, store):
    chronicle.append("one\n")
    second = again(store)
    list(second.lines())
    second.append("two\n")
    with pytest.raises(StoreError, match="another program goes on with this run"):
        chronicle.append("two of its own\n")
    assert list(again(store).lines()) == ["one\n", "two\n"]


def test_a_run_that_is_not_there_is_not_found(store):
    with pytest.raises(NotFound):
        again(store).begun()
    assert list(again(store).lines()) == []


def test_what_another_user_has_written_is_not_taken_for_true(chronicle, store):
    chronicle.begin(plan(task(0)), LIMITS)
    chronicle.append("one\n")
    other = again(store, b"another's")
    with pytest.raises(Tampered):
        other.begun()
    with pytest.raises(Tampered):
        list(other.lines())


def test_what_was_written_for_another_run_or_place_is_not_either(chronicle, store):
    chronicle.begin(plan(task(0)), LIMITS)
    chronicle.append("one\n")
    for source, target in (("000001", "000002"), ("plan", "000002")):
        store.put(f"journals/6a2-daily-x1/{target}", [store.get(f"journals/6a2-daily-x1/{source}")])
        with pytest.raises(Tampered):
            list(again(store).lines())
    store.put("journals/another/plan", [store.get("journals/6a2-daily-x1/plan")])
    with pytest.raises(Tampered):
        again(store, prefix="runs/another").begun()


def test_a_planted_plan_is_not_unpickled(store, tmp_path):
    touched = tmp_path / "touched"
    body = pickle.dumps(Touch(str(touched)))
    key = "journals/6a2-daily-x1/plan"
    for planted in (body, seal("plan", key, body, b"no key of ours")):
        store.put(key, [planted])
        with pytest.raises(Tampered):
            again(store).begun()
    assert not touched.exists()


def test_a_store_that_is_away_for_a_while_is_waited_for(chronicle, store, monkeypatch):
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            store.back()

    monkeypatch.setattr(patience, "sleep", sleep)
    store.out_of_reach("put")
    chronicle.append("one\n")
    assert list(again(store).lines()) == ["one\n"]
