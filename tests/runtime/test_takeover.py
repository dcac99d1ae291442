"""A driver is killed in the middle of a run, and another process goes on with its workers."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cloudburst.errors import NotFound, StoreError, Tampered
from cloudburst.resources import Size
from cloudburst.runtime.artifacts import read
from cloudburst.runtime.backends.remote import RemoteBackend
from cloudburst.runtime.chronicle import Chronicle
from cloudburst.runtime.driver import Driver
from cloudburst.runtime.limits import Limits
from cloudburst.runtime.pool import Pool
from cloudburst.runtime.stores.local import LocalStore
from cloudburst.runtime.takeover import resume
from cloudburst.runtime.task import Input, Origin, Output, Plan, Task
from cloudburst.runtime.terms import Terms
from tests.assignments import captured, slot, step
from tests.runtime.fleets import FoundFleet

ROOT = Path(__file__).parents[2]
SECRET, USER, PREFIX = b"the user's own", "u1", "runs/000-test-x1"


def terms(limit_s: float) -> Terms:
    return Terms(hearing_interval_s=0.05, mail_interval_s=0.05, lease_interval_s=0.5, lease_limit_s=limit_s)


TERMS = terms(30.0)
LIMITS = Limits(2, None, None, shaped=True)
LARGE = "x" * 100_000
"""Makes the function too large for a letter."""


def plan(directory: Path) -> Plan:
    """Two chains of four that meet; each task leaves a mark, and waits until it may go on."""
    marks, large = str(directory), LARGE

    def work(number, *before):
        import os
        import time

        assert large
        with open(f"{marks}/mark-{number}", "a") as file:
            file.write("x")
        while not os.path.exists(f"{marks}/go-{number}"):
            time.sleep(0.01)
        return sum(before) + number

    def make(index, *inputs):
        slots = [slot(place) for place in range(len(inputs))]
        return Task(
            index,
            f"work-{index:012d}",
            "work",
            (step("call", "work", index, *slots),),
            tuple(Input(one) for one in inputs),
            (Output(len(inputs)),),
            (Origin("work", None, 0),),
            Size(1024, 2048),
            stage_step=0,
        )

    tasks = (make(0), make(1, 0), make(2, 1), make(3, 2), make(4), make(5, 4), make(6, 5), make(7, 6), make(8, 3, 7))
    return Plan("test", tasks, captured(work=work), (), (Input(8),))


RESULT = sum(range(9))


def first_driver(directory: Path, terms: Terms) -> None:
    """What the process does that is killed."""
    store = LocalStore(directory / "store", shared=True)
    pool = Pool(store, USER, SECRET, terms)
    backend = RemoteBackend(pool, FoundFleet(pool, directory))
    chronicle = Chronicle(store, PREFIX, SECRET, pool.id, backend.coming_run)
    a_plan = plan(directory)
    chronicle.begin(a_plan, LIMITS)
    Driver(a_plan, store, LIMITS, prefix=PREFIX).drive(backend, journal=chronicle)


@pytest.fixture
def begun(tmp_path, request):
    """A run that was begun, by its process."""
    limit_s = getattr(request, "param", 30.0)
    code = (
        "import sys, pathlib; from tests.runtime import test_takeover as module; "
        "module.first_driver(pathlib.Path(sys.argv[1]), module.terms(float(sys.argv[2])))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(limit_s)], cwd=ROOT)
    yield process
    process.kill()
    process.wait()
    for number in range(9):
        (tmp_path / f"go-{number}").touch()


def until(is_so):
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def taken_up(directory):
    store = LocalStore(directory / "store", shared=True)
    return resume(store, PREFIX, SECRET, USER, lambda pool: FoundFleet(pool, directory))


def ends_well(directory, resumed):
    """The rest of the run, to its result; each task was begun once, or as often as is told."""
    store = LocalStore(directory / "store", shared=True)
    try:
        outcome = resumed.driver.drive(resumed.backend, journal=resumed.chronicle)
        assert outcome.status == "done"
        assert read(outcome.targets[0], store) == RESULT
    finally:
        resumed.backend.close()
    assert store.list("pools/") == []
    return {number: (directory / f"mark-{number}").stat().st_size for number in range(9)}


@pytest.mark.parametrize("before", ["the first task", "tasks sent ahead", "the last task"])
def test_another_process_goes_on_with_the_same_workers_and_nothing_is_done_twice(begun, tmp_path, before):
    last = {"the first task": 0, "tasks sent ahead": 2, "the last task": 8}[before]
    for number in range(last):
        (tmp_path / f"go-{number}").touch()
    until(lambda: (tmp_path / f"mark-{last}").exists())
    kill(begun)
    machines = set(tmp_path.glob("*.machine"))
    resumed = taken_up(tmp_path)
    for number in range(9):
        (tmp_path / f"go-{number}").touch()
    assert ends_well(tmp_path, resumed) == dict.fromkeys(range(9), 1)
    assert machines <= set(tmp_path.glob("*.machine"))


def test_what_ended_while_nobody_listened_is_heard(begun, tmp_path):
    until(lambda: (tmp_path / "mark-0").exists() and (tmp_path / "mark-4").exists())
    kill(begun)
    for number in range(8):
        (tmp_path / f"go-{number}").touch()
    until(lambda: (tmp_path / "mark-3").exists() and (tmp_path / "mark-7").exists())
    resumed = taken_up(tmp_path)
    (tmp_path / "go-8").touch()
    assert ends_well(tmp_path, resumed) == dict.fromkeys(range(9), 1)


def test_a_machine_that_went_while_nobody_looked_is_replaced(begun, tmp_path):
    until(lambda: (tmp_path / "mark-0").exists() and (tmp_path / "mark-4").exists())
    kill(begun)
    fleet = FoundFleet(None, tmp_path)
    [victim, *_] = fleet._found.values()
    victim.kill()
    until(lambda: not victim.is_running() or victim.status() == "zombie")
    for number in range(9):
        (tmp_path / f"go-{number}").touch()
    marks = ends_well(tmp_path, taken_up(tmp_path))
    assert set(marks.values()) <= {1, 2}


@pytest.mark.parametrize("begun", [2.0], indirect=True)
def test_workers_that_nobody_takes_up_end_by_themselves_in_the_middle_of_a_task(begun, tmp_path):
    until(lambda: (tmp_path / "mark-0").exists() and (tmp_path / "mark-4").exists())
    machines = list(FoundFleet(None, tmp_path)._found.values())
    performers = [child for machine in machines for child in machine.children(recursive=True)]
    assert len(performers) == len(machines) == 2
    kill(begun)
    gone, alive = psutil.wait_procs([*machines, *performers], timeout=60)
    assert (len(gone), alive) == (4, [])


def test_a_driver_killed_before_it_had_launched_anything_is_taken_up_too(tmp_path):
    store = LocalStore(tmp_path / "store", shared=True)
    pool = Pool(store, USER, SECRET, TERMS)
    backend = RemoteBackend(pool, FoundFleet(pool, tmp_path))
    Chronicle(store, PREFIX, SECRET, pool.id, backend.coming_run).begin(plan(tmp_path), LIMITS)
    pool.let_go()
    for number in range(9):
        (tmp_path / f"go-{number}").touch()
    assert ends_well(tmp_path, taken_up(tmp_path)) == dict.fromkeys(range(9), 1)


def test_letters_that_were_never_written_are_written_by_the_next(tmp_path):
    """The threads of a killed driver may have written its second letter and not the first."""
    store = LocalStore(tmp_path / "store", shared=True)
    pool = Pool(store, USER, SECRET, TERMS)
    backend = RemoteBackend(pool, FoundFleet(pool, tmp_path))
    Chronicle(store, PREFIX, SECRET, pool.id, backend.coming_run).begin(plan(tmp_path), LIMITS)
    backend.equip({})
    for number in (1, 3):
        backend._out.send("w1", number)
    until(lambda: len(store.list(f"{pool.prefix}/mail/w1/")) == 2)
    assert backend._out.sent_before("w1", backend._run) == 3
    until(lambda: len(store.list(f"{pool.prefix}/mail/w1/")) == 3)
    store.put(f"{pool.prefix}/mail/w1/999999", [b"planted"])
    with pytest.raises(Tampered):
        backend._out.sent_before("w1", backend._run)
    backend.close()


def test_a_run_that_is_not_there_or_whose_workers_went_home_is_not_taken_up(tmp_path):
    store = LocalStore(tmp_path / "store", shared=True)
    with pytest.raises(NotFound):
        taken_up(tmp_path)
    pool = Pool(store, USER, SECRET, TERMS)
    pool.open()
    Chronicle(store, PREFIX, SECRET, pool.id, f"{pool.id}1").begin(plan(tmp_path), LIMITS)
    pool.close_lease()
    with pytest.raises(StoreError, match="sent home"):
        taken_up(tmp_path)


def test_what_goes_wrong_while_a_run_is_taken_up_leaves_no_lease_behind_that_is_renewed(tmp_path):
    store = LocalStore(tmp_path / "store", shared=True)
    pool = Pool(store, USER, SECRET, TERMS)
    pool.open()
    chronicle = Chronicle(store, PREFIX, SECRET, pool.id, f"{pool.id}1")
    chronicle.begin(plan(tmp_path), LIMITS)
    store.put("journals/000-test-x1/000001", [pickle.dumps("planted")])
    keepers = []

    def fleet_for(pool):
        keepers.append(pool)
        raise AssertionError

    with pytest.raises(Tampered):
        resume(store, PREFIX, SECRET, USER, fleet_for)
    store.delete(["journals/000-test-x1/000001"])
    with pytest.raises(AssertionError):
        resume(store, PREFIX, SECRET, USER, fleet_for)
    assert not keepers[0].is_open
    pool.close_lease()
