"""What a driver counts."""

from __future__ import annotations

from cloudburst.runtime.books import Books
from cloudburst.runtime.events import Assign, Began, Cancelled, Delay, Due, Gone, Hello, Launch, LaunchFailed, Stop
from cloudburst.runtime.task import TaskId
from tests.runtime.events import assign, failed, made
from tests.runtime.plans import SMALL

NONE = lambda task: 0  # noqa: E731


def happened(books, *events, attempts=NONE):
    for event in events:
        books.happened(event, attempts)


def test_what_was_given_is_waited_for_until_it_has_ended():
    books = Books()
    assert not books.is_waiting
    books.assigned(assign("w1", (0, 1), (1, 1)))
    assert (books.is_waiting, books.busy) == (True, ["w1"])
    happened(books, Began("w1", TaskId(0), 1), failed(0))
    books.withdrawn("w1")
    assert (books.is_waiting, books.busy) == (False, [])
    books.assigned(assign("w1", (0, 2)))
    happened(books, Gone("w1", "lost", "", TaskId(0), ("w1", 3, 9)), attempts=lambda task: 2)
    assert not books.is_waiting
    assert (books.attempts, books.logs[-1]) == (2, (TaskId(0), 2, ("w1", 3, 9)))


def test_what_was_asked_for_is_waited_for_until_it_comes_or_fails():
    books = Books()
    books.launched(Launch(SMALL, 3, "1"))
    happened(books, Hello("w1"), LaunchFailed("1", 1, ""))
    assert (books.is_waiting, books.started) == (True, 3)
    happened(books, Hello("w2"), Hello("stranger"), LaunchFailed("1", 9, ""))
    assert not books.is_waiting


def test_bytes_and_places_of_what_was_printed_are_kept():
    books = Books()
    books.assigned(assign("w1", (0, 1), (1, 1)))
    happened(books, made(0), made(1)._replace(log=("w1", 9, 9)), Gone("w1", "stopped", "", None), Cancelled(""))
    assert (books.nbytes, books.attempts, books.logs) == (20, 2, [(TaskId(0), 1, ("w1", 0, 9))])


def test_what_another_driver_has_carried_out_counts_as_if_it_were_ones_own():
    books = Books()
    delays = Delay(TaskId(0), 2.0), Delay(None, 4.0, SMALL)
    books.carried_out([Launch(SMALL, 2, "1"), Assign("w1", ((TaskId(0), 1),)), *delays, Stop(("w9",))])
    assert (books.started, books.launching, books.busy) == (2, 2, ["w1"])
    assert list(books.delays.values()) == [*delays]
    happened(books, Due(None, SMALL), Due(None))
    assert list(books.delays.values()) == [delays[0]]
