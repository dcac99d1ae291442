"""A run: one ``.compute()`` under way, or over."""

from __future__ import annotations

import atexit
import threading
import weakref
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from cloudburst.diagnosis import TaskLog
from cloudburst.errors import Cancelled
from cloudburst.runtime.interrupts import uninterrupted

if TYPE_CHECKING:
    from cloudburst.prices import Cost

T = TypeVar("T")

Status = Literal["running", "done", "failed", "cancelled"]

_alive: weakref.WeakSet[Run[Any]] = weakref.WeakSet()


class Run(Generic[T]):
    """What ``submit()`` gives: a run that goes on by itself.

    Attributes
    ----------
    name : str
        What it is called.
    id : str
        By which ``cb.resume`` knows it.
    summary : Summary or None
        What it came to, in numbers and as text; ``None`` until it is over.
    cost : Cost or None
        What its machines cost at list price, also if it failed. ``None`` until it is over, and where nobody is paid:
        on this machine and in local containers.

    Examples
    --------
    >>> import cloudburst as cb
    >>> run = cb.defer(sum)([1, 2]).submit()
    >>> run.result()
    3
    >>> run.status
    'done'
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Run[T]], T],
        cancel: Callable[[str], None],
        id: str = "",  # noqa: A002
        end_s: float = 5.0,
    ) -> None:
        self.name = name
        self._end_s = end_s
        self.id = id
        self._work = work
        self._cancel = cancel
        self._future: Future[T] = Future()
        self._future.set_running_or_notify_cancel()
        self._errors: tuple[Exception, ...] = ()
        self._logs: Sequence[TaskLog] = ()
        self.summary: Any = None
        self.cost: Cost | None = None
        self._thread = threading.Thread(target=self._run, name=f"cloudburst run {name}", daemon=True)
        _alive.add(self)
        self._thread.start()

    def _run(self) -> None:
        try:
            value = self._work(self)
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to whoever asks for the result
            self._future.set_exception(error)
        else:
            self._future.set_result(value)
        finally:
            _alive.discard(self)

    def take(self, errors: Sequence[Exception], logs: Sequence[TaskLog]) -> None:
        """Take over what became of the tasks: their errors and what they printed."""
        self._errors = tuple(errors)
        self._logs = logs

    @property
    def status(self) -> Status:
        """``"running"``, ``"done"``, ``"failed"`` or ``"cancelled"``."""
        if not self._future.done():
            return "running"
        error = self._future.exception()
        if error is None:
            return "done"
        return "cancelled" if isinstance(error, Cancelled) else "failed"

    def result(self, timeout: float | None = None) -> T:
        """Wait for the value.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most; the run goes on.

        Raises
        ------
        TimeoutError
            If it is not there by then.
        Exception
            As ``Deferred.compute``.
        """
        try:
            error = self._future.exception(timeout)
        except FutureTimeout:
            raise TimeoutError(f"the run {self.name} has no result after {timeout:g} s; it goes on.") from None
        if error is not None:
            raise error.with_traceback(None)  # what it went through in our thread says nothing to the user
        return self._future.result()

    def result_or_cancel(self) -> T:
        """The value; if the wait is broken off, as by Ctrl-C, the run is cancelled and over before this returns."""
        try:
            return self.result()
        except BaseException:
            if not self._future.done():
                self._end("interrupted")
            raise

    def _end(self, reason: str) -> None:
        """Cancel it and wait until nothing is running any more; a second Ctrl-C does not break that off."""
        with uninterrupted():
            self.cancel(reason)
            self._thread.join(self._end_s)

    def cancel(self, reason: str = "cancelled by the user") -> None:
        """Stop all its tasks; ``result()`` raises ``Cancelled``. Nothing happens if it is over."""
        if not self._future.done():
            self._cancel(reason)

    def logs(self, stage: str | None = None) -> dict[str, str]:
        """What tasks printed and logged.

        Parameters
        ----------
        stage : str, optional
            Only tasks of this stage.

        Returns
        -------
        dict
            Text by the task's name; attempts that failed are there too, with their number.
        """
        found: dict[str, str] = {}
        for log in self._logs:
            if stage is None or log.stage == stage:
                found[log.task if log.task not in found else f"{log.task} attempt {log.attempt}"] = log.text
        return found

    @property
    def errors(self) -> tuple[Exception, ...]:
        """The error of every task that failed for good, in plan order."""
        return self._errors

    def __await__(self) -> Generator[Any, None, T]:
        import asyncio

        return asyncio.wrap_future(_guarded(self._future)).__await__()

    def __repr__(self) -> str:
        return f"<Run {self.name}: {self.status}>"


def _guarded(future: Future[T]) -> Future[T]:
    """A future of its own for each waiter, so that a cancelled waiter does not touch the run."""
    mirror: Future[T] = Future()

    def tell(done: Future[T]) -> None:
        if mirror.set_running_or_notify_cancel():
            error = done.exception()
            if error is not None:
                mirror.set_exception(error)
            else:
                mirror.set_result(done.result())

    future.add_done_callback(tell)
    return mirror


def _cancel_all() -> None:
    """At the end of the program nothing may be left running."""
    for run in list(_alive):
        run._end("the program ended")


atexit.register(_cancel_all)
