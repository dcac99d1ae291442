import os
import zipfile

import pytest

from cloudburst.errors import ImageError
from cloudburst.image.mirror import Local
from cloudburst.image.trees import LARGE_BYTES, amount, copied, fingerprint, walked
from cloudburst.image.wheels import content_of, data_that_stays, fits, wheel_of
from cloudburst.image.wishes import wished
from tests.image.projects import package, wheel


def files(path):
    with zipfile.ZipFile(path) as packed:
        return sorted(packed.namelist())


def test_a_directory_is_built_and_left_as_it_was(wish, index, tmp_path):
    lib = package(tmp_path / "lib é", "lib")
    before = sorted(lib.rglob("*"))
    built = wheel_of(Local("lib", lib), wish, tmp_path)
    assert "lib/__init__.py" in files(built.path)
    assert sorted(lib.rglob("*")) == before


def test_what_has_not_changed_is_not_built_again(wish, index, tmp_path):
    lib = package(tmp_path / "lib", "lib")
    first = wheel_of(Local("lib", lib), wish, tmp_path)
    written = first.path.stat().st_mtime_ns
    assert wheel_of(Local("lib", lib), wish, tmp_path) == first
    assert first.path.stat().st_mtime_ns == written


def test_the_digest_is_that_of_the_content_and_not_of_the_time(wish, index, tmp_path):
    lib = package(tmp_path / "lib", "lib")
    first = wheel_of(Local("lib", lib), wish, tmp_path)
    os.utime(lib / "src/lib/__init__.py", (10**9, 10**9))
    touched = wheel_of(Local("lib", lib), wish, tmp_path)
    assert (touched.path == first.path, touched.digest == first.digest) == (False, True)
    (lib / "src/lib/__init__.py").write_text("X = 2\n")
    assert wheel_of(Local("lib", lib), wish, tmp_path).digest != first.digest


def test_data_is_left_out_and_said_so_and_taken_along_when_asked(wish, index, tmp_path):
    lib = package(tmp_path / "lib", "lib")
    with (lib / "src/lib/year.parquet").open("wb") as data:
        data.truncate(LARGE_BYTES + 1)
    built = wheel_of(Local("lib", lib), wish, tmp_path)
    assert "lib/year.parquet" not in files(built.path)
    assert built.note == "1 data file (src/lib/year.parquet; 5 MB) of lib left out; --with-data takes them along."
    whole = wheel_of(Local("lib", lib), wished(wish.project, with_data=True), tmp_path)
    assert ("lib/year.parquet" in files(whole.path), whole.note) == (True, "")


def test_a_project_of_two_gigabytes_is_not_read(wish, index, tmp_path):
    lib = package(tmp_path / "lib", "lib")
    with (lib / "history.csv").open("wb") as data:
        data.truncate(2 << 30)  # a hole: reading it would take seconds, and copying the disk
    built = wheel_of(Local("lib", lib), wish, tmp_path)
    assert "(history.csv; 2.1 GB)" in built.note
    assert built.path.stat().st_size < 10_000


def test_data_beside_scripts_is_said_to_stay(tmp_path):
    (tmp_path / "run.py").write_text("print(1)\n")
    assert data_that_stays(tmp_path) == []
    with (tmp_path / "history.csv").open("wb") as data:
        data.truncate(2 << 30)
    assert data_that_stays(tmp_path) == [
        "1 data file (history.csv; 2.1 GB) stays here: stages read from storage what they need."
    ]


def test_a_wheel_is_taken_as_it_is(wish, tmp_path):
    private = wheel(tmp_path / "w", "private")
    assert wheel_of(Local("private", private), wish, tmp_path).path == private


def test_wheels_of_the_same_content_have_one_digest(tmp_path):
    one, two = wheel(tmp_path / "a", "x"), wheel(tmp_path / "b", "x")
    os.utime(two, (10**9, 10**9))
    assert content_of(one) == content_of(two)
    assert content_of(wheel(tmp_path / "c", "x", files={"x.py": "other"})) != content_of(one)


