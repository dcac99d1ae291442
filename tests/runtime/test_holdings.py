"""Which worker has what on its own disk."""

from __future__ import annotations

from cloudburst.runtime import holdings
from cloudburst.runtime.holdings import LOOKED_AT, Holdings
from cloudburst.runtime.task import Artifact
from tests.runtime.plans import artifact, parts


def test_bytes_are_counted_by_worker():
    held = Holdings()
    held.note("w1", [artifact("a"), artifact("b")])
    held.note("w2", [artifact("b"), Artifact("pickle", "c", 500)])
    assert held.nbytes([artifact("a"), artifact("b"), Artifact("pickle", "c", 500)]) == {"w1": 20, "w2": 510}
    assert held.nbytes([artifact("elsewhere")]) == {}


def test_what_rides_in_a_record_lies_on_no_disk():
    held = Holdings()
    held.note("w1", [Artifact("pickle", b"small", 5)])
    assert held.nbytes([Artifact("pickle", b"small", 5)]) == {}


def test_parts_count_each_for_itself_and_no_more_of_them_than_are_looked_at():
    held = Holdings()
    many = parts(*[f"part/{number}" for number in range(1000)])
    held.note("w1", [many])
    assert held.nbytes([parts("part/3", "part/7")]) == {"w1": 20}
    assert held.nbytes([many]) == {"w1": 10 * LOOKED_AT}
    assert held.nbytes([artifact("x"), many, artifact("part/0")]) == {"w1": 10 * (LOOKED_AT - 1)}


def test_what_is_dropped_is_forgotten():
    held = Holdings()
    held.note("w1", [artifact("a"), artifact("b")])
    held.forget([artifact("a"), Artifact("pickle", b"small", 5)])
    assert held.nbytes([artifact("a"), artifact("b")]) == {"w1": 10}


def test_the_oldest_are_forgotten_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr(holdings, "REMEMBERED", 2)
    held = Holdings()
    held.note("w1", [artifact("a"), artifact("b"), artifact("c")])
    held.note("w2", [artifact("c")])
    assert list(held.holders) == ["b", "c"]
    assert held.nbytes([artifact("a"), artifact("c")]) == {"w1": 10, "w2": 10}
