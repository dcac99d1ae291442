"""The driver's side alone: what a worker would say is written by hand."""

from __future__ import annotations

import os
import time

import pytest

from cloudburst.errors import AccessDenied, CodecError, ImageError, LaunchError, StoreError, Tampered
from cloudburst.resources import Size
from cloudburst.runtime import layout
from cloudburst.runtime.backends import post
from cloudburst.runtime.backends.remote import RemoteBackend
from cloudburst.runtime.envelope import seal, unseal
from cloudburst.runtime.events import Began, Cancelled, Ended, Failure, Gone, Hello, LaunchFailed
from cloudburst.runtime.greeting import Greeting, introduction
from cloudburst.runtime.lease import LeaseKeeper
from cloudburst.runtime.letters import INLINE, Letter, Said
from cloudburst.runtime.pool import Pool
from cloudburst.runtime.protocols import Fell, Started
from cloudburst.runtime.task import Awaited, Function, TaskId
from cloudburst.runtime.terms import Terms
from tests.assignments import assignment, step
from tests.runtime.fleets import MadeUpFleet
from tests.runtime.outages import Outages

SHAPE = Size(1024, 2048)
QUICK = Terms(hearing_interval_s=0.01, lease_limit_s=30.0)
FAILED = Failure("raised", "ValueError: no")


class Keeper(LeaseKeeper):
    """Writes the lease once and does not rewrite it."""

    def __init__(self, store, pool, secret, *_):
        self._store, self._pool, self._secret = store, pool, secret
        self.problem = None
        from cloudburst.runtime.lease import write_lease

        write_lease(store, pool, secret, 0)

    def check(self):
        if self.problem is not None:
            raise self.problem

    def stop(self):
        pass


@pytest.fixture(autouse=True)
def no_process(monkeypatch):
    monkeypatch.setattr("cloudburst.runtime.pool.LeaseKeeper", Keeper)


class Office:
    """A backend, and what lies in its store."""

    def __init__(self, terms=QUICK, greeting=None, functions=("f",)):
        self.store, self.fleet = Outages(), MadeUpFleet()
        self.pool = Pool(self.store, "u1", b"the user's own", terms)
        self.greeting = greeting
        self.backend = RemoteBackend(self.pool, self.fleet, greeting)
        self.backend.equip({name: Function(b"payload", None) for name in functions})

    def say(self, key, *events, about=None, tail="", secret=None, under=None):
        body = Said(events, tail, about or {}).as_bytes()
        self.store.inner.put(under or key, [seal("said", key, body, secret or self.pool.secret)])

    def hello(self, worker, **rest):
        self.say(layout.hello_key(self.pool.prefix, worker), Hello(worker), **rest)

    def bye(self, worker, cause="stopped", task=None, **rest):
        event = Gone(worker, cause, "words", None if task is None else TaskId(task))
        self.say(layout.bye_key(self.pool.prefix, worker), event, **rest)

    def record(self, worker, task, failure=None, attempt=1, log=None, run=None, **rest):
        key = layout.record_key(self.pool.prefix, run or self.backend._run, TaskId(task), attempt)
        self.say(key, Ended(worker, TaskId(task), attempt, (), failure, 0.1, 1.0, log), **rest)

    def up(self, *workers, token="1"):
        self.backend.launch(SHAPE, len(workers), token)
        self.fleet.sights += [Started(self.fleet.launched[-1][2], worker) for worker in workers]
        for worker in workers:
            self.hello(worker)
        assert self.until(Hello, len(workers)) == [Hello(worker, SHAPE) for worker in sorted(workers)]

    def until(self, kind, number=1):
        """Events of a kind until so many have come, all others are left out."""
        found, end = [], time.monotonic() + 60
        while len(found) < number:
            assert time.monotonic() < end, found
            found += [one for one in self.backend.poll(0.05) if isinstance(one, kind)]
        return found

    def nothing_but(self, kind, seconds=0.2):
        """All that comes in a while, other than of a kind."""
        found, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            found += [one for one in self.backend.poll(0.02) if not isinstance(one, kind)]
        return found

    def letters(self, worker, number):
        """The letters to a worker, once there are so many."""
        prefix = layout.mail_prefix(self.pool.prefix, worker)
        end = time.monotonic() + 10
        while len(keys := self.store.inner.list(prefix)) < number:
            assert time.monotonic() < end, keys
            time.sleep(0.002)
        return [Letter.of_bytes(unseal("letter", key, self.store.inner.get(key), self.pool.secret)) for key in keys]


