"""The least permissions, as ``docs/iam`` has them for people: the one place where they are written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CALLER, PUSHER, TASK, EXECUTION = "caller.json", "pusher.json", "task-role.json", "execution-role.json"


def policy(file: str) -> dict[str, Any]:
    """A policy with its ``${bucket}``, ``${cluster}`` and so on still in it.

    Parameters
    ----------
    file : str
        Its name in ``docs/iam``.

    Returns
    -------
    dict

    Examples
    --------
    >>> [statement["Sid"] for statement in policy(TASK)["Statement"]]
    ['ValuesAndLetters', 'WhatIsThere']
    """
    read: dict[str, Any] = json.loads((_folder() / file).read_text(encoding="utf-8"))
    return read


def _folder() -> Path:
    """Beside this module where cloudburst is installed, in ``docs`` where it is checked out."""
    installed = Path(__file__).with_name("iam")
    return installed if installed.is_dir() else Path(__file__).parents[2] / "docs" / "iam"
