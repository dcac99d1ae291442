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