def call(task, *inputs, attempt=1, function="f"):
    return assignment(step("call", function), inputs=inputs, task=task, attempt=attempt)


@pytest.fixture
def office():
    office = Office()
    yield office
    office.store.back()
    office.fleet.error = None
    office.backend.close()


# ---------------------------------------------------------------- letters


def test_a_worker_gets_each_function_once_a_run(office):
    office.up("w1", "w2")
    office.backend.assign("w1", [call(0)])
    office.backend.assign("w1", [call(1), call(2)])
    office.backend.assign("w2", [call(3)])
    first, second = office.letters("w1", 2)
    assert (first.functions, second.functions) == ({"f": b"payload"}, {})
    assert [one.id.task for one in second.tasks] == [1, 2]
    assert office.letters("w2", 1)[0].functions == {"f": b"payload"}
    office.backend.equip({"f": Function(b"another", None)})
    office.backend.assign("w1", [call(0)])
    third = office.letters("w1", 3)[2]
    assert (third.functions, third.run != first.run) == ({"f": b"another"}, True)


def test_a_large_function_is_written_once_for_all_workers_and_never_into_a_letter(office):
    payload = b"x" * (INLINE + 1)
    office.backend.equip({"f": Function(payload, None)})
    workers = [f"w{number}" for number in range(20)]
    office.up(*workers)
    for number, worker in enumerate(workers):
        office.backend.assign(worker, [call(number)])
    [(key, checksum)] = {one.elsewhere["f"] for worker in workers for one in office.letters(worker, 1)}
    assert bytes(office.store.get(key)) == payload
    assert office.store.asked.count(("put", key)) == 1
    assert len(checksum) == 32


def test_a_worker_that_is_gone_gets_no_letter(office):
    office.backend.assign("nobody", [call(0)])
    assert office.nothing_but(()) == []


def test_a_thousand_letters_under_way_take_few_threads(office):
    import threading

    workers = [f"w{number:04}" for number in range(300)]
    office.up(*workers)
    before = threading.active_count()
    for number in range(1200):
        office.backend.assign(workers[number % 300], [call(number)])
    assert threading.active_count() - before <= 24
    assert all(len(office.letters(worker, 4)) == 4 for worker in workers)


def test_an_outage_while_letters_are_written_is_waited_out(office):
    office.up("w1")
    office.store.out_of_reach("put")
    office.backend.assign("w1", [call(0)])
    assert office.nothing_but(Began) == []
    office.store.back()
    assert [one.id.task for one in office.letters("w1", 1)[0].tasks] == [0]


def test_credentials_that_expire_while_letters_are_written_are_an_error(office):
    office.up("w1")
    office.store.out_of_reach("put", error=AccessDenied)
    office.backend.assign("w1", [call(0)])
    with pytest.raises(AccessDenied):
        office.nothing_but((), 10)
    assert not office.backend.is_sound


def test_a_letter_that_somebody_has_planted_is_tampering(office):
    office.up("w1")
    office.store.put(layout.letter_key(office.pool.prefix, "w1", 1), [b"planted"])
    office.backend.assign("w1", [call(0)])
    with pytest.raises(Tampered):
        office.nothing_but((), 10)


def test_of_two_drivers_of_one_run_one_is_told(office):
    office.up("w1")
    key = layout.letter_key(office.pool.prefix, "w1", 1)
    office.store.put(key, [seal("letter", key, b"", office.pool.secret)])
    office.backend.assign("w1", [call(0)])
    with pytest.raises(StoreError, match="another program goes on with this run"):
        office.nothing_but((), 10)


