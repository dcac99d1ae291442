"""The memory of a process and all that it has started, sampled while it runs."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_PER_MIB = 1 << 20
_SHARED_ONCE = "Pss:"


def tree_mib(pid: int) -> float:
    """MiB that a process and its descendants hold now; what they share counts once. 0 where there is no ``/proc``.

    >>> import os
    >>> tree_mib(os.getpid()) >= 0
    True
    """
    pids = _tree(pid)
    held = _resident if len(pids) == 1 else _proportional
    return sum(map(held, pids)) / _PER_MIB


def _tree(pid: int) -> list[int]:
    found = [pid]
    for one in found:  # grows while it is walked
        with suppress(OSError, ValueError):  # it has ended meanwhile, or this system has no such files
            for thread in (_PROC / f"{one}/task").iterdir():
                found += map(int, (thread / "children").read_text().split())
    return found


def _resident(pid: int) -> int:
    """Bytes; quick, but what several processes share counts for each of them."""
    with suppress(OSError, ValueError, IndexError):
        return int((_PROC / f"{pid}/statm").read_text().split()[1]) * _PAGE
    return 0


def _proportional(pid: int) -> int:
    """Bytes, of what it shares only its part."""
    with suppress(OSError, ValueError):
        for line in (_PROC / f"{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(_SHARED_ONCE):
                return int(line.split()[1]) << 10
    return _resident(pid)
