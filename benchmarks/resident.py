"""Watches how much memory a process and all that it started have, from a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import psutil

LOOK_S, COUNT_S = 0.01, 0.25
"""How often memory is looked at, and how often it is seen who is there."""


class Resident:
    """The most memory of this process and its descendants inside the ``with``.

    Attributes
    ----------
    peak : int
        Bytes resident in all of them, once the block is left. What two of them share counts twice.
    peak_once : int
        The same with pages of files, such as the libraries that all of them load, only as far as the one has them that
        has most.
    """

    peak: int
    peak_once: int

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "benchmarks.resident", str(os.getpid())]
        self._watcher = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._watcher.stdout.readline()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        told, _ = self._watcher.communicate("done\n")
        self.peak, self.peak_once = json.loads(told)


def look(family: Iterable[psutil.Process]) -> tuple[int, int]:
    """Bytes resident in processes: all of them, and with pages of files counted once."""
    everything = of_files = most_of_files = 0
    for process in family:
        try:
            memory = process.memory_info()
        except psutil.NoSuchProcess:
            continue
        shared = getattr(memory, "shared", 0)
        everything += memory.rss
        of_files += shared
        most_of_files = max(most_of_files, shared)
    return everything, everything - of_files + most_of_files


def watch(pid: int) -> None:
    """Look until a line comes, then tell the peaks."""
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), over.set()), daemon=True).start()
    top = psutil.Process(pid)
    family: list[psutil.Process] = []
    peak = peak_once = 0
    counted = float("-inf")
    print("watching", flush=True)
    while not over.is_set():
        if time.monotonic() - counted > COUNT_S:
            family = [top, *(one for one in top.children(recursive=True) if one.pid != os.getpid())]
            counted = time.monotonic()
        now, now_once = look(family)
        peak, peak_once = max(peak, now), max(peak_once, now_once)
        over.wait(LOOK_S)
    print(json.dumps([peak, peak_once]), flush=True)


if __name__ == "__main__":
    watch(int(sys.argv[1]))
