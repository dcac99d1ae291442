from __future__ import annotations

import json
import time
from collections import deque
from threading import Event, Thread

import pytest

from cloudburst.errors import AccessDenied, InternalError, SettingsError, StoreError
from cloudburst.runtime import layout, mailbox, supervisor
from cloudburst.runtime.backends.fargate import secrets
from cloudburst.runtime.envelope import seal, unseal
from cloudburst.runtime.events import Ended, Failure, Gone, Hello
from cloudburst.runtime.identity import Identity
from cloudburst.runtime.lease import lease_key, write_lease
from cloudburst.runtime.letters import Letter, Said
from cloudburst.runtime.pool import pool_key
from cloudburst.runtime.solo import Performed
from cloudburst.runtime.supervisor import FAILED, TAIL, TERMINATED, Supervisor, terms_of
from cloudburst.runtime.task import Artifact, Awaited, TaskId
from cloudburst.runtime.terms import Terms
from tests.assignments import assignment, step
from tests.runtime.outages import Outages

ME = Identity("w1", "memory:0", "pools/u1/000-p", b"secret")
TERMS = Terms(
    lease_interval_s=0.02, lease_limit_s=30.0, mail_interval_s=0.01, cool_interval_s=0.01, linger_s=30.0, billed_s=0.0,
    grace_s=30.0,
)  # fmt: skip
FAILED_STAGE = Failure("raised", "ValueError: no")


class ScriptedSolo:
    """Performs what it is given when it is told to, or at once."""

    def __init__(self):
        self.at = None
        self.given, self.runs, self.functions = [], 0, {}
        self.holds = False
        """Whether tasks go on until ``end``."""
        self.failing, self.printing = {}, {}
        self.bell = Event()
        self.news = deque()
        self.is_broken = None

    @property
    def is_free(self):
        return self.at is None

    def begin_run(self):
        self.runs += 1
        self.at = None

    def learn(self, functions):
        self.functions.update(functions)

    def give(self, one):
        assert self.is_free
        self.given.append(one)
        self.at = one
        if not self.holds:
            self.end()

    def end(self):
        one = self.at
        failure = self.failing.get(one.id.task)
        made = () if failure else (Artifact("plain", f"made/{one.id.task}", 1),)
        ended = Ended("performer", one.id, one.attempt, made, failure, 0.1, 7.0)
        self.news.append(Performed(one, ended, self.printing.get(one.id.task, "")))
        self.wake()

    def poll(self, timeout_s):
        if self.is_broken is not None:
            raise self.is_broken
        if not self.news:
            self.bell.wait(timeout_s)
        self.bell.clear()
        news = list(self.news)
        self.news.clear()
        if news:
            self.at = None
        return news

    def wake(self):
        self.bell.set()


class Machine:
    """A supervisor that serves in a thread, and what lies in its store."""

    def __init__(self, terms=TERMS, leased=True):
        self.store, self.solo, self.terms = Outages(), ScriptedSolo(), terms
        self.count = self.letters = 0
        if leased:
            self.renew()

    def start(self):
        self.supervisor = Supervisor(ME, self.store, self.terms, self.solo)
        self.status = None
        self.thread = Thread(target=self._serve, daemon=True)
        self.thread.start()
        return self

    def _serve(self):
        self.status = self.supervisor.serve()

    def renew(self, closed=False):
        self.count += 1
        write_lease(self.store.inner, ME.pool, ME.secret, self.count, closed=closed)

    def send(self, *tasks, run="r", functions=None, is_last=False, secret=ME.secret):
        self.letters += 1
        key = layout.letter_key(ME.pool, "w1", self.letters)
        letter = Letter(run, functions or {}, {}, tasks, is_last)
        self.store.inner.put(key, [seal("letter", key, letter.as_bytes(), secret)])

    def said(self):
        """What it has said, by the last part of the key."""
        found = {}
        for key in self.store.inner.list(layout.said_prefix(ME.pool)):
            body = unseal("said", key, self.store.inner.get(key), ME.secret)
            found[key.rpartition("/")[2]] = Said.of_bytes(body)
        return found

    def until_said(self, *names):
        self.until(lambda: set(names) <= self.said().keys())
        return [self.said()[name].events[0] for name in names]

    def until(self, is_so):
        end = time.monotonic() + 60
        while not is_so():
            assert time.monotonic() < end, self.said()
            time.sleep(0.002)

    def ended(self):
        """Its exit status."""
        self.thread.join(60)
        assert not self.thread.is_alive()
        return self.status

    def bye(self):
        return self.said()["bye-w1"].events[0]


def call(task, *inputs, attempt=1, **rest):
    return assignment(step("call", "f"), inputs=inputs, task=task, attempt=attempt)._replace(stage="load", **rest)