def test_who_is_stopped_is_gone_at_once_gets_a_last_letter_and_is_not_heard(office):
    office.up("w1", "w2")
    office.backend.assign("w1", [call(0), call(1)])
    office.backend.stop(["w1", "w2", "nobody"])
    assert office.until(Gone, 2) == [
        Gone("w1", "stopped", "stopped", TaskId(0)), Gone("w2", "stopped", "stopped", None),
    ]  # fmt: skip
    assert office.fleet.stopped == ["w1", "w2"]
    assert [one.is_last for one in office.letters("w1", 2)] == [False, True]
    assert [one.is_last for one in office.letters("w2", 1)] == [True]
    office.record("w1", 0)
    office.bye("w1", "stopped")
    assert office.nothing_but(()) == []
    assert office.store.list(layout.said_prefix(office.pool.prefix)) == []


# ---------------------------------------------------------------- what is heard


def test_a_hello_before_the_fleet_has_said_started_waits_for_it(office):
    office.backend.launch(SHAPE, 1, "1")
    office.hello("w1")
    office.bye("w1", "stopped")
    assert office.nothing_but(()) == []
    assert len(office.store.list(layout.said_prefix(office.pool.prefix))) == 2  # another driver would have to hear it
    office.fleet.sights.append(Started(office.fleet.launched[0][2], "w1"))
    assert office.backend.poll(10) == [Hello("w1", SHAPE), Gone("w1", "stopped", "words", None)]


def test_a_record_ends_its_attempt_once(office):
    office.up("w1")
    office.backend.assign("w1", [call(0), call(1)])
    office.record("w1", 0)
    assert [one.task for one in office.until(Ended)] == [TaskId(0)]
    office.record("w1", 0)
    office.record("w1", 9)
    office.record("w1", 1, attempt=2)
    office.record("w1", 1, run="anotherrun")
    assert office.nothing_but(Began) == []


def test_a_record_under_a_key_that_is_not_its_own_changes_nothing(office):
    office.up("w1")
    office.backend.assign("w1", [call(0), call(1)])
    key = layout.record_key(office.pool.prefix, office.backend._run, TaskId(1), 1)
    office.say(key, Ended("w1", TaskId(0), 1, (), None, 0.1, 1.0))
    assert office.nothing_but(Began) == []


def test_heard_messages_are_removed_only_when_the_driver_asks_for_more(office):
    office.up("w1")
    office.backend.assign("w1", [call(0)])
    office.record("w1", 0)
    office.until(Ended)
    assert len(office.store.list(layout.said_prefix(office.pool.prefix))) == 1
    office.nothing_but(())
    assert office.store.list(layout.said_prefix(office.pool.prefix)) == []


def test_that_they_cannot_be_removed_is_a_note_and_nothing_is_heard_twice(office, monkeypatch):
    monkeypatch.setattr(post, "_REMOVE_AGAIN_S", 0.05)
    office.store.out_of_reach("delete", error=AccessDenied)
    office.up("w1")
    tasks = [call(number) for number in range(5)]
    office.backend.assign("w1", tasks)
    for number in range(5):
        office.record("w1", number)
    assert len(office.until(Ended, 5)) == 5
    assert office.nothing_but(()) == []
    [note] = office.backend.notes()
    assert "could not be removed" in note
    office.store.back()
    office.nothing_but(())
    assert office.store.list(layout.said_prefix(office.pool.prefix)) == []


def test_more_than_a_page_of_what_cannot_be_removed_hides_nothing(office):
    office.store.out_of_reach("delete")
    office.up("w1")
    office.backend.assign("w1", [call(number) for number in range(2500)])
    for number in range(2500):
        office.record("w1", number)
    assert len(office.until(Ended, 2500)) == 2500
    office.bye("w1")
    assert office.until(Gone) == [Gone("w1", "stopped", "words", None)]


