"""How much room is left: on a file system, and in memory for files that lie in memory."""

from __future__ import annotations

import os
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def free_disk(directory: Path) -> int:
    """Bytes that may still be written to the file system of a directory."""
    system = os.statvfs(directory)
    return system.f_bavail * system.f_frsize


def total_disk(directory: Path) -> int:
    """Bytes that the file system of a directory has in all."""
    system = os.statvfs(directory)
    return system.f_blocks * system.f_frsize


def free_memory() -> int | None:
    """Bytes of memory that may still be taken, by what the machine and this process's control group say.

    ``None`` where neither says.
    """
    return min((one for one in (_of_machine(), _of_group()) if one is not None), default=None)


def _of_machine() -> int | None:
    if not _MEMINFO.exists():
        return None
    for line in _MEMINFO.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _of_group() -> int | None:
    limit, current = _CGROUP / "memory.max", _CGROUP / "memory.current"
    if not (limit.exists() and current.exists()) or (most := limit.read_text().strip()) == "max":
        return None
    return max(int(most) - int(current.read_text()), 0)
