"""Workers as they are, with stages and with writers to the bucket that mean no good."""

from __future__ import annotations

import _pickle
import os
import pickle
import signal
import sys
import time

import numpy as np
import pandas as pd
import psutil
import pytest

from cloudburst.errors import Tampered
from cloudburst.kept import Kept
from cloudburst.runtime import artifacts, layout
from cloudburst.runtime.backends.remote import RemoteBackend
from cloudburst.runtime.events import Ended, Gone, LaunchFailed
from cloudburst.runtime.letters import INLINE
from cloudburst.runtime.pool import Pool
from cloudburst.runtime.stores.local import LocalStore
from cloudburst.runtime.task import Artifact, Function, TaskId
from cloudburst.runtime.terms import Terms
from tests.assignments import assignment, captured, slot, step
from tests.contracts.backends import SHAPE, call, ended, launched, until
from tests.runtime.fleets import ProcessFleet
from tests.runtime.test_envelope import Touch

SECRET = b"the user's own"
QUICK = Terms(hearing_interval_s=0.05, mail_interval_s=0.05, lease_interval_s=0.2)


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "store", shared=True)


@pytest.fixture
def pool(store):
    return Pool(store, "u1", SECRET, QUICK)


@pytest.fixture
def fleet(pool, tmp_path):
    return ProcessFleet(pool, tmp_path)


@pytest.fixture
def backend(pool, fleet):
    backend = RemoteBackend(pool, fleet)
    yield backend
    backend.close()


@pytest.fixture
def touched(tmp_path):
    """A file that is there if something was unpickled that must not be."""
    return tmp_path / "touched"


@pytest.fixture
def malice(touched):
    return pickle.dumps(Touch(str(touched)))


# ---------------------------------------------------------------- writers to the bucket


def overwrite(store, key, data):
    store.delete([key])
    store.put(key, [data])


def raises_tampered(backend):
    with pytest.raises(Tampered) as caught:
        until(backend, LaunchFailed)  # which never comes
    return str(caught.value)


def test_a_planted_letter(backend, store, pool, fleet, malice, touched):
    backend.equip({})
    [worker] = launched(backend)
    machine = fleet.machines[worker]
    store.put(layout.letter_key(pool.prefix, worker, 1), [malice])
    assert "mail/m1/000001 is not what was written there" in raises_tampered(backend)
    assert machine.wait(20) == 1
    assert not touched.exists()


def test_a_planted_function(backend, store, pool, malice, touched):
    backend.equip({"f": Function(b"x" * (INLINE + 1), None)})
    [worker] = launched(backend)
    store.put(layout.function_key(pool.prefix, backend._run, "f"), [malice])
    backend.assign(worker, [call("f")])
    assert "is not the function that the driver wrote there" in raises_tampered(backend)
    assert not touched.exists()


def test_a_planted_input(backend, store, malice, touched):
    backend.equip(captured(size=len))
    [worker] = launched(backend)
    value = artifacts.write([object, b"x" * 100_000], store, "runs/test/given/0")
    assert value.codec == "pickle"
    overwrite(store, value.body, malice)
    [record] = ended(backend, worker, assignment(step("call", "size", slot(0)), inputs=[value]))
    assert (record.failure.cause, record.artifacts) == ("tampered", ())
    assert isinstance(pickle.loads(record.failure.exception), Tampered)
    plain = Artifact("pickle", value.body, len(malice))  # one that nothing tells what it was
    [record] = ended(backend, worker, assignment(step("call", "size", slot(0)), inputs=[plain], task=1))
    assert record.failure.cause == "tampered"
    assert not touched.exists()


def test_a_planted_output(backend, store, malice, touched):
    backend.equip(captured(make=lambda: [object, "x" * 100_000]))
    [worker] = launched(backend)
    [record] = ended(backend, worker, call("make"))
    [output] = record.artifacts
    assert artifacts.read(output, store)[0] is object
    overwrite(store, output.body, malice)
    with pytest.raises(Tampered, match="is not what was written"):
        artifacts.read(output, store)
    assert not touched.exists()


@pytest.mark.parametrize("place", ["record", "hello", "bye", "anything"])
def test_a_planted_record(backend, store, pool, malice, touched, place):
    backend.equip({})
    launched(backend)
    keys = {
        "record": layout.record_key(pool.prefix, backend._run, TaskId(0), 1),
        "hello": layout.hello_key(pool.prefix, "m2"),
        "bye": layout.bye_key(pool.prefix, "m1"),
        "anything": f"{layout.said_prefix(pool.prefix)}0",
    }
    store.put(keys[place], [malice])
    raises_tampered(backend)
    assert not touched.exists()


