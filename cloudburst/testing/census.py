"""Which processes of this machine belong to which task, and what memory they take.

A process belongs to a task if its environment names it, or if its parent does; so programs that leave their session are
found as well. One look at all processes serves all tasks.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import psutil

MARK = "CLOUDBURST_FAKE_TASK"
"""The environment variable that holds the id of the task."""


class Census:
    """Knows the processes of tasks from one look to the next."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, float], str] = {}

    def look(self) -> dict[str, list[psutil.Process]]:
        """The processes of each task that are there now."""
        there: dict[int, tuple[psutil.Process, int]] = {}
        known: dict[tuple[int, float], str] = {}
        owner: dict[int, str] = {}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error), process.oneshot():
                identity = (process.pid, process.create_time())
                task = self._known.get(identity)
                if task is None:
                    task = self._marked(process)
                there[process.pid] = (process, process.ppid())
                known[identity] = task
                if task:
                    owner[process.pid] = task
        self._known = known
        found: dict[str, list[psutil.Process]] = defaultdict(list)
        for pid, (process, _) in there.items():
            task = _inherited(pid, there, owner)
            if task:
                self._known[pid, process.create_time()] = task
                found[task].append(process)
        return found

    @staticmethod
    def _marked(process: psutil.Process) -> str:
        try:
            return str(process.environ().get(MARK, ""))
        except psutil.Error:
            return ""


def _inherited(pid: int, there: dict[int, tuple[psutil.Process, int]], owner: dict[int, str]) -> str:
    seen = []
    while pid in there and pid not in owner and pid not in seen:
        seen.append(pid)
        pid = there[pid][1]
    return owner.get(pid, "")


def memory_mib(processes: list[psutil.Process]) -> float:
    """What they take together, without the pages of files, which the kernel may take back."""
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            memory: Any = process.memory_info()
            total += memory.rss - getattr(memory, "shared", 0)
    return total / 2**20


def end_all(processes: list[psutil.Process]) -> None:
    """Kill them and wait until they are gone."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()


Look = Callable[[], dict[str, list[psutil.Process]]]
