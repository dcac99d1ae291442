"""The fleet of containers with a played engine; ``tests/docker/test_fleet.py`` has a real one."""

from __future__ import annotations

import os
import socket
import threading
import time

import pytest

from cloudburst.errors import LaunchError, SettingsError
from cloudburst.resources import Size
from cloudburst.runtime.backends.docker import DockerFleet
from cloudburst.runtime.events import LaunchFailed
from cloudburst.runtime.protocols import Fell, Fleet, Started
from tests.runtime.backends.engines import PlayedEngine

PATIENCE_S = 60.0
SECRET = "file:///store#pools/u/p#5ec7e7"


@pytest.fixture
def played(tmp_path, monkeypatch):
    played = PlayedEngine(tmp_path / "engine")
    monkeypatch.setenv("PATH", str(played.path))
    return played


@pytest.fixture
def fleet(played, tmp_path):
    fleet = DockerFleet("worker", "p1", SECRET, tmp_path, look_s=0.02)
    yield fleet
    played.mends()
    fleet.close()
    assert played.containers() == {}
    for thread in threading.enumerate():
        if thread.name.startswith("cloudburst containers"):
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


def seen(fleet, number=1):
    sights = []
    end = time.monotonic() + PATIENCE_S
    while len(sights) < number:
        assert time.monotonic() < end, f"only {sights}"
        sights += fleet.look()
        time.sleep(0.01)
    return sights


def machines(fleet, number=1):
    fleet.launch(Size(1024, 2048), number, "t")
    sights = seen(fleet, number)
    assert [type(sight) for sight in sights] == [Started] * number, sights
    return [sight.worker for sight in sights]


def test_is_a_fleet(fleet):
    assert isinstance(fleet, Fleet)


def test_without_an_engine_there_is_no_fleet(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match="Docker"):
        DockerFleet("worker", "p1", SECRET, tmp_path)


def test_a_fleet_that_launched_nothing_asks_nothing(fleet, played):
    fleet.close()
    assert not (played.directory / "asked").exists()


def test_the_engine_is_asked_once_how_it_is_and_a_run_for_each_machine(fleet, played):
    machines(fleet, 5)
    assert [len(played.asked(command)) for command in ("image", "info", "run")] == [1, 1, 5]


def test_the_key_goes_through_the_environment_and_stands_in_no_argument(fleet, played):
    [worker] = machines(fleet)
    [(arguments, pool)] = played.asked("run")
    assert pool == SECRET
    assert "5ec7e7" not in " ".join(arguments)
    assert arguments[arguments.index("CLOUDBURST_POOL") - 1] == "--env"
    assert f"CLOUDBURST_WORKER={worker}" in arguments
    assert arguments[-1] == "worker"
    assert SECRET not in os.environ.values()


def test_a_home_is_given_only_where_the_image_has_none(fleet, played, tmp_path):
    machines(fleet)
    assert "HOME=/tmp" not in played.asked("run")[0][0]
    played.answers("image inspect", '{"Env": ["PATH=/bin"]}')
    other = DockerFleet("worker", "p2", SECRET, tmp_path)
    machines(other)
    other.close()
    assert "HOME=/tmp" in played.asked("run")[1][0]


def test_a_machine_that_cannot_be_started_is_told_and_nothing_of_it_stays(fleet, played):
    played.refuses("run ", "no space left on device")
    fleet.launch(Size(1024, 2048), 2, "t")
    failed = seen(fleet, 2)
    assert [(sight.token, sight.count, sight.cause) for sight in failed] == [("t", 1, "setup")] * 2
    assert all(isinstance(sight, LaunchFailed) for sight in failed)
    assert "1 vCPU, 2 GB" in failed[0].detail
    assert len(played.asked("rm")) == 2


def test_a_launch_after_a_failed_one_looks_again(fleet, played):
    played.refuses("image inspect", "Cannot connect to the Docker daemon")
    fleet.launch(Size(), 1, "t")
    assert isinstance(seen(fleet)[0], LaunchFailed)
    played.mends()
    assert machines(fleet)


