"""Watches how much of the machine's memory is in use, from a process of its own."""

from __future__ import annotations

import psutil

from benchmarks.watching import Watcher, tell, until_told

LOOK_S = 0.005


class Watch(Watcher):
    """The most memory that was in use inside the ``with``, over what was in use before it, shared memory included.

    Attributes
    ----------
    peak : int
        Bytes, once the block is left.
    """

    module = "benchmarks.memory"

    @property
    def peak(self) -> int:
        return int(self.told)


def watch() -> None:
    """Look until the block is left, then tell the peak."""
    before = least = psutil.virtual_memory().available

    def look() -> None:
        nonlocal least
        least = min(least, psutil.virtual_memory().available)

    until_told(look, LOOK_S)
    tell(before - least)


if __name__ == "__main__":
    watch()
