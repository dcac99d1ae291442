import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cloudburst
from cloudburst import image
from cloudburst.image.recipe import dockerfile_of
from cloudburst.image.wishes import wished
from tests.image.projects import package

ROOT = Path(__file__).parents[2]


def order(text, *parts):
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_what_changes_least_comes_first(project, index):
    package(project, "p")
    text = image.dockerfile(project, python="3.11", apt=["libpq5"], run=["echo one", "echo two"])
    order(
        text,
        "FROM python:3.11-slim",
        "libpq5",
        "ADD environment.tar",
        "RUN echo one",
        "RUN echo two",
        "ADD project.tar",
    )
    assert text.rstrip().endswith("ADD project.tar /")


def test_scripts_are_no_package_and_are_not_in_it(project):
    (project / "pyproject.toml").write_text('[project]\nname = "p"\nversion = "1"\ndependencies = []\n')
    (project / "run.py").write_text("print(1)\n")
    assert "project.tar" not in image.dockerfile(project)


@pytest.mark.parametrize("more", ["[tool.uv]\npackage = false\n", "[tool.poetry]\npackage-mode = false\n"])
def test_a_project_that_says_it_is_no_package_is_none(project, more):
    package(project, "p", more=more)
    assert "project.tar" not in image.dockerfile(project)


def test_a_worker_runs_as_the_projects_own_image_does(project):
    text, ours = image.dockerfile(project, python="3.11"), (ROOT / "docker/Dockerfile").read_text()
    for line in ("USER 1000:1000", "WORKDIR /srv/cloudburst", "STOPSIGNAL SIGTERM"):
        assert line in text.splitlines()
        assert line in ours.splitlines()
    assert "cloudburst.runtime.supervisor" in text
    assert 'org.cloudburst.python="3.11"' in text
    assert f'org.cloudburst.version="{cloudburst.__version__}"' in text


def test_dry_run_touches_nothing(project, index, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))  # neither Docker nor Podman
    package(project, "p")
    before = sorted(project.rglob("*"))
    assert image.dockerfile(project)
    assert sorted(project.rglob("*")) == before


@given(run=st.lists(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1), max_size=3))
def test_commands_stand_in_it_as_they_were_written(run):
    steps = [one for one in run if not one.endswith("\\")]
    with tempfile.TemporaryDirectory() as project:
        wish = wished(project, python="3.12", run=steps)
        text = dockerfile_of(wish, "a lock", "python:3.12-slim", has_project=False)
    assert [line[4:] for line in re.findall(r"^RUN .*$", text, re.MULTILINE) if line[4:] in steps] == steps