@pytest.fixture
def machine():
    machine = Machine().start()
    yield machine
    machine.renew(closed=True)
    machine.ended()


# ---------------------------------------------------------------- work


def test_it_says_hello_with_what_is_installed(machine):
    assert machine.until_said("hello-w1") == [Hello("w1")]
    about = machine.said()["hello-w1"].about
    assert "numpy" in about["packages"]
    assert about.keys() == {"python", "machine", "packages"}


def test_it_performs_letters_and_leaves_a_record_of_each_attempt(machine):
    machine.send(call(0), call(1), functions={"f": b"payload"})
    machine.send(call(2, attempt=3))
    records = machine.until_said("r.0-1", "r.1-1", "r.2-3")
    assert [(one.worker, one.task, one.attempt, one.peak_mib) for one in records] == [
        ("w1", TaskId(0), 1, 7.0), ("w1", TaskId(1), 1, 7.0), ("w1", TaskId(2), 3, 7.0),
    ]  # fmt: skip
    assert machine.solo.functions == {"f": b"payload"}
    assert "list" not in machine.store.calls


def test_what_was_sent_ahead_reads_what_was_made_here_and_is_left_out_when_that_failed(machine):
    machine.solo.failing = {5: FAILED_STAGE}
    machine.send(call(0), call(1, Awaited(TaskId(0), 1, 0)), call(5), call(6, Awaited(TaskId(5), 1, 0)), call(7))
    machine.until_said("r.7-1")
    assert [one.id.task for one in machine.solo.given] == [0, 1, 5, 7]
    assert machine.solo.given[1].inputs == (Artifact("plain", "made/0", 1),)
    assert "r.6-1" not in machine.said()


def test_the_next_task_begins_though_the_record_of_the_last_cannot_be_written(machine, monkeypatch):
    monkeypatch.setattr(mailbox, "_RETRY_S", 0.02)
    machine.until_said("hello-w1")
    machine.store.out_of_reach("put")
    machine.send(call(0), call(1))
    machine.until(lambda: len(machine.solo.given) == 2)
    machine.store.back()
    machine.until_said("r.0-1", "r.1-1")


def test_a_letter_that_comes_again_under_another_number_is_performed_once(machine):
    machine.send(call(0), call(1))
    machine.until_said("r.1-1")
    machine.send(call(0), call(1), call(2))
    machine.until_said("r.2-1")
    assert [one.id.task for one in machine.solo.given] == [0, 1, 2]


def test_another_run_is_begun_with_what_belongs_to_the_last_given_up(machine):
    machine.solo.holds = True
    machine.send(call(0), call(1))
    machine.until(lambda: machine.solo.given)
    machine.send(call(0), run="r2")
    machine.until(lambda: len(machine.solo.given) == 2)
    machine.solo.end()
    machine.until_said("r2.0-1")
    assert machine.solo.runs == 2
    assert machine.said().keys() == {"hello-w1", "r2.0-1"}


def test_a_short_output_is_in_the_record_and_of_a_long_one_the_end(machine):
    long = "begin" + "x" * (2 * TAIL) + "end"
    machine.solo.printing = {0: "hello\n", 1: long}
    machine.send(call(0)._replace(prefix="runs/a/0"), call(1)._replace(prefix="runs/a/1"))
    short, other = machine.until_said("r.0-1", "r.1-1")
    assert (machine.said()["r.0-1"].tail, short.log) == ("hello\n", ("runs/a/0/log", 0, 6))
    assert (machine.said()["r.1-1"].tail, other.log) == (long[-TAIL:], ("runs/a/1/log", 0, len(long)))
    assert bytes(machine.store.get("runs/a/1/log")).decode() == long
    with pytest.raises(StoreError):
        machine.store.get("runs/a/0/log")


def test_secrets_are_fetched_here_and_given_as_variables(machine, monkeypatch):
    monkeypatch.setattr(secrets, "fetch", lambda wanted: {name: f"value of {arn}" for name, arn in wanted.items()})
    machine.send(call(0, environment=(("A", "1"),), secrets=(("TOKEN", "arn"),)), call(1))
    machine.until_said("r.0-1", "r.1-1")
    first = machine.solo.given[0]
    assert (first.environment, first.secrets) == ((("A", "1"), ("TOKEN", "value of arn")), ())
    assert [one.id.task for one in machine.solo.given] == [0, 1]


