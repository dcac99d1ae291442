"""Which lock counts, and what each is read as."""

import hashlib

import pytest

from cloudburst.errors import ImageError
from cloudburst.image.locks import locked
from cloudburst.image.wishes import wished
from tests.image.projects import package, uv, wheel

PYLOCK = """\
lock-version = "1.0"
created-by = "test"
[[packages]]
name = "alpha"
version = "1.0"
wheels = [{ url = "https://example.test/alpha-1.0-py3-none-any.whl", hashes = { sha256 = "00" } }]
"""
POETRY = """\
[[package]]
name = "alpha"
version = "1.0"
optional = false
groups = ["main"]
files = [{ file = "alpha-1.0-py3-none-any.whl", hash = "sha256:00" }]
[[package]]
name = "checker"
version = "3.0"
optional = false
groups = ["dev"]
files = []
[[package]]
name = "Only-Windows"
version = "3.0"
optional = false
groups = ["main"]
markers = "sys_platform == 'win32'"
files = []
[[package]]
name = "from-git"
version = "2.0"
optional = false
groups = ["main"]
markers = { main = "python_version >= '3.11'" }
files = []
[package.source]
type = "git"
url = "https://example.test/it.git"
reference = "main"
resolved_reference = "abc"
[[package]]
name = "mine"
version = "0.1"
optional = false
groups = ["main"]
files = []
[package.source]
type = "directory"
url = "libs/mine"
[metadata]
lock-version = "2.1"
"""
NEEDS_ALPHA = '[project]\nname = "p"\nversion = "1"\ndependencies = ["alpha{}"]\n'


def test_without_a_lock_there_is_none(wish):
    assert locked(wish) == (None, [])


def test_the_first_of_the_locks_counts(wish, project, index):
    (project / "requirements.txt").write_text("gamma==1.0\n")
    assert locked(wish)[0].source == "requirements.txt"
    (project / "poetry.lock").write_text(POETRY)
    assert locked(wish)[0].source == "poetry.lock"
    package(project, "p", needs=["alpha"])
    uv(project, "lock")
    assert locked(wish)[0].source == "uv.lock"
    (project / "pylock.toml").write_text(PYLOCK)
    assert locked(wish)[0].source == "pylock.toml"


# ---------------------------------------------------------------- pylock.toml


def test_a_pylock_is_taken_as_it_is(wish, project):
    (project / "pylock.toml").write_text(PYLOCK)
    mirror, _ = locked(wish)
    assert mirror.versions == {"alpha": "1.0"}
    assert "https://example.test/alpha-1.0-py3-none-any.whl" in mirror.lock
    assert mirror.local == ()


def test_what_lies_on_this_machine_is_told_apart(wish, project):
    own = '[[packages]]\nname = "p"\ndirectory = { path = ".", editable = true }\n'
    lib = '[[packages]]\nname = "lib"\ndirectory = { path = "../lib é", editable = true }\n'
    archive = '{ path = "w/private-1.0-py3-none-any.whl", hashes = { sha256 = "0" } }'
    private = f'[[packages]]\nname = "private"\narchive = {archive}\n'
    (project / "pylock.toml").write_text(PYLOCK + own + lib + private)
    mirror, _ = locked(wish)
    assert [(one.name, one.path) for one in mirror.local] == [
        ("lib", (project / "../lib é").resolve()),
        ("private", project / "w/private-1.0-py3-none-any.whl"),
    ]
    assert [word in mirror.lock for word in ("alpha", "editable", "private")] == [True, False, False]
    assert "p" not in mirror.versions


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lock-version = ", "pylock.toml cannot be read"),
        ('created-by = "x"\n', "cannot be read.*uv export"),
        ('lock-version = "9.0"\ncreated-by = "x"\npackages = []\n', "cannot be read"),
    ],
)
def test_a_broken_pylock_is_named(wish, project, text, said):
    (project / "pylock.toml").write_text(text)
    with pytest.raises(ImageError, match=said):
        locked(wish)


