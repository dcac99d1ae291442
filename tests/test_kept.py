"""What is kept in a store: found while it is there, also by later programs where it is to last."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from cloudburst.errors import StoreError, Tampered
from cloudburst.kept import Kept, keys_of
from cloudburst.runtime.artifacts import write
from cloudburst.runtime.envelope import derive, seal
from cloudburst.runtime.stores.local import LocalStore
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


# ---------------------------------------------------------------- on a store that others can write to

MINE, THEIRS = b"my own key", b"somebody else's"


class Bomb:
    """Says so if it is unpickled."""

    def __reduce__(self) -> Any:
        return (pytest.fail, ("a planted pickle was read",))


def receipts(store: MemoryStore, secret: bytes = MINE, user: str = "u1") -> Kept:
    return Kept(store, durable=True, user=user, secret=secret)


def test_a_receipt_is_good_for_its_user_alone() -> None:
    store = MemoryStore(shared=True)
    artifact = write(bytes(100_000), store, "a")
    receipts(store).add(ONE, artifact, lasting=True)
    assert store.list("kept/") == [f"kept/u1/{ONE.hex()}"]
    assert receipts(store).among([ONE], lasting=[ONE]) == {ONE: artifact}
    assert receipts(store, THEIRS, "u2").among([ONE], lasting=[ONE]) == {}


def test_a_receipt_says_what_the_value_has_to_be(tmp_path: Path) -> None:
    store = LocalStore(tmp_path, shared=True)
    artifact = write(bytes(100_000), store, "a")
    assert artifact.checksum is not None
    receipts(store).add(ONE, artifact, lasting=True)
    assert receipts(store).among([], lasting=[ONE])[ONE].checksum == artifact.checksum


@pytest.mark.parametrize("how", ["changed", "of another digest", "of another user's key", "unsigned", "a pickle"])
def test_a_planted_receipt_is_told_and_not_followed(how: str) -> None:
    store = MemoryStore(shared=True)
    artifact = write(bytes(100_000), store, "a")
    receipts(store).add(ONE, artifact, lasting=True)
    key, other = f"kept/u1/{ONE.hex()}", f"kept/u1/{TWO.hex()}"
    written = bytes(store.get(key))
    planted, at = {
        "changed": (written.replace(b'"nbytes": 1', b'"nbytes": 2'), key),
        "of another digest": (written, other),
        "of another user's key": (seal("receipt", key, b"{}", derive(THEIRS, "receipt")), key),
        "unsigned": (json.dumps({"v": 1, "artifact": {"codec": "pickle", "key": "b", "nbytes": 1}}).encode(), key),
        "a pickle": (pickle.dumps(Bomb()), key),
    }[how]
    assert planted != written or at != key
    store.put(at, [planted])
    with pytest.raises(Tampered, match=f"{at}"):
        receipts(store).among([], lasting=[ONE, TWO])


def test_many_are_looked_for_at_once_and_each_is_found() -> None:
    store = MemoryStore(shared=True)
    digests = [number.to_bytes(16, "big") for number in range(100)]
    kept = receipts(store)
    made = {digest: write(bytes([digest[-1]]) * 100_000, store, f"a/{digest.hex()}") for digest in digests[::2]}
    for digest, artifact in made.items():
        kept.add(digest, artifact, lasting=True)
    assert receipts(store).among([], lasting=digests) == made
    store.delete([f"a/{digests[0].hex()}"])
    assert digests[0] not in receipts(store).among([], lasting=digests)


# ---------------------------------------------------------------- values that went, and records that say nothing


@pytest.mark.parametrize("secret", [None, MINE])
def test_a_value_that_has_gone_is_kept_anew(secret: bytes | None) -> None:
    store = MemoryStore(shared=True)
    here = Kept(store, durable=True, user="u1", secret=secret)
    here.add(ONE, write(bytes(100_000), store, "old"), lasting=True)
    store.delete(["old"])
    later = Kept(store, durable=True, user="u1", secret=secret)
    assert later.among([], lasting=[ONE]) == {}
    again = write(bytes(100_000), store, "new")
    later.add(ONE, again, lasting=True)
    assert Kept(store, durable=True, user="u1", secret=secret).among([], lasting=[ONE]) == {ONE: again}


@pytest.mark.parametrize(
    "record", [b"", b"{", b"[]", b'{"v": 1}', b'{"v": 1, "artifact": {"codec": "pickle"}}', b"\xff"]
)
def test_a_record_that_says_nothing_is_named_with_the_mend(record: bytes) -> None:
    store = MemoryStore()
    store.put(f"kept/{ONE.hex()}", [record])
    with pytest.raises(StoreError, match=f"kept/{ONE.hex()} .* is no record of a kept value.*Remove it"):
        Kept(store, durable=True).among([], lasting=[ONE])
