"""The provider on this machine, which needs no set-up."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cloudburst.kept import Kept
from cloudburst.resources import Size
from cloudburst.settings import LocalSettings

if TYPE_CHECKING:
    from cloudburst.runtime.protocols import Backend, Store
    from cloudburst.runtime.state import Limits

_MARK = "cloudburst-"


class LocalProvider:
    """Pipelines in worker processes on this machine.

    Workers stay up between runs, so that the next ``compute()`` starts at once. They and the private directory go when
    the program ends, in whichever way.
    """

    def __init__(self, settings: LocalSettings) -> None:
        self.settings = settings
        self.default_size = Size()
        self.end_s = 5.0
        self.s3: Mapping[str, str | None] = {}
        self._lock = threading.Lock()
        self._idle: list[Backend] = []
        self._store: Store | None = None
        self._kept: Kept | None = None
        self._private: list[Path] = []
        self._owner = os.getpid()

    def __repr__(self) -> str:
        where = self.settings.storage or "a private directory"
        return f"<local provider: {self.settings.workers} workers, {self.settings.memory_mib} MiB, storage in {where}>"

    @property
    def store(self) -> Store:
        """The directory in which values lie; made when first needed."""
        with self._lock:
            if self._store is None:
                self._open()
            assert self._store is not None
            return self._store

    @property
    def kept(self) -> Kept:
        """What earlier runs left in the store."""
        store = self.store
        with self._lock:
            if self._kept is None:
                self._kept = Kept(store, durable=self.settings.storage is not None)
            return self._kept

    def limits(self, keep_going: bool) -> Limits:
        """As many tasks at once as there are workers, and no more memory than this machine has."""
        from cloudburst.runtime.state import Limits

        settings = self.settings
        return Limits(workers=settings.workers, cpu=settings.cpu, memory_mib=settings.memory_mib, keep_going=keep_going)

    def borrow(self) -> Backend:
        """Workers for one run: those of the last one, where they are not busy with another."""
        from cloudburst.runtime.backends.local import LocalBackend

        store = self.store
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return LocalBackend(store.url, self._workdir())

    def give_back(self, backend: Backend) -> None:
        """Keep one set of workers for the next run; others end."""
        with self._lock:
            if not self._idle and self._store is not None:
                self._idle.append(backend)
                return
        backend.close()

    def hold(self) -> None:
        """Nothing: workers stay up between runs anyway."""

    def notes(self) -> list[str]:
        """Nothing comes up beside a run on this machine."""
        return []

    def journal(self, prefix: str, backend: Backend) -> None:
        """None: when this program is no more, neither are its workers, and nobody could go on."""

    def whereabouts(self, backend: Backend) -> None:
        """None: who looks from elsewhere would see nothing."""

    def close(self) -> None:
        """End the workers and remove the private directory; the next run makes new ones."""
        if self._owner != os.getpid():
            return
        with self._lock:
            idle, self._idle = self._idle, []
            private, self._private = self._private, []
            self._store = self._kept = None
        for backend in idle:
            backend.close()
        for path in private:
            shutil.rmtree(path, ignore_errors=True)

    def _open(self) -> None:
        from cloudburst.runtime.stores.local import LocalStore

        if self.settings.storage is not None:
            self._store = LocalStore(self.settings.storage)
            return
        root = self._private_directory(Path(tempfile.gettempdir()))
        in_memory = Path("/dev/shm")
        fast = None
        if in_memory.is_dir() and os.access(in_memory, os.W_OK):
            fast = self._private_directory(in_memory)
        self._store = LocalStore(root, fast_root=fast)

    def _workdir(self) -> Path:
        with self._lock:
            return self._private_directory(Path(tempfile.gettempdir()))

    def _private_directory(self, parent: Path) -> Path:
        path = private_directory(parent)
        self._private.append(path)
        return path


def private_directory(parent: Path) -> Path:
    """A new directory that goes with this process; those that killed processes left there are removed first."""
    _sweep(parent)
    return Path(tempfile.mkdtemp(prefix=f"{_MARK}{os.getpid()}-", dir=parent))


def _sweep(parent: Path) -> None:
    for left in parent.glob(f"{_MARK}[0-9]*-*"):
        number = left.name.removeprefix(_MARK).partition("-")[0]
        if number.isdigit() and not _is_alive(int(number)) and left.stat().st_uid == os.getuid():
            shutil.rmtree(left, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True
