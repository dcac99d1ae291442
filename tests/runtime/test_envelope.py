from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.errors import Tampered
from cloudburst.runtime.envelope import derive, seal, unseal

KINDS = st.sampled_from(["pool", "lease", "letter", "said", "receipt", "plan", "journal"])
ADDRESSES = st.text("abc/0.-", min_size=1, max_size=20)
SECRETS = st.binary(min_size=1, max_size=32)


@given(KINDS, ADDRESSES, st.binary(max_size=200), SECRETS)
def test_what_was_written_comes_back(kind, address, body, secret):
    assert unseal(kind, address, seal(kind, address, body, secret), secret) == body
    assert unseal(kind, address, memoryview(seal(kind, address, memoryview(body), secret)), secret) == body


def test_the_end_of_the_head_cannot_be_taken_away_where_nothing_follows():
    message = seal("pool", "a", b"", b"secret")
    assert unseal("pool", "a", message, b"secret") == b""
    with pytest.raises(Tampered):
        unseal("pool", "a", message[:-1], b"secret")


@given(KINDS, ADDRESSES, st.binary(max_size=60), st.data())
def test_no_byte_can_be_changed_added_or_taken_away(kind, address, body, data):
    message = seal(kind, address, body, b"secret")
    place = data.draw(st.integers(0, len(message) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda value: value != message[place]))
    byte = bytes([other])
    for changed in (
        message[:place] + byte + message[place + 1 :],
        message[:place] + byte + message[place:],
        message[:place] + message[place + 1 :],
        message[:place],
    ):
        with pytest.raises(Tampered):
            unseal(kind, address, changed, b"secret")


@given(KINDS, KINDS, ADDRESSES, ADDRESSES, SECRETS, SECRETS)
def test_it_holds_for_its_kind_its_place_and_its_key_alone(kind, other_kind, address, other_address, key, other_key):
    message = seal(kind, address, b"body", key)
    if (kind, address, key) != (other_kind, other_address, other_key):
        with pytest.raises(Tampered, match="its signature does not hold"):
            unseal(other_kind, other_address, message, other_key)


@given(st.binary(max_size=400))
def test_anything_else_is_told_from_a_message(planted):
    with pytest.raises(Tampered, match="Nothing of it was used"):
        unseal("letter", "mail/w1/000001", planted, b"secret")


@pytest.mark.parametrize(
    "head",
    [
        b'{"v": 1, "kind": "letter", "mac": "\\ud800"}',
        b'{"v": 1, "kind": "letter", "mac": null}',
        b'{"v": true, "kind": "letter", "mac": "00"}',
        b"[" * 200,
        b"\xff\xfe",
        b"[]",
        b"1" * 5000,
    ],
)
def test_heads_that_are_odd_are_tampering_and_nothing_worse(head):
    with pytest.raises(Tampered):
        unseal("letter", "a", head + b"\nbody", b"secret")


def test_another_version_is_named():
    message = seal("pool", "a", b"body", b"secret").replace(b'"v": 1', b'"v": 2')
    with pytest.raises(Tampered, match="it has version 2, and version 1 is what is known here"):
        unseal("pool", "a", message, b"secret")


def test_what_was_planted_is_not_unpickled(tmp_path):
    touched = tmp_path / "touched"
    with pytest.raises(Tampered):
        unseal("letter", "a", pickle.dumps(Touch(str(touched))), b"secret")
    assert not touched.exists()


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


@given(SECRETS, st.text(max_size=10), st.text(max_size=10))
def test_keys_for_two_purposes_differ(secret, one, other):
    assert (derive(secret, one) == derive(secret, other)) == (one == other)
    assert derive(secret, one) != secret[:16]
