"""Providers: where pipelines run. The one on this machine needs no set-up and is the default."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cloudburst.kept import Kept
from cloudburst.resources import Size
from cloudburst.settings import LocalSettings, local_settings

if TYPE_CHECKING:
    from cloudburst.runtime.protocols import Backend, Store
    from cloudburst.runtime.state import Limits


class Provider(Protocol):
    """A store and a backend together, and what they allow."""

    @property
    def store(self) -> Store:
        """Where values lie."""
        ...

    @property
    def kept(self) -> Kept:
        """What earlier runs left there."""
        ...

    @property
    def default_size(self) -> Size:
        """What a task gets that has no size of its own."""
        ...

    def limits(self, keep_going: bool) -> Limits:
        """What may run at once."""
        ...

    def borrow(self) -> Backend:
        """A backend for one run, with the workers that are up already."""
        ...

    def give_back(self, backend: Backend) -> None:
        """The run is over: its workers may serve the next."""
        ...

    def close(self) -> None:
        """Stop all workers and remove what is private to this process."""
        ...


class LocalProvider:
    """Pipelines in worker processes on this machine.

    Workers stay up between runs, so that the next ``compute()`` starts at once. They and the private directory go when
    the program ends, in whichever way.
    """

    def __init__(self, settings: LocalSettings) -> None:
        self.settings = settings
        self.default_size = Size()
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
        """A new directory that goes with this process; those that killed processes left there are removed first."""
        _sweep(parent)
        path = Path(tempfile.mkdtemp(prefix=f"{_MARK}{os.getpid()}-", dir=parent))
        self._private.append(path)
        return path


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


_MARK = "cloudburst-"

_lock = threading.Lock()
_current: LocalProvider | None = None
_using: ContextVar[Provider | None] = ContextVar("cloudburst provider", default=None)


def init_local(
    *,
    workers: int | None = None,
    memory: int | str | None = None,
    storage: str | os.PathLike[str] | None = None,
) -> LocalProvider:
    """Run pipelines in worker processes on this machine; without a call, that is what happens, with the defaults.

    Parameters
    ----------
    workers : int, optional
        Worker processes at once; as many as this process may use CPUs by default.
    memory : int or str, optional
        What all tasks that run at once may claim together, in MiB or as text such as ``"8 GB"``; what the machine has
        by default. A task that asks for more than that runs alone.
    storage : path, optional
        A directory for what passes between tasks, and for cached results, which are then there for later programs too.
        By default a private one, in memory as long as there is room, that goes with the program.

    Returns
    -------
    LocalProvider
        Current from now on; it can be given to ``cb.using`` too.

    Raises
    ------
    SettingsError
        Naming the setting that is wrong.

    Examples
    --------
    >>> import cloudburst as cb
    >>> provider = cb.init_local(workers=2, memory="2 GB")
    >>> provider.settings.workers
    2
    """
    global _current
    provider = LocalProvider(local_settings(workers, memory, storage))
    with _lock:
        before, _current = _current, provider
    if before is not None:
        before.close()
    return provider


def current() -> Provider:
    """The provider that a run uses which starts now."""
    global _current
    used = _using.get()
    if used is not None:
        return used
    with _lock:
        if _current is None:
            _current = LocalProvider(local_settings())
        return _current


@contextmanager
def using(provider: Provider) -> Iterator[Provider]:
    """Use a provider for the runs of a block; its workers stay up from one to the next and end with the block.

    Examples
    --------
    >>> import cloudburst as cb
    >>> with cb.using(cb.init_local(workers=1)):
    ...     cb.defer(sum)([1, 2]).compute()
    3
    """
    token = _using.set(provider)
    try:
        yield provider
    finally:
        _using.reset(token)
        provider.close()


def _close_at_exit() -> None:
    with _lock:
        provider = _current
    if provider is not None:
        with _uninterrupted():
            provider.close()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C is not heard while what must go is going."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


atexit.register(_close_at_exit)
