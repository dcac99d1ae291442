"""Random pipelines over random files: deferred and optimized they give exactly what plain pandas gives.

``CLOUDBURST_CHAINS`` says how many, and ``.ci/run`` asks for more than ``make test``. What differs is printed as the
shortest program that still does, and ``reproduce(seed)`` of the harness prints it again.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.amounts import CHAINS, USUAL
from tests.frames import harness
from tests.frames.chains import Chain, aimed, chain
from tests.frames.files import KINDS, POOL, SOURCES
from tests.frames.harness import Outcome, alike, compared, difference, plainly, reproduce, run
from tests.frames.kept import KEPT
from tests.frames.ops import Op, beside_itself, spelled_otherwise
from tests.frames.spelling import scope, spell

pytestmark = pytest.mark.no_cover  # what it covers is covered by the tests of each part, and it takes twice as long
EACH = 100
SHOWN = 3
ONCE_DIFFERENT = (
    6261,
    7817,
    7955,
    10501,
    11375,
    12379,
    20845,
    21737,
    23833,
    26227,
    26557,
    26621,
    27486,
    28101,
    29206,
    32535,
    37767,
    49368,
)
"""Seeds beyond the usual ones that have found something."""


def parts(number: int, usual: int) -> list[Any]:
    """Where each test of so many programs begins; those beyond the usual number are marked."""
    return [
        pytest.param(first, marks=[pytest.mark.exhaustive] if first >= usual else [])
        for first in range(0, max(number, EACH), EACH)
    ]


PARTS = parts(CHAINS, USUAL)


@pytest.mark.parametrize("first", PARTS)
def test_random_pipelines_give_exactly_what_pandas_gives(first: int) -> None:
    tally = run(range(first, first + EACH))
    told = "\n\n".join(reproduce(seed) for seed in tally.differing[:SHOWN])
    assert tally.differing == [], told


@pytest.mark.parametrize("first", PARTS)
def test_random_pipelines_over_stored_results_give_exactly_what_pandas_gives(first: int) -> None:
    tally = run(range(first, first + EACH // 2), KEPT)
    told = "\n\n".join(reproduce(seed, KEPT) for seed in tally.differing[:SHOWN])
    assert tally.differing == [], told


def test_what_once_differed_does_no_more() -> None:
    assert run(ONCE_DIFFERENT).differing == []


@pytest.mark.parametrize(("op", "share"), [(spelled_otherwise, 0.3), (beside_itself, 0.05)])
@pytest.mark.parametrize("first", parts(CHAINS // 5, USUAL // 5))
def test_random_pipelines_around_an_op_give_exactly_what_pandas_gives(first: int, op: Op, share: float) -> None:
    programs = [program for seed in range(first, first + EACH) if (program := aimed(seed, op)) is not None]
    compared_with = [(program, *compared(program)) for program in programs]
    told = [f"{program.text}\n{difference}" for program, _, difference in compared_with if difference]
    assert told == [], "\n\n".join(told[:SHOWN])
    narrowed = sum(outcome.dropped for _, outcome, _ in compared_with)
    assert narrowed > share * len(programs), f"{narrowed} of {len(programs)} read fewer columns"


def test_enough_is_left_unread_and_enough_raises() -> None:
    tally = run(range(300))
    skipped, dropped, raised = tally.shares()
    assert skipped >= 0.3
    assert dropped >= 0.5
    assert raised >= 0.1
    assert len(tally.errors) >= 6


def test_enough_of_stored_results_is_left_unread() -> None:
    tally = run(range(2000, 2150), KEPT)
    skipped, dropped, raised = tally.shares()
    assert skipped >= 0.4
    assert dropped >= 0.5
    assert raised >= 0.05


# ------------------------------------------------------------ the suite itself


def test_a_seed_is_one_program() -> None:
    for seed in range(5):
        one, other = chain(seed), chain(seed)
        assert one.text == other.text
        assert difference(plainly(one), plainly(other)) == ""


OPS = """
    .loc[ .assign( .drop( .rename( .merge( .join( .groupby( .agg( .sort_values( .nlargest( .head( .tail( .query( .eval(
    .isin( .between( .dropna( .fillna( .drop_duplicates( .astype( .reset_index( .set_index( .value_counts( .pivot_table(
    pd.concat( .apply( .str. .dt. pd.to_datetime( .isna( .sum( .mean( ~ & |
""".split()


def test_programs_have_every_op() -> None:
    text = "\n".join(chain(seed).text for seed in range(400))
    assert [op for op in OPS if op not in text] == []
    assert re.search(r"^(v\d+) = .*\n(?:.*\n)*?.*\[\1\].*\[~?\1\]", text, re.MULTILINE)  # a mask used twice


def test_sources_are_of_every_kind() -> None:
    frames = [POOL.source(number).frame for number in range(SOURCES)]
    there = [frame for frame in frames if frame is not None]
    dtypes = {str(dtype).partition("[")[0] for frame in there for dtype in frame.dtypes}
    assert dtypes >= {"int64", "int32", "uint8", "float64", "float32", "bool", "str", "datetime64", "timedelta64"}
    assert dtypes >= {"category", "Int64", "boolean", "object"}
    indexes = {type(frame.index).__name__ for frame in there}
    assert indexes >= {"RangeIndex", "Index", "DatetimeIndex", "MultiIndex"}
    assert any(not frame.index.is_unique for frame in there)
    assert any(frame.empty for frame in there)
    assert 0 < len(frames) - len(there) < SOURCES / 8


def test_stored_results_are_of_every_kind() -> None:
    frames = [KEPT.source(number).frame for number in range(SOURCES)]
    dtypes = {str(dtype).partition("[")[0] for frame in frames for dtype in frame.dtypes}
    assert dtypes >= {"int64", "int32", "uint8", "float64", "float32", "bool", "str", "datetime64", "timedelta64"}
    assert dtypes >= {"category", "Int64"}
    assert {type(frame.index).__name__ for frame in frames} >= {"RangeIndex", "Index", "DatetimeIndex"}
    assert any(getattr(frame.index, "freq", None) is not None for frame in frames)
    assert any(isinstance(frame.index, pd.RangeIndex) and frame.index.step == -3 for frame in frames)
    assert any(not frame.index.is_unique for frame in frames)
    assert any(frame.columns.name for frame in frames)
    assert any(frame.empty for frame in frames)
    for number in range(0, SOURCES, 7):
        alike(KEPT[number], KEPT.source(number).frame)


def test_a_difference_is_seen_and_cut_down_to_the_op_that_makes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgets_rows(program: Chain) -> Outcome:
        outcome = plainly(program)
        if ".isin(" in program.text and isinstance(outcome.value, pd.DataFrame | pd.Series):
            return outcome._replace(value=outcome.value.iloc[1:])
        return outcome

    monkeypatch.setattr(harness, "deferred", forgets_rows)
    [seed] = run(range(100)).differing[:1]
    told = reproduce(seed)
    program = [line for line in told.splitlines() if re.match(r"v\d+ = ", line)]
    assert f"seed {seed}" in told
    assert ".isin(" in told
    assert len(program) <= 4


FRAME = pd.DataFrame({"a": [0.0, 1.0], "b": ["x", None]})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (FRAME, FRAME[["b", "a"]]),
        (FRAME, FRAME.set_axis(pd.Index([0, 1]), axis=0)),
        (FRAME, FRAME.assign(a=[-0.0, 1.0])),
        (FRAME, FRAME.assign(a=FRAME.a.astype("float32"))),
        (FRAME, FRAME.rename_axis("index")),
        (FRAME["a"], FRAME["a"].rename("b")),
        (FRAME.astype({"b": "category"}), FRAME.assign(b=pd.Categorical(["x", None], ["x", "y"]))),
        (FRAME.astype({"b": object}), FRAME.assign(b=pd.Series(["x", None], dtype=object))),
        (1, 1.0),
        (1, True),
        (np.int64(1), 1),
        (0.0, -0.0),
        (float("nan"), None),
        ([1, 2], (1, 2)),
        (pd.RangeIndex(2), pd.Index([0, 1])),
        (np.array([1]), np.array([1.0])),
        (pd.NA, pd.NaT),
    ],
)
def test_what_is_nearly_alike_is_not(one: Any, other: Any) -> None:
    alike(one, one)
    with pytest.raises(AssertionError):
        alike(one, other)
    assert difference(Outcome(one), Outcome(other))


def test_another_type_of_exception_is_a_difference_and_another_message_is_not() -> None:
    assert difference(Outcome(error="KeyError"), Outcome(error="ValueError"))
    assert difference(Outcome(error="KeyError"), Outcome(3))
    assert difference(Outcome(error="KeyError", told="a"), Outcome(error="KeyError", told="b")) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_values_of_every_kind_are_written_as_they_are(kind: str) -> None:
    import random

    for value in KINDS[kind](random.Random(1), 4):
        again = eval(spell(value), scope(pd))
        assert again == value
        assert type(again) is type(value) or isinstance(value, np.generic)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, pd.NaT, pd.NA, {"a": (1,)}])
def test_values_that_are_not_numbers_are_written_as_they_are(value: Any) -> None:
    alike(eval(spell(value), scope(pd)), value)
