import importlib
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import cloudburst
from cloudburst.runtime.own_modules import Source, find_source, is_own, is_own_module
from tests.runtime.elsewhere import importing, write_files


def test_what_is_written_here_is_own(tmp_path: Path) -> None:
    write_files(tmp_path, {"mine.py": "", "space/inner.py": "", "pkg/__init__.py": ""})
    with importing(tmp_path):
        for name in ("mine", "space", "space.inner", "pkg"):
            assert is_own_module(importlib.import_module(name)), name
    assert is_own(__name__)
    assert is_own("__main__")
    assert is_own(None)


@pytest.mark.parametrize("name", ["sys", "json", "os.path", "numpy", "numpy.linalg", "pytest", "cloudburst.errors"])
def test_what_is_installed_is_not_own(name: str) -> None:
    assert not is_own_module(importlib.import_module(name))
    assert not is_own(name)


def test_cloudburst_is_not_own_though_it_lies_beside_the_project() -> None:
    assert cloudburst.__file__ is not None
    assert "site-packages" not in cloudburst.__file__
    assert not is_own_module(cloudburst)


@pytest.mark.parametrize("directory", ["site-packages", "lib/python3/dist-packages"])
def test_directories_of_installers_are_not_own(tmp_path: Path, directory: str) -> None:
    write_files(tmp_path, {f"{directory}/theirs.py": "", f"{directory}/space/inner.py": ""})
    with importing(tmp_path / directory):
        assert not is_own_module(importlib.import_module("theirs"))
        assert not is_own_module(importlib.import_module("space"))


def test_module_made_by_hand_is_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made = types.ModuleType("made_by_hand")
    assert is_own_module(made)
    monkeypatch.setitem(sys.modules, "made_by_hand", made)
    assert is_own("made_by_hand")


def test_extension_module_is_not_own() -> None:
    made = types.ModuleType("speedups")
    made.__file__ = f"/project/speedups{importlib.machinery.EXTENSION_SUFFIXES[0]}"
    assert not is_own_module(made)
    assert np.__name__ == "numpy"


def test_source_is_found_without_importing_anything(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {"pkg/__init__.py": "raise RuntimeError\n", "pkg/sub.py": "x = 1\n", "space/one.py": "y = 2\n"},
    )
    with importing(tmp_path):
        assert find_source("pkg.sub") == Source("pkg.sub", "x = 1\n", str(tmp_path / "pkg/sub.py"), False)
        assert find_source("pkg") == Source("pkg", "raise RuntimeError\n", str(tmp_path / "pkg/__init__.py"), True)
        assert find_source("space") == Source("space", "", "", True)
        assert find_source("space.one") == Source("space.one", "y = 2\n", str(tmp_path / "space/one.py"), False)
        assert find_source("pkg.none.deeper") is None
        assert not {"pkg", "pkg.sub", "space", "space.one"} & set(sys.modules)


@pytest.mark.parametrize(
    "name", ["json.tool", "pytest_timeout", "cloudburst.nowhere", "no_such_module", "numpy.nowhere"]
)
def test_no_source_of_what_is_not_own(name: str) -> None:
    assert find_source(name) is None
