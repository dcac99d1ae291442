"""Watches how much memory a process and all that it started have, from a process of its own."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable

import psutil

from benchmarks.watching import Watcher, tell, until_told

LOOK_S, COUNT_S = 0.01, 0.25
"""How often memory is looked at, and how often it is seen who is there."""


class Resident(Watcher):
    """The most memory of this process and its descendants inside the ``with``.

    Attributes
    ----------
    peak : int
        Bytes resident in all of them, once the block is left. What two of them share counts twice.
    peak_once : int
        The same with pages of files, such as the libraries that all of them load, only as far as the one has them that
        has most.
    """

    module = "benchmarks.resident"

    def __init__(self) -> None:
        super().__init__(str(os.getpid()))

    @property
    def peak(self) -> int:
        return int(self.told[0])

    @property
    def peak_once(self) -> int:
        return int(self.told[1])


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
    """Look until the block is left, then tell the peaks."""
    top = psutil.Process(pid)
    family: list[psutil.Process] = []
    peak = peak_once = 0
    counted = float("-inf")

    def look_once() -> None:
        nonlocal family, counted, peak, peak_once
        if time.monotonic() - counted > COUNT_S:
            family = [top, *(one for one in top.children(recursive=True) if one.pid != os.getpid())]
            counted = time.monotonic()
        now, now_once = look(family)
        peak, peak_once = max(peak, now), max(peak_once, now_once)

    until_told(look_once, LOOK_S)
    tell([peak, peak_once])


if __name__ == "__main__":
    watch(int(sys.argv[1]))
