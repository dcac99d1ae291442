"""What MkDocs does to pages: commands are told from themselves, and what only tests run is left out."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import click

from cloudburst.cli import program

COMMAND_LINE = "reference/command-line.md"
PLACE = "<!-- commands -->"
ERRORS = "troubleshooting.md"

_HIDDEN = re.compile(r"^<!-- Run by the tests.*?^-->\n", re.MULTILINE | re.DOTALL)
"""What a page's program needs beside what is shown of it."""
_REMARK = re.compile(r"(?<=\S)( *) {2}(?=\S)(.*)$", re.MULTILINE)
_ERROR = re.compile(r"^## ([A-Z]\w+)$", re.MULTILINE)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page as it is shown."""
    if page.file.src_uri == COMMAND_LINE:
        markdown = markdown.replace(PLACE, "\n".join(told(program, "cloudburst")))
    if page.file.src_uri == ERRORS:  # GitHub has these anchors in lower case, and takes them in any
        markdown = _ERROR.sub(r"## \1 { #\1 }", markdown)
    return _HIDDEN.sub("", markdown)


def told(command: click.Command, path: str, parent: click.Context | None = None) -> Iterator[str]:
    """A command in Markdown, and those below it.

    Parameters
    ----------
    command : click.Command
        It.
    path : str
        How it is called: ``cloudburst runs list``.
    parent : click.Context, optional
        Of the command that it belongs to.
    """
    context = click.Context(command, info_name=path.rpartition(" ")[2], parent=parent)
    yield f"\n## `{path}`\n"
    yield f"{_prose(command.help)}\n"
    yield f"```text\n{path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    yield from _options(command, context)
    for examples in _paragraphs(command.epilog):
        title, _, rest = examples.partition("\n")
        language = "bash" if title in ("Examples:", "Example:") else "text"
        lines = inspect.cleandoc(rest)
        if language == "bash":  # what stands behind a command is said about it
            lines = _REMARK.sub(r"\1  # \2", lines)
        yield f"{title}\n\n```{language}\n{lines}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from told(below, f"{path} {name}", context)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    rows = [row for one in command.get_params(context) if (row := one.get_help_record(context)) is not None and row[1]]
    yield "| option | meaning |\n|---|---|"
    for names, meaning in rows:
        yield f"| `{names}` | {_cell(meaning)} |"
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("[", "\\[")


def _prose(text: str | None) -> str:
    return "\n\n".join(" ".join(part.split()) for part in _paragraphs(text))


def _paragraphs(text: str | None) -> list[str]:
    """The paragraphs of a help text, without Click's marks."""
    parts = re.split(r"\n\s*\n", inspect.cleandoc(text or ""))
    return [part.removeprefix("\b").strip("\n") for part in parts if part.strip("\b\n ")]
