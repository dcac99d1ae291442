from __future__ import annotations

import pickle
import sys
import threading

import pytest

from cloudburst.errors import StageError
from cloudburst.runtime import failures
from cloudburst.runtime.failures import describe, failure_of, pickled


class Picky(Exception):
    """Cannot be made again from its arguments."""

    def __init__(self, code, reason):
        super().__init__(f"{code}: {reason}")
        self.code = code


class Forgetful(Exception):
    """Comes back with another text."""

    def __init__(self, text="default"):
        super().__init__()
        self.text = text

    def __str__(self):
        return self.text

    def __reduce__(self):
        return Forgetful, ()


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def caught(raising):
    try:
        raising()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def back(error):
    data = pickled(error)
    assert data is not None
    return pickle.loads(data)


def test_an_exception_comes_back_with_its_arguments_attributes_and_notes():
    error = ValueError("no rows", 3)
    error.table = "flights"
    error.add_note("look at the filter")
    again = back(error)
    assert type(again) is ValueError
    assert (again.args, again.table, again.__notes__) == (("no rows", 3), "flights", ["look at the filter"])


def test_cause_and_context_come_back():
    def with_cause():
        try:
            raise KeyError("a")
        except KeyError as error:
            raise ValueError("b") from error

    def with_context():
        try:
            raise KeyError("a")
        except KeyError:
            raise ValueError("b")  # noqa: B904

    again = back(caught(with_cause))
    assert (type(again.__cause__), again.__cause__ is again.__context__, again.__suppress_context__) == (
        KeyError,
        True,
        True,
    )
    again = back(caught(with_context))
    assert (again.__cause__, type(again.__context__), again.__suppress_context__) == (None, KeyError, False)


def test_a_cause_that_cannot_travel_is_told_in_words():
    error = ValueError("outer")
    error.__cause__ = KeyError("inner", threading.Lock())
    again = back(error)
    assert type(again.__cause__) is StageError
    assert str(again.__cause__).startswith("KeyError: ('inner', <unlocked")


@pytest.mark.parametrize("error", [Picky(3, "no"), Forgetful("text")], ids=lambda e: type(e).__name__)
def test_an_exception_whose_pickle_forgets_is_made_again_without_its_init(error):
    again = back(error)
    assert type(again) is type(error)
    assert (str(again), again.args, again.__dict__) == (str(error), error.args, error.__dict__)


def test_a_ring_of_causes_and_a_long_chain_end():
    ring = ValueError("a")
    ring.__cause__ = KeyError("b")
    ring.__cause__.__cause__ = ring
    again = back(ring)
    assert again.__cause__.__cause__ is again
    error = top = ValueError("0")
    for number in range(1, 100):
        error.__cause__ = ValueError(str(number))
        error = error.__cause__
    depth, one = 0, back(top)
    while one is not None:
        depth, one = depth + 1, one.__cause__
    assert depth == 16


def test_a_class_that_only_the_script_has_comes_back_as_itself():
    class Local(Exception):
        pass

    again = back(Local("x"))
    assert type(again) is Local


@pytest.mark.parametrize(
    "error", [KeyError(threading.Lock()), ValueError(sys._getframe())], ids=lambda e: type(e).__name__
)
def test_what_does_not_survive_a_pickle_stays_behind(error):
    assert pickled(error) is None
    failure = failure_of(error, 2)
    assert failure.exception is None
    assert failure.message == describe(error)[: failures.LONGEST]
    assert failure.step == 2


def test_a_huge_exception_stays_behind(monkeypatch):
    monkeypatch.setattr(failures, "LARGEST", 1000)
    assert pickled(ValueError("x" * 500)) is not None
    assert pickled(ValueError("x" * 1500)) is None


def test_an_exception_without_words_and_one_that_cannot_speak():
    assert describe(ValueError()) == "ValueError"
    assert describe(Mute()) == "Mute: <its text cannot be shown: RuntimeError>"
    assert failure_of(Mute()).message.startswith("Mute: <its text")


def test_a_long_traceback_keeps_its_ends():
    error = ValueError("x" * 1_000_000 + "end")
    failure = failure_of(error)
    assert len(failure.traceback) < failures.LONGEST + 100
    assert len(failure.message) == failures.LONGEST
    assert failure.traceback.endswith("end\n")


def test_the_cause_is_shown_in_the_traceback():
    def outer():
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise ValueError("outer") from error

    text = failure_of(caught(outer)).traceback
    assert text.index("KeyError: 'inner'") < text.index("direct cause") < text.index("ValueError: outer")


def test_an_exception_group_comes_back():
    group = ExceptionGroup("several", [ValueError("a"), KeyError("b")])
    again = back(group)
    assert [type(one) for one in again.exceptions] == [ValueError, KeyError]
