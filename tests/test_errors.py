"""Errors: a tree by fault, and everything in it travels."""

from __future__ import annotations

import pickle

import pytest

import cloudburst as cb
from cloudburst import errors

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, cb.CloudburstError)]


def made(kind: type[cb.CloudburstError]) -> cb.CloudburstError:
    if kind is cb.ComputeError:
        group = cb.ComputeError("two failed", [ValueError(1), cb.StageError("no", stage="f")])
        group.skipped = ("g-1",)
        return group
    if issubclass(kind, cb.TaskError):
        return kind("it failed", stage="f", task="f-12", attempt=2, log_tail="printed")
    return kind("it failed")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_survives_pickling_with_all_that_it_carries(kind: type[cb.CloudburstError]) -> None:
    error = made(kind)
    error.add_note("a note")
    error.__cause__ = ValueError("cause")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    assert again.__dict__ == error.__dict__
    assert repr(again.__cause__) == "ValueError('cause')"


def test_a_group_of_errors_can_be_split() -> None:
    group = made(cb.ComputeError)
    assert isinstance(group, cb.ComputeError)
    matched, rest = group.split(ValueError)
    assert isinstance(matched, cb.ComputeError)
    assert isinstance(rest, cb.ComputeError)
    assert [type(one) for one in rest.exceptions] == [cb.StageError]


def test_out_of_memory_tells_peak_and_limit() -> None:
    error = cb.OutOfMemory("too much", peak_mib=3000.0, limit_mib=2048, stage="big")
    again = pickle.loads(pickle.dumps(error))
    assert (again.peak_mib, again.limit_mib, again.stage) == (3000.0, 2048, "big")


def test_wrong_arguments_are_a_type_error_too() -> None:
    assert issubclass(cb.ArgumentError, TypeError)
