"""The fleet of containers, with an engine. The machines do what stands in the variable that tells a worker its pool."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from cloudburst.resources import Size
from cloudburst.runtime.backends.docker import DockerFleet
from cloudburst.runtime.backends.remote import RemoteBackend
from cloudburst.runtime.events import LaunchFailed
from cloudburst.runtime.pool import Pool
from cloudburst.runtime.protocols import Fell, Fleet, Started
from cloudburst.runtime.stores.local import LocalStore
from cloudburst.runtime.terms import Terms
from tests.contracts.backends import BackendContract
from tests.docker.images import OBEYS, engine, image_of, worker_image

pytestmark = pytest.mark.container

PATIENCE_S = 60.0
SMALL = Size(256, 512)
WAITS = "import time; print('waits', flush=True); time.sleep(600)"


def ignoring(signal_name):
    return f"import signal; signal.signal(signal.{signal_name}, signal.SIG_IGN); {WAITS}"


@pytest.fixture
def started(tmp_path):
    """Makes fleets whose machines do as they are told, and closes them."""
    engine()  # where none answers, no fleet is to be tried
    fleets = []

    def start(does, *, image=None, directory=tmp_path, **rest):
        pool = secrets.token_hex(8)
        rest = {"grace_s": 20.0, "look_s": 0.1, **rest}
        image = image_of(OBEYS) if image is None else image
        fleet = DockerFleet(image, pool, does, directory, **rest)
        fleet.pool = pool
        fleets.append(fleet)
        return fleet

    yield start
    for fleet in fleets:
        fleet.close()
        assert containers(fleet) == []


def containers(fleet):
    return [name for [name] in engine().containers(f"label=cloudburst.pool={fleet.pool}", format_="{{.Names}}")]


def inspected(worker):
    return json.loads(engine().ask("inspect", f"cloudburst-{worker}", about="look at it"))[0]


def seen(fleet, number, kind=(Started, Fell, LaunchFailed)):
    sights = []
    end = time.monotonic() + PATIENCE_S
    while sum(isinstance(sight, kind) for sight in sights) < number:
        assert time.monotonic() < end, f"only {sights}"
        sights += fleet.look()
        time.sleep(0.02)
    return sights


def machine(fleet, shape=SMALL):
    """A machine that is up."""
    fleet.launch(shape, 1, "t")
    [sight] = seen(fleet, 1)
    assert isinstance(sight, Started), sight
    return sight.worker


def fall(fleet, shape=SMALL):
    """How a machine falls."""
    fleet.launch(shape, 1, "t")
    sights = seen(fleet, 2)
    assert [type(sight) for sight in sights] == [Started, Fell], sights
    return sights[1]


def printed(fleet, worker, text):
    end = time.monotonic() + PATIENCE_S
    while text not in (tail := fleet.tail(worker)):
        assert time.monotonic() < end, tail
        time.sleep(0.05)
    return tail


# ---------------------------------------------------------------- how machines start


def test_is_a_fleet(started):
    assert isinstance(started(WAITS), Fleet)


def test_each_machine_is_told_with_its_token_and_knows_its_name(started):
    fleet = started(f"import os; print('I am', os.environ['CLOUDBURST_WORKER'], flush=True); {WAITS}")
    fleet.launch(SMALL, 2, "a")
    fleet.launch(SMALL, 1, "b")
    sights = seen(fleet, 3)
    assert sorted(sight.token for sight in sights) == ["a", "a", "b"]
    assert len({sight.worker for sight in sights}) == 3
    for sight in sights:
        assert f"I am {sight.worker}\n" in printed(fleet, sight.worker, "I am")


def test_a_machine_has_the_memory_and_the_cpu_of_its_shape_and_no_swap(started):
    [host] = [inspected(machine(started(WAITS), Size(512, 1024)))["HostConfig"]]
    assert (host["Memory"], host["MemorySwap"]) == (1024 << 20, 1024 << 20)
    assert host["CpuQuota"] / host["CpuPeriod"] == 0.5


def test_a_shape_with_more_cpus_than_there_are_starts_all_the_same(started):
    host = inspected(machine(started(WAITS), Size(16384, 32768)))["HostConfig"]
    assert host["CpuQuota"] / host["CpuPeriod"] == 16


def test_what_a_machine_writes_is_this_users_and_lies_under_the_same_path(started, tmp_path):
    directory = tmp_path / 'a, "b" and c'
    directory.mkdir()
    (directory / "given").write_text("from here")
    path = str(directory)
    fleet = started(
        f"open({path + '/made'!r}, 'w').write(open({path + '/given'!r}).read().upper())", directory=directory
    )
    assert fall(fleet).detail == "its container ended: exit code 0"
    assert (directory / "made").read_text() == "FROM HERE"
    assert (directory / "made").stat().st_uid == os.getuid()


@pytest.mark.parametrize(("line", "home"), [("", "/srv/cloudburst"), ("ENV HOME=", "/tmp")])
def test_a_machine_has_a_home_that_it_can_write_to_even_where_the_image_has_none(started, line, home):
    writes = f"import pathlib; assert str(home := pathlib.Path.home()) == {home!r}; (home / 'here').touch()"
    image = image_of(OBEYS.replace("ENTRYPOINT", f"{line}\nENTRYPOINT"))
    assert fall(started(writes, image=image)).detail == "its container ended: exit code 0"


def test_the_key_is_on_no_command_line(started):
    fleet = started(f"secret = 'of the pool'; {WAITS}")
    fleet.launch(SMALL, 1, "t")
    lines = set()
    while not (sights := fleet.look()):
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                lines.add(path.read_bytes())
            except OSError:
                continue
    assert isinstance(sights[0], Started)
    assert [line for line in lines if b"CLOUDBURST_POOL" in line and b"docker" in line and b"of the pool" in line] == []


# ---------------------------------------------------------------- how they end


@pytest.mark.parametrize(
    ("does", "detail"),
    [
        ("import sys; sys.exit(3)", "its container ended: exit code 3"),
        ("import os; os.abort()", "its container ended: killed by SIGABRT"),
        ("pass", "its container ended: exit code 0"),
    ],
)
def test_a_machine_that_ends_is_lost(started, does, detail):
    fell = fall(started(does))
    assert (fell.cause, fell.detail, fell.launch) == ("lost", detail, None)


def test_a_machine_that_needs_more_than_its_memory_has_run_out_of_it(started):
    if engine().name == "podman" and not Path("/sys/fs/cgroup/cgroup.controllers").exists():
        pytest.skip("Podman tells this apart with version 2 of cgroups only")
    fell = fall(started("x = [bytearray(b'x' * (1 << 20)) for _ in range(2048)]"), Size(256, 512))
    assert fell.cause == "memory"
    assert "512 MiB" in fell.detail


def test_a_machine_whose_child_ran_out_of_memory_has_ended_by_itself(started):
    child = "x = [bytearray(b'x' * (1 << 20)) for _ in range(2048)]"
    fell = fall(started(f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {child!r}]) == -9)"))
    assert (fell.cause, fell.detail) == ("lost", "its container ended: exit code 1")


def test_a_machine_that_is_killed_without_a_shortage_of_memory_is_lost(started):
    fleet = started(WAITS)
    worker = machine(fleet)
    engine().ask("kill", f"cloudburst-{worker}", about="kill it")
    [fell] = seen(fleet, 1)
    assert (fell.worker, fell.cause, fell.detail) == (worker, "lost", "its container ended: killed by SIGKILL")


def test_a_machine_that_somebody_removes_is_lost(started):
    fleet = started(WAITS)
    worker = machine(fleet)
    engine().remove([f"cloudburst-{worker}"])
    [fell] = seen(fleet, 1)
    assert (fell.worker, fell.cause) == (worker, "lost")


def test_what_ended_is_removed_and_its_last_words_are_kept(started):
    fleet = started("import sys; print('out'); sys.stdout.flush(); print('err', file=sys.stderr); sys.exit(1)")
    fell = fall(fleet)
    assert containers(fleet) == []
    assert sorted(fleet.tail(fell.worker).split()) == ["err", "out"]
    assert fleet.tail("nobody") == ""


def test_only_the_end_of_a_long_log_is_kept(started):
    fell = fall(fleet := started("for n in range(100_000): print(f'line {n}' + ' ' * 200)"))
    tail = fleet.tail(fell.worker)
    assert tail.rstrip().endswith("line 99999")
    assert len(tail) <= 16_000


def test_stop_sends_sigterm_and_tells_that_it_was_stopped(started, tmp_path):
    mark = str(tmp_path / "terminated")
    fleet = started(f"import signal, sys; signal.signal(15, lambda *_: (open({mark!r}, 'w'), sys.exit(3))); {WAITS}")
    fleet.launch(SMALL, 2, "t")
    one, other = [sight.worker for sight in seen(fleet, 2)]
    printed(fleet, one, "waits")
    fleet.stop([one, "nobody"])
    [fell] = seen(fleet, 1)
    assert (fell.worker, fell.cause) == (one, "stopped")
    assert Path(mark).exists()
    assert containers(fleet) == [f"cloudburst-{other}"]


def test_what_does_not_heed_sigterm_is_killed_when_its_grace_is_over(started):
    fleet = started(ignoring("SIGTERM"), grace_s=0.5)
    worker = machine(fleet)
    printed(fleet, worker, "waits")
    fleet.stop([worker])
    [fell] = seen(fleet, 1)
    assert (fell.worker, fell.cause) == (worker, "stopped")


# ---------------------------------------------------------------- machines that do not come


def refusal(fleet):
    fleet.launch(SMALL, 1, "t")
    [failed] = seen(fleet, 1)
    assert isinstance(failed, LaunchFailed), failed
    assert (failed.token, failed.count) == ("t", 1)
    return failed


def test_an_image_that_is_nowhere_is_a_matter_of_settings(started):
    failed = refusal(started(WAITS, image="no-registry.invalid/nobody/no-image:1"))
    assert failed.cause == "setup"
    assert "no-registry.invalid/nobody/no-image:1" in failed.detail
    assert "Correct image=" in failed.detail


def test_a_name_that_cannot_be_an_images_is_a_matter_of_settings(started):
    failed = refusal(started(WAITS, image="Not A Name"))
    assert (failed.cause, "image=" in failed.detail) == ("setup", True)


def test_an_image_without_a_worker_is_a_matter_of_settings(started):
    for entrypoint in ('["not-there"]', '["python", "-S", "-m", "cloudburst.runtime.supervisor"]'):
        fell = fall(started("", image=image_of(f"FROM {{worker}}\nENTRYPOINT {entrypoint}\n")))
        assert (fell.cause, fell.launch) == ("lost", "setup")
        assert "make it FROM a worker's" in fell.detail


def test_a_directory_that_the_engine_does_not_see_is_told(started, tmp_path):
    failed = refusal(started(WAITS, directory=tmp_path / "not-there"))
    assert (failed.cause, "storage directory" in failed.detail) == ("setup", True)


def test_an_engine_that_cannot_be_reached_is_told_with_the_mend(started, monkeypatch, tmp_path):
    image = image_of(OBEYS)
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
        elsewhere.setenv("CONTAINER_HOST", f"unix://{tmp_path}/no.sock")
        failed = refusal(started(WAITS, image=image))
    assert failed.cause == "setup"
    assert "Start the engine" in failed.detail


# ---------------------------------------------------------------- closing


def test_close_removes_running_ended_and_coming_machines(started):
    fleet = started(WAITS)
    machine(fleet)
    fleet.launch(SMALL, 8, "more")
    fleet.close()
    assert containers(fleet) == []
    fleet.close()
    fleet.launch(SMALL, 1, "late")
    time.sleep(0.5)
    assert containers(fleet) == []


def test_close_touches_no_other_pool(started):
    mine, others = started(WAITS), started(WAITS)
    machine(mine)
    worker = machine(others)
    mine.close()
    assert containers(others) == [f"cloudburst-{worker}"]


def test_ctrl_c_does_not_keep_close_from_removing_everything(started, monkeypatch):
    fleet = started(WAITS)
    machine(fleet)
    remove = engine().remove

    def interrupted(containers):
        signal.raise_signal(signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        remove(containers)

    monkeypatch.setattr(type(fleet.engine), "remove", lambda self, containers: interrupted(containers))
    fleet.close()
    monkeypatch.undo()
    assert containers(fleet) == []
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_what_a_killed_driver_left_is_removed_by_the_next_one(started, tmp_path):
    image = image_of(OBEYS)
    program = f"""
        import os, time
        from cloudburst.resources import Size
        from cloudburst.runtime.backends.docker import DockerFleet
        fleet = DockerFleet({image!r}, "left", "pass", {str(tmp_path)!r}, look_s=600.0)
        fleet.launch(Size(256, 512), 1, "t")
        while not (sights := fleet.look()):
            time.sleep(0.02)
        print(sights[0].worker, flush=True)
        os.kill(os.getpid(), 9)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    left = f"cloudburst-{done.stdout.strip()}"
    engine().ask("wait", left, about="wait for it")
    fleet = started(WAITS)
    worker = machine(fleet)
    everybody = [name for [name] in engine().containers("label=cloudburst.driver", format_="{{.Names}}")]
    assert left not in everybody
    assert f"cloudburst-{worker}" in everybody


def test_no_thread_is_left(started):
    fleet = started("pass")
    fall(fleet)
    fleet.close()
    assert [one.name for one in threading.enumerate() if re.match("cloudburst containers", one.name)] == []


# ---------------------------------------------------------------- with the worker itself


@pytest.mark.slow
class TestWorkersInContainers(BackendContract):
    """The worker's own image, and the store in a directory that both see."""

    @pytest.fixture
    def backend(self, tmp_path):
        image = worker_image()
        store = LocalStore(tmp_path / "store")
        pool = Pool(store, "u1", b"the user's own", Terms(hearing_interval_s=0.05, mail_interval_s=0.05))
        fleet = DockerFleet(image, pool.id, pool.variable, store.root, grace_s=1.0, look_s=0.1)
        backend = RemoteBackend(pool, fleet)
        yield backend
        backend.close()
        assert engine().containers(f"label=cloudburst.pool={pool.id}") == []
