"""Environments as archives: installed by the real uv from an index on this disk."""

import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest

from cloudburst.errors import ImageError
from cloudburst.image.bases import Layout, official
from cloudburst.image.mirror import Mirror
from cloudburst.image.packages import Environment, archive, digest_of, pack
from cloudburst.image.trimming import trimmed
from cloudburst.image.wheels import Wheel, content_of
from cloudburst.image.wishes import wished
from tests.image.projects import wheel

SITE = "usr/local/lib/python3.11/site-packages"


def pinned(text, roots=""):
    return Environment(Mirror("a lock", "requirements.txt", text, {}, roots=roots), (), ())


def made(environment, wish, cache):
    with tarfile.open(archive(environment, wish, official(wish), cache)) as packed:
        return {one.name: one for one in packed.getmembers()}


def test_packages_lie_where_the_images_python_looks(wish, index, tmp_path):
    found = made(pinned("alpha==1.0\nbeta==1.0\n"), wish, tmp_path)
    assert {f"{SITE}/alpha.py", f"{SITE}/beta.py", f"{SITE}/beta-1.0.dist-info/METADATA"} <= set(found)
    assert [one for one in found if "__pycache__" in one] == []


def test_another_layout_is_kept_to(wish, index, tmp_path):
    layout = Layout("/opt/python/lib/python3.11/dist-packages", "/opt/python")
    with tarfile.open(archive(pinned("beta==1.0\n"), wish, layout, tmp_path)) as packed:
        assert "opt/python/lib/python3.11/dist-packages/beta.py" in packed.getnames()


def test_a_lock_is_taken_as_it_is_and_nothing_is_added(wish, index, tmp_path):
    assert f"{SITE}/beta.py" not in made(pinned("alpha==1.0\n"), wish, tmp_path)


def test_roots_are_resolved_under_what_is_installed_here(wish, index, tmp_path):
    found = made(pinned("alpha==1.0\nbeta==1.0\ngamma==1.0\n", roots="alpha==1.0\n"), wish, tmp_path)
    assert f"{SITE}/beta-1.0.dist-info/METADATA" in found
    assert f"{SITE}/gamma.py" not in found


def test_pins_and_local_wheels_are_there_too(wish, index, tmp_path):
    private = wheel(tmp_path / "w", "private")
    local = Wheel("private", private, content_of(private))
    found = made(Environment(None, ("gamma==1.0",), (local,)), wish, tmp_path)
    assert {f"{SITE}/gamma.py", f"{SITE}/private.py"} <= set(found)
    assert [name for name in found if name.endswith("direct_url.json")] == []  # which tell of this machine


def test_wheels_are_those_of_the_images_platform(project, index, tmp_path):
    wheel(index, "native", tag="cp312-cp312-manylinux_2_28_aarch64", files={"native.py": "CPU = 'arm'"})
    wheel(index, "native", tag="cp312-cp312-manylinux_2_28_x86_64", files={"native.py": "CPU = 'x86'"})
    for platform, cpu in (("linux/arm64", "arm"), ("linux/amd64", "x86")):
        wish = wished(project, python="3.12", platform=platform)
        with tarfile.open(archive(pinned("native==1.0\n"), wish, official(wish), tmp_path)) as packed:
            source = packed.extractfile("usr/local/lib/python3.12/site-packages/native.py").read().decode()
        assert source == f"CPU = '{cpu}'"


def test_a_package_without_a_wheel_for_the_platform_is_named_with_the_mend(project, index, tmp_path):
    wheel(index, "only-mac", "1.2", tag="cp311-cp311-macosx_11_0_arm64")
    wish = wished(project, python="3.11")
    with pytest.raises(
        ImageError, match=r"only-mac==1\.2 has no wheel for linux/amd64 with Python 3\.11\. .*--without only-mac"
    ):
        archive(pinned("only-mac==1.2\n"), wish, official(wish), tmp_path)


def test_what_was_compiled_on_this_machine_is_refused(wish, index, tmp_path):
    native = wheel(tmp_path / "w", "native", tag="cp311-cp311-linux_x86_64")
    if (sys.version_info[:2], sysconfig.get_platform()) != ((3, 11), "linux-x86_64"):
        pytest.skip("this machine would not install it")
    environment = Environment(None, (), (Wheel("native", native, "0"),))
    with pytest.raises(ImageError, match=r"native==1\.0 has no wheel for linux/amd64.*compiled on this machine"):
        archive(environment, wish, official(wish), tmp_path)


def test_a_package_that_is_not_there_is_told_in_uvs_words(wish, index, tmp_path):
    with pytest.raises(ImageError, match=r"uv could not install the packages of a lock: .*nowhere"):
        archive(pinned("nowhere==1.0\n"), wish, official(wish), tmp_path)
    assert list(tmp_path.glob("installing-*")) == []


def test_an_archive_is_made_once_and_again_when_anything_differs(wish, index, tmp_path):
    first = archive(pinned("beta==1.0\n"), wish, official(wish), tmp_path)
    written = first.stat().st_ino
    assert archive(pinned("beta==1.0\n"), wish, official(wish), tmp_path).stat().st_ino == written
    assert archive(pinned("beta==2.0\n"), wish, official(wish), tmp_path) != first


