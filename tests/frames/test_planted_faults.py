"""Random pipelines notice a fault in any rule: each is made wrong in turn, and something has to differ."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cloudburst.graph import prune as pruning
from cloudburst.graph.frames import clauses, columns, predicates, rules
from cloudburst.graph.frames.predicates import Truth
from cloudburst.graph.frames.rule import Rule
from cloudburst.graph.nodes import Relabel
from cloudburst.runtime.codecs import parquet
from cloudburst.runtime.sources import StoredFacts
from cloudburst.runtime.sources import clauses as reading
from tests.frames.chains import Chain, aimed
from tests.frames.filters import Here, a_column, filtered, is_numeric
from tests.frames.harness import compared
from tests.frames.kept import KEPT
from tests.frames.ops import FRAME_OPS, Op, some_columns, spelled_otherwise
from tests.frames.spelling import spell

pytestmark = pytest.mark.no_cover

PROGRAMS = 60
DRAWS = 40
OF_COLUMNS = ("frame", "groups", "rows")
"""What an op is applied to that has columns to forget."""

SIGNS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "add": "+", "sub": "-", "mul": "*"}
SIGNS |= {"truediv": "/", "floordiv": "//", "mod": "%"}
CALLS = {"neg": "-{}", "invert": "~{}", "abs": "abs({})", "round": "round({}, 1)", "getitem": "{}"}


HARDLY_EVER_FAIL = {"explode", "nunique", "any", "all", "cumsum", "cumprod"}
"""Ops that need more columns than are wanted only where one of an odd dtype would make them raise."""


def every_rule() -> Iterable[Any]:
    for table in ("METHODS", "OPERATORS", "ATTRIBUTES"):
        for kind in OF_COLUMNS:
            for name in getattr(rules, table).get(kind, {}):
                yield pytest.param(table, kind, name, id=f"{kind}-{name}")
    for name in rules.FUNCTIONS:
        if getattr(getattr(pd, name, None), "__name__", "") == name:  # others are second names, or NumPy's
            yield pytest.param("FUNCTIONS", "", name, id=f"function-{name}")


def using(table: str, kind: str, name: str) -> Op:
    """An op that has this rule: one of the random ones, or else the plainest call there is."""
    wanted = {
        "METHODS": rf"groupby\(.*\)\.{name}\(" if kind == "groups" else rf"\.{name}\(",
        "FUNCTIONS": rf"^pd\.{name}\(",
        "ATTRIBUTES": rf"\.{name}\b",
        "OPERATORS": r"groupby\(.*\)\[" if kind == "groups" else r"\.loc\[" if kind == "rows" else None,
    }[table]

    def op(here: Here) -> str | None:
        for _ in range(DRAWS if wanted else 0):
            [one] = here.rng.choices([one for _, one in FRAME_OPS], [weight for weight, _ in FRAME_OPS])
            if name in ("melt", "pivot", "filter"):
                one = spelled_otherwise
            try:
                text = one(here)
            except Exception:
                text = None
            if text is not None and re.search(str(wanted), text):
                return text
        return plainest(here, table, kind, name)

    return op


def plainest(here: Here, table: str, kind: str, name: str) -> str:
    v, some = here.name, some_columns(here)
    number = a_column(here, is_numeric)
    others = [name for name in here.value.columns if not is_numeric(here.value[name])]
    # Of what is dropped nothing is wanted, and all the rest still comes from the file: picking would want it anyway.
    part = here.rng.choice([v, f"{v}.drop(columns={spell(others)})", f"{v}.drop(columns={spell(others)})"])
    if table == "OPERATORS" and kind == "frame":
        if name in SIGNS:
            return f"{part} {SIGNS[name]} {here.rng.choice([part, '2'])}"
        return CALLS[name].format(part if name != "getitem" else f"{v}[{spell(some)}]")
    if table == "ATTRIBUTES":
        return f"{v}.{name}" if kind != "groups" else f"{v}.groupby({spell(some[0])}).{name}"
    if table == "FUNCTIONS":
        if name.startswith("merge"):
            return f"pd.{name}({v}, {here.others[0][0]}, on='k')"
        column = f"{v}[{spell(here.rng.choice([number or some[0], some[0]]))}]"
        return f"pd.{name}({here.rng.choice([v, column])}{', 2' if name in ('cut', 'qcut') else ''})"
    owner = f"{v}.groupby({spell(some[0])})" if kind == "groups" else part
    return f"{owner}.{name}({here.rng.choice(['', '', '1', '2', '[1, 2]', 'numeric_only=True'])})"


SOME = 5
"""Of the rules, one in so many is made wrong in each run of the tests, and all of them by ``.ci/run``."""
RULES = [
    pytest.param(*rule.values, id=rule.id, marks=[] if number % SOME == 0 else [pytest.mark.exhaustive])
    for number, rule in enumerate(every_rule())
]


@pytest.mark.parametrize(("table", "kind", "name"), RULES)
def test_a_rule_that_forgets_a_column_is_noticed(
    table: str, kind: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = rules.FUNCTIONS if table == "FUNCTIONS" else getattr(rules, table)[kind]
    rule: Rule = where[name]
    asked, forgotten = [0], [0]

    def forgetful(one: Any, wanted: Any, knowledge: Any) -> Mapping[int, Any]:
        asked[0] += 1
        needs = dict(rule.needs(one, wanted, knowledge))
        for place, need in needs.items():
            if need:
                own = need - (wanted or frozenset())
                ordered = sorted(own or need)
                forgotten[0] += 1
                needs[place] = need - {ordered[asked[0] % len(ordered)]}
        return needs

    monkeypatch.setitem(where, name, rule._replace(needs=forgetful))
    op = using(table, kind, name)
    is_noticed = noticed(aimed(seed, op) for seed in range(PROGRAMS))
    assert asked[0], "no program has this op"
    assert is_noticed or not forgotten[0] or name in HARDLY_EVER_FAIL


def noticed(programs: Iterable[Chain | None]) -> bool:
    """Whether a program differs from plain pandas."""
    return any(compared(program)[1] for program in programs if program is not None)


# ------------------------------------------------------------ row groups

Patch = Callable[[pytest.MonkeyPatch], None]


def everywhere(monkeypatch: pytest.MonkeyPatch, original: Any, wrong: Any) -> None:
    """Put something wrong in the place of a function, wherever it was imported."""
    for name, module in list(sys.modules.items()):
        if name.startswith("cloudburst.graph"):
            for attribute, value in list(vars(module).items()):
                if value is original:
                    monkeypatch.setattr(module, attribute, wrong)
                for key, member in list(value.items()) if type(value) is dict else ():
                    if member is original:
                        monkeypatch.setitem(value, key, wrong)


def ordering(name: str, wrong: Callable[[Any, Any, Any], tuple[bool, bool]]) -> Patch:
    return lambda monkeypatch: monkeypatch.setitem(predicates._ORDERED, name, wrong)


def replaced(name: str, wrong: Callable[[Any], Any], where: Any = predicates) -> Patch:
    original = getattr(where, name)
    return lambda monkeypatch: everywhere(monkeypatch, original, wrong(original))


def graph_with(change: Callable[[Any], Any]) -> Patch:
    """A fault in what the pass writes into the graph: the labels, what is nullable, the groups."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        original = pruning.replace
        monkeypatch.setattr(pruning, "replace", lambda what, **new: original(what, **change(new)))

    return patch


