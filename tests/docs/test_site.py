"""The site of documents as it is built: complete, with every link right, and nothing loaded from elsewhere."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cloudburst as cb
from cloudburst import errors, image, testing
from cloudburst.deferred import OWN_NAMES
from cloudburst.settings.tables import AWS_NAMES
from tests.docs.markup import Page, broken, pages
from tests.docs.pages import DOCS, ROOT, blocks
from tests.docs.shell import check_line, lines_of

ERRORS = [one.__name__ for one in vars(errors).values() if inspect.isclass(one) and one.__module__ == errors.__name__]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory: Path = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(directory)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return directory.resolve()


@pytest.fixture(scope="module")
def built(site: Path) -> dict[Path, Page]:
    return pages(site)


@pytest.fixture(scope="module")
def described(built: dict[Path, Page]) -> dict[str, str]:
    return {name: text for page in built.values() for name, text in page.described.items()}


def place(document: Path) -> str:
    """Where a document is in the site."""
    name = document.relative_to(DOCS).with_suffix("")
    return "" if str(name) == "index" else f"{name.parent if name.name == 'README' else name}/"


def test_every_page_can_be_found(site: Path, built: dict[Path, Page]) -> None:
    home = built[site / "index.html"]
    linked = {link for link in home.links if "#" not in link}
    documents = [path for path in DOCS.rglob("*.md") if path.parent.name != "hooks"]
    assert len(documents) > 25
    assert [place(path) for path in documents if (place(path) or ".") not in linked] == []


def test_no_link_leads_nowhere(site: Path, built: dict[Path, Page]) -> None:
    assert sum(len(page.links) for page in built.values()) > 1000
    assert broken(site, built) == []


def test_a_link_that_leads_nowhere_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/index.html").write_text('<p id="x"><a href="../b/">b</a><a href="#x">x</a><a href="#y">y</a>')
    (tmp_path / "index.html").write_text(
        '<a href="a/#x">x</a><a href="a/#y">y</a><img src="none.svg"><a href="http://z">'
    )
    assert broken(tmp_path, pages(tmp_path)) == [
        "a/index.html: ../b/",
        "a/index.html: #y",
        "index.html: a/#y",
        "index.html: none.svg",
    ]


def test_nothing_is_loaded_from_elsewhere(site: Path, built: dict[Path, Page]) -> None:
    assert [one for page in built.values() for one in page.loaded if "//" in one] == []
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"url\(['\"]?(?:https?:)?//|@import", styles) == []


def test_every_public_name_is_described(described: dict[str, str]) -> None:
    names = [
        *[f"cloudburst.{name}" for name in cb.__all__],
        *[f"cloudburst.testing.{name}" for name in testing.__all__],
        *[f"cloudburst.image.{name}" for name in image.__all__],
        *[f"cloudburst.Deferred.{name}" for name in OWN_NAMES],
        *[f"cloudburst.Run.{name}" for name in ("result", "status", "cancel", "logs", "errors")],
        *[f"cloudburst.Stage.{name}" for name in ("options", "map", "func")],
    ]
    assert len(names) > 80
    assert [name for name in names if len(described.get(name, "")) < 10] == []


def test_every_setting_is_described(described: dict[str, str]) -> None:
    assert [name for name in AWS_NAMES if name not in described["cloudburst.init_aws"]] == []


def test_every_error_has_a_section_under_troubleshooting(site: Path, built: dict[Path, Page]) -> None:
    assert [error for error in ERRORS if error not in built[site / "troubleshooting/index.html"].anchors] == []
    tree = next(blocks((DOCS / "reference/errors.md").read_text(encoding="utf-8"))).code
    assert [error for error in ERRORS if not re.search(rf"\b{error}\b", tree)] == []


def test_what_only_tests_run_is_not_shown(site: Path) -> None:
    shown = (site / "aws-in-ten-minutes/index.html").read_text(encoding="utf-8")
    assert "init_aws" in shown
    assert "Run by the tests" not in shown


def test_the_command_line_is_told_whole_and_its_examples_can_be_given() -> None:
    hooks: dict[str, object] = {"__name__": "pages"}
    exec(compile((DOCS / "hooks/pages.py").read_text(encoding="utf-8"), "pages.py", "exec"), hooks)
    told = "\n".join(hooks["told"](hooks["program"], "cloudburst"))  # type: ignore[operator]
    assert {"## `cloudburst setup`", "## `cloudburst runs clean`", "## `cloudburst config`"} <= set(told.splitlines())
    given = [line for block in blocks(told) if block.language == "bash" for line in lines_of("bash", block.code)]
    assert len(given) > 10
    for line in given:
        if "COMMAND" not in line:
            check_line(line)
