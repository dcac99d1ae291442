"""The engine at work, played: what it says in all its moods."""

import json

import pytest

from cloudburst.errors import ImageError
from cloudburst.image import building
from cloudburst.image.building import build, context_of, is_here, push
from cloudburst.image.wishes import wished
from cloudburst.runtime.backends.engine import EngineRefused, find_engine
from tests.runtime.backends.engines import PlayedEngine

NAME = "registry.test/worker:1"


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(building, "_PAUSE_S", 0.0)


@pytest.fixture
def played(tmp_path, monkeypatch):
    played = PlayedEngine(tmp_path / "engine")
    played.answers("info --format", "linux/x86_64\n")
    monkeypatch.setenv("PATH", str(played.path))
    return played


def commands(played, command):
    return [arguments for arguments, _ in played.asked(command)]


def test_lines_are_told_as_they_come(played, wish, tmp_path):
    played.answers("build", "DEPRECATED: The legacy builder is deprecated\n\nStep 1/2\n", "Step 2/2\n")
    told = []
    build(find_engine(), NAME, tmp_path, wish, told.append)
    assert sorted(told) == ["Step 1/2", "Step 2/2"]
    assert commands(played, "build") == [["build", "--tag", NAME, str(tmp_path)]]


def test_another_platform_than_the_engines_is_asked_for(played, project, tmp_path):
    build(find_engine(), NAME, tmp_path, wished(project, platform="linux/arm64"), None)
    assert commands(played, "build") == [["build", "--platform", "linux/arm64", "--tag", NAME, str(tmp_path)]]


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        ("exec /bin/sh: exec format error", "cannot run programs of linux/amd64.*binfmt"),
        ("E: Unable to locate package libqp5", "Correct --apt"),
        ("/bin/sh: 1: apt-get: not found", "The base image has no apt-get"),
        ("write /x: no space left on device", "Free the engine's disk"),
        ("pull access denied for nowhere", "The base image cannot be had"),
        ("Cannot connect to the Docker daemon. Is the docker daemon running?", "Start the engine"),
        ("The command '/bin/sh -c make' returned a non-zero code: 2", "returned a non-zero code: 2"),
    ],
)
def test_what_is_in_the_way_is_said_with_the_mend(played, wish, tmp_path, said, mend):
    played.refuses("build", said)
    with pytest.raises(ImageError, match=f"Docker could not build.*{mend}"):
        build(find_engine(), NAME, tmp_path, wish, None)


def test_passwords_in_addresses_are_not_repeated(played, wish, tmp_path):
    played.refuses("build", "cannot fetch https://me:secret@index.test/simple")
    with pytest.raises(ImageError, match=r"https://\*\*\*@index\.test") as raised:
        build(find_engine(), NAME, tmp_path, wish, None)
    assert "secret" not in str(raised.value)


def test_an_interrupted_push_is_tried_again_and_then_told_how_to_go_on(played):
    played.refuses("push", "write tcp: connection reset by peer")
    with pytest.raises(ImageError, match="interrupted: .*What has arrived stays there: run the same again"):
        push(find_engine(), NAME, None)
    assert len(commands(played, "push")) == 3


def test_a_push_that_is_not_allowed_is_not_tried_again(played):
    played.refuses("push", "denied: requested access to the resource is denied")
    with pytest.raises(ImageError, match=r"registry\.test does not let this user push.*docker login registry\.test"):
        push(find_engine(), NAME, None)
    assert len(commands(played, "push")) == 1


def test_whether_an_image_is_here(played):
    assert is_here(find_engine(), NAME)
    played.refuses("image inspect", "Error: No such image: x")
    assert not is_here(find_engine(), NAME)
    played.refuses("image inspect", "permission denied while trying to connect to the Docker daemon socket")
    with pytest.raises(EngineRefused, match="may not use the engine"):
        is_here(find_engine(), NAME)


def test_a_context_holds_the_dockerfile_and_its_archives_alone(tmp_path):
    archive = tmp_path / "x.tar"
    archive.write_bytes(b"1")
    place = tmp_path / "context ü"
    place.mkdir()
    context_of(place, "FROM x\n", {"environment.tar": archive})
    assert sorted(one.name for one in place.iterdir()) == ["Dockerfile", "environment.tar"]
    assert (place / "environment.tar").read_bytes() == b"1"


def test_what_is_given_to_a_command_is_not_among_its_arguments(played):
    engine = find_engine()
    engine.ask("login", "--password-stdin", about="log in", given="secret")
    assert "secret" not in json.dumps(played.asked("login"))
