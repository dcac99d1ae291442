from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from cloudburst.errors import AccessDenied, StoreError, Tampered
from cloudburst.runtime import lease as module
from cloudburst.runtime.envelope import seal
from cloudburst.runtime.lease import LeaseKeeper, LeaseReader, keep, lease_key, read_lease, write_lease
from cloudburst.runtime.stores.local import LocalStore
from tests.runtime.outages import Outages

POOL, SECRET = "pools/u1/000-p", b"secret"


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still unless it is set."""
    now = [1000.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def store():
    return Outages()


@pytest.fixture
def reader(store, clock):
    return LeaseReader(store, POOL, SECRET, 120.0)


def look(reader):
    return reader.seen(reader.read())


def test_a_lease_that_changes_is_open(reader, store, clock):
    for count in range(5):
        write_lease(store, POOL, SECRET, count)
        clock[0] += 119
        assert look(reader) == "open"
        assert reader.standing == "open"


def test_a_lease_that_does_not_change_lapses_and_is_open_again_when_it_does(reader, store, clock):
    write_lease(store, POOL, SECRET, 1)
    assert look(reader) == "open"
    clock[0] += 121
    assert reader.standing == "lapsed"
    assert look(reader) == "lapsed"
    write_lease(store, POOL, SECRET, 2)
    assert look(reader) == "open"


def test_an_older_lease_that_is_written_again_shows_no_life(reader, store, clock):
    write_lease(store, POOL, SECRET, 1)
    old = bytes(store.get(lease_key(POOL)))
    write_lease(store, POOL, SECRET, 2)
    assert look(reader) == "open"
    for turn in range(4):
        clock[0] += 40
        if turn % 2:
            store.put(lease_key(POOL), [old])
        else:
            write_lease(store, POOL, SECRET, 2)
        standing = look(reader)
    assert standing == "lapsed"


def test_a_closed_lease_is_closed_and_so_is_one_that_is_gone(reader, store):
    assert look(reader) == "closed"
    write_lease(store, POOL, SECRET, 1)
    assert look(reader) == "open"
    write_lease(store, POOL, SECRET, 0, closed=True)
    assert look(reader) == "closed"


def test_a_store_that_cannot_be_reached_is_a_lease_that_does_not_change(reader, store, clock):
    write_lease(store, POOL, SECRET, 1)
    look(reader)
    store.out_of_reach()
    clock[0] += 100
    assert look(reader) == "open"
    clock[0] += 100
    assert look(reader) == "lapsed"


def test_a_lease_of_somebody_elses_is_tampering(reader, store):
    write_lease(store, POOL, b"another key", 1)
    with pytest.raises(Tampered):
        reader.read()
    body = json.dumps({"state": "open", "count": 1}).encode()
    store.put(lease_key(POOL), [seal("lease", lease_key("pools/u1/another"), body, SECRET)])
    with pytest.raises(Tampered):
        reader.read()


# ---------------------------------------------------------------- the keeper


@pytest.fixture
def directory(tmp_path):
    return LocalStore(tmp_path / "store", shared=True)


def counts(store):
    return read_lease(bytes(store.get(lease_key(POOL))), POOL, SECRET)


def until(is_so, patience_s=60.0):
    end = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_keeper_rewrites_it_until_it_is_closed(directory):
    keeper = LeaseKeeper(directory, POOL, SECRET, 0.05, 10.0)
    assert counts(directory) == ("open", 0)
    until(lambda: counts(directory).count >= 3)
    keeper.check()
    keeper.close()
    assert counts(directory).state == "closed"
    with pytest.raises(StoreError, match="sent home"):
        LeaseKeeper(directory, POOL, SECRET, 0.05, 10.0)


def test_who_takes_a_pool_up_counts_on_beyond_what_its_predecessor_may_still_write(directory):
    first = LeaseKeeper(directory, POOL, SECRET, 0.05, 10.0)
    until(lambda: counts(directory).count >= 1)
    before = counts(directory).count
    second = LeaseKeeper(directory, POOL, SECRET, 60.0, 60.0)
    first.stop()
    second.stop()
    assert second._first_count() > before + 1_000_000


def test_a_keeper_that_was_killed_is_missed(directory):
    keeper = LeaseKeeper(directory, POOL, SECRET, 60.0, 60.0)
    keeper._process.kill()
    keeper._process.wait()
    with pytest.raises(StoreError, match="could not be rewritten, so they will end"):
        keeper.check()
    keeper.close()
    assert counts(directory).state == "closed"


def test_a_keeper_that_hangs_is_ended(directory, monkeypatch):
    monkeypatch.setattr(module, "_END_S", 0.2)
    keeper = LeaseKeeper(directory, POOL, SECRET, 60.0, 60.0)
    keeper._process.send_signal(signal.SIGSTOP)
    keeper.close()
    assert keeper._process.returncode == -signal.SIGKILL


def test_a_keeper_says_why_it_gave_up(directory):
    keeper = LeaseKeeper(directory, POOL, SECRET, 0.05, 0.0)
    directory.destroy()
    (directory.root).write_text("no directory")
    until(lambda: keeper._process.poll() is not None)
    with pytest.raises(StoreError, match="cannot write|may not|Not a directory|cannot be used"):
        keeper.check()
    keeper.stop()


def test_the_key_is_neither_in_its_arguments_nor_in_its_environment(directory):
    keeper = LeaseKeeper(directory, POOL, b"\xab" * 16, 60.0, 60.0)
    try:
        process = psutil.Process(keeper._process.pid)
        assert "abababab" not in str(process.environ()) + str(process.cmdline())
    finally:
        keeper.stop()


DRIVER = """
import os, sys, time
from cloudburst.runtime.lease import LeaseKeeper
from cloudburst.runtime.stores import open_store
keeper = LeaseKeeper(open_store(sys.argv[1]), "pools/u1/000-p", b"secret", 0.05, 60.0)
if os.fork() == 0:
    time.sleep(30)  # it holds whatever its parent holds
    os._exit(0)
