"""``cloudburst image``: what it prints, and what it says when it cannot be done."""

import json

import pytest

from cloudburst import image
from cloudburst.cli import main
from cloudburst.image.making import Image
from tests.image.projects import package
from tests.runtime.backends.engines import PlayedEngine

MADE = Image("registry.test/worker@sha256:1", "1", "uv.lock", True, False, 430_000_000, ("a note",))


@pytest.fixture(autouse=True)
def caches(tmp_path, monkeypatch):
    monkeypatch.setenv("CLOUDBURST_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def built(monkeypatch):
    """What the library was asked for, instead of building."""
    asked = {}

    def build(project, **given):
        asked.update(given, project=project)
        given["say"]("Building it.")
        return MADE

    monkeypatch.setattr(image, "build", build)
    return asked


def test_the_name_alone_is_printed_and_what_is_done_is_said_beside(built, capsys):
    assert main(["image"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("registry.test/worker@sha256:1\n", "Building it.\n")
    assert (built["project"], built["repository"], built["push"]) == (".", "cloudburst", True)


def test_json_has_all_that_is_known(built, capsys):
    assert main(["image", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["size_bytes"] == 430_000_000
    assert said["notes"] == ["a note"]


def test_options_reach_the_library(built, capsys):
    given = "--no-push --python 3.12 --platform linux/arm64 --base b --apt a1 --apt a2 --without w --engine podman"
    assert (
        main(
            [
                "image",
                "here",
                *given.split(),
                "--with-data",
                "--run",
                "echo 1",
                "--repository",
                "r",
                "--region",
                "eu-west-1",
            ]
        )
        == 0
    )
    wanted = {
        "project": "here", "push": False, "python": "3.12", "platform": "linux/arm64", "base": "b", "apt": ("a1", "a2"),
        "without": ("w",), "with_data": True, "engine": "podman", "run": ("echo 1",), "repository": "r",
        "region": "eu-west-1",
    }  # fmt: skip
    assert {name: built[name] for name in wanted} == wanted


def test_dry_run_prints_the_dockerfile_and_nothing_else(tmp_path, capsys, built):
    package(tmp_path, "p")
    assert main(["image", str(tmp_path), "--dry-run", "--python", "3.12", "--apt", "libpq5"]) == 0
    out, err = capsys.readouterr()
    assert out == image.dockerfile(tmp_path, python="3.12", apt=["libpq5"])
    assert (err, built) == ("", {})


def test_progress_is_shown_on_a_terminal(built, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert main(["image"]) == 0
    assert "Building it." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--platform", "windows"], "platform='windows' cannot be"),
        (["nowhere"], "there is no such directory"),
        (["--apt", "a;b"], "apt='a;b' cannot be"),
        (["--repository", "A B", "--no-push"], "repository='A B' cannot be"),
        (["--frobnicate"], "See cloudburst image --help"),
    ],
)
def test_a_mistake_is_one_sentence(argv, said, capsys):
    assert main(["image", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_without_an_engine_the_mend_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["image", str(tmp_path), "--no-push"]) == 2
    assert "Neither Docker nor Podman is installed" in capsys.readouterr().err


def test_an_engine_that_may_not_be_used_says_the_mend(tmp_path, capsys, monkeypatch):
    played = PlayedEngine(tmp_path / "engine")
    played.refuses("", "permission denied while trying to connect to the Docker daemon socket")
    monkeypatch.setenv("PATH", str(played.path))
    assert main(["image", str(tmp_path), "--no-push"]) == 2
    assert "sudo usermod -aG docker" in capsys.readouterr().err