def test_a_secret_that_cannot_be_had_is_the_end_of_its_task_alone(machine, monkeypatch):
    def refuse(wanted):
        raise SettingsError("The secret arn for the variable TOKEN cannot be read")

    monkeypatch.setattr(secrets, "fetch", refuse)
    machine.send(call(0, secrets=(("TOKEN", "arn"),)), call(1, Awaited(TaskId(0), 1, 0)), call(2))
    failed, _ = machine.until_said("r.0-1", "r.2-1")
    assert (failed.worker, failed.failure.cause) == ("w1", "refused")
    assert "TOKEN cannot be read" in failed.failure.message
    assert [one.id.task for one in machine.solo.given] == [2]


# ---------------------------------------------------------------- ends


def test_a_closed_lease_ends_it_at_once_in_the_middle_of_a_task(machine):
    machine.solo.holds = True
    machine.send(call(0))
    machine.until(lambda: machine.solo.given)
    machine.renew(closed=True)
    assert machine.ended() == 0
    assert "bye-w1" not in machine.said()


def test_so_does_one_that_is_gone(machine):
    machine.until_said("hello-w1")
    machine.store.inner.delete([lease_key(ME.pool)])
    assert machine.ended() == 0


def test_a_letter_that_is_the_last_ends_it_at_once_in_the_middle_of_a_task(machine):
    machine.solo.holds = True
    machine.send(call(0))
    machine.until(lambda: machine.solo.given)
    machine.send(is_last=True)
    assert machine.ended() == 0


def test_a_lease_that_lapses_ends_it_in_the_middle_of_a_task():
    machine = Machine(Terms(**(TERMS.as_json() | {"lease_limit_s": 0.3}))).start()
    machine.solo.holds = True
    machine.send(call(4))
    assert machine.ended() == FAILED
    assert machine.bye() == Gone("w1", "host", "the driver has not renewed its lease for 0.3 s", TaskId(4))


def test_a_store_out_of_reach_for_less_than_the_limit_does_it_no_harm(machine):
    machine.until_said("hello-w1")
    machine.store.out_of_reach()
    asked = machine.store.calls["get"]
    machine.until(lambda: machine.store.calls["get"] > asked + 10)
    machine.store.back()
    machine.send(call(0))
    machine.until_said("r.0-1")


@pytest.mark.parametrize("error", [StoreError, AccessDenied])
def test_out_of_reach_for_longer_it_ends(error, monkeypatch):
    monkeypatch.setattr(supervisor, "_FAREWELL_S", 0.05)
    machine = Machine(Terms(**(TERMS.as_json() | {"lease_limit_s": 0.3})))
    machine.start()
    machine.until_said("hello-w1")
    machine.store.out_of_reach(error=error)
    assert machine.ended() == FAILED


def test_a_store_that_hangs_does_not_keep_it_from_ending(monkeypatch):
    monkeypatch.setattr(supervisor, "_FAREWELL_S", 0.05)
    machine = Machine(Terms(**(TERMS.as_json() | {"lease_limit_s": 0.3})))
    gate = Event()
    machine.start()
    machine.until_said("hello-w1")
    machine.store.refuse = lambda method, key: gate.wait(60) and None
    try:
        assert machine.ended() == FAILED
    finally:
        gate.set()


def test_with_nothing_to_do_it_says_goodbye_after_a_while():
    machine = Machine(Terms(**(TERMS.as_json() | {"linger_s": 0.2}))).start()
    machine.send(call(0))
    assert machine.ended() == 0
    assert machine.said().keys() == {"hello-w1", "r.0-1", "bye-w1"}
    assert machine.bye()._replace(detail="") == Gone("w1", "stopped", "", None)


def test_it_waits_to_the_end_of_the_minute_that_is_paid_anyway():
    machine = Machine(Terms(**(TERMS.as_json() | {"linger_s": 0.0, "billed_s": 0.3}))).start()
    machine.until_said("hello-w1")
    machine.send(call(0))
    machine.until_said("r.0-1")
    assert machine.ended() == 0


def test_after_a_day_it_ends_whatever_it_is_at():
    machine = Machine(Terms(**(TERMS.as_json() | {"lifetime_s": 0.3}))).start()
    machine.solo.holds = True
    machine.send(call(3))
    assert machine.ended() == 0
    assert (machine.bye().cause, machine.bye().task) == ("lost", TaskId(3))


def test_a_performer_that_does_not_start_is_the_end_of_it(machine):
    machine.until_said("hello-w1")
    machine.solo.is_broken = InternalError("The performer of this worker did not start: no module numpy")
    machine.solo.wake()
    assert machine.ended() == FAILED
    assert (machine.bye().cause, machine.bye().detail) == ("lost", f"{machine.solo.is_broken}")


# ---------------------------------------------------------------- SIGTERM