print(keeper._process.pid, flush=True)
time.sleep(60)
"""


def test_a_keeper_ends_with_its_driver_though_a_fork_of_that_lives_on(directory):
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, directory.url], stdout=subprocess.PIPE, start_new_session=True
    )
    keeper = int(driver.stdout.readline())
    driver.kill()
    driver.wait()
    try:
        until(lambda: has_ended(keeper))
    finally:
        os.killpg(driver.pid, signal.SIGKILL)
        driver.stdout.close()


def has_ended(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


# ---------------------------------------------------------------- its loop, in this process


def told(**fields):
    wanted = {"url": "", "pool": POOL, "secret": SECRET.hex(), "interval_s": 15.0, "limit_s": 120.0, "count": 0}
    return io.BytesIO(json.dumps(wanted | {"driver": os.getppid()} | fields).encode() + b"\n")


@pytest.fixture
def loop(store, clock, monkeypatch):
    """Runs ``keep`` for so many waits."""

    def run(waits, **fields):
        left = [waits]

        def select(reads, writes, errors, seconds):
            clock[0] += seconds
            left[0] -= 1
            return (reads if left[0] < 0 else [], [], [])

        monkeypatch.setattr(module, "open_store", lambda url: store)
        monkeypatch.setattr(module, "select", select)
        keep(told(**fields))

    return run


def test_it_is_written_once_an_interval(loop, store):
    loop(61)
    assert store.calls["put"] == 4
    assert counts(store).count == 4


def test_an_outage_shorter_than_the_limit_is_waited_out(loop, store, clock):
    refused = []

    def refuse(method, key):
        if method == "put" and clock[0] < 1080:
            refused.append(clock[0])
            return StoreError("S3 cannot be reached")
        return None

    store.refuse = refuse
    loop(90)
    assert len(refused) > 10
    assert counts(store).count > len(refused)


def test_a_longer_one_is_an_error(loop, store, clock):
    store.out_of_reach("put")
    with pytest.raises(StoreError, match="cannot be reached"):
        loop(1000)
    assert 1120 <= clock[0] < 1140


def test_credentials_that_have_expired_are_an_error_at_once(loop, store, clock):
    store.out_of_reach("put", error=AccessDenied)
    with pytest.raises(AccessDenied):
        loop(1000)
    assert clock[0] < 1020


def test_another_parent_than_the_driver_means_that_the_driver_is_no_more(loop, store):
    loop(1000, driver=1 << 30)
    assert store.calls["put"] == 0