def test_a_record_of_another_attempt(backend, store, pool):
    backend.equip(captured(double=lambda x: 2 * x))
    [worker] = launched(backend)
    backend.assign(worker, [call("double", 1)])
    key = layout.record_key(pool.prefix, backend._run, TaskId(0), 1)
    until_there(store, key)
    message = bytes(store.get(key))
    until(backend, Ended)
    store.put(layout.record_key(pool.prefix, backend._run, TaskId(1), 1), [message])
    assert "is not what was written there" in raises_tampered(backend)


def until_there(store, key):
    end = time.monotonic() + 60
    while key not in store.list(key):
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("what", ["lease", "pool"])
def test_a_planted_lease_or_pool(backend, store, pool, malice, touched, what):
    backend.equip({})
    if what == "lease":
        launched(backend)
        pool._keeper._process.send_signal(signal.SIGSTOP)
    store.put(f"{pool.prefix}/{what}", [malice])
    if what == "pool":
        backend.launch(SHAPE, 1, "late")
    assert f"{what} is not what was written there" in raises_tampered(backend)
    pool._keeper._process.send_signal(signal.SIGCONT)
    assert not touched.exists()


def test_a_planted_receipt(store, malice, touched):
    kept = Kept(store, durable=True, user="u1", secret=SECRET)
    value = artifacts.write([object, b"x" * 100_000], store, "runs/a/0")
    lasting = kept.keep({b"digest": value})
    again = Kept(store, durable=True, user="u1", secret=SECRET)
    assert again.among([], [b"digest"]) == lasting
    [key] = store.list("kept/")
    overwrite(store, key, malice)
    with pytest.raises(Tampered):
        Kept(store, durable=True, user="u1", secret=SECRET).among([], [b"digest"])
    assert not touched.exists()


def test_data_is_read_without_pickle(backend, store, monkeypatch):
    values = [
        pd.DataFrame({"x": np.arange(20_000), "s": ["a", "b"] * 10_000}),
        np.arange(20_000.0),
        [{"a": [1, 2.5, None, "x" * 50_000]}],
        7,
    ]
    backend.equip(captured(make=lambda number: values_in_worker(number)))
    [worker] = launched(backend)
    records = ended(backend, worker, *[call("make", number, task=number) for number in range(4)])
    assert [one.failure for one in records] == [None] * 4

    def refuse(*_, **__):
        raise AssertionError("something was unpickled")

    for module in (pickle, _pickle):
        for name in ("loads", "load", "Unpickler"):
            monkeypatch.setattr(module, name, refuse)
    found = [artifacts.read(one.artifacts[0], store) for one in records]
    pd.testing.assert_frame_equal(found[0], values[0])
    np.testing.assert_array_equal(found[1], values[1])
    assert found[2:] == values[2:]


def values_in_worker(number):
    import numpy as np
    import pandas as pd

    return [
        lambda: pd.DataFrame({"x": np.arange(20_000), "s": ["a", "b"] * 10_000}),
        lambda: np.arange(20_000.0),
        lambda: [{"a": [1, 2.5, None, "x" * 50_000]}],
        lambda: 7,
    ][number]()


# ---------------------------------------------------------------- stages


def hunt(key):
    """Where a stage finds a text: in variables, and in whatever it can read of processes."""
    import os
    from pathlib import Path

    os.system("env > env-of-a-child")
    found = [name for name, value in os.environ.items() if key in value]
    for path in [Path("env-of-a-child"), *Path("/proc").glob("[0-9]*/environ"), *Path("/proc").glob("[0-9]*/cmdline")]:
        try:
            if key.encode() in path.read_bytes():
                found.append(str(path))
        except OSError:
            continue
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_a_stage_that_looks_for_the_pools_key_does_not_find_it(backend, store, pool, fleet):
    key = pool.secret.hex()
    backend.equip(captured(hunt=lambda first, rest: hunt(first + rest), say=print))
    [worker] = launched(backend)
    [found, _] = ended(backend, worker, call("hunt", key[:9], key[9:]), call("say", "done", task=1))
    assert artifacts.read(found.artifacts[0], store) == []
    assert key not in fleet.log(worker).read_text()
    for name in store.list(""):
        assert key.encode() not in bytes(store.get(name))
        assert pool.secret not in bytes(store.get(name))


def close_all_files():
    import os

    os.closerange(3, 4096)


def open_in_their_place():
    import os

    for file in range(3, 64):
        try:
            os.close(file)
        except OSError:
            continue
    return [os.open("/dev/null", os.O_RDWR) for _ in range(40)] and None


