"""What is installed, from its own metadata: real installations in directories of their own."""

import json
import subprocess
import sys
from importlib.metadata import distributions

import pytest

from cloudburst.errors import ImageError
from cloudburst.image.environment import running
from cloudburst.image.resolver import find_uv
from cloudburst.image.wishes import own_platform, wished
from tests.image.projects import package, wheel


@pytest.fixture
def installed(tmp_path, index):
    """Installs requirements where this process does not look; gives what is installed there."""
    place = tmp_path / "site"

    def install(*requirements):
        command = [find_uv(), "pip", "install", "--quiet", "--python", sys.executable, "--target", str(place)]
        subprocess.run([*command, *requirements], check=True, capture_output=True)
        return list(distributions(path=[str(place)]))

    return install


@pytest.fixture
def here(project):
    """An image for what this process is."""
    return wished(project, platform=own_platform())


def test_packages_of_an_index_are_pinned(installed, here):
    mirror = running(here, installed("alpha==1.0", "gamma"))
    assert mirror.lock == "alpha==1.0\nbeta==2.0\ngamma==1.0\n"
    assert mirror.source == "the running environment"
    assert mirror.local == ()


def test_a_wheel_a_directory_and_an_editable_install_are_local(installed, here, tmp_path):
    private = wheel(tmp_path / "my wheels é", "private")
    lib = package(tmp_path / "lib", "lib")
    found = installed(str(private), str(lib))
    assert [(one.name, one.path) for one in running(here, found).local] == [("lib", lib), ("private", private)]
    assert running(here, found).lock == ""


def test_the_project_itself_is_not_among_its_packages(installed, here, project):
    package(project, "p", needs=["gamma"])
    mirror = running(here, installed(str(project)))
    assert (mirror.lock, mirror.local) == ("gamma==1.0\n", ())


def distribution(directory, name, origin, requires=()):
    place = directory / f"{name}-1.0.dist-info"
    place.mkdir(parents=True)
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}")
    if origin:
        (place / "direct_url.json").write_text(json.dumps(origin))


def test_what_came_from_version_control_or_an_address_comes_from_there_again(here, tmp_path):
    distribution(
        tmp_path / "s",
        "versioned",
        {
            "url": "https://example.test/it.git",
            "vcs_info": {"vcs": "git", "commit_id": "abc", "requested_revision": "main"},
            "subdirectory": "python",
        },
    )
    distribution(tmp_path / "s", "addressed", {"url": "https://example.test/a-1.0.tar.gz", "archive_info": {}})
    assert running(here, distributions(path=[str(tmp_path / "s")])).lock == (
        "addressed @ https://example.test/a-1.0.tar.gz\n"
        "versioned @ git+https://example.test/it.git@abc#subdirectory=python\n"
    )


def test_what_was_installed_from_a_place_that_is_gone_is_named(installed, here, tmp_path):
    private = wheel(tmp_path / "w", "private")
    found = installed(str(private))
    private.unlink()
    with pytest.raises(ImageError, match=r"private 1\.0 was installed from .*which is gone.*--without private"):
        running(here, found)


def test_pip_uv_and_cloudburst_are_no_part_of_it(here, tmp_path):
    for name in ("pip", "uv", "cloudburst", "kept"):
        distribution(tmp_path / "s", name, None)
    assert running(here, distributions(path=[str(tmp_path / "s")])).lock == "kept==1.0\n"


def test_for_another_machine_what_others_need_is_left_to_be_resolved(installed, project):
    found = installed("alpha==1.0", "gamma")
    mirror = running(wished(project, python="3.99"), found)
    assert mirror.roots == "alpha==1.0\ngamma==1.0\n"
    assert mirror.lock == "alpha==1.0\nbeta==2.0\ngamma==1.0\n"


def test_the_first_of_two_installations_counts(here, tmp_path):
    distribution(tmp_path / "a", "twice", None)
    distribution(tmp_path / "b", "Twice", {"url": "https://example.test/t.whl"})
    found = distributions(path=[str(tmp_path / "a"), str(tmp_path / "b")])
    assert running(here, found).lock == "twice==1.0\n"


def test_this_very_environment_is_read(here):
    mirror = running(here)
    assert f"pandas=={__import__('pandas').__version__}\n" in mirror.lock
