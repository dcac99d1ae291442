from __future__ import annotations

import pytest

from cloudburst.resources import Size
from cloudburst.runtime.backends.complaints import ending, meaning


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        ("Cannot connect to the Docker daemon at unix:///a.sock. Is the docker daemon running?", "Start the engine"),
        ("Cannot connect to Podman. Please verify your connection to the Linux system", "Start the engine"),
        ("unable to connect to Podman socket: dial unix /a.sock: connect: connection refused", "Start the engine"),
        (
            "permission denied while trying to connect to the Docker daemon socket at unix:///a.sock: connect: denied",
            "usermod",
        ),
        ("invalid reference format: repository name (library/A) must be lowercase", "Correct image="),
        ("Error response from daemon: No such image: nobody:latest", "build the image"),
        ('Head "http://a/v2/b/manifests/latest": no basic auth credentials', "docker login"),
        ("pull access denied for nobody, repository does not exist or may require 'docker login'", "docker login"),
        ('Get "https://a/v2/": dial tcp: lookup a on 10.0.0.1:53: no such host', "Correct image="),
        ("Error: nobody: image not known", "build the image"),
        ("image with reference a was found but does not match the specified platform: wanted b", "--platform"),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries", "--platform"),
        (
            'runc create failed: unable to start container process: exec: "python": executable file not found in $PATH',
            "make it FROM a worker's",
        ),
        (
            'invalid mount config for type "bind": bind source path does not exist: /a',
            "does not see the storage directory",
        ),
        ("write /var/lib/docker/tmp/a: no space left on device", "system prune"),
    ],
)
def test_a_complaint_that_stays_has_a_mend(said, mend):
    meant = meaning(said)
    assert meant is not None
    assert meant.cause == "setup"
    assert mend in meant.mend


@pytest.mark.parametrize(
    "said",
    [
        "Get https://a/v2/: net/http: TLS handshake timeout",
        "dial tcp 10.0.0.1:443: i/o timeout",
        "toomanyrequests: You have reached your pull rate limit",
        "read: connection reset by peer",
    ],
)
def test_a_complaint_that_passes_is_worth_another_attempt(said):
    meant = meaning(said)
    assert meant is not None
    assert meant.cause == "passing"


def test_what_is_not_known_has_no_meaning():
    assert meaning("the moon is in the wrong house") is None


def state(code, *, oom=False, error=""):
    return {"ExitCode": code, "OOMKilled": oom, "Error": error}


def test_memory_ran_out_only_if_the_container_itself_was_killed_for_it():
    shape = Size(256, 512)
    assert ending(state(137, oom=True), shape, "").cause == "memory"
    assert ending(state(1, oom=True), shape, "") == ("lost", "its container ended: exit code 1", None)
    assert ending(state(137), shape, "") == ("lost", "its container ended: killed by SIGKILL", None)


def test_an_exit_code_that_is_no_signal_is_told_as_it_is():
    assert ending(state(255, error="a fault"), Size(), "").detail == "its container ended: exit code 255 (a fault)"


@pytest.mark.parametrize(
    ("tail", "mend"),
    [
        ("Traceback\n/usr/bin/python: No module named 'cloudburst'\n", "make it FROM a worker's"),
        ("python: Error while finding module specification (No module named 'cloudburst')", "make it FROM a worker's"),
        ("[FATAL tini (7)] exec python failed: No such file or directory", "make it FROM a worker's"),
        ("ERROR (catatonit:6): failed to exec pid1: No such file or directory", "make it FROM a worker's"),
        ("[FATAL tini (7)] exec python failed: Exec format error", "--platform"),
        ("exec /usr/local/bin/python: exec format error", "--platform"),
    ],
)
def test_what_never_was_a_worker_is_told_in_the_words_of_a_launch(tail, mend):
    cause, detail, launch = ending(state(1), Size(), tail)
    assert (cause, launch) == ("lost", "setup")
    assert mend in detail


def test_a_worker_that_printed_such_words_and_ended_well_was_one():
    assert ending(state(0), Size(), "No module named cloudburst_plugin").launch is None