def test_hellos_come_before_records_and_goodbyes_last(office):
    office.backend.launch(SHAPE, 1, "1")
    office.fleet.sights.append(Started(office.fleet.launched[0][2], "a"))
    office.bye("a")
    office.hello("a")
    assert office.until((Hello, Gone), 2) == [Hello("a", SHAPE), Gone("a", "stopped", "words", None)]


def test_a_goodbye_gives_back_what_the_worker_had_without_having_begun_it(office):
    office.up("w1")
    office.bye("w1")
    office.backend.assign("w1", [call(0)])
    assert office.until(Gone) == [Gone("w1", "stopped", "words", None)]


def test_a_machine_that_fell_is_gone_when_what_it_had_said_is_heard(office):
    office.up("w1")
    office.backend.assign("w1", [call(0), call(1), call(2)])
    office.record("w1", 0)
    office.fleet.sights.append(Fell("w1", "memory", "exit code 137"))
    events = office.until((Ended, Gone), 2)
    assert [type(one) for one in events] == [Ended, Gone]
    gone = events[1]
    assert gone[:4] == ("w1", "memory", "exit code 137", TaskId(1))
    assert office.backend.logs(gone.log) == "the log of w1"


@pytest.mark.parametrize(
    ("said", "cause"), [("reclaimed", "reclaimed"), ("host", "host"), ("lost", "reclaimed"), ("memory", "reclaimed")]
)
def test_why_a_machine_was_taken_back_is_the_fleets_to_say(office, said, cause):
    office.up("w1")
    office.backend.assign("w1", [call(0)])
    office.bye("w1", "reclaimed", task=0)
    assert office.nothing_but(Began) == []
    office.fleet.sights.append(Fell("w1", said, "ECS's words"))
    [gone] = office.until(Gone)
    assert (gone.cause, gone.task) == (cause, TaskId(0))


def test_a_machine_that_somebody_else_stops_at_its_task_cancels_the_run(office):
    office.up("w1")
    office.backend.assign("w1", [call(0)])
    office.bye("w1", "reclaimed", task=0)
    office.fleet.sights.append(Fell("w1", "stopped", "somebody stopped it"))
    [cancelled] = office.until(Cancelled)
    assert cancelled.reason == "its machine w1 was stopped by somebody else: somebody stopped it"


def test_a_machine_that_somebody_else_stops_before_its_worker_is_up_cancels_the_run(office):
    office.backend.launch(SHAPE, 1, "1")
    office.fleet.sights += [Started(office.fleet.launched[-1][2], "w1"), Fell("w1", "stopped", "somebody stopped it")]
    assert len(office.until(Cancelled)) == 1


def test_an_idle_machine_that_somebody_else_stops_is_gone(office):
    office.up("w1")
    office.fleet.sights.append(Fell("w1", "stopped", "somebody stopped it"))
    assert office.until(Gone) == [Gone("w1", "stopped", "somebody stopped it", None)]


def test_what_awaits_a_failed_attempt_is_taken_back_without_a_word(office):
    office.up("w1")
    tasks = [call(0), call(1, Awaited(TaskId(0), 1, 0)), call(2, Awaited(TaskId(1), 1, 0)), call(3)]
    office.backend.assign("w1", tasks)
    office.record("w1", 0, FAILED)
    office.until(Ended)
    office.fleet.sights.append(Fell("w1", "lost", "exit code 1"))
    assert office.until(Gone)[0].task == TaskId(3)


def test_an_attempt_has_begun_when_its_letter_must_have_been_read(office):
    office.up("w1")
    office.backend.assign("w1", [call(0), call(1)])
    assert office.until(Began) == [Began("w1", TaskId(0), 1)]
    assert office.nothing_but(()) == []


def test_output_comes_with_the_record_and_a_long_one_from_the_store(office):
    office.up("w1")
    office.backend.assign("w1", [call(0), call(1), call(2)])
    office.record("w1", 0, log=("runs/0/log", 0, 5), tail="hello")
    office.record("w1", 1, log=("runs/1/log", 0, 9), tail="world")
    office.record("w1", 2, log=("runs/2/log", 0, 9), tail="gone")
    office.store.put("runs/1/log", [b"all world"])
    logs = [one.log for one in office.until(Ended, 3)]
    assert [office.backend.logs(log) for log in logs] == ["hello", "all world", "gone"]