def test_the_oldest_archives_are_forgotten(wish, index, tmp_path):
    for number in range(9):
        archive(pinned(f"beta==1.0\n# {number}\n"), wish, official(wish), tmp_path)
    assert len(list((tmp_path / "archives").iterdir())) == 6


def test_the_digest_tells_environments_apart(project, wish):
    known = {
        digest_of(one, asked, layout)
        for one, asked, layout in [
            (pinned("a==1\n"), wish, official(wish)),
            (pinned("a==2\n"), wish, official(wish)),
            (pinned("a==1\n", roots="a"), wish, official(wish)),
            (pinned("a==1\n")._replace(pins=("b==1",)), wish, official(wish)),
            (pinned("a==1\n")._replace(wheels=(Wheel("a", Path("x"), "1"),)), wish, official(wish)),
            (pinned("a==1\n")._replace(wheels=(Wheel("a", Path("x"), "2"),)), wish, official(wish)),
            (pinned("a==1\n"), wished(project, python="3.12"), official(wish)),
            (pinned("a==1\n"), wished(project, python="3.11", platform="linux/arm64"), official(wish)),
            (pinned("a==1\n"), wish, Layout("/a", "/b")),
        ]
    }
    assert len(known) == 9
    here, there = (Wheel("a", Path(place), "1") for place in ("x", "y"))
    assert digest_of(Environment(None, (), (here,)), wish, official(wish)) == digest_of(
        Environment(None, (), (there,)), wish, official(wish)
    )


# ---------------------------------------------------------------- packing


def test_the_same_content_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        site = tmp_path / name / "lib/python3.11/site-packages"
        site.mkdir(parents=True)
        for module in ("b.py", "a.py") if name == "one" else ("a.py", "b.py"):
            (site / module).write_text(module)
        pack(tmp_path / name, Layout("/p", "/"), tmp_path / f"{name}.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("#!/home x/venv/bin/python\nimport a\n", "#!/usr/bin/env python3"),
        ("#!/bin/sh\n'''exec' '/a b/bin/python' \"$0\" \"$@\"\n' '''\nimport a\n", "#!/usr/bin/env python3"),
        ("#!/bin/bash\necho\n", "#!/bin/bash"),
        ("import a\n", "import a"),
    ],
)
def test_programs_run_on_the_images_python(tmp_path, text, first):
    (tmp_path / "in/bin").mkdir(parents=True)
    (tmp_path / "in/bin/tool").write_text(text)
    pack(tmp_path / "in", Layout("/p", "/usr/local"), tmp_path / "out.tar")
    with tarfile.open(tmp_path / "out.tar") as packed:
        assert packed.getmember("usr/local/bin/tool").mode == 0o755
        assert packed.extractfile("usr/local/bin/tool").read().decode().splitlines()[0] == first


def test_a_library_that_is_there_twice_is_linked_to(tmp_path):
    place = tmp_path / "in/lib/python3.11/site-packages/arrow"
    place.mkdir(parents=True)
    for name, content in {
        "libx.so": "1",
        "libx.so.26": "1",
        "libx.so.26.0.1": "1",
        "liby.so": "2",
        "liby.so.1": "3",
    }.items():
        (place / name).write_text(content)
    pack(tmp_path / "in", Layout("/p", "/"), tmp_path / "out.tar")
    with tarfile.open(tmp_path / "out.tar") as packed:
        links = {one.name: one.linkname for one in packed if one.issym()}
        packed.extractall(tmp_path / "out", filter="data")
    assert links == {"p/arrow/libx.so": "libx.so.26", "p/arrow/libx.so.26.0.1": "libx.so.26"}
    assert (tmp_path / "out/p/arrow/libx.so").read_text() == "1"


# ---------------------------------------------------------------- trimming


@pytest.fixture(scope="module")
def library():
    """A shared library with symbols."""
    import pyarrow

    found = sorted(Path(pyarrow.__file__).parent.glob("libarrow_python.so*"))
    if not found or sys.platform != "linux":
        pytest.skip("no shared library of Linux here")
    return found[-1].resolve()


def test_a_library_without_its_symbols_is_smaller_and_loads(library, tmp_path):
    content = library.read_bytes()
    small = trimmed("x/libarrow_python.so.1", content)
    assert len(small) < len(content)
    shared = tmp_path / "site"
    shared.mkdir()
    code = f"import ctypes, pyarrow; ctypes.CDLL({str(shared / library.name)!r}); print('loaded')"
    (shared / library.name).write_bytes(small)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "loaded\n"
    assert trimmed("x.so", small) == small


def test_what_is_no_library_or_has_something_behind_it_stays_as_it_is(library):
    content = library.read_bytes()
    assert trimmed("bin/program", content) == content
    assert trimmed("x.so", content + b"payload") == content + b"payload"
    assert trimmed("x.so", b"\x7fELF\x02\x01") == b"\x7fELF\x02\x01"
    assert trimmed("x.so", b"text") == b"text"
