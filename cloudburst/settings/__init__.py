"""The settings of a provider as one frozen record, and the only place that reads the environment and this machine."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudburst.errors import SettingsError
from cloudburst.resources import parse_memory


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """How pipelines run on this machine."""

    workers: int
    """Worker processes at once."""
    memory_mib: int
    """What all of them together may claim."""
    storage: Path | None
    """Where values lie that pass between tasks; ``None`` is a private directory that goes with this process."""

    @property
    def cpu(self) -> int:
        """CPU units: a virtual CPU a worker."""
        return self.workers * 1024


def local_settings(
    workers: Any = None, memory: int | str | None = None, storage: str | os.PathLike[str] | None = None
) -> LocalSettings:
    """Check the settings of the local provider and fill in what this machine has.

    Parameters
    ----------
    workers : int, optional
        Worker processes; as many as there are CPUs for this process by default.
    memory : int or str, optional
        MiB, or text such as ``"8 GB"``; what this machine has by default.
    storage : path, optional
        A directory of the user's own.

    Raises
    ------
    SettingsError
        Naming the setting.
    """
    if workers is None:
        workers = cpus()
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise SettingsError(f"workers={workers!r} cannot be: it is the number of worker processes, 1 or more.")
    mib = machine_memory_mib() if memory is None else parse_memory(memory)
    return LocalSettings(workers, mib, storage_directory(storage) if storage is not None else None)


def storage_directory(storage: str | os.PathLike[str]) -> Path:
    """The directory that a setting names, made if it is not there."""
    try:
        path = Path(storage).expanduser().absolute()
    except TypeError:
        raise SettingsError(f"storage={storage!r} cannot be: it is the path of a directory.") from None
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"storage={str(storage)!r} cannot be used: {error.strerror or error}. "
            "Choose a directory that you can write to."
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise SettingsError(f"storage={str(storage)!r} is not writable for you: choose a directory of your own.")
    return path


def cpus() -> int:
    """The CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def machine_memory_mib() -> int:
    """What this machine, or the cgroup that this process is in, has of memory, in MiB."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 8 << 30
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limit = int(Path(name).read_text())
        except (OSError, ValueError):  # no such controller, or "max"
            continue
        total = min(total, limit)
    return max(256, int(total) >> 20)


def progress_wanted(asked: bool | None) -> bool | None:
    """Whether progress is to be shown: as asked, else as ``CLOUDBURST_PROGRESS`` says (0 or 1), else undecided."""
    if asked is not None:
        return asked
    said = os.environ.get("CLOUDBURST_PROGRESS", "").strip().lower()
    if said in ("0", "no", "false", "off"):
        return False
    return True if said in ("1", "yes", "true", "on") else None


def time_scale() -> float:
    """How much shorter waits are than on AWS: ``CLOUDBURST_TIME_SCALE``, which tests set that play AWS.

    Raises
    ------
    SettingsError
        If that is no number above 0.
    """
    said = os.environ.get("CLOUDBURST_TIME_SCALE", "1")
    try:
        scale = float(said)
    except ValueError:
        scale = 0.0
    if not 0 < scale <= 1:
        raise SettingsError(f"CLOUDBURST_TIME_SCALE={said!r} cannot be: it is a number above 0, at most 1.")
    return scale


def debugging() -> bool:
    """Whether ``CLOUDBURST_DEBUG`` asks to check the graph after every pass."""
    return bool(os.environ.get("CLOUDBURST_DEBUG"))


def script_name() -> str:
    """What to call a run that was given no name: the program's."""
    name = Path(sys.argv[0]).stem if sys.argv and sys.argv[0] else ""
    return name if name and name not in ("-c", "-", "__main__", "ipykernel_launcher") else "run"
