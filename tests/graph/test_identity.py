"""Function objects are told apart by what they are, never by how they look."""

from __future__ import annotations

import functools
import gc
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from cloudburst.graph import identity
from cloudburst.graph.identity import identify, name_of


def make(n: int) -> Any:
    def made() -> int:
        return n

    return made


class Asked(Exception):
    pass


class Prickly:
    def __eq__(self, other: object) -> bool:
        raise Asked

    def __hash__(self) -> int:
        raise Asked

    def __call__(self) -> None:
        return None


def test_a_function_keeps_its_identity_and_its_twin_gets_another() -> None:
    one, two = make(1), make(1)
    assert identify(one) == identify(one)
    assert identify(one) != identify(two)


def test_a_new_function_at_an_old_address_is_a_new_one() -> None:
    seen = set()
    for number in range(200):
        function = make(number)
        seen.add(identify(function))
        del function
        gc.collect(0)
    assert len(seen) == 200


def test_equality_and_hash_of_a_callable_are_not_asked() -> None:
    one, two = Prickly(), Prickly()
    assert identify(one) == identify(one)
    assert identify(one) != identify(two)


def test_a_forked_child_is_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    before = identity.process()
    monkeypatch.setattr(identity, "_process", before)
    monkeypatch.setattr(identity, "_lock", identity._lock)
    identity._become_another()
    assert identity.process() != before


def test_what_cannot_be_referred_to_weakly_is_kept_alive() -> None:
    class Slotted:
        __slots__ = ()

        def __call__(self) -> None:
            return None

    one = Slotted()
    identities = {identify(Slotted()) for _ in range(50)} | {identify(one), identify(one)}
    assert len(identities) == 51


def test_names_are_those_of_the_function_or_of_its_type() -> None:
    assert name_of(make) == (__name__, "make")
    assert name_of(functools.partial(make, 1)) == ("functools", "partial")
    assert name_of(Prickly()) == (__name__, "Prickly")
    assert name_of("a".upper) == ("", "str.upper")
    assert name_of(np.add)[1] in ("ufunc", "add")


def test_the_same_program_gives_the_same_identities_under_every_hash_seed() -> None:
    program = (
        "from cloudburst.graph.identity import identify\n"
        "def make(n): return lambda: n\n"
        "print([identify(f) for f in (make, make(1), len, dict)])"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("0", "1")
    }
    assert len(said) == 1