def without_nulls(gathered: Any) -> Any:
    return lambda one, sort, bounds, rows: gathered(one, sort, [bound._replace(nulls=0) for bound in bounds], rows)


def add_one(kind: str, value: Any) -> tuple[str, Any]:
    return kind, value + 1 if kind == "int" else value


def first_only(column: Any, value: Any) -> Any:
    """Equality that holds once."""
    found = pc.equal(column, value)
    place = pc.index(found, True).as_py()
    return pa.chunked_array([[number == place for number in range(len(found))]], pa.bool_())


FAULTS: dict[str, Patch] = {
    "< as if low were greater": ordering("lt", lambda low, high, value: (high < value, high >= value)),
    "<= as <": ordering("le", lambda low, high, value: (low < value, high > value)),
    "> as if all had to be": ordering("gt", lambda low, high, value: (low > value, low <= value)),
    ">= as >": ordering("ge", lambda low, high, value: (high > value, low < value)),
    "== within the bounds only": ordering("eq", lambda low, high, value: (low < value < high, True)),
    "!= where a bound differs": ordering("eq", lambda low, high, value: (low <= value <= high, low > value)),
    "not < as >": ordering("lt", lambda low, high, value: (low < value, high > value)),
    "not > as <": ordering("gt", lambda low, high, value: (high > value, low < value)),
    "missing values fulfil no `not`": replaced("_gathered", without_nulls),
    "isna nowhere": replaced("missing", lambda _: lambda *args, **more: Truth(0, -1)),
    "notna nowhere": replaced("missing", lambda _: lambda *args, **more: Truth(-1, 0)),
    "isin as its first value": replaced(
        "contained", lambda contained: lambda values, *more, **named: contained([*values][:1], *more, **named)
    ),
    "or as and": replaced("either", lambda _: predicates.both),
    "and is never false": replaced("both", lambda _: lambda one, other: Truth(one.true & other.true, 0)),
    "not changes nothing": replaced("inverted", lambda _: lambda one: one),
    "labels as they are read": graph_with(lambda new: {**new, "labels": None} if "labels" in new else new),
    "nothing is nullable": graph_with(lambda new: {**new, "nullable": ()} if "nullable" in new else new),
    "labels begin elsewhere": lambda monkeypatch: monkeypatch.setattr(
        pruning, "Relabel", lambda labels: Relabel(labels._replace(start=labels.start + 1))
    ),
    "a row fulfils what either side of `or` says": replaced("common", lambda _: clauses.all_of, clauses),
    "a row fulfils what `not` turns": replaced(
        "opposite", lambda opposite: lambda one: (made := opposite(one)) and made._replace(clauses=one.clauses), columns
    ),
    "moments are a second late": replaced(
        "_moment", lambda moment: lambda value: (moment(value)[0], moment(value)[1] + 10**9), clauses
    ),
    "whole numbers are one more": replaced(
        "_written", lambda written: lambda value, dtype: add_one(*written(value, dtype)), clauses
    ),
    "rows: <= as <": lambda monkeypatch: monkeypatch.setitem(reading._COMPARE, "le", reading._COMPARE["lt"]),
    "rows: >= as >": lambda monkeypatch: monkeypatch.setitem(reading._COMPARE, "ge", reading._COMPARE["gt"]),
    "rows: the first of several": lambda monkeypatch: monkeypatch.setitem(reading._COMPARE, "eq", first_only),
    "a group is lost": graph_with(lambda new: {**new, "groups": new["groups"][1:]} if new.get("groups") else new),
}


