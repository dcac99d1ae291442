import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudburst.runtime.reach import Memory, Reach, home, reach
from tests.runtime.elsewhere import define, importing, write_files


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    write_files(
        tmp_path,
        {
            "helpers.py": "import xml.dom.minidom\nLIMIT = 3\nother = 4\n",
            "pkg/__init__.py": "",
            "pkg/sub.py": "N = 1\n",
            "late.py": "import helpers\nfrom pkg import sub\n",
        },
    )
    with importing(tmp_path):
        yield tmp_path


def reached(source: str) -> Reach:
    return reach(define(source), Memory())


def test_only_globals_that_are_read_and_there() -> None:
    assert reached("a, b = 1, 2\ndef f(): return a, len, missing").globals == {"a": 1}


def test_only_attributes_that_are_read(project: Path) -> None:
    helpers = importlib.import_module("helpers")
    found = reached("import helpers\ndef f(): return helpers.LIMIT")
    assert {name: part.attributes for name, part in found.parts.items()} == {"helpers": {"LIMIT": 3}}
    assert not found.parts["helpers"].whole
    assert found.globals == {"helpers": helpers}


def test_module_used_itself_counts_whole(project: Path) -> None:
    importlib.import_module("helpers")
    assert reached("import helpers\ndef f(): return vars(helpers)").parts["helpers"].whole


def test_module_of_a_package_brings_its_package(project: Path) -> None:
    sub = importlib.import_module("pkg.sub")
    found = reached("from pkg import sub\ndef f(): return sub.N")
    assert found.parts["pkg"].attributes == {"sub": sub}
    assert found.parts["pkg.sub"].attributes == {"N": 1}


def test_source_brings_what_it_imports(project: Path) -> None:
    importlib.import_module("helpers")
    found = reached("def f():\n    import late")
    assert set(found.sources) == {"late", "pkg", "pkg.sub"}
    assert set(found.parts) == {"helpers"}


def test_names_outside_are_told_through_own_modules(project: Path) -> None:
    importlib.import_module("helpers")
    found = reached("import helpers\ndef f(): return helpers.xml.dom.minidom.parseString(3)")
    assert found.outside == {"xml.dom.minidom.parseString"}
    assert found.submodules == ("xml.dom", "xml.dom.minidom")


def test_home_of_a_function_is_an_installed_module() -> None:
    from contextlib import contextmanager

    assert home(contextmanager) is importlib.import_module("contextlib")
    assert home(reached) is None
    assert home(define("def f(): pass")) is None


def test_a_function_is_read_once() -> None:
    memory = Memory()
    f = define("def f(): return 1")
    assert reach(f, memory) is reach(f, memory)
