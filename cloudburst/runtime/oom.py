"""How often the kernel has killed for want of memory: what tells a kill for memory from another.

The counter is that of this process's own control group where there is one (version 2 or 1), else the whole machine's.
macOS has none: there the count stays zero.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

_MACHINE = Path("/proc/vmstat")
_GROUPS = Path("/proc/self/cgroup")
_MOUNT = Path("/sys/fs/cgroup")


def kills() -> int:
    """The number of processes killed for memory so far, where these performers run.

    Returns
    -------
    int
        Only a rise means anything.
    """
    file = _counter()
    return 0 if file is None else _count(file) or 0


@cache
def _counter() -> Path | None:
    return next((file for file in _candidates() if _count(file) is not None), None)


def _candidates() -> list[Path]:
    files = []
    try:
        groups = _GROUPS.read_text().splitlines()
    except OSError:
        groups = []
    for line in groups:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            files += [_MOUNT / path.lstrip("/") / "memory.events", _MOUNT / "memory.events"]
        elif "memory" in controllers.split(","):
            files += [_MOUNT / "memory" / path.lstrip("/") / "memory.oom_control", _MOUNT / "memory/memory.oom_control"]
    return [*files, _MACHINE]


def _count(file: Path) -> int | None:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