SELDOM_NOTICED = ("not < as >", "not > as <")
"""It takes a thousand programs."""


@pytest.mark.parametrize(
    "fault",
    [pytest.param(fault, marks=[pytest.mark.exhaustive] if fault in SELDOM_NOTICED else []) for fault in FAULTS],
)
def test_a_fault_in_skipping_rows_is_noticed(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    FAULTS[fault](monkeypatch)
    assert noticed(aimed(seed, filtered) for seed in range(1500))


OF_STORED: dict[str, Patch] = {
    "a group is lost": FAULTS["a group is lost"],
    "labels begin elsewhere": FAULTS["labels begin elsewhere"],
    "labels are those of what is read": lambda monkeypatch: monkeypatch.setattr(parquet, "_places", lambda *_: None),
    "missing values fulfil no `not`": FAULTS["missing values fulfil no `not`"],
    "a frequency is no reason": lambda monkeypatch: monkeypatch.setattr(StoredFacts, "all_rows", ""),
}


@pytest.mark.parametrize("fault", OF_STORED)
def test_a_fault_in_skipping_rows_of_stored_results_is_noticed(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    OF_STORED[fault](monkeypatch)
    assert noticed(aimed(seed, filtered, KEPT) for seed in range(600))


def test_without_a_fault_nothing_is_noticed() -> None:
    assert not noticed(aimed(seed, filtered) for seed in range(PROGRAMS))
    assert not noticed(aimed(seed, filtered, KEPT) for seed in range(PROGRAMS))
