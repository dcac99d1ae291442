"""The random frames as results that lie in a store that others write to, in the small row groups of their files."""

from __future__ import annotations

import random
from typing import Any

import pandas as pd
import pytest

from cloudburst.deferred import Deferred, wrap
from cloudburst.graph.expr import make
from cloudburst.graph.nodes import Stored
from cloudburst.runtime import artifacts
from cloudburst.runtime.codecs import parquet
from cloudburst.runtime.codecs.parquet import exactly_parquet
from cloudburst.runtime.stores.memory import MemoryStore
from tests.frames.files import POOL, Written


class Kept:
    """Result number ``n`` is the frame of source ``n``, as far as Parquet gives it back: ``S[n]`` of a program."""

    def __init__(self) -> None:
        self.store = MemoryStore(shared=True)
        self.deferred = _Deferred(self)
        self._frames: dict[int, Written] = {}
        self._nodes: dict[int, Any] = {}

    def __getitem__(self, number: int) -> Any:
        """The whole of it, read anew: pandas changes how a frame lies in memory, on which some errors depend."""
        return artifacts.read(self.node(number).what.artifact, self.store)

    def source(self, number: int) -> Written:
        """What is written under a number."""
        if number not in self._frames:
            frame, in_order = _frame(number)
            there = [name for name in in_order if name in frame.columns]
            self._frames[number] = Written(number, f"S[{number}]", None, frame, there)
        return self._frames[number]

    def node(self, number: int) -> Any:
        """What reads it."""
        if number not in self._nodes:
            artifact = stored(self.source(number).frame, self.store, f"kept/{number}", _size(number))
            self._nodes[number] = make(Stored(artifact, b"result %d" % number, f"S[{number}]"))
        return self._nodes[number]


class _Deferred:
    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    def __getitem__(self, number: int) -> Deferred[Any]:
        return wrap(self._kept.node(number))


def stored(frame: pd.DataFrame, store: MemoryStore, key: str, rows: int) -> artifacts.Artifact:
    """A frame as a large one would be stored, in row groups of so many rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "ROW_GROUP", rows)
        patch.setattr(artifacts, "SMALL", -1)
        patch.setattr(artifacts, "WORTH_RANGES", 0)
        artifact = artifacts.write(frame, store, key)
    assert artifact.codec == "parquet"
    return artifact


def _size(number: int) -> int:
    """The rows of a row group of that source's file."""
    return random.Random(f"source {number}").randrange(2, 8)


def _frame(number: int) -> tuple[pd.DataFrame, list[str]]:
    source = POOL.source(number)
    if not isinstance(source.frame, pd.DataFrame):
        return _frame((number + 1) % 7)
    frame = source.frame.copy()
    if not exactly_parquet(frame[[]]):
        frame = frame.reset_index(drop=True)
    if number % 10 == 3:
        frame.index = pd.date_range("2024-01-01", periods=len(frame), freq="D", name="when")
    if number % 10 == 6:
        frame.index = pd.RangeIndex(9, 9 - 3 * len(frame), -3, name=("back", None)[number % 4 // 2])
    frame = frame[[name for name in frame.columns if type(name) is str and exactly_parquet(frame[[name]])]]
    # No attrs: whether `merge` hands them on depends on whether a side has columns beside its keys, read or not.
    frame.attrs = {}
    if number % 5 == 0:
        frame.columns.name = "kind"
    return frame, source.sorted


KEPT = Kept()
