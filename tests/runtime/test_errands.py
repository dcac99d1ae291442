from __future__ import annotations

from threading import Event

import pytest

from cloudburst.errors import StoreError
from cloudburst.runtime.errands import Errand


@pytest.fixture
def bell():
    return Event()


def test_a_request_is_made_elsewhere_while_one_does_something_else(bell):
    gate = Event()
    errand = Errand("test", bell.set)
    errand.send(gate.wait)
    assert errand.is_under_way
    assert not errand.is_answered
    gate.set()
    assert bell.wait(10)
    assert errand.is_answered
    assert errand.answer() is True
    assert not errand.is_under_way


def test_what_a_request_raises_is_raised_where_its_answer_is_taken(bell):
    def refuse():
        raise StoreError("no")

    errand = Errand("test", bell.set)
    for _ in range(2):
        bell.clear()
        errand.send(refuse)
        assert bell.wait(10)
        with pytest.raises(StoreError, match="no"):
            errand.answer()
        assert not errand.is_under_way