@pytest.mark.parametrize(
    ("needs", "said"), [(">=2", r"wants alpha>=2, and it has 1\.0"), ('", "beta', "it lacks beta")]
)
def test_a_pylock_that_does_not_match_the_project_is_refused(wish, project, needs, said):
    (project / "pyproject.toml").write_text(NEEDS_ALPHA.format(needs))
    (project / "pylock.toml").write_text(PYLOCK)
    with pytest.raises(
        ImageError, match=f"pylock.toml does not match pyproject.toml: .*{said}.*uv export -o pylock.toml"
    ):
        locked(wish)


def test_what_is_needed_elsewhere_only_may_be_missing(wish, project):
    (project / "pyproject.toml").write_text(NEEDS_ALPHA.format("""", "beta; sys_platform == 'win32'"""))
    (project / "pylock.toml").write_text(PYLOCK)
    assert locked(wish)[0].versions == {"alpha": "1.0"}


# ---------------------------------------------------------------- uv.lock


def test_a_uv_lock_is_read_by_uv_without_the_project_and_without_development(wish, project, index):
    package(project, "p", needs=["alpha"], more='[dependency-groups]\ndev = ["gamma"]\n')
    uv(project, "lock")
    mirror, passed = locked(wish)
    assert passed == []
    assert mirror.versions == {"alpha": "1.0", "beta": "2.0"}
    assert str(index / "alpha-1.0-py3-none-any.whl") in mirror.lock  # found from any directory


def test_a_uv_lock_with_local_packages(wish, project, index):
    package(project / "lib ü", "lib", needs=["gamma"])
    wheel(project / "wheels", "private")
    package(
        project,
        "p",
        needs=["lib", "private"],
        more="""
            [tool.uv.sources]
            lib = { path = "lib ü", editable = true }
            private = { path = "wheels/private-1.0-py3-none-any.whl" }
        """,
    )
    uv(project, "lock")
    mirror, _ = locked(wish)
    assert [(one.name, one.path.name) for one in mirror.local] == [
        ("lib", "lib ü"),
        ("private", "private-1.0-py3-none-any.whl"),
    ]
    assert set(mirror.versions) == {"lib", "private", "gamma"}


def test_a_uv_lock_that_does_not_match_is_refused_with_the_mend(wish, project, index):
    package(project, "p", needs=["alpha"])
    uv(project, "lock")
    package(project, "p", needs=["alpha", "gamma"])
    with pytest.raises(ImageError, match=r"uv.lock does not match pyproject.toml: .*Write it anew: uv lock"):
        locked(wish)


def test_a_uv_lock_that_uv_cannot_read_is_told_in_its_words(wish, project, index):
    package(project, "p")
    (project / "uv.lock").write_text("version = ")
    with pytest.raises(ImageError, match=r"uv could not see whether uv.lock matches.*uv\.lock"):
        locked(wish)


# ---------------------------------------------------------------- poetry.lock


def test_a_poetry_lock_gives_what_the_image_needs_with_hashes(wish, project):
    (project / "poetry.lock").write_text(POETRY)
    mirror, _ = locked(wish)
    assert mirror.lock.splitlines() == [
        "alpha==1.0 --hash=sha256:00",
        "from-git @ git+https://example.test/it.git@abc",
    ]
    assert [(one.name, one.path) for one in mirror.local] == [("mine", project / "libs/mine")]
    assert mirror.versions == {"alpha": "1.0", "from-git": "2.0", "mine": "0.1"}


def test_a_poetry_lock_that_does_not_match_is_refused(wish, project):
    (project / "pyproject.toml").write_text(NEEDS_ALPHA.format("<1"))
    (project / "poetry.lock").write_text(POETRY)
    with pytest.raises(ImageError, match=r"poetry.lock does not match.*wants alpha<1.*poetry lock"):
        locked(wish)


