from __future__ import annotations

import os
import pickle
import threading
from pathlib import Path

import pytest

from cloudburst.errors import LaunchError, SettingsError
from cloudburst.resources import Size
from cloudburst.runtime.backends.engine import (
    Engine,
    EngineRefused,
    find_engine,
    image_labels,
    mount_option,
    size_options,
)
from tests.runtime.backends.engines import PlayedEngine


@pytest.fixture
def played(tmp_path, monkeypatch):
    played = PlayedEngine(tmp_path)
    monkeypatch.setenv("PATH", str(played.path))
    return played


def test_docker_comes_before_podman(played):
    assert find_engine().name == "docker"
    (played.path / "docker").rename(played.path / "podman")
    assert find_engine() == Engine("podman", str(played.path / "podman"))
    assert find_engine("podman") == find_engine()


def test_an_engine_that_is_not_there_is_a_wrong_setting(played):
    with pytest.raises(SettingsError, match=r"engine='podman' is not installed"):
        find_engine("podman")
    (played.path / "docker").unlink()
    with pytest.raises(SettingsError, match=r"Neither Docker nor Podman is installed.*cb\.init_local"):
        find_engine()


def test_an_answer_is_what_was_printed(played):
    played.answers("both", "out\n", "err\n")
    assert find_engine().ask("both", about="try") == "out\n"
    assert sorted(find_engine().ask("both", about="try", with_errors=True).split()) == ["err", "out"]


def test_a_refusal_says_what_could_not_be_done_and_why_and_the_mend(played):
    played.refuses("start", "Cannot connect to the Docker daemon. Is the daemon running?\n\nRun 'docker --help'\n")
    with pytest.raises(EngineRefused) as raised:
        find_engine().ask("start", about="start it")
    assert str(raised.value) == (
        "Docker could not start it: Cannot connect to the Docker daemon. Is the daemon running? Start the engine "
        "(Docker Desktop, sudo systemctl start docker, or podman machine start), or correct DOCKER_HOST."
    )
    assert raised.value.cause == "setup"
    assert isinstance(raised.value, LaunchError)


def test_what_is_not_understood_is_worth_another_attempt(played):
    played.refuses("start", "the moon is in the wrong house")
    with pytest.raises(EngineRefused, match="the moon is in the wrong house. Try it by hand") as raised:
        find_engine().ask("start", about="start it")
    assert raised.value.cause == "passing"


def test_a_refusal_without_a_word_gives_the_exit_code(played):
    played.answers("start", status=9)
    with pytest.raises(EngineRefused, match="exit code 9"):
        find_engine().ask("start", about="start it")


def test_a_refusal_survives_pickling():
    refused = Engine("docker", "docker").refused("start it", "no space left on device")
    again = pickle.loads(pickle.dumps(refused))
    assert (str(again), again.cause, again.said) == (str(refused), "setup", "no space left on device")


def test_a_program_that_vanished_is_a_matter_of_settings(tmp_path):
    with pytest.raises(EngineRefused, match="No such file") as raised:
        Engine("docker", str(tmp_path / "docker")).ask("info", about="tell how it is")
    assert raised.value.cause == "setup"


def test_an_engine_that_hangs_is_given_up(played):
    played.answers("hang", seconds=60.0)
    with pytest.raises(EngineRefused, match=r"no answer in 0\.2 s") as raised:
        find_engine().ask("hang", about="hang", limit_s=0.2)
    assert raised.value.cause == "passing"


def test_what_is_dropped_is_given_up(played):
    played.answers("hang", seconds=60.0)
    dropped = threading.Event()
    dropped.set()
    with pytest.raises(EngineRefused, match="given up"):
        find_engine().ask("hang", about="hang", dropped=dropped)


def test_an_interrupted_command_is_not_left_behind(played, monkeypatch):
    played.answers("hang", seconds=60.0)
    pids = []

    def interrupted(process, *rest):
        pids.append(process.pid)
        raise KeyboardInterrupt

    monkeypatch.setattr("cloudburst.runtime.backends.engine._communicated", interrupted)
    with pytest.raises(KeyboardInterrupt):
        find_engine().ask("hang", about="hang")
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


# ---------------------------------------------------------------- images


def test_the_labels_of_an_image_that_is_there_are_read_without_a_pull(played):
    assert image_labels("worker") == {"org.cloudburst.python": "3.11"}
    assert played.asked("pull") == []


def test_an_image_without_labels_has_none(played):
    played.answers("image inspect", '{"Labels": null}')
    assert image_labels("worker") == {}


def test_an_image_that_is_not_there_is_pulled(played):
    played.refuses("image inspect", "Error: No such image: worker")
    played.answers("pull", "sha256:1")
    with pytest.raises(EngineRefused, match="find the image worker"):
        image_labels("worker")
    assert [arguments for arguments, _ in played.asked("pull")] == [["pull", "--quiet", "worker"]]


def test_an_image_that_cannot_be_pulled_is_told_as_that(played):
    played.refuses("image inspect", "Error: No such image: worker")
    played.refuses("pull", "pull access denied for worker")
    with pytest.raises(EngineRefused, match="pull the image worker, which is not on this machine: pull access denied"):
        image_labels("worker")


def test_an_engine_that_does_not_answer_is_not_asked_to_pull(played):
    played.refuses("image inspect", "Cannot connect to the Docker daemon")
    with pytest.raises(EngineRefused, match="Start the engine"):
        image_labels("worker")
    assert played.asked("pull") == []


# ---------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("security", "options"),
    [
        ('["name=seccomp,profile=default"]', ["--user", "7:8"]),
        ('["name=seccomp,profile=default","name=rootless"]', ["--user", "0:0"]),
        ('["name=userns"]', ["--userns=host", "--user", "7:8"]),
    ],
)
def test_files_from_docker_are_this_users(played, security, options):
    played.answers("SecurityOptions", security)
    assert find_engine().user_options(7, 8) == options


@pytest.mark.parametrize(
    ("rootless", "options"), [("false\n", ["--user", "7:8"]), ("true\n", ["--userns=keep-id", "--user", "7:8"])]
)
def test_files_from_podman_are_this_users(played, rootless, options):
    (played.path / "docker").rename(played.path / "podman")
    played.answers("Rootless", rootless)
    assert find_engine().user_options(7, 8) == options


def test_a_size_is_a_quota_of_cpu_and_a_limit_of_memory_without_swap():
    assert size_options(Size(2048, 4096)) == [
        "--cpu-period=100000",
        "--cpu-quota=200000",
        "--memory=4096m",
        "--memory-swap=4096m",
    ]
    assert size_options(Size()) == []


def test_a_directory_with_commas_and_quotes_is_quoted():
    assert mount_option(Path("/a")) == "type=bind,source=/a,target=/a"
    assert mount_option(Path('/a,"b"')) == 'type=bind,"source=/a,""b""","target=/a,""b"""'