def fork_and_return_twice():
    import os

    return "parent" if os.fork() else "child"


def fork_and_leave_it():
    import os
    import time

    if os.fork() == 0:
        time.sleep(600)


def raise_unpicklable():
    class Odd(Exception):
        def __reduce__(self):
            raise TypeError("no")

    raise Odd("unpicklable")


HOSTILE = {
    "sys.exit": (lambda: __import__("sys").exit(3), "raised"),
    "os._exit": (lambda: __import__("os")._exit(0), "lost"),
    "abort": (lambda: __import__("os").abort(), "lost"),
    "closes files": (close_all_files, "lost"),
    "files in their place": (open_in_their_place, "lost"),
    "forks and returns twice": (fork_and_return_twice, None),
    "forks and leaves it": (fork_and_leave_it, None),
    "changes directory": (lambda: __import__("os").chdir("/"), None),
    "raises what cannot be pickled": (raise_unpicklable, "raised"),
    "kills its supervisor's children": (lambda: __import__("os").killpg(0, 9), "lost"),
    "swallows SIGTERM": (lambda: __import__("signal").signal(15, lambda *_: None) and None, None),
    "wipes its environment": (lambda: __import__("os").environ.clear(), None),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_stage_has_one_record_whatever_it_does_and_the_next_finds_a_worker(backend, store, name):
    function, cause = HOSTILE[name]
    backend.equip(captured(hostile=function, double=lambda x: 2 * x))
    [worker] = launched(backend)
    first, second = ended(backend, worker, call("hostile"), call("double", 21, task=1))
    assert (first.failure and first.failure.cause) == cause
    assert artifacts.read(second.artifacts[0], store) == 42
    if name == "forks and returns twice":
        assert artifacts.read(first.artifacts[0], store) == "parent"


def swallow_and_wait():
    import signal
    import time

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("waiting", flush=True)
    time.sleep(600)


@pytest.mark.parametrize("ending", ["lease closed", "lease open"])
def test_sigterm_ends_a_worker_with_143_though_its_stage_swallows_it(tmp_path, store, ending):
    pool = Pool(store, "u1", SECRET, Terms(**(QUICK.as_json() | {"grace_s": 0.5})))
    fleet = ProcessFleet(pool, tmp_path)
    backend = RemoteBackend(pool, fleet)
    backend.equip(captured(wait=swallow_and_wait))
    [worker] = launched(backend)
    machine = fleet.machines[worker]
    backend.assign(worker, [call("wait")])
    end = time.monotonic() + 60
    while "waiting" not in fleet.log(worker).read_text():
        assert time.monotonic() < end
        backend.poll(0.1)
    performers = psutil.Process(machine.pid).children(recursive=True)
    if ending == "lease closed":
        pool.close_lease()
    machine.send_signal(signal.SIGTERM)
    assert machine.wait(20) == 143
    assert psutil.wait_procs(performers, 20)[1] == []
    if ending == "lease open":
        [gone] = [one for one in until(backend, Gone) if isinstance(one, Gone)]
        assert (gone.cause, gone.task) == ("reclaimed", TaskId(0))
    backend.close()


def test_a_worker_told_to_end_before_it_is_up_ends_with_143(tmp_path, store):
    pool = Pool(store, "u1", SECRET, QUICK)
    pool.open()
    fleet = ProcessFleet(pool, tmp_path)
    machine = fleet.start("m1")
    process = psutil.Process(machine.pid)
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end and not _catches(process, signal.SIGTERM):
            time.sleep(0.001)
        machine.send_signal(signal.SIGTERM)
        assert machine.wait(20) == 143
    finally:
        pool.close_lease()


def _catches(process, number):
    with open(f"/proc/{process.pid}/status") as file:
        mask = next(int(line.split()[1], 16) for line in file if line.startswith("SigCgt"))
    return bool(mask >> (number - 1) & 1)


def test_a_worker_whose_pool_is_gone_says_so_and_ends(tmp_path, store):
    pool = Pool(store, "u1", SECRET, QUICK)
    fleet = ProcessFleet(pool, tmp_path)
    assert fleet.start("m1").wait(30) == 1
    assert fleet.log("m1").read_text() == "cloudburst: ends: its pool is not there any more\n"


def test_a_worker_without_a_pool_says_what_it_is(tmp_path):
    import subprocess

    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLOUDBURST")}
    done = subprocess.run(
        [sys.executable, "-m", "cloudburst.runtime.supervisor"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "This is the program of a cloudburst worker" in done.stdout
    assert done.stderr == ""
