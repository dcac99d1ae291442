"""Where things lie: the keys of a run in its store, and the logs of performers in a directory of this machine.

::

    runs/<3 digits>-<name>-<run id>/
        a/<task name>-<task number>[.<item>]-<attempt>/<output>[/<part>]      artifacts
        given/<number>                                                        values that no task makes
    <directory>/<worker>.log                                                  what a performer printed

Where workers are on other machines, driver and workers also leave one another messages::

    pools/<user>/<3 digits>-<pool id>/
        pool                            what workers have to know of their pool
        lease                           rewritten as long as the driver lives
        mail/<worker>/<number>          letters to a worker
        said/hello-<worker>             it is up
        said/bye-<worker>               it is going
        said/<run>.<task>[.<item>]-<attempt>       the record of an attempt
        functions/<run>.<id>            large functions
    journals/<3 digits>-<name>-<run id>/plan, <number>                        what another driver needs to go on

What anybody may look at who may read the store, in JSON and of no use to the runtime itself::

    history/<user>/<10 digits>-<run>           what a run came to so far; of two runs the later one comes first
    logs/<user>/<run>/<number>                 what its attempts printed
    pools/<user>/<pool>/wishes/stop-<run>      somebody wants the run to end

Files of the user's machine that workers read lie beside the runs, and are there for the next run too::

    sources/<3 digits>/<SHA-256 of what is in it>/<name>

So do values that later programs are to find, which outlive the runs that made them, and what says where each is::

    values/<3 digits>/<SHA-256 of what is in it>
    kept/<user>/<digest of the expression>

The digits spread runs over a shared store's partitions. Names are there for people; numbers keep the keys apart.
"""

from __future__ import annotations

import re
from pathlib import Path

from cloudburst.keys import digest
from cloudburst.runtime.task import WHOLE, TaskId

VALUES = "values/"
"""What the keys of values begin with that outlive their runs."""

_LONGEST = 60
_FAR_S = 9_999_999_999
"""A second in the year 2286, from which those of runs are taken away."""
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


def run_id(prefix: str) -> str:
    """A run as people name it: what its keys begin with, without what all runs have in common.

    >>> run_id("runs/6a2-daily_report-x1")
    '6a2-daily_report-x1'
    """
    return prefix.removeprefix("runs/")


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


def source_key(content: str, name: str) -> str:
    """The key of a file that a pipeline reads, by the SHA-256 of what is in it and the end of its path.

    >>> source_key("ab12f", "year=2024/a.parquet")
    'sources/ab1/ab12f/year=2024/a.parquet'
    """
    return f"sources/{content[:3]}/{content}/{name}"


def value_key(content: str) -> str:
    """The key of a value that outlives its run, by the SHA-256 of what is in it.

    >>> value_key("ab12f")
    'values/ab1/ab12f'
    """
    return f"{VALUES}{content[:3]}/{content}"


def journal_prefix(prefix: str) -> str:
    """What the keys of a run's journal begin with; they stay when its values go.

    >>> journal_prefix("runs/6a2-daily-x1")
    'journals/6a2-daily-x1'
    """
    return "journals/" + prefix.removeprefix("runs/")


def pools_prefix(user: str) -> str:
    """What the keys of all pools of a user begin with.

    >>> pools_prefix("u1f00")
    'pools/u1f00/'
    """
    return f"pools/{user}/"


def pool_prefix(user: str, pool: str) -> str:
    """What the keys of a pool begin with.

    >>> pool_prefix("u1f00", "p1")
    'pools/u1f00/ea7-p1'
    """
    return f"{pools_prefix(user)}{digest(pool.encode()).hex()[:3]}-{pool}"


def letter_key(pool: str, worker: str, number: int) -> str:
    """The key of a worker's letter: they are numbered from 1.

    >>> letter_key("pools/u/p", "w1", 7)
    'pools/u/p/mail/w1/000007'
    """
    return f"{pool}/mail/{worker}/{number:06}"


def mail_prefix(pool: str, worker: str) -> str:
    """What the keys of all letters to a worker begin with."""
    return f"{pool}/mail/{worker}/"


def said_prefix(pool: str) -> str:
    """What the keys of all that workers say begin with."""
    return f"{pool}/said/"


def hello_key(pool: str, worker: str) -> str:
    """Where a worker says that it is up."""
    return f"{said_prefix(pool)}hello-{worker}"


def bye_key(pool: str, worker: str) -> str:
    """Where a worker says that it is going."""
    return f"{said_prefix(pool)}bye-{worker}"


def record_key(pool: str, run: str, task: TaskId, attempt: int) -> str:
    """Where the one record of an attempt goes.

    >>> record_key("pools/u/p", "r1", TaskId(3, 7), 1)
    'pools/u/p/said/r1.3.7-1'
    """
    number, item = task
    place = f"{number}" if item == WHOLE else f"{number}.{item}"
    return f"{said_prefix(pool)}{run}.{place}-{attempt}"


def function_key(pool: str, run: str, function: str) -> str:
    """The key of a function that is too large for a letter."""
    return f"{pool}/functions/{run}.{function}"


def history_prefix(user: str = "") -> str:
    """What the keys of all that is told of the runs of a user, or of everybody, begin with.

    >>> history_prefix("u1f00"), history_prefix()
    ('history/u1f00/', 'history/')
    """
    return f"history/{user}/" if user else "history/"


def history_key(user: str, run: str, begun_s: float) -> str:
    """Where it is told what a run came to. Keys are listed in their order: that of a later run comes first.

    >>> history_key("u1f00", "6a2-daily-x1", 1_700_000_000.5)
    'history/u1f00/8299999999-6a2-daily-x1'
    """
    return f"{history_prefix(user)}{max(0, _FAR_S - int(begun_s)):010}-{run}"


def run_of_history(key: str) -> tuple[str, str]:
    """User and run that a key of the history is about.

    >>> run_of_history("history/u1f00/8299999999-6a2-daily-x1")
    ('u1f00', '6a2-daily-x1')
    """
    _, user, name = key.split("/", 2)
    return user, name.partition("-")[2]


def begun_of_history(key: str) -> float:
    """When the run was begun that a key of the history is about, in seconds since 1970.

    >>> begun_of_history("history/u1f00/8299999999-6a2-daily-x1")
    1700000000.0
    """
    return float(_FAR_S - int(key.split("/", 2)[2].partition("-")[0]))


def printed_prefix(user: str, run: str) -> str:
    """What the keys of all that the attempts of a run printed begin with.

    >>> printed_prefix("u1f00", "6a2-daily-x1")
    'logs/u1f00/6a2-daily-x1/'
    """
    return f"logs/{user}/{run}/"


def printed_key(user: str, run: str, number: int) -> str:
    """Where some of what the attempts of a run printed lies: numbered from 1.

    >>> printed_key("u1f00", "6a2-daily-x1", 3)
    'logs/u1f00/6a2-daily-x1/000003'
    """
    return f"{printed_prefix(user, run)}{number:06}"


def wish_key(pool: str, run: str) -> str:
    """Where it is said that a run is to end.

    >>> wish_key("pools/u/p", "6a2-daily-x1")
    'pools/u/p/wishes/stop-6a2-daily-x1'
    """
    return f"{pool}/wishes/stop-{run}"


def log_path(directory: Path, worker: str) -> Path:
    """The file that a performer prints to."""
    return directory / f"{worker}.log"


def readable(name: str) -> str:
    """A name as it may stand in a key or a file name.

    >>> readable("<lambda> of x")
    '_lambda_of_x'
    """
    return _NOT_IN_KEYS.sub("_", name)[:_LONGEST].strip(".") or "_"
