"""Watches how much of the machine's memory is in use, from a process of its own."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import Self

import psutil


class Watch:
    """The most memory that was in use inside the ``with``, over what was in use before it, shared memory included.

    Attributes
    ----------
    peak : int
        Bytes, once the block is left.
    """

    peak: int

    def __enter__(self) -> Self:
        self._watcher = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.memory"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._watcher.stdout.readline()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        told, _ = self._watcher.communicate("done\n")
        self.peak = int(told)


def watch() -> None:
    """Look every 5 ms until a line comes, then tell the peak."""
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), over.set()), daemon=True).start()
    before = least = psutil.virtual_memory().available
    print("watching", flush=True)
    while not over.is_set():
        least = min(least, psutil.virtual_memory().available)
        time.sleep(0.005)
    print(before - least, flush=True)


if __name__ == "__main__":
    watch()