def test_a_lock_of_an_old_poetry_is_refused_with_the_mend(wish, project):
    (project / "poetry.lock").write_text('[[package]]\nname = "alpha"\nversion = "1.0"\n')
    with pytest.raises(ImageError, match="written by Poetry 1.*poetry lock"):
        locked(wish)


# ---------------------------------------------------------------- requirements


def test_pinned_requirements_are_read_by_uv(wish, project, index):
    wheel(project / "w", "private")
    package(project / "lib", "lib")
    known = hashlib.sha256((index / "beta-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    (project / "requirements.txt").write_text(
        f"alpha==1.0  # why\nbeta==1.0 \\\n  --hash=sha256:{known}\n./w/private-1.0-py3-none-any.whl\n-e ./lib\n"
    )
    mirror, passed = locked(wish)
    assert (mirror.source, mirror.notes, passed) == ("requirements.txt", (), [])
    assert set(mirror.versions) == {"alpha", "beta", "lib", "private"}
    assert mirror.versions["beta"] == "1.0"
    assert sorted(one.path.relative_to(project).as_posix() for one in mirror.local) == [
        "lib",
        "w/private-1.0-py3-none-any.whl",
    ]


def test_what_pinned_requirements_leave_open_is_said_and_stays_as_it_was_found(wish, project, index):
    (project / "requirements.txt").write_text("alpha==1.0\n")
    mirror, _ = locked(wish)
    assert mirror.versions == {"alpha": "1.0", "beta": "2.0"}
    assert mirror.notes == (
        "requirements.txt does not pin what its packages need (beta): the newest that fit were taken.",
    )
    wheel(index, "beta", "3.0")
    assert locked(wish)[0] == mirror


def test_requirements_that_pin_nothing_are_passed_over(wish, project):
    (project / "requirements.txt").write_text("alpha>=1\nbeta==1.*\n-r other.txt\ngamma==1\n")
    assert locked(wish) == (
        None,
        ["requirements.txt was not read, as it does not pin alpha, beta: uv pip compile makes one that does."],
    )


def test_one_other_file_of_requirements_counts_and_several_do_not(wish, project, index):
    (project / "requirements-prod.txt").write_text("gamma==1.0\n")
    assert locked(wish)[0].source == "requirements-prod.txt"
    (project / "requirements-dev.txt").write_text("gamma==1.0\n")
    assert locked(wish) == (
        None,
        ["None of requirements-dev.txt, requirements-prod.txt was read, as none is called requirements.txt."],
    )


def test_requirements_are_resolved_for_the_platform_of_the_image(project, index):
    wheel(index, "native", "1.0", tag="cp312-cp312-manylinux_2_28_aarch64")
    (project / "requirements.txt").write_text("native==1.0\nonly-here==1.0; sys_platform == 'darwin'\n")
    mirror, _ = locked(wished(project, python="3.12", platform="linux/arm64"))
    assert mirror.versions == {"native": "1.0"}


# ---------------------------------------------------------------- leaving out


def test_packages_can_be_left_out_of_each_kind_of_lock(wish, project):
    (project / "poetry.lock").write_text(POETRY)
    left = locked(wish)[0].without(frozenset({"from-git", "mine"}))
    assert (left.lock, left.local, set(left.versions)) == ("alpha==1.0 --hash=sha256:00\n", (), {"alpha"})
    (project / "pylock.toml").write_text(PYLOCK)
    assert locked(wish)[0].without(frozenset({"alpha"})).lock == ""
    assert locked(wish)[0].without(frozenset({"beta"})).lock == locked(wish)[0].lock


def test_a_project_that_is_no_toml_is_named(wish, project):
    (project / "pylock.toml").write_text(PYLOCK)
    (project / "pyproject.toml").write_text("[project\n")
    with pytest.raises(ImageError, match=r"pyproject.toml cannot be read.*Correct it"):
        locked(wish)
