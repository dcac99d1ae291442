"""The text of a query: the condition that pandas takes it for, or none."""

from __future__ import annotations

from random import Random
from typing import Any

import pandas as pd
import pytest

from cloudburst.graph.frames.columns import Column, truth_of
from cloudburst.graph.frames.conditions import condition
from tests.graph.frames.parted import DAY, Parted, sample

PARTED = Parted(sample(), (3, 3, 3, 3))
FRAME = PARTED.frame.rename(columns={"f": "a b"})
COLUMNS = {{"f": "a b"}.get(name, name): Column(dtype, PARTED, name) for name, dtype in PARTED.columns.items()}
VARIABLES: dict[str, Any] = {"n": 4, "letters": ["a", "k"], "when": pd.Timestamp("2024-01-05"), "day": DAY, "word": "c"}


EQUAL = FRAME.iloc[[row for row in range(1, 12, 3) for _ in range(3)]].reset_index(drop=True)
"""The values of a column are one and the same in a row group."""
EQUALS = Parted(EQUAL, (3, 3, 3, 3))
OF_EQUALS = {name: Column(dtype, EQUALS, name) for name, dtype in EQUALS.columns.items()}


def kept(text: str, columns: dict[str, Column] = COLUMNS) -> list[int] | None:
    """The row groups that a text may keep rows of; ``None`` where it is no condition."""
    found = condition(text, columns, VARIABLES)
    if found is None:
        return None
    truth = truth_of(found)
    assert truth is not None
    return [group for group in range(4) if truth.true >> group & 1]


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("i < 3", [0]),
        ("3 > i", [0]),
        ("i > 2 and i < 6", [1]),
        ("i > 2 & i < 6", [1]),
        ("2 < i < 6", [1]),
        ("i < 1 | i > 10 & s == 'l'", [0, 3]),
        ("not i < 9", [3]),
        ("~(i < 9)", [3]),
        ("i in [0, 11]", [0, 3]),
        ("i in (4,)", [1]),
        ("i not in [4]", [0, 1, 2, 3]),
        ("s in @letters", [0, 3]),
        ("i == @n", [1]),
        ("i == -1", []),
        ("b", [0, 1]),
        ("b == False", [2, 3]),
        ("not b and s != 'z'", [2, 3]),
        ("`a b` >= 4.5", [3]),
        ("`a b` >= @n", [2, 3]),
        ("t < @when", [0, 1]),
        ("t < '2024-01-02'", [0]),
        ("m == 4", [1]),
        ("i * 2 > 3 and i < 3", [0]),
        ("s == '&' or s == '|' or s == '`x`'", []),
        ("i < 3 or i + i > 3", [0, 1, 2, 3]),
    ],
)
def test_the_row_groups_that_a_query_may_keep(text: str, groups: list[int]) -> None:
    assert kept(text) == groups
    FRAME.query(text, local_dict=VARIABLES)


@pytest.mark.parametrize(
    "text",
    [
        "i", "i + 1", "i + lost < 3", "3", "i < z", "z", "i < 'a'", "s < 3", "i == [1, 2]", "i < @lost", "i < @letters",
        "i < 3 and sin(i) > 0", "i.sum() > 3", "i < 3 # comment", "i < 3\ni > 2", "x = i < 3", "i <", "i < 3)", "",
        "`i < 3", "i ** 2 < 9", "i // 2 < 9", "i % 2 == 0", "t == '2024-01-02'", "t != '2024-01-02'",
        "t < '2024-13-02'", "t < '2024'", "'a' in s", "i < 3 && i < 4", "s == '''a & b'''", "s == f'a'", "s == b'a'",
        "i < 1j", "[1] < i",
        "i < None", "i < ...", "not 3", "-s < 'a'", "i is 3", "lambda: i", "s == '\\x61'", "t < @day", "index < 3",
        "+i < 3", "-'a' < s", "i < " + "9" * 30, "(" * 70 + "i < 3" + ")" * 70 + " | " + "~" * 90 + "b",
    ],
)  # fmt: skip
def test_what_is_not_known_is_no_condition(text: str) -> None:
    assert kept(text) is None


def test_only_text_is_read() -> None:
    assert condition(3, COLUMNS, VARIABLES) is None


def test_names_that_stand_in_for_others_clash_with_none() -> None:
    columns = {"_n0_": Column("int64"), "a b": Column("int64")}
    found = condition("_n0_ < 3 and `a b` < 3 and _nn0_ < 3", columns, {})
    assert found is None
    assert condition("_n0_ < 3 and `a b` < 3", columns, {}) is not None


def _drawn(random: Random, depth: int = 0) -> str:
    if depth < 3 and random.random() < 0.5:
        one, other = _drawn(random, depth + 1), _drawn(random, depth + 1)
        return random.choice(
            [f"{one} & {other}", f"({one} | {other})", f"not {one}", f"{one} and {other}", f"~({one})"]
        )
    compared: list[tuple[str, list[Any]]] = [
            ("i", [0, 4, 5.5, 11, "@n"]), ("`a b`", [0, 2.5, "@n"]), ("s", ["'a'", "'k'", "@word"]), ("m", [4, 8]),
            ("t", ["@when", "'2024-01-03'"]), ("day", ["@day"]), ("b", [True, False]),
        ]  # fmt: skip
    column, values = random.choice(compared)
    value = random.choice(values)
    return random.choice(
        [
            f"{column} {random.choice(['<', '<=', '>', '>=', '==', '!='])} {value}",
            f"{value} {random.choice(['<', '>='])} {column}",
            f"{column} {random.choice(['in', 'not in'])} [{value}]" if "'" not in str(value) or column == "s" else "b",
        ]
    )


@pytest.mark.parametrize(("frame", "columns"), [(FRAME, COLUMNS), (EQUAL, OF_EQUALS)])
def test_no_row_group_is_ruled_out_that_has_a_row_which_pandas_keeps(
    frame: pd.DataFrame, columns: dict[str, Column]
) -> None:
    random, skipped, known = Random(1), 0, 0
    for _ in range(400):
        text = _drawn(random)
        groups = kept(text, columns)
        if groups is None:
            continue
        known += 1
        try:
            rows = frame.query(text, local_dict=VARIABLES).index
        except Exception as error:  # pandas fails on some that it could know, but then whatever the rows are
            with pytest.raises(type(error)):
                frame.iloc[:0].query(text, local_dict=VARIABLES)
            continue
        assert {row // 3 for row in rows} <= set(groups), text
        skipped += 4 - len(groups)
    assert known > 250
    assert skipped > 250