@pytest.mark.parametrize("state", ["exited", "Exited (3) 2 seconds ago"])
def test_an_ended_machine_falls_and_is_removed_and_its_log_is_kept(fleet, played, state):
    [worker] = machines(fleet)
    played.set_state(f"cloudburst-{worker}", state)
    assert seen(fleet) == [Fell(worker, "lost", "its container ended: exit code 3")]
    assert played.containers() == {}
    assert fleet.tail(worker) == "last words\n"


def test_an_end_that_cannot_be_read_is_an_end(fleet, played):
    [worker] = machines(fleet)
    played.refuses("inspect --type", "the moon is in the wrong house")
    played.set_state(f"cloudburst-{worker}", "dead")
    [fell] = seen(fleet)
    assert (fell.worker, fell.cause) == (worker, "lost")
    assert "the moon" in fell.detail


def test_what_cannot_be_removed_falls_and_is_removed_in_the_end(fleet, played):
    [worker] = machines(fleet)
    played.refuses("rm ", "removal is already in progress")
    played.set_state(f"cloudburst-{worker}", "exited")
    [fell] = seen(fleet)
    assert fell.worker == worker
    assert list(played.containers()) == [f"cloudburst-{worker}"]


def test_a_log_that_cannot_be_read_says_why(fleet, played):
    [worker] = machines(fleet)
    played.refuses("logs", "configured logging driver does not support reading")
    assert "does not support reading" in fleet.tail(worker)


def test_a_stop_that_is_refused_is_a_removal(fleet, played):
    [worker] = machines(fleet)
    played.refuses("stop ", "the moon is in the wrong house")
    fleet.stop([worker])
    assert seen(fleet) == [Fell(worker, "stopped", "it was stopped")]


def test_machines_of_an_engine_that_stays_silent_have_lost_their_host(fleet, played):
    workers = machines(fleet, 2)
    played.refuses("ps ", "Cannot connect to the Docker daemon")
    fell = seen(fleet, 2)
    assert {(sight.worker, sight.cause) for sight in fell} == {(worker, "host") for worker in workers}
    assert "Start the engine" in fell[0].detail
    assert len(played.asked("ps")) >= 10


def test_one_silence_means_nothing(fleet, played):
    [worker] = machines(fleet)
    played.refuses("ps ", "Cannot connect to the Docker daemon")
    before = len(played.asked("ps"))
    while len(played.asked("ps")) < before + 3:
        time.sleep(0.01)
    played.mends()
    while len(played.asked("ps")) < before + 12:
        time.sleep(0.01)
    assert fleet.look() == []
    played.set_state(f"cloudburst-{worker}", "exited")
    assert seen(fleet)[0].worker == worker


def test_close_gives_up_a_pull(fleet, played):
    played.refuses("image inspect", "No such image: worker")
    played.answers("pull", seconds=600.0)
    fleet.launch(Size(), 3, "t")
    while not played.asked("pull"):
        time.sleep(0.01)
    fleet.close()
    assert played.asked("run") == []


def test_close_says_what_is_left_and_how_to_remove_it(fleet, played):
    machines(fleet)
    played.refuses("rm ", "Cannot connect to the Docker daemon")
    with pytest.raises(LaunchError, match=r"may still be there.*docker rm --force \$\(docker ps .*cloudburst.pool=p1"):
        fleet.close()


def test_only_what_a_driver_of_this_host_left_that_is_no_more_is_swept(fleet, played):
    gone = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(gone, 0)
    host = socket.gethostname()
    rows = [
        ("left", "exited", f"{host}:{gone}"),
        ("running", "running", f"{host}:{gone}"),
        ("mine", "exited", f"{host}:{os.getpid()}"),
        ("roots", "dead", f"{host}:1"),
        ("elsewhere", "exited", f"elsewhere:{gone}"),
    ]
    played.answers("label=cloudburst.driver --format", "".join(f"{name}\t{state}\n" for name, state, _ in rows))
    ended = [(name, driver) for name, state, driver in rows if state != "running"]
    played.answers("left mine roots elsewhere", "".join(f"{name}\t{driver}\n" for name, driver in ended))
    machines(fleet)
    assert [arguments[3:] for arguments, _ in played.asked("rm")] == [["left"]]


def test_what_another_driver_has_swept_meanwhile_is_in_nobodys_way(fleet, played):
    played.answers("label=cloudburst.driver --format", "left\texited\n")
    played.refuses("inspect --type", "No such container: left")
    assert machines(fleet)
