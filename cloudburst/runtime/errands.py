"""Requests to a store made beside the main thread of a worker, which may not wait: a time-out or a SIGTERM may come."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, Generic, NamedTuple, TypeVar

_T = TypeVar("_T")


class _Answer(NamedTuple):
    value: Any
    error: BaseException | None


class Errand(Generic[_T]):
    """One request at a time, made by a thread of its own, which the end of the program does not wait for.

    Parameters
    ----------
    name : str
        What the thread is called.
    done : callable
        Called by that thread when there is an answer.

    Examples
    --------
    >>> from threading import Event
    >>> bell = Event()
    >>> errand = Errand("sum", bell.set)
    >>> errand.send(lambda: 1 + 2)
    >>> bell.wait(10), errand.answer(), errand.is_under_way
    (True, 3, False)
    """

    def __init__(self, name: str, done: Callable[[], object]) -> None:
        self._done = done
        self._requests: SimpleQueue[Callable[[], _T]] = SimpleQueue()
        self._answers: SimpleQueue[_Answer] = SimpleQueue()
        self.is_under_way = False
        """From the request until its answer is taken."""
        Thread(target=self._serve, name=f"cloudburst-{name}", daemon=True).start()

    def send(self, act: Callable[[], _T]) -> None:
        """Have a request made. None may be under way."""
        assert not self.is_under_way
        self.is_under_way = True
        self._requests.put(act)

    @property
    def is_answered(self) -> bool:
        """Whether there is an answer to be taken."""
        return not self._answers.empty()

    def answer(self) -> _T:
        """What came of it, once it is answered.

        Raises
        ------
        BaseException
            What the request raised.
        """
        value, error = self._answers.get()
        self.is_under_way = False
        if error is not None:
            raise error
        answer: _T = value
        return answer

    def _serve(self) -> None:
        while True:
            act = self._requests.get()
            try:
                answer = _Answer(act(), None)
            except BaseException as error:  # noqa: BLE001 - it is raised where the answer is taken
                answer = _Answer(None, error)
            del act
            self._answers.put(answer)
            self._done()
