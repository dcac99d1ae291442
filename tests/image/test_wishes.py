import sys

import pytest

from cloudburst.errors import SettingsError
from cloudburst.image.wishes import check_repository, wished


def test_python_is_exactly_the_one_that_runs_here(tmp_path):
    wish = wished(tmp_path)
    assert wish.python == ".".join(map(str, sys.version_info[:3]))
    assert wish.base == f"python:{wish.python}-slim"
    assert wish.minor == "{}.{}".format(*sys.version_info)


def test_without_a_platform_it_is_for_what_fargate_has_most(tmp_path):
    assert (wished(tmp_path).platform, wished(tmp_path).machine) == ("linux/amd64", "x86_64")
    assert wished(tmp_path, platform="linux/arm64").machine == "aarch64"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"python": "2.7"}, "python='2.7' cannot be"),
        ({"python": 3.12}, "python=3.12 cannot be"),
        ({"platform": "windows"}, "it is 'linux/amd64' or 'linux/arm64'"),
        ({"base": "a b"}, "base='a b' cannot be"),
        ({"base": "-v"}, "base='-v' cannot be"),
        ({"apt": ["-o=x"]}, "apt='-o=x' cannot be"),
        ({"apt": "libpq5"}, r"write apt=\['libpq5'\]"),
        ({"apt": ["a$(reboot)"]}, "it is the name of a Debian package"),
        ({"run": ["one\ntwo"]}, "on one line"),
        ({"run": ["one \\"]}, "on one line"),
        ({"run": [" "]}, "run=' ' cannot be"),
        ({"without": ["a b"]}, "without='a b' cannot be"),
        ({"project": "not there"}, "there is no such directory"),
    ],
)
def test_what_cannot_be_is_named(tmp_path, asked, said):
    with pytest.raises(SettingsError, match=said):
        wished(**{"project": tmp_path, **asked})


@pytest.mark.parametrize("name", ["worker", "team/worker", "ghcr.io/team/worker", "localhost:5000/a", "a.b_c-d"])
def test_a_repository_is_a_name_or_an_address(name):
    assert check_repository(name) == name


@pytest.mark.parametrize("name", ["", "worker:1", "Worker", "a/../b", "-x", None, "a@sha256:1"])
def test_a_repository_has_no_tag_and_nothing_that_is_an_option(name):
    with pytest.raises(SettingsError, match="repository="):
        check_repository(name)


def projects(directory, text):
    (directory / "pyproject.toml").write_text(text)
    return directory


def test_what_the_project_says_of_its_image_counts_unless_something_else_is_asked(tmp_path):
    project = projects(
        tmp_path,
        """
        [tool.cloudburst.image]
        python = "3.12"
        apt = ["libpq5"]
        run = ["echo done"]
        without = ["Jupyter_Lab"]
        with_data = true
        """,
    )
    said = wished(project)
    assert (said.base, said.apt, said.run) == ("python:3.12-slim", ("libpq5",), ("echo done",))
    assert (said.without, said.with_data) == ({"jupyter-lab"}, True)
    asked = wished(project, python="3.13", apt=["git"], run=[], with_data=False)
    assert (asked.base, asked.apt, asked.run, asked.with_data) == ("python:3.13-slim", ("git",), (), False)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('apt = ["-o=x"]', r"apt in \S*pyproject.toml:2: '-o=x' cannot be"),
        ('apt = "libpq5"', r"apt in \S*pyproject.toml:2: 'libpq5' cannot be: it is a list"),
        ("run = 1", r"run in \S*pyproject.toml:2: 1 cannot be: it is a list"),
        ("python = 3.12", r"python in \S*pyproject.toml:2: 3.12 cannot be"),
        ('with_data = "no"', r"with_data in \S*pyproject.toml:2: 'no' cannot be: it is true or false"),
        ("atp = []", r"atp in \S*pyproject.toml:2 is no setting. Did you mean apt\?"),
    ],
)
def test_what_the_project_says_wrong_is_named_with_its_line(tmp_path, line, said):
    with pytest.raises(SettingsError, match=said):
        wished(projects(tmp_path, f"[tool.cloudburst.image]\n{line}\n"))
