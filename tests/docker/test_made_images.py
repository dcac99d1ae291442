"""Images that are made of an environment: built and pushed for real, and what runs in them."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress

import pytest

import cloudburst as cb
from cloudburst.aws.policies import PUSHER, policy
from cloudburst.cli import main
from cloudburst.errors import ImageError
from cloudburst.runtime.backends.engine import EngineRefused
from cloudburst.testing import FakeAWS
from tests.docker.images import engine
from tests.docker.projects import apt_of, mixed_project, printed
from tests.docker.registries import plain_registry, registry_as_ecr

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


def parts(image):
    said = engine().ask("image", "inspect", "--format", "{{json .RootFS.Layers}}", image, about="look at it")
    return json.loads(said)


def made(capsys, *argv):
    assert main(["image", *argv, "--json"]) == 0
    out, err = capsys.readouterr()
    return json.loads(out), err


def test_a_project_is_built_and_pushed_then_left_alone_and_an_edit_is_one_small_part(base, project, repository, capsys):
    with FakeAWS(registry=registry_as_ecr()):
        asked = (str(project), "--repository", repository)
        settings = project / "pyproject.toml"
        settings.write_text(f'{settings.read_text()}[tool.cloudburst.image]\nbase = "{base}"\n')
        assert cb.image.find(project, repository=repository) is None
        first, said = made(capsys, *asked)
        assert cb.image.find(project, repository=repository).name == first["name"]
        assert (first["was_built"], first["was_pushed"], first["source"]) == (True, True, "uv.lock")
        assert first["name"].startswith(f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{repository}@sha256:")
        assert [line.split()[0] for line in said.splitlines()] == ["Made", "Building", "Pushing"]
        again, said = made(capsys, *asked)
        assert again == {**first, "was_built": False, "was_pushed": False}
        assert said.startswith("Nothing has changed")
        (project / "src/mine/__init__.py").write_text("VERSION = 2\n")
        edited, _ = made(capsys, *asked)
        assert (edited["was_built"], edited["was_pushed"], edited["tag"] == first["tag"]) == (True, True, False)
        before, after = parts(first["name"]), parts(edited["name"])
        assert before[:-1] == after[:-1]
        assert before[-1] != after[-1]
    code = "import addressed, mine, neighbour, os, private; print(mine.VERSION, neighbour.NAME, private.ANSWER)"
    assert printed(edited["name"], code) == "2 neighbour 42"
    assert printed(edited["name"], "import os; print(os.getuid(), os.getcwd())") == "1000 /srv/cloudburst"


def test_the_policy_for_those_who_push_suffices_for_all_of_it(base, project, repository, capsys):
    allowed = json.loads(json.dumps(policy(PUSHER)).replace("${repository}", repository))
    with FakeAWS(registry=registry_as_ecr(), iam=True, caller_policy=allowed):
        first, _ = made(capsys, str(project), "--repository", repository, "--base", base)
        again, _ = made(capsys, str(project), "--repository", repository, "--base", base)
    assert (first["was_pushed"], again["was_pushed"]) == (True, False)
    assert again["name"] == first["name"]


def test_another_registry_takes_it_too(base, project, repository, tmp_path, capsys):
    with plain_registry(tmp_path) as address:
        asked = (str(project), "--repository", f"{address}/{repository}", "--base", base)
        first, _ = made(capsys, *asked)
        assert (first["was_built"], first["was_pushed"]) == (True, True)
        again, _ = made(capsys, *asked)
        assert again == {**first, "was_built": False, "was_pushed": False}
        # What was built and could not be pushed is pushed by the next call, and not built again.
        gone, _ = made(capsys, str(project), "--repository", f"{address}/{repository}-2", "--base", base, "--no-push")
        pushed, _ = made(capsys, str(project), "--repository", f"{address}/{repository}-2", "--base", base)
        assert (gone["was_built"], pushed["was_built"], pushed["was_pushed"]) == (True, False, True)


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


@pytest.mark.parametrize("python", ["3.11", "3.12"])
def test_the_python_of_the_image_can_be_chosen(base, project, repository, python):
    try:
        engine().ask("image", "inspect", f"python:{python}-slim", about="find the base")
    except EngineRefused as refused:
        pytest.skip(f"no python:{python}-slim here. {refused}")
    image = cb.image.build(project, repository=repository, push=False, python=python, say=lambda _: None)
    code = "import pandas, pyarrow.parquet, mine, sys; print('%d.%d' % sys.version_info[:2])"
    assert printed(image.name, code) == python
