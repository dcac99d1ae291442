"""Pages as files, and in the browser, where there is one."""

from __future__ import annotations

import os
import sys
import tempfile
import webbrowser
from pathlib import Path

from cloudburst.errors import UsageError
from cloudburst.runtime.layout import readable

_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
"""Without any of these only browsers could be opened that take the terminal, for which this is no place."""


def write(text: str, path: str | Path) -> None:
    """Write a page to a file, over one that may be there.

    Raises
    ------
    UsageError
        If that cannot be.
    """
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}. Name another file with --out.") from None


def write_private(text: str, name: str) -> Path:
    """Write a page to a new file that its user alone can read."""
    descriptor, path = tempfile.mkstemp(prefix=f"cloudburst-{readable(name)}-", suffix=".html")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return Path(path)


def show(path: Path) -> bool:
    """Open a page in the browser; whether there is one that could be told to."""
    if sys.platform not in ("darwin", "win32") and not any(os.environ.get(name) for name in _DISPLAYS):
        return False
    return webbrowser.open(path.as_uri())
