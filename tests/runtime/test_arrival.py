import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudburst.runtime.arrival import load, surroundings_of
from cloudburst.runtime.capture import capture
from tests.runtime.elsewhere import define, importing, write_files

FILES = {
    "helpers.py": "count = 1\ndef bump():\n    global count\n    count += 1\n    return count\n",
    "pkg/__init__.py": "order = ['pkg']\n",
    "pkg/sub.py": "from . import order\norder.append('sub')\nN = 2\n",
    "fails.py": "import helpers\nready = False\nif helpers.bump() < 3: raise RuntimeError('not yet')\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    write_files(tmp_path, FILES)
    with importing(tmp_path):
        yield tmp_path


def arrived(source: str) -> Any:
    return load(capture(define(source), stage="f").payload)


def test_own_modules_never_enter_the_interpreter(project: Path) -> None:
    importlib.import_module("helpers")
    here = sys.modules["helpers"]
    f = arrived("def f():\n    import helpers, pkg.sub\n    return helpers, pkg")
    helpers, pkg = f()
    assert helpers is not here
    assert sys.modules["helpers"] is here
    assert "pkg" not in sys.modules
    assert pkg.sub.N == 2


def test_module_from_source_is_executed_once_and_after_its_package(project: Path) -> None:
    f = arrived("def f():\n    from pkg.sub import order\n    import pkg.sub as s\n    return order, s.order")
    assert f() == (["pkg", "sub"], ["pkg", "sub"])
    assert f()[0] is f()[1]


def test_from_package_import_module(project: Path) -> None:
    f = arrived("def f():\n    from pkg import sub, order\n    return sub.N, order")
    assert f() == (2, ["pkg", "sub"])


def test_module_that_raises_on_import_can_be_tried_again(project: Path) -> None:
    f = arrived("def f():\n    import fails\n    return fails.ready")
    with pytest.raises(RuntimeError, match="not yet"):
        f()
    assert f() is False


def test_absent_name_is_an_import_error(project: Path) -> None:
    f = arrived("def f():\n    from helpers import nothing")
    with pytest.raises(ImportError, match="nothing"):
        f()


def test_installed_modules_are_those_of_the_interpreter() -> None:
    f = arrived("import json\ndef f():\n    import json.decoder as d, sys\n    return json, d, sys")
    assert f() == (sys.modules["json"], sys.modules["json.decoder"], sys)


def test_code_executed_by_a_function_finds_own_modules_too(project: Path) -> None:
    f = arrived("def f(code):\n    import helpers\n    exec(code, globals())\n    return found")
    assert f("import helpers\nfound = helpers.__name__") == "helpers"


def test_functions_made_there_stand_in_the_same_surroundings(project: Path) -> None:
    f = arrived("def f():\n    import helpers\n    def g(): return helpers.bump()\n    return g")
    around = surroundings_of(f.__globals__)
    assert around is not None
    assert surroundings_of(f().__globals__) is around
    assert surroundings_of(globals()) is None


def test_state_is_kept_between_calls_and_apart_between_payloads(project: Path) -> None:
    source = "import helpers\ndef f(): return helpers.bump()"
    one, two = arrived(source), arrived(source)
    assert (one(), one(), two()) == (2, 3, 2)
    assert sys.modules.get("helpers") is not None
    assert sys.modules["helpers"].count == 1