def test_of_very_many_outputs_the_first_are_read_from_the_store(office, monkeypatch):
    monkeypatch.setattr(post, "_MOST_TAILS", 1)
    office.up("w1")
    office.backend.assign("w1", [call(0), call(1)])
    for number in range(2):
        office.record("w1", number, log=(f"runs/{number}/log", 0, 5), tail="hello")
    logs = [one.log for one in office.until(Ended, 2)]
    assert [office.backend.logs(log) for log in logs] == ["", "hello"]


# ---------------------------------------------------------------- outages and strangers


def test_an_outage_while_listening_is_waited_out(office):
    office.up("w1")
    office.backend.assign("w1", [call(0)])
    for method in ("list", "get"):
        office.store.out_of_reach(method)
        assert office.nothing_but(Began) == []
    office.store.back()
    office.record("w1", 0)
    office.until(Ended)


def test_a_longer_one_is_an_error(monkeypatch):
    office = Office(Terms(hearing_interval_s=0.01, lease_limit_s=0.2))
    office.backend.launch(SHAPE, 1, "1")
    office.store.out_of_reach("list")
    with pytest.raises(StoreError, match="cannot be reached"):
        office.nothing_but((), 10)
    office.store.back()
    office.backend.close()
    assert office.store.list("") == []


def test_credentials_that_expire_while_listening_are_an_error_at_once(office):
    office.up("w1")
    office.store.out_of_reach("list", error=AccessDenied)
    with pytest.raises(AccessDenied):
        office.nothing_but((), 10)


@pytest.mark.parametrize("planted", ["bytes", "key", "place"])
def test_what_somebody_else_says_is_tampering_and_all_is_closed_all_the_same(planted):
    office = Office()
    office.up("w1")
    key = layout.bye_key(office.pool.prefix, "w1")
    if planted == "bytes":
        office.store.put(key, [b"\x80\x05."])
    elif planted == "key":
        office.bye("w1", secret=b"another")
    else:
        office.hello("w1", under=key)
    with pytest.raises(Tampered):
        office.nothing_but((), 10)
    assert not office.backend.is_sound
    office.backend.close()
    assert (office.fleet.closed, office.store.list("")) == (1, [])


def test_what_a_worker_found_is_told_as_tampering_here(office):
    office.up("w1")
    office.bye("w1", "lost", about={"tampered": "mail/w1/000003 is not what was written there."})
    with pytest.raises(Tampered, match="A worker has found that mail/w1/000003"):
        office.nothing_but((), 10)


def test_words_of_another_version_are_told_of(office):
    office.up("w1")
    key = layout.bye_key(office.pool.prefix, "w1")
    office.store.put(key, [seal("said", key, b'{"v": 9, "events": []}', office.pool.secret)])
    with pytest.raises(CodecError, match="its image has another cloudburst"):
        office.nothing_but((), 10)


def test_a_lease_that_is_not_renewed_is_an_error(office):
    office.pool._keeper.problem = StoreError("The lease could not be rewritten")
    with pytest.raises(StoreError, match="lease"):
        office.backend.poll(10)


def test_a_worker_of_another_python_is_refused():
    office = Office(greeting=Greeting("my-image"))
    office.backend.launch(SHAPE, 1, "1")
    office.fleet.sights.append(Started(office.fleet.launched[0][2], "w1"))
    office.hello("w1", about=introduction() | {"python": "3.5.1"})
    with pytest.raises(ImageError, match=r"my-image has Python 3\.5\.1"):
        office.nothing_but((), 10)
    office.backend.close()


