import json

import pytest

from cloudburst.errors import ImageError
from cloudburst.image.bases import Layout, base_of
from cloudburst.image.wishes import wished
from cloudburst.runtime.backends.engine import EngineRefused, find_engine
from tests.runtime.backends.engines import PlayedEngine

DIGEST = "sha256:" + "0" * 64


@pytest.fixture
def played(tmp_path, monkeypatch):
    played = PlayedEngine(tmp_path / "engine")
    monkeypatch.setenv("PATH", str(played.path))
    return played


def based(project, **asked):
    return base_of(wished(project, **{"python": "3.11", **asked}), find_engine())


def known(digests, id_="sha256:1"):
    return json.dumps({"id": id_, "digests": digests})


def test_a_base_from_a_registry_is_pinned_by_its_digest(project, played):
    played.answers("image inspect", known([f"python@{DIGEST}"]))
    base = based(project)
    assert base.name == f"python:3.11-slim@{DIGEST}"
    assert base.identity == f"python@{DIGEST}"
    assert base.layout == Layout("/usr/local/lib/python3.11/site-packages", "/usr/local")


def test_a_base_that_was_made_here_is_told_by_its_id(project, played):
    played.answers("image inspect", known([]))
    assert based(project)[:2] == ("python:3.11-slim", "sha256:1")


def test_a_base_that_is_pinned_is_taken_at_its_word(project, played):
    name = f"python:3.11-slim@{DIGEST}"
    assert based(project, base=name)[:2] == (name, name)
    assert played.asked("image") == []


def test_a_base_that_cannot_be_had_is_named_with_the_mend(project, played):
    played.refuses("image inspect", "Error: No such image: python:3.11-slim")
    played.refuses("pull", "manifest unknown")
    with pytest.raises(
        ImageError, match=r"The base image python:3\.11-slim cannot be had: manifest unknown\. Correct base"
    ):
        based(project)


def test_an_engine_that_does_not_answer_says_so(project, played):
    played.refuses("image inspect", "permission denied while trying to connect to the Docker daemon socket")
    with pytest.raises(EngineRefused, match="usermod -aG docker"):
        based(project)


def test_the_python_of_another_base_is_asked_where_its_packages_are(project, played):
    played.answers("image inspect", known([]))
    played.answers("run --rm", '["3.11", "/usr/lib/python3/dist-packages", "/usr"]')
    assert based(project, base="debian:mine").layout == Layout("/usr/lib/python3/dist-packages", "/usr")


def test_a_base_with_another_python_is_refused(project, played):
    played.answers("image inspect", known([]))
    played.answers("run --rm", '["3.9", "/x", "/y"]')
    with pytest.raises(ImageError, match=r"debian:mine has Python 3\.9, and Python 3\.11 is wanted.*--python 3\.9"):
        based(project, base="debian:mine")


def test_a_base_without_python_is_refused(project, played):
    played.answers("image inspect", known([]))
    played.refuses("run --rm", 'exec: "python3": executable file not found in $PATH')
    with pytest.raises(ImageError, match="no python3 that runs here"):
        based(project, base="debian:mine")
