from __future__ import annotations

import pytest

from cloudburst.errors import AccessDenied, NotFound, StoreError, Tampered
from cloudburst.runtime import patience
from cloudburst.runtime.patience import patiently


class Busy:
    def __init__(self, times, error=StoreError):
        self.times, self.error, self.asked = times, error, 0

    def __call__(self):
        self.asked += 1
        if self.asked <= self.times:
            raise self.error("no")
        return "there"


@pytest.fixture(autouse=True)
def slept(monkeypatch):
    slept = []
    clock = [0.0]

    def sleep(seconds):
        slept.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(patience, "sleep", sleep)
    monkeypatch.setattr(patience, "monotonic", lambda: clock[0])
    return slept


def test_a_store_that_comes_back_is_asked_again_less_and_less_often(slept):
    assert patiently(Busy(7)) == "there"
    assert slept == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


def test_it_is_given_up_after_the_limit(slept):
    busy = Busy(1000)
    with pytest.raises(StoreError, match="no"):
        patiently(busy, 10.0)
    assert sum(slept) <= 10.0
    assert busy.asked == len(slept) + 1


@pytest.mark.parametrize("error", [AccessDenied, NotFound, Tampered])
def test_what_waiting_does_not_mend_is_told_at_once(error, slept):
    with pytest.raises(error):
        patiently(Busy(1, error))
    assert slept == []


def test_it_is_given_up_when_there_is_no_more_use_in_it(slept):
    with pytest.raises(StoreError):
        patiently(Busy(1000), give_up=lambda: len(slept) == 2)
    assert len(slept) == 2