@pytest.mark.parametrize(
    ("tag", "platform", "is_fit"),
    [
        ("py3-none-any", "linux/amd64", True),
        ("cp311-cp311-manylinux_2_28_x86_64", "linux/amd64", True),
        ("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", "linux/amd64", True),
        ("cp39-abi3-manylinux2014_aarch64", "linux/arm64", True),
        ("cp311-cp311-manylinux_2_28_x86_64", "linux/arm64", False),
        ("cp312-cp312-manylinux_2_28_x86_64", "linux/amd64", False),
        ("cp311-cp311-linux_x86_64", "linux/amd64", False),
        ("cp311-cp311-macosx_11_0_arm64", "linux/arm64", False),
        ("cp311-cp311-manylinux_2_39_x86_64", "linux/amd64", False),
    ],
)
def test_a_wheel_fits_where_the_image_can_load_it(project, tmp_path, tag, platform, is_fit):
    assert fits(tmp_path / f"x-1.0-{tag}.whl", wished(project, python="3.11", platform=platform)) is is_fit


def test_a_package_that_is_compiled_here_is_refused_with_the_mend(wish, index, tmp_path):
    lib = package(tmp_path / "lib", "lib", more='[tool.test]\ntag = "cp311-cp311-linux_x86_64"\n')
    with pytest.raises(ImageError, match=r"lib has no wheel for linux/amd64 with Python 3\.11.*cibuildwheel"):
        wheel_of(Local("lib", lib), wish, tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gone-1.0-py3-none-any.whl", None, "gone is to be taken from .*not there"),
        ("gone-1.0-py3-none-any.whl", b"no zip", "cannot be read as a wheel"),
        ("gone.whl", b"", "not named as a wheel is"),
    ],
)
def test_a_wheel_that_is_none_is_named(wish, tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageError, match=said):
        wheel_of(Local("gone", tmp_path / name), wish, tmp_path)


def test_a_directory_that_cannot_be_built_is_told_in_uvs_words(wish, index, tmp_path):
    lib = package(tmp_path / "lib", "lib")
    (lib / "backend.py").write_text("raise RuntimeError('the moon')\n")
    with pytest.raises(ImageError, match=r"uv could not build a wheel of lib from .*the moon"):
        wheel_of(Local("lib", lib), wish, tmp_path)


# ---------------------------------------------------------------- trees


def test_a_tree_is_walked_without_caches_environments_and_what_was_built(tmp_path):
    for name in (
        ".git/x",
        ".venv/a.py",
        "env/pyvenv.cfg",
        "__pycache__/x.pyc",
        "build/x.py",
        "a.egg-info/x",
        "src/build/x.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [one.below for one in walked(tmp_path)] == ["src/build/x.py"]


def test_a_fingerprint_changes_with_any_file(tmp_path):
    (tmp_path / "a.py").write_text("1")
    before = fingerprint(tmp_path)
    assert fingerprint(tmp_path) == before
    (tmp_path / "b.py").write_text("1")
    assert fingerprint(tmp_path) != before


def test_version_control_is_linked_to_in_a_copy(tmp_path):
    (tmp_path / "a/.git").mkdir(parents=True)
    (tmp_path / "a/x.py").write_text("1")
    (tmp_path / "b").mkdir()
    assert copied(tmp_path / "a", tmp_path / "b", with_data=False) == []
    assert (tmp_path / "b/.git").resolve() == tmp_path / "a/.git"


def test_a_directory_that_is_a_link_is_one_in_a_copy(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/x.py").write_text("1")
    (tmp_path / "a/src").mkdir(parents=True)
    (tmp_path / "a/src/y.py").write_text("1")
    (tmp_path / "a/src/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "b").mkdir()
    copied(tmp_path / "a", tmp_path / "b", with_data=False)
    assert (tmp_path / "b/src/linked/x.py").read_text() == "1"


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (999, "999 B"), (1500, "2 KB"), (3 << 40, "3298.5 GB")])
def test_amounts_are_short(size, text):
    assert amount(size) == text
