"""What is no Python in the documents is right too: commands, settings and policies; and nothing is left unchecked."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cloudburst.settings.tables import profile_table, project_table
from tests.docs.pages import DOCUMENTS, blocks, named, spans
from tests.docs.shell import Wrong, check_extras, check_line, check_make, check_mention, commands, lines_of

CHECKED = {"bash", "console", "dockerfile", "json", "toml"}
"""Here; those of python run in tests/test_readme.py, and text is output, a format, or a program of others."""
INSTRUCTION = re.compile(r"(FROM|RUN|USER|ENV|COPY|WORKDIR) \S")
FENCE = re.compile(r"^\s*(```|~~~)", re.MULTILINE)


def check_shell(language: str, code: str) -> None:
    for line in lines_of(language, code):
        check_line(line)


def check_toml(code: str, directory: Path) -> None:
    """Settings of a project or profiles, read as cloudburst reads them."""
    (directory / "pyproject.toml").write_text(code)
    (directory / "config.toml").write_text(code)
    table = project_table(directory)
    assert table is not None or profile_table("default") is not None


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_block_is_of_a_language_that_is_checked(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    found = list(blocks(text))
    assert len(FENCE.findall(text)) == 2 * len(found), "a fence is indented, or not closed"
    assert [one for one in found if one.language not in CHECKED | {"python", "text"}] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_command_line_is_one_that_there_is(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for block in blocks(text):
        check_shell(block.language, block.code)
    for span in spans(text):
        if span.startswith("cloudburst ") and "…" not in span:
            check_mention(next(commands(span))[1:])
        elif re.match(r"make [a-z]", span):
            check_make(next(commands(span))[1:])
    for extras in re.findall(r"cloudburst\[([\w,]+)\]", text):
        check_extras(extras)


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_settings_and_policies_can_be_read(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDBURST_CONFIG_DIR", str(tmp_path))
    for block in blocks(document.read_text(encoding="utf-8")):
        if block.language == "json":
            json.loads(block.code)
        elif block.language == "toml":
            check_toml(block.code, tmp_path)
        elif block.language == "dockerfile":
            assert all(INSTRUCTION.match(line) for line in block.code.splitlines())


@pytest.mark.parametrize(
    "line",
    [
        "cloudburst steup",
        "cloudburst setup --yess",
        "cloudburst runs show",
        "cloudburst runs list --limit many",
        "pip install 'cloudburst[awss]'",
        "make tests",
        "A=1 cloudburst setup --yes | cloudburst nothing",
        "unheard of",
    ],
)
def test_a_command_that_there_is_not_is_noticed(line: str) -> None:
    with pytest.raises(Wrong):
        check_shell("bash", line)
    with pytest.raises(Wrong):
        check_shell("console", f"$ {line}\nwhat it says\n")


def test_a_command_may_be_named_without_what_it_needs() -> None:
    check_mention(["runs", "show"])
    with pytest.raises(Wrong):
        check_mention(["runs", "shwo"])
    with pytest.raises(Wrong):
        check_mention(["runs", "show", "--jsno"])


def test_only_what_is_typed_is_checked_in_a_console() -> None:
    assert list(lines_of("console", "$ a \\\n  b\nc\n")) == ["a    b"]
    assert list(lines_of("bash", "# about a\na\n\nb\n")) == ["a", "b"]


def test_a_setting_that_there_is_not_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDBURST_CONFIG_DIR", str(tmp_path))
    check_toml("[tool.cloudburst]\nmax_workers = 2\n", tmp_path)
    with pytest.raises(Exception, match="Did you mean max_workers"):
        check_toml("[tool.cloudburst]\nmax_worker = 2\n", tmp_path)