def test_other_versions_of_packages_are_a_note_that_is_given_once():
    office = Office(greeting=Greeting("my-image"))
    office.backend.launch(SHAPE, 1, "1")
    office.fleet.sights.append(Started(office.fleet.launched[0][2], "w1"))
    office.hello("w1", about=introduction() | {"packages": {"pandas": "0.1"}})
    office.until(Hello)
    assert [("pandas" in note, "0.1" in note) for note in office.backend.notes()] == [(True, True)]
    assert office.backend.notes() == []
    office.backend.close()


# ---------------------------------------------------------------- machines


def test_tokens_of_two_runs_differ_for_the_fleet_and_not_for_the_driver(office):
    office.backend.launch(SHAPE, 1, "a-1")
    office.backend.equip({})
    office.backend.launch(SHAPE, 1, "a-1")
    old, new = [token for _, _, token in office.fleet.launched]
    office.fleet.sights += [LaunchFailed(old, 1, "old"), LaunchFailed(new, 1, "new", "quota")]
    assert office.until(LaunchFailed) == [LaunchFailed("a-1", 1, "new", "quota")]
    assert office.nothing_but(()) == []


def test_a_machine_that_fell_before_its_hello_is_a_failed_launch_with_its_log(office):
    office.backend.launch(SHAPE, 2, "1")
    token = office.fleet.launched[0][2]
    office.fleet.sights += [Started(token, "w1"), Fell("w1", "lost", "no image", "setup")]
    office.fleet.sights += [Started(token, "w2"), Fell("w2", "lost", "exit code 1")]
    first, second = office.until(LaunchFailed, 2)
    assert (first.token, first.cause) == ("1", "setup")
    assert second.cause == "passing"
    assert second.detail == "exit code 1\nThe last lines of its log:\nthe log of w2"


def test_a_worker_that_never_says_hello_is_given_up_and_the_reason_guessed():
    office = Office(Terms(hearing_interval_s=0.01, launch_limit_s=0.1))
    office.backend.launch(SHAPE, 1, "1")
    office.fleet.sights.append(Started(office.fleet.launched[0][2], "w1"))
    [failed] = office.until(LaunchFailed)
    assert (failed.cause, office.fleet.stopped) == ("setup", ["w1"])
    assert "has said nothing" in failed.detail
    office.backend.close()


def test_a_machine_that_nobody_here_asked_for_is_stopped(office):
    office.fleet.sights.append(Started("another-token", "w9"))
    office.hello("w9")
    assert office.nothing_but(()) == []
    assert office.fleet.stopped == ["w9"]


def test_what_the_fleet_raises_is_raised(office):
    office.fleet.error = LaunchError("ECS refuses")
    with pytest.raises(LaunchError):
        office.backend.poll(1)
    assert not office.backend.is_sound


# ---------------------------------------------------------------- the end


def test_closing_twice_is_closing_once(office):
    office.backend.close()
    office.backend.close()
    assert office.fleet.closed == 1


@pytest.mark.parametrize("problem", ["lease", "fleet", "both"])
def test_what_goes_wrong_in_closing_keeps_nothing_else_from_it(problem):
    office = Office()
    office.up("w1")
    if problem != "fleet":
        office.store.refuse = lambda method, key: StoreError("no lease") if key.endswith("/lease") else None
    if problem != "lease":
        office.fleet.error = LaunchError("some are still up")
    with pytest.raises(StoreError if problem == "lease" else LaunchError):
        office.backend.close()
    assert office.fleet.closed == 1
    assert office.store.inner.list("") == []


def test_a_fork_of_the_driver_closes_nothing(office):
    pid = os.fork()
    if pid == 0:
        office.backend.close()
        os._exit(7 if office.fleet.closed else 0)
    assert os.waitpid(pid, 0)[1] == 0
    assert office.fleet.closed == 0


def test_lists_and_letters_stay_within_their_rates():
    office = Office(Terms(hearing_interval_s=0.1))
    office.up(*[f"w{number}" for number in range(50)])
    before = office.store.calls["list"]
    office.nothing_but((), 1.0)
    assert office.store.calls["list"] - before <= 11
    office.backend.close()
