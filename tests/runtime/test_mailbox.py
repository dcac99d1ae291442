from __future__ import annotations

import time
from hashlib import sha256
from itertools import pairwise
from threading import Event

import pytest

from cloudburst.errors import AccessDenied, NotFound, StoreError, Tampered
from cloudburst.runtime import layout, mailbox
from cloudburst.runtime.envelope import seal, unseal
from cloudburst.runtime.events import Hello
from cloudburst.runtime.identity import Identity
from cloudburst.runtime.letters import Letter, Said
from cloudburst.runtime.mailbox import Grumbles, Letterbox, Outbox, Twin
from cloudburst.runtime.terms import Terms
from tests.runtime.outages import Outages

ME = Identity("w1", "memory:0", "pools/u1/000-p", b"secret")
TERMS = Terms(mail_interval_s=0.01, cool_interval_s=0.01)


@pytest.fixture
def store():
    return Outages()


@pytest.fixture
def heard():
    """What was grumbled."""
    return []


@pytest.fixture
def letterbox(store, heard):
    return Letterbox(ME, store, TERMS, lambda: None, Grumbles(heard.append))


@pytest.fixture
def outbox(store, heard):
    return Outbox(ME, store, lambda: None, Grumbles(heard.append))


def send(store, number, letter, *, to="w1", secret=b"secret", under=None):
    key = layout.letter_key(ME.pool, to, number)
    store.inner.put(under or key, [seal("letter", key, letter.as_bytes(), secret)])


def letter(run="r", functions=None, elsewhere=None):
    return Letter(run, functions or {}, elsewhere or {}, ())


def come(letterbox, number=1):
    """The letters that come, until there are so many."""
    found = []
    end = time.monotonic() + 10
    while len(found) < number:
        assert time.monotonic() < end
        if (one := letterbox.look(time.monotonic())) is not None:
            found.append(one)
        time.sleep(0.002)
    return found


def flush(outbox):
    end = time.monotonic() + 10
    while not outbox.is_empty:
        assert time.monotonic() < end
        outbox.go()
        time.sleep(0.002)


# ---------------------------------------------------------------- letters


def test_letters_come_in_the_order_of_their_numbers_and_once_each(letterbox, store):
    for number in (3, 1, 2):
        send(store, number, letter(f"r{number}"))
    assert [one.run for one in come(letterbox, 3)] == ["r1", "r2", "r3"]
    assert set(store.calls) == {"get"}


def test_large_functions_are_fetched_along_with_the_letter_that_names_them(letterbox, store):
    store.inner.put("functions/f", [b"payload"])
    send(store, 1, letter(functions={"g": b"small"}, elsewhere={"f": ("functions/f", sha256(b"payload").digest())}))
    [one] = come(letterbox)
    assert (one.functions, one.elsewhere) == ({"f": b"payload", "g": b"small"}, {})


def test_a_function_that_is_another_is_tampering_and_one_that_is_gone_is_not_found(letterbox, store):
    store.inner.put("functions/f", [b"another"])
    send(store, 1, letter(elsewhere={"f": ("functions/f", sha256(b"payload").digest())}))
    with pytest.raises(Tampered, match="functions/f is not the function"):
        come(letterbox)
    store.inner.delete(["functions/f"])
    with pytest.raises(NotFound):
        come(letterbox)


@pytest.mark.parametrize("wrong", ["key", "worker", "number", "bytes"])
def test_a_letter_that_was_not_written_for_this_place_is_tampering(letterbox, store, wrong):
    here = layout.letter_key(ME.pool, "w1", 1)
    if wrong == "key":
        send(store, 1, letter(), secret=b"another")
    elif wrong == "worker":
        send(store, 1, letter(), to="w2", under=here)
    elif wrong == "number":
        send(store, 2, letter(), under=here)
    else:
        store.inner.put(here, [b"x" * 1000])
    with pytest.raises(Tampered):
        come(letterbox)


