"""What stands on a command line of a document: the commands are those that there are, with options that they have."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable, Iterator

import click

from cloudburst.cli import program
from tests.docs.pages import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TARGETS = frozenset(re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split())

_ENDS = {"|", "||", "&&", ";"}
_VARIABLE = re.compile(r"\w+=.*")
_EXTRAS = re.compile(r"cloudburst\[([\w,]+)\]")


class Wrong(Exception):
    """A line that would not do."""


def lines_of(language: str, code: str) -> Iterator[str]:
    """The lines that somebody types: all of a block of bash, and those behind a prompt in one of console."""
    for line in code.replace("\\\n", " ").splitlines():
        if language == "console" and line.startswith("$ "):
            yield line.removeprefix("$ ")
        elif language == "bash" and line.strip() and not line.startswith("#"):
            yield line


def check_line(line: str) -> None:
    """Check each command on a line."""
    for words in commands(line):
        check = CHECKS.get(words[0])
        if check is None:
            raise Wrong(f"nobody checks what {words[0]} is given: {line}")
        check(words[1:])


def commands(line: str) -> Iterator[list[str]]:
    """The commands of a line, each without its variables and without where its output goes.

    >>> list(commands("A=1 cloudburst setup --template > out.json | jq '.[] | .x'  # says"))
    [['cloudburst', 'setup', '--template'], ['jq', '.[] | .x']]
    """
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;>")
    lexer.whitespace_split = True
    words: list[str] = []
    is_file = False
    for word in [*lexer, ";"]:
        if word in _ENDS:
            if words:
                yield words
            words = []
        elif word in (">", ">>"):
            is_file = True
        elif is_file or (not words and _VARIABLE.fullmatch(word)):
            is_file = False
        else:
            words.append(word)


def check_cloudburst(words: list[str], command: click.Command = program, parent: click.Context | None = None) -> None:
    """Parse what the command is given with the command itself, which is not run."""
    name = command.name or "cloudburst"
    if isinstance(command, click.Group) and words and not words[0].startswith("-"):
        with click.Context(command, info_name=name, parent=parent) as context:
            below = command.get_command(context, words[0])
            if below is None:
                raise Wrong(f"there is no command {words[0]} of {context.command_path}")
            check_cloudburst(words[1:], below, context)
        return
    try:
        command.make_context(name, list(words), parent=parent)
    except click.exceptions.Exit as left:  # --help and --version have been printed
        if left.exit_code:
            raise
    except click.UsageError as error:
        raise Wrong(f"{name} {' '.join(words)}: {error.format_message()}") from None


def check_mention(words: list[str]) -> None:
    """A command that is only named in a sentence may lack its arguments; ``--help`` stands for them."""
    is_bare = not any(word.startswith("-") for word in words)
    check_cloudburst([*words, "--help"] if is_bare else words)


def check_pip(words: list[str]) -> None:
    """Extras have to be those of the project."""
    if words[:1] != ["install"]:
        raise Wrong(f"pip {' '.join(words)}")
    for extras in _EXTRAS.findall(" ".join(words)):
        check_extras(extras)


def check_extras(extras: str) -> None:
    if unknown := set(extras.split(",")) - PROJECT["optional-dependencies"].keys():
        raise Wrong(f"cloudburst has no extra {unknown}")


def check_make(words: list[str]) -> None:
    if unknown := [word for word in words if not _VARIABLE.fullmatch(word) and word not in TARGETS]:
        raise Wrong(f"the Makefile has no target {unknown}")


def check_docker(words: list[str]) -> None:
    if "-f" in words and not (ROOT / words[words.index("-f") + 1]).is_file():
        raise Wrong(f"there is no {words[words.index('-f') + 1]}")


def _anything(words: list[str]) -> None:
    """What a tool of others is given is not for us to check."""


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "cloudburst": check_cloudburst,
    "pip": check_pip,
    "make": check_make,
    "docker": check_docker,
    **dict.fromkeys(("aws", "cd", "export", "jq", "pytest"), _anything),
}
