"""What is kept in a store: found while it is there, also by later programs where it is to last."""

from __future__ import annotations

import pytest

from cloudburst.kept import Kept, keys_of
from cloudburst.runtime.artifacts import write
from cloudburst.runtime.stores.memory import MemoryStore
from cloudburst.runtime.task import Artifact

ONE, TWO = b"1" * 16, b"2" * 16


@pytest.mark.parametrize("value", [5, bytes(100_000)])
@pytest.mark.parametrize("parts", [False, True])
def test_what_lasts_is_found_by_another_program(value: object, parts: bool) -> None:
    store = MemoryStore()
    artifact = write([value, value] if parts else value, store, "a/b", parts=parts)
    Kept(store, durable=True).add(ONE, artifact, lasting=True)
    later = Kept(store, durable=True)
    assert later.among([ONE, TWO], lasting=[ONE, TWO]) == {ONE: artifact}
    assert later.among([ONE]) == {}


def test_what_does_not_last_is_known_here_alone() -> None:
    store = MemoryStore()
    here = Kept(store, durable=True)
    artifact = write(5, store, "a")
    here.add(ONE, artifact, lasting=False)
    assert here.among([ONE]) == {ONE: artifact}
    assert Kept(store, durable=True).among([ONE], lasting=[ONE]) == {}
    private = Kept(store, durable=False)
    private.add(TWO, artifact, lasting=True)
    assert Kept(store, durable=True).among([TWO], lasting=[TWO]) == {}


def test_what_has_gone_from_the_store_is_not_found() -> None:
    store = MemoryStore()
    kept = Kept(store, durable=False)
    artifact = write([bytes(100_000), 1], store, "a", parts=True)
    kept.add(ONE, artifact, lasting=False)
    assert kept.holds("a/0")
    assert not kept.holds("a/1")
    store.delete(keys_of(artifact))
    assert kept.among([ONE]) == {}


def test_records_of_another_version_are_passed_over() -> None:
    store = MemoryStore()
    store.put(f"kept/{ONE.hex()}", [b'{"v": 2, "artifact": {}}'])
    assert Kept(store, durable=True).among([], lasting=[ONE]) == {}


def test_keys_of_parts_are_found_at_any_depth() -> None:
    inner = Artifact("parts", (Artifact("pickle", "k1", 1), Artifact("pickle", b"x", 1)), 2)
    assert keys_of(Artifact("parts", (inner, Artifact("pickle", "k2", 1)), 3)) == ["k2", "k1"]
