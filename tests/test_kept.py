"""What is kept in a store: found while it is there, also by later programs where it is to last."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cloudburst.errors import NotFound, StoreError, Tampered
from cloudburst.kept import Kept, keys_of
from cloudburst.runtime.artifacts import read, trailer_told, write
from cloudburst.runtime.envelope import derive, seal
from cloudburst.runtime.stores.local import LocalStore
from cloudburst.runtime.stores.memory import MemoryStore
from cloudburst.runtime.task import Artifact
from tests.history.told import Ages
from tests.runtime.outages import Outages

ONE, TWO = b"1" * 16, b"2" * 16


@pytest.mark.parametrize("value", [5, bytes(100_000)])
@pytest.mark.parametrize("parts", [False, True])
def test_what_lasts_is_found_by_another_program(value: object, parts: bool) -> None:
    store = MemoryStore()
    artifact = write([value, value] if parts else value, store, "a/b", parts=parts)
    assert Kept(store, durable=True).keep({ONE: artifact}) == {ONE: artifact}
    later = Kept(store, durable=True)
    assert later.among([ONE, TWO], lasting=[ONE, TWO]) == {ONE: artifact}
    assert later.among([ONE]) == {}


def test_what_does_not_last_is_known_here_alone() -> None:
    store = MemoryStore()
    here = Kept(store, durable=True)
    artifact = write(5, store, "a")
    here.add(ONE, artifact)
    assert here.among([ONE]) == {ONE: artifact}
    assert Kept(store, durable=True).among([ONE], lasting=[ONE]) == {}
    private = Kept(store, durable=False)
    private.keep({TWO: artifact})
    assert Kept(store, durable=True).among([TWO], lasting=[TWO]) == {}


def test_what_has_gone_from_the_store_is_not_found() -> None:
    store = MemoryStore()
    kept = Kept(store, durable=False)
    artifact = write([bytes(100_000), 1], store, "a", parts=True)
    kept.add(ONE, artifact)
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
    lasting = receipts(store).keep({ONE: artifact})
    assert store.list("kept/") == [f"kept/u1/{ONE.hex()}"]
    assert receipts(store).among([ONE], lasting=[ONE]) == lasting
    assert receipts(store, THEIRS, "u2").among([ONE], lasting=[ONE]) == {}


def test_a_receipt_says_what_the_value_has_to_be(tmp_path: Path) -> None:
    store = LocalStore(tmp_path, shared=True)
    artifact = write(bytes(100_000), store, "a")
    assert artifact.checksum is not None
    receipts(store).keep({ONE: artifact})
    assert receipts(store).among([], lasting=[ONE])[ONE].checksum == artifact.checksum


@pytest.mark.parametrize("how", ["changed", "of another digest", "of another user's key", "unsigned", "a pickle"])
def test_a_planted_receipt_is_told_and_not_followed(how: str) -> None:
    store = MemoryStore(shared=True)
    artifact = write(bytes(100_000), store, "a")
    receipts(store).keep({ONE: artifact})
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
    lasting = kept.keep(made)
    assert list(lasting) == list(made)
    assert receipts(store).among([], lasting=digests) == lasting
    store.delete(keys_of(lasting[digests[0]]))
    assert digests[0] not in receipts(store).among([], lasting=digests)


# ---------------------------------------------------------------- values that went, and records that say nothing


@pytest.mark.parametrize("secret", [None, MINE])
def test_a_value_that_has_gone_is_kept_anew(secret: bytes | None) -> None:
    store = MemoryStore(shared=True)
    here = Kept(store, durable=True, user="u1", secret=secret)
    lasting = here.keep({ONE: write(bytes(100_000), store, "old")})[ONE]
    store.delete(["old", *keys_of(lasting)])
    later = Kept(store, durable=True, user="u1", secret=secret)
    assert later.among([], lasting=[ONE]) == {}
    again = write(bytes(100_000), store, "new")
    lasting = later.keep({ONE: again})
    assert Kept(store, durable=True, user="u1", secret=secret).among([], lasting=[ONE]) == lasting


@pytest.mark.parametrize(
    "record", [b"", b"{", b"[]", b'{"v": 1}', b'{"v": 1, "artifact": {"codec": "pickle"}}', b"\xff"]
)
def test_a_record_that_says_nothing_is_named_with_the_mend(record: bytes) -> None:
    store = MemoryStore()
    store.put(f"kept/{ONE.hex()}", [record])
    with pytest.raises(StoreError, match=f"kept/{ONE.hex()} .* is no record of a kept value.*Remove it"):
        Kept(store, durable=True).among([], lasting=[ONE])


# ---------------------------------------------------------------- values that outlive the runs that made them


def parted(store: Any) -> dict[bytes, Artifact]:
    """A value, and a list in parts, two of which are equal to one another and to the value."""
    items = [bytes(100_000), 1, b"\1" * 100_000, bytes(100_000)]
    return {ONE: write(items[0], store, "runs/r/a/0"), TWO: write(items, store, "runs/r/b/0", parts=True)}


def without_runs(store: Any) -> None:
    store.delete(store.list("runs/"))


def test_what_is_kept_outlives_its_run_and_is_as_it_was() -> None:
    store = MemoryStore(shared=True)
    made = parted(store)
    values = {digest: read(artifact, store) for digest, artifact in made.items()}
    Kept(store, durable=True, user="u1", secret=MINE).keep(made)
    without_runs(store)
    found = receipts(store).among([], lasting=[ONE, TWO])
    assert {digest: read(artifact, store) for digest, artifact in found.items()} == values


def test_what_is_kept_is_named_by_what_is_in_it_and_copied_once() -> None:
    store = Outages(MemoryStore(shared=True))
    made = parted(store)
    store.calls.clear()
    kept = receipts(store)
    lasting = kept.keep(made)
    assert store.calls == {"age_s": 2, "copy": 2, "put": 2}
    contents = [bytes(100_000), b"\1" * 100_000]
    told = {hashlib.sha256(bytes(store.get(key))).hexdigest(): key for key in store.list("values/")}
    assert len(told) == len(contents)
    assert all(key == f"values/{content[:3]}/{content}" for content, key in told.items())
    assert {key for artifact in lasting.values() for key in keys_of(artifact)} == set(told.values())
    for again in (made, lasting, parted(store)):
        assert receipts(store).keep(again) == lasting
    assert store.calls["copy"] == 2
    assert all(kept.holds(key) for key in told.values())
    assert not any(kept.holds(key) for key in store.list("runs/"))


def test_an_old_copy_is_made_anew_since_somebody_may_be_removing_it() -> None:
    ages = Ages(shared=True)
    store = Outages(ages)
    made = parted(store)
    [key] = keys_of(receipts(store).keep(made)[ONE])
    ages.ages[key] = 3 * 86400.0
    receipts(store).keep(made)
    assert store.calls["copy"] == 2 + 1


@pytest.mark.parametrize("step", range(6))
def test_whatever_fails_nothing_is_named_that_is_not_there(step: int) -> None:
    inner = MemoryStore(shared=True)
    store = Outages(inner)
    made = parted(store)
    asked: list[str] = []

    def refuse(method: str, key: str) -> Exception | None:
        asked.append(method)
        return StoreError("S3 cannot be reached") if len(asked) > step else None

    store.refuse = refuse
    with pytest.raises(StoreError, match="cannot be reached"):
        receipts(store).keep(made)
    without_runs(inner)
    found = receipts(inner).among([], lasting=[ONE, TWO])
    assert len(found) == len(inner.list("kept/")) <= 1
    for artifact in found.values():
        assert read(artifact, inner)
    store.back()
    assert receipts(store).keep(parted(store)).keys() == made.keys()


def test_a_large_frame_that_is_kept_is_read_by_columns_and_row_groups() -> None:
    store = MemoryStore(shared=True)
    frame = pd.DataFrame({"x": np.arange(300_000), "y": np.random.default_rng(0).random(300_000)})
    made = write(frame, store, "runs/r/a/0")
    [lasting] = receipts(store).keep({ONE: made}).values()
    assert lasting.checksum == made.checksum
    assert trailer_told(lasting) is not None
    without_runs(store)
    pd.testing.assert_frame_equal(read(lasting, store, ["y"]), frame[["y"]])
    some = read(lasting._replace(groups=(1,)), store, ["x"])
    pd.testing.assert_frame_equal(some, frame[["x"]].iloc[131_072:262_144])
    [key] = store.list("values/")
    data = bytearray(store.get(key))
    data[len(data) // 2] ^= 1
    store.put(key, [data])
    with pytest.raises(Tampered):
        read(lasting, store)


@pytest.mark.parametrize("columns", [None, ["x"]])
def test_of_a_value_that_has_been_removed_the_mend_is_said(columns: list[str] | None) -> None:
    store = MemoryStore(shared=True)
    made = write(pd.DataFrame({"x": np.random.default_rng(0).random(200_000)}), store, "runs/r/a/0")
    [lasting] = receipts(store).keep({ONE: made}).values()
    store.delete(store.list(""))
    with pytest.raises(NotFound, match=r"There is no values/\S+ in memory:\S+: it was kept by .*persist\(\) it again"):
        read(lasting, store, columns)
    with pytest.raises(NotFound, match=r"^There is no runs/r/a/0 in memory:\S+\.$"):
        read(made, store, columns)


def test_in_a_directory_of_ones_own_nothing_is_copied(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    made = parted(store)
    assert Kept(store, durable=True).keep(made) == made
    assert store.list("values/") == []
