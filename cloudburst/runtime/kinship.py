"""The memory of a process and all that it has started, sampled while it runs."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def tree_mib(pid: int) -> float:
    """MiB that a process and its descendants hold now; what they share counts for each. 0 where there is no ``/proc``.

    >>> import os
    >>> tree_mib(os.getpid()) >= 0
    True
    """
    total = 0
    todo = [pid]
    while todo:
        one = todo.pop()
        try:
            total += int((_PROC / f"{one}/statm").read_text().split()[1])
            for thread in (_PROC / f"{one}/task").iterdir():
                todo += map(int, (thread / "children").read_text().split())
        except (OSError, ValueError, IndexError):  # it has ended meanwhile, or this system has no such files
            continue
    return total * _PAGE / (1 << 20)
