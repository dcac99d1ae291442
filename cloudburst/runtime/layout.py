"""Where things lie: the keys of a run in its store, and the logs of performers in a directory of this machine.

::

    runs/<3 digits>-<name>-<run id>/
        a/<task name>-<task number>[.<item>]-<attempt>/<output>[/<part>]      artifacts
        given/<number>                                                        values that no task makes
    <directory>/<worker>.log                                                  what a performer printed

The digits spread runs over a shared store's partitions. Names are there for people; numbers keep the keys apart.
"""

from __future__ import annotations

import re
from pathlib import Path

from cloudburst.keys import digest
from cloudburst.runtime.task import WHOLE, TaskId

_LONGEST = 60
_NOT_IN_KEYS = re.compile(r"[^A-Za-z0-9._-]+")


def run_prefix(name: str, run: str) -> str:
    """What the keys of a run begin with.

    Parameters
    ----------
    name : str
        What the user called it.
    run : str
        An id that no other run has.

    Returns
    -------
    str

    Examples
    --------
    >>> run_prefix("daily report", "x1")
    'runs/6a2-daily_report-x1'
    """
    return f"runs/{digest(run.encode()).hex()[:3]}-{readable(name)}-{run}"


def attempt_prefix(prefix: str, name: str, task: TaskId, attempt: int) -> str:
    """What the keys of an attempt's outputs begin with; no two attempts share one.

    >>> attempt_prefix("runs/r", "clean-49059bab2dec", TaskId(3, 7), 1)
    'runs/r/a/clean-49059bab2dec-3.7-1'
    """
    number, item = task
    place = f"{number}" if item == WHOLE else f"{number}.{item}"
    return f"{prefix}/a/{readable(name)}-{place}-{attempt}"


def given_key(prefix: str, number: int) -> str:
    """The key of a value that no task makes.

    >>> given_key("runs/r", 2)
    'runs/r/given/2'
    """
    return f"{prefix}/given/{number}"


def log_path(directory: Path, worker: str) -> Path:
    """The file that a performer prints to."""
    return directory / f"{worker}.log"


def readable(name: str) -> str:
    """A name as it may stand in a key or a file name.

    >>> readable("<lambda> of x")
    '_lambda_of_x'
    """
    return _NOT_IN_KEYS.sub("_", name)[:_LONGEST].strip(".") or "_"
