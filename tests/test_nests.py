"""``cb.compute``: one nest gives the same nest of values, several give a tuple, all in one run."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

import cloudburst as cb
from cloudburst import nests
from cloudburst.errors import DeferredError, UsageError
from tests.inline import run_inline


@cb.stage
def double(x: int) -> int:
    return 2 * x


class Pair(NamedTuple):
    left: Any
    right: Any


@dataclasses.dataclass
class Point:
    x: Any
    y: Any = 0
    made: int = dataclasses.field(init=False, default=0)

    def __post_init__(self) -> None:
        self.made += 1


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    x: Any


class InlineRun:
    def __init__(self, values: list[Any]) -> None:
        self.values = values

    def result_or_cancel(self) -> list[Any]:
        return self.values


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, dict[str, Any]]]:
    """How many values each run was asked for, and with which settings; values are worked out right here."""
    started: list[tuple[int, dict[str, Any]]] = []

    def submit(*roots: Any, **settings: Any) -> InlineRun:
        started.append((len(roots), settings))
        return InlineRun(run_inline(roots))

    monkeypatch.setattr("cloudburst.session.submit", submit)
    return started


@pytest.mark.parametrize(
    ("nest", "value"),
    [
        (double(1), 2),
        ([double(1), 5, [double(2)]], [2, 5, [4]]),
        ((double(1), ()), (2, ())),
        ({"a": double(1), 3: {"b": [double(2)]}}, {"a": 2, 3: {"b": [4]}}),
        ({double(1), 7}, {2, 7}),
        (frozenset({double(1)}), frozenset({2})),
        (Pair(double(1), [double(2)]), Pair(2, [4])),
        (Frozen(Frozen(double(1))), Frozen(Frozen(2))),
        ([double(1).real + 1], [3]),
    ],
)
def test_a_nest_of_deferreds_gives_the_same_nest_of_values(nest: Any, value: Any, runs: list[Any]) -> None:
    found = cb.compute(nest)
    assert found == value
    assert type(found) is type(value)
    assert len(runs) == 1


def test_several_nests_give_a_tuple_in_one_run(runs: list[Any]) -> None:
    assert cb.compute(double(1), [double(2)], 5) == (2, [4], 5)
    assert runs == [(2, {"name": None, "keep_going": False, "progress": None, "whole": False})]


def test_settings_are_those_of_the_run(runs: list[Any]) -> None:
    cb.compute(double(1), name="daily", keep_going=True, progress=False)
    assert runs == [(1, {"name": "daily", "keep_going": True, "progress": False, "whole": False})]


@pytest.mark.parametrize("plain", [5, [1, [2]], {"a": 1}, None, Point(1), "text"])
def test_what_holds_no_deferred_stays_as_it_is_and_nothing_runs(plain: Any, runs: list[Any]) -> None:
    assert cb.compute(plain) is plain
    assert cb.compute(plain, plain) == (plain, plain)
    assert runs == []


def test_parts_without_deferreds_are_the_same_objects(runs: list[Any]) -> None:
    kept: list[Any] = [1]
    found = cb.compute([double(1), kept])
    assert found[1] is kept
    shared = [double(1)]
    assert cb.compute([shared, shared]) == [[2], [2]]


def test_a_dataclass_is_not_made_anew_by_its_init(runs: list[Any]) -> None:
    found = cb.compute(Point(double(1), y=[double(2)]))
    assert (found.x, found.y, found.made) == (2, [4], 1)


def test_objects_that_look_like_named_tuples_are_left_alone(runs: list[Any]) -> None:
    tree = ast.Name(id="x")
    assert cb.compute([double(1), tree])[1] is tree


def test_nothing_to_compute_is_refused() -> None:
    with pytest.raises(UsageError, match="needs something to work out"):
        cb.compute()


def test_a_nest_that_holds_itself_is_refused() -> None:
    loop: list[Any] = [double(1)]
    loop.append({"k": loop})
    with pytest.raises(UsageError, match="a list given to cb.compute holds itself"):
        cb.compute(loop)


def test_a_deferred_as_a_key_is_refused() -> None:
    with pytest.raises(DeferredError, match="cannot be a key of a dict"):
        cb.compute({double(1): 2})


def test_a_nest_that_is_too_deep_is_refused() -> None:
    nest: Sequence[Any] = [double(1)]
    for _ in range(20_000):
        nest = [nest]
    with pytest.raises(UsageError, match="nested too deeply"):
        cb.compute(nest)


def test_it_is_public_under_this_name() -> None:
    assert cb.compute is nests.compute


def test_a_run_for_real() -> None:
    assert cb.compute({"a": double(1), "b": [double(2), 5]}, double(3)) == ({"a": 2, "b": [4, 5]}, 6)
