"""The documents, and the blocks of code in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docker/*.md"), *DOCS.glob("**/*.md")])

_FENCE = re.compile(r"^```(?P<language>.*)\n(?P<code>(?:(?!```).*\n)*?)```$", re.MULTILINE)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


class Block(NamedTuple):
    """A fenced block."""

    language: str
    code: str
    line: int
    """On which its code begins, from 1."""


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a text in Markdown.

    >>> list(blocks("a\\n```toml\\nx = 1\\n```\\n"))
    [Block(language='toml', code='x = 1\\n', line=3)]
    """
    for found in _FENCE.finditer(text):
        yield Block(found["language"], found["code"], text.count("\n", 0, found.start("code")) + 1)


def spans(text: str) -> list[str]:
    """What stands as code within lines.

    >>> spans("`a b` and\\n```text\\n`c`\\n```\\n")
    ['a b']
    """
    return _SPAN.findall(_FENCE.sub("", text))


def program(text: str) -> str:
    """The blocks of Python on the lines that they have in the text, so that a traceback points there."""
    lines = [""] * len(text.splitlines())
    for block in blocks(text):
        if block.language == "python":
            code = block.code.splitlines()
            lines[block.line - 1 : block.line - 1 + len(code)] = code
    return "\n".join(lines)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def shown_output(text: str) -> list[Block]:
    """The blocks of text that stand right behind a block of Python: what that prints.

    >>> shown_output("```python\\nprint(1)\\n```\\n\\n```text\\n1\\n```\\n\\nSo:\\n\\n```text\\n2\\n```\\n")
    [Block(language='text', code='1\\n', line=6)]
    """
    found = []
    before, end = "", 0
    for fence in _FENCE.finditer(text):
        if fence["language"] == "text" and before == "python" and not text[end : fence.start()].strip():
            found.append(Block("text", fence["code"], text.count("\n", 0, fence.start("code")) + 1))
        before, end = fence["language"], fence.end()
    return found


def prints(shown: str, output: str) -> bool:
    """Whether output has what is shown of it; space may differ, and ``…`` stands for anything.

    >>> prints("run … took … s", "a\\nrun 1\\n  took 2 s\\n"), prints("run … took", "run 1")
    (True, False)
    """
    parts = [re.escape(" ".join(part.split())) for part in shown.split("…")]
    return re.search(".*?".join(parts), " ".join(output.split())) is not None