@pytest.mark.parametrize("error", [StoreError, AccessDenied])
def test_a_store_that_cannot_be_read_is_read_again_and_said_so_once(letterbox, store, heard, error):
    store.out_of_reach(error=error)
    send(store, 1, letter())
    end = time.monotonic() + 10
    while store.calls["get"] < 5:
        assert time.monotonic() < end
        assert letterbox.look(time.monotonic()) is None
        time.sleep(0.002)
    store.back()
    come(letterbox)
    assert heard == ["the mail could not be read, which is tried again: S3 cannot be reached"]


def test_it_looks_often_while_warm_and_seldom_when_not(store, monkeypatch):
    monkeypatch.setattr(mailbox, "uniform", lambda low, high: 1.0)
    now = [1000.0]
    monkeypatch.setattr(mailbox, "monotonic", lambda: now[0])
    box = Letterbox(ME, store, Terms(), lambda: None, Grumbles(str))
    looks = []
    for _ in range(400):  # a hundred seconds
        while box._errand.is_under_way and not box._errand.is_answered:
            time.sleep(0.0005)
        box.look(now[0])
        if box._errand.is_under_way:
            looks.append(now[0])
        now[0] += 0.25
    gaps = [(later, later - earlier) for earlier, later in pairwise(looks)]
    assert {gap for _, gap in gaps} == {0.25, 1.0}
    assert min(later for later, gap in gaps if gap == 1.0) >= 1060
    assert max(later for later, gap in gaps if gap == 0.25) <= 1061


def test_jitter_keeps_workers_from_looking_all_at_once(store):
    looks = set()
    for _ in range(5):
        box = Letterbox(ME, store, Terms(), lambda: None, Grumbles(str))
        box.look(0.0)
        looks.add(box._look_at)
    assert len(looks) == 5
    assert all(0.2 <= look <= 0.3 for look in looks)


# ---------------------------------------------------------------- what is said


def test_what_is_said_is_signed_for_its_key(outbox, store):
    outbox.say("said/hello-w1", Said((Hello("w1"),)))
    flush(outbox)
    body = unseal("said", "said/hello-w1", store.get("said/hello-w1"), b"secret")
    assert Said.of_bytes(body).events == (Hello("w1"),)


def test_what_was_said_before_is_left_as_it_is(outbox, store):
    store.put("said/r", [b"the first one's"])
    outbox.say("said/r", Said((Hello("w1"),)))
    flush(outbox)
    assert bytes(store.get("said/r")) == b"the first one's"


def test_two_of_one_name_are_noticed(outbox, store):
    store.put("said/hello-w1", [b"the first one's"])
    outbox.say("said/hello-w1", Said((Hello("w1"),)), is_name=True)
    with pytest.raises(Twin, match="w1"):
        flush(outbox)


def test_what_cannot_be_written_is_tried_again_until_it_can(outbox, store, heard, monkeypatch):
    monkeypatch.setattr(mailbox, "_RETRY_S", 0.01)
    store.out_of_reach("put")
    for number in range(20):
        outbox.say(f"said/{number:02}", Said((Hello("w1"),)))
    end = time.monotonic() + 10
    while store.calls["put"] < 20:
        assert time.monotonic() < end
        outbox.go()
        time.sleep(0.002)
    assert not outbox.is_empty
    store.back()
    flush(outbox)
    assert store.list("said/") == [f"said/{number:02}" for number in range(20)]
    assert len(heard) == 1


def test_a_log_is_there_before_the_record_that_names_it(outbox, store):
    outbox.say("said/r", Said((Hello("w1"),)), log=("runs/log", b"text"))
    flush(outbox)
    assert [key for method, key in store.asked if method == "put"] == ["runs/log", "said/r"]


def test_a_store_that_hangs_keeps_nobody_waiting(outbox, store):
    gate = Event()
    store.refuse = lambda method, key: gate.wait(30) and None
    for number in range(10):
        outbox.say(f"said/{number}", Said((Hello("w1"),)))
    assert not outbox.is_empty
    assert outbox.due_at == float("inf")
    gate.set()
    flush(outbox)
    assert len(store.list("said/")) == 10


def test_the_same_is_grumbled_once_a_minute(heard, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(mailbox, "monotonic", lambda: now[0])
    grumble = Grumbles(heard.append)
    for _ in range(130):
        grumble("one", ValueError("a"))
        grumble("two", ValueError("b"))
        now[0] += 1
    assert len(heard) == 6
