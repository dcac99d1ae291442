"""Images that are made of an environment: built and pushed for real, and what runs in them."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress

import pytest

import cloudburst as cb
from cloudburst.cli import main
from cloudburst.errors import ImageError
from cloudburst.runtime.backends.engine import EngineRefused
from tests.docker.images import PYTHON_VERSION, engine
from tests.docker.projects import apt_of, mixed_project, printed
from tests.docker.registries import plain_registry

pytestmark = [pytest.mark.container, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def repositories():
    """Names that were used. Their images go together at the end, as they share what takes long to build."""
    names = []
    yield names
    listed = engine().ask("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", about="list images").split()
    for one in listed:
        if any(name in one for name in names):
            with suppress(EngineRefused):
                engine().ask("image", "rm", one, about="remove an image")


@pytest.fixture
def repository(repositories):
    """A name that is not taken."""
    repositories.append(f"cloudburst-test-{secrets.token_hex(4)}")
    return repositories[-1]


@pytest.fixture
def project(tmp_path):
    return mixed_project(tmp_path)


def made(capsys, *argv):
    assert main(["image", *argv, "--json"]) == 0
    out, err = capsys.readouterr()
    return json.loads(out), err


def test_another_registry_takes_it_too(base, project, repository, tmp_path, capsys):
    settings = project / "pyproject.toml"
    settings.write_text(f'{settings.read_text()}[tool.cloudburst.image]\nbase = "{base}"\n')
    with plain_registry(tmp_path) as address:
        place = f"{address}/{repository}"
        asked = (str(project), "--repository", place)
        kept, said = made(capsys, *asked, "--no-push")
        assert (kept["was_built"], kept["was_pushed"], kept["source"]) == (True, False, "uv.lock")
        assert said.startswith("Building")
        assert cb.image.find(project, repository=place) is None
        # What was built and not pushed is pushed by the next call, and not built again.
        pushed, said = made(capsys, *asked)
        assert (pushed["was_built"], pushed["was_pushed"], pushed["tag"]) == (False, True, kept["tag"])
        assert said.startswith("Pushing")
        again, said = made(capsys, *asked)
        assert again == {**pushed, "was_pushed": False}
        assert said.startswith("Nothing has changed")
        assert cb.image.find(project, repository=place).name == pushed["name"]
        assert printed(pushed["name"], "import os; print(os.getuid(), os.getcwd())") == "1000 /srv/cloudburst"


def test_a_pipeline_runs_in_it(base, project, repository):
    image = cb.image.build(project, repository=repository, push=False, base=base, say=lambda _: None)

    @cb.stage(cpu=256, memory=512)
    def answer(x):
        import private

        return private.ANSWER + x

    with cb.using(cb.init_docker(image=image.name)):
        assert answer(1).compute() == 43
    cb.init_local()


def test_an_apt_package_and_commands_are_in_it_or_the_base_is_named(base, project, repository):
    has_apt = bool(apt_of(base))
    asked = {"repository": repository, "push": False, "base": base, "run": ["echo done > /etc/done"]}
    if not has_apt:
        with pytest.raises(ImageError, match="The base image has no apt-get"):
            cb.image.build(project, **asked, apt=["libgomp1"], say=lambda _: None)
    apt = apt_of(base)
    image = cb.image.build(project, **asked, apt=apt, say=lambda _: None)
    code = "import ctypes; print(open('/etc/done').read().strip())" + ("; ctypes.CDLL('libgomp.so.1')" if apt else "")
    assert printed(image.name, code) == "done"


@pytest.mark.heavy
def test_another_python_than_this_one_can_be_chosen(base, project, repository):
    python = "3.11" if PYTHON_VERSION != "3.11" else "3.12"
    try:
        engine().ask("image", "inspect", f"python:{python}-slim", about="find the base")
    except EngineRefused as refused:
        pytest.skip(f"no python:{python}-slim here. {refused}")
    image = cb.image.build(project, repository=repository, push=False, python=python, say=lambda _: None)
    code = "import pandas, pyarrow.parquet, mine, sys; print('%d.%d' % sys.version_info[:2])"
    assert printed(image.name, code) == python
