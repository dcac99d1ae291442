"""A thread that waits: for moments, for output of programs, and for a tick in between."""

from __future__ import annotations

import heapq
import itertools
import os
import selectors
import threading
import time
from collections.abc import Callable

_TICK_S = 0.02
_CHUNK = 1 << 16


class Loop:
    """Does what is due, under a lock that others may take as well.

    Parameters
    ----------
    lock : threading.RLock
        Held whenever something is done.
    tick : callable
        Called about fifty times a second.
    """

    def __init__(self, lock: threading.RLock, tick: Callable[[], None]) -> None:
        self._lock = lock
        self._tick = tick
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._selector = selectors.DefaultSelector()
        self._hearers: dict[int, Callable[[bytes], None]] = {}
        self._may_end: Callable[[], bool] = lambda: False
        self._thread = threading.Thread(target=self._live, name="cloudburst fake fargate", daemon=True)
        self._ended = threading.Event()
        self.failure: BaseException | None = None

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def end(self, when: Callable[[], bool]) -> None:
        """Return when the thread has ended, which it does when there is no more to do."""
        with self._lock:
            self._may_end = when
        interrupt: KeyboardInterrupt | None = None
        while not self._ended.is_set():  # an interrupted join() takes the thread for ended, which it is not
            try:
                self._ended.wait()
            except KeyboardInterrupt as error:  # what is under way does not take long, and must not be left half done
                interrupt = error
        self._thread.join()
        self._selector.close()
        if interrupt is not None:
            raise interrupt
        if self.failure is not None:
            raise self.failure

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something after so many real seconds."""
        with self._lock:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._numbers), act))

    def listen(self, file: int, hear: Callable[[bytes], None]) -> None:
        """Give what can be read from a file to someone; nothing at its end."""
        self._hearers[file] = hear
        self._selector.register(file, selectors.EVENT_READ)

    def drain(self, file: int) -> None:
        """Read what is there now, and listen no more."""
        while file in self._hearers and self._read(file):
            pass
        self._forget(file)

    def _live(self) -> None:
        try:
            while True:
                heard = self._selector.select(_TICK_S) if self._hearers else self._doze()
                with self._lock:
                    for key, _ in heard:
                        if key.fd in self._hearers:
                            self._read(key.fd)
                    while self._due and self._due[0][0] <= time.monotonic():
                        heapq.heappop(self._due)[2]()
                    self._tick()
                    if self._may_end():
                        return
        except BaseException as error:  # noqa: BLE001  # told by end(), in the user's own thread
            self.failure = error
        finally:
            self._ended.set()

    @staticmethod
    def _doze() -> list[tuple[selectors.SelectorKey, int]]:
        time.sleep(_TICK_S)
        return []

    def _read(self, file: int) -> bool:
        try:
            data = os.read(file, _CHUNK)
        except BlockingIOError:
            return False
        self._hearers[file](data)
        if not data:
            self._forget(file)
        return bool(data)

    def _forget(self, file: int) -> None:
        if self._hearers.pop(file, None) is not None:
            self._selector.unregister(file)