def test_with_the_lease_open_and_nothing_to_do_it_gives_its_machine_back(machine):
    machine.until_said("hello-w1")
    machine.supervisor.terminate()
    assert machine.ended() == TERMINATED
    assert machine.bye() == Gone("w1", "reclaimed", "its machine was taken back", None)


def test_with_the_lease_open_it_ends_its_task_and_begins_no_other(machine):
    machine.solo.holds = True
    machine.send(call(0), call(1))
    machine.until(lambda: machine.solo.given)
    machine.supervisor.terminate()
    machine.supervisor.terminate()
    machine.send(call(2))
    time.sleep(0.1)
    assert machine.status is None
    machine.solo.end()
    assert machine.ended() == TERMINATED
    assert machine.said().keys() == {"hello-w1", "r.0-1", "bye-w1"}
    assert machine.bye().task is None


def test_a_task_that_takes_longer_than_there_is_time_is_given_back():
    machine = Machine(Terms(**(TERMS.as_json() | {"grace_s": 0.2}))).start()
    machine.solo.holds = True
    machine.send(call(6), call(7))
    machine.until(lambda: machine.solo.given)
    machine.supervisor.terminate()
    assert machine.ended() == TERMINATED
    assert (machine.bye().cause, machine.bye().task) == ("reclaimed", TaskId(6))


def test_with_the_lease_closed_it_drops_its_task(machine):
    machine.solo.holds = True
    machine.send(call(0))
    machine.until(lambda: machine.solo.given)
    machine.renew(closed=True)
    machine.supervisor.terminate()
    assert machine.ended() == TERMINATED
    assert "bye-w1" not in machine.said()


def test_with_the_last_letter_too(machine):
    machine.solo.holds = True
    machine.send(call(0))
    machine.until(lambda: machine.solo.given)
    machine.supervisor.terminate()
    machine.send(is_last=True)
    assert machine.ended() == TERMINATED
    assert "bye-w1" not in machine.said()


def test_a_record_that_waits_for_the_store_is_written_first(machine, monkeypatch):
    monkeypatch.setattr(mailbox, "_RETRY_S", 0.02)
    machine.until_said("hello-w1")
    machine.store.refuse = lambda method, key: StoreError("no") if (method, "r.0-1" in key) == ("put", True) else None
    machine.send(call(0))
    machine.until(lambda: machine.solo.given)
    machine.supervisor.terminate()
    time.sleep(0.1)
    assert machine.status is None
    machine.store.back()
    assert machine.ended() == TERMINATED
    assert {"r.0-1", "bye-w1"} <= machine.said().keys()


# ---------------------------------------------------------------- what others write


def test_a_letter_of_somebody_elses_ends_it_and_the_driver_is_told(machine):
    machine.send(call(0), secret=b"another")
    assert machine.ended() == FAILED
    assert machine.solo.given == []
    assert "mail/w1/000001 is not what was written there" in machine.said()["bye-w1"].about["tampered"]


def test_so_does_a_lease_of_somebody_elses(machine):
    machine.until_said("hello-w1")
    write_lease(machine.store, ME.pool, b"another", 1 << 40)
    assert machine.ended() == FAILED
    assert "lease is not what was written there" in machine.said()["bye-w1"].about["tampered"]


def test_a_record_that_is_there_already_is_not_written_over(machine):
    key = layout.record_key(ME.pool, "r", TaskId(0), 1)
    first = seal("said", key, Said((Hello("w0"),)).as_bytes(), ME.secret)
    machine.store.inner.put(key, [first])
    machine.send(call(0), call(1))
    machine.until_said("r.1-1")
    machine.until(lambda: ("put", key) in machine.store.asked)
    assert bytes(machine.store.inner.get(key)) == first


def test_a_second_worker_of_its_name_ends_and_says_nothing():
    machine = Machine()
    key = layout.hello_key(ME.pool, "w1")
    machine.store.inner.put(key, [seal("said", key, Said((Hello("w1"),)).as_bytes(), ME.secret)])
    machine.start()
    assert machine.ended() == FAILED
    assert machine.said().keys() == {"hello-w1"}


def test_terms_are_read_from_the_pool():
    store, key = Outages(), pool_key(ME.pool)
    store.put(key, [seal("pool", key, json.dumps(TERMS.as_json()).encode(), ME.secret)])
    assert terms_of(ME, store) == TERMS


def test_terms_of_somebody_elses_are_tampering_and_the_driver_is_told():
    machine = Machine()
    key = pool_key(ME.pool)
    machine.store.put(key, [seal("pool", key, json.dumps(TERMS.as_json()).encode(), b"another")])
    with pytest.raises(StoreError, match="is not what was written"):
        terms_of(ME, machine.store)
    assert f"{key} is not what was written" in machine.said()["bye-w1"].about["tampered"]
