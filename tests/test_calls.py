"""Columns that a stage says it uses of a parameter: what it is given, what it is refused, and what is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest

import cloudburst as cb
from cloudburst.deferred import Deferred
from cloudburst.errors import StageError, UsageError
from cloudburst.graph.nodes import Literal, Narrow
from cloudburst.providers.local import LocalProvider
from cloudburst.settings import local_settings
from tests.contracts.equality import assert_same
from tests.inline import run_inline

SALES = pd.DataFrame(
    {"region": ["n", "s", "n"], "amount": [1.5, 2.5, 3.5], "price": [1, 2, 3]}, index=pd.Index([3, 4, 5], name="id")
)
SALES.attrs = {"unit": "EUR"}


@cb.stage
def sales() -> pd.DataFrame:
    return SALES


@cb.stage(reads={"frame": ["amount", "region"]})
def train(frame: Any, rate: float = 1.0, *, other: Any = None) -> Any:
    return frame, rate, other


@cb.stage(reads={"frame": ["amount"], "other": ("region", "nowhere")})
def two(rate: float, frame: Any = None, *more: Any, other: Any = None, **named: Any) -> Any:
    return rate, frame, more, other, named


def value_of(deferred: Deferred[Any]) -> Any:
    [value] = run_inline([deferred._expr])
    return value


def args_of(deferred: Any) -> Any:
    return deferred._expr.args


NARROW = SALES[["region", "amount"]]


def test_a_deferred_frame_is_narrowed_to_what_is_declared() -> None:
    deferred = train(sales(), 2.0)
    assert args_of(deferred)[0].what == Narrow(("amount", "region"))
    assert args_of(deferred)[0].code is test_a_deferred_frame_is_narrowed_to_what_is_declared.__code__
    assert_same(value_of(deferred), (NARROW, 2.0, None))


def test_a_frame_given_as_it_is_is_narrowed_at_once() -> None:
    deferred = train(SALES)
    what = args_of(deferred)[0].what
    assert isinstance(what, Literal)
    assert list(what.value) == ["region", "amount"]
    assert_same(value_of(deferred), (NARROW, 1.0, None))
    assert list(SALES) == ["region", "amount", "price"]


@pytest.mark.parametrize("given", [SALES, sales()], ids=["plain", "deferred"])
def test_parameters_are_found_however_they_are_given(given: Any) -> None:
    amount, region = SALES[["amount"]], SALES[["region"]]
    assert_same(value_of(two(1.0, given, 7, other=given, x=given)), (1.0, amount, (7,), region, {"x": SALES}))
    assert_same(value_of(two(rate=1.0, frame=given)), (1.0, amount, (), None, {}))
    assert_same(value_of(two(other=given, rate=2.0)), (2.0, None, (), region, {}))
    assert_same(value_of(two(1.0, None, other=None)), (1.0, None, (), None, {}))


def test_values_that_turn_out_to_be_no_frames_are_passed_as_they_are() -> None:
    for value in ([SALES], 5, SALES["price"], SALES.set_axis(["a", "a", "b"], axis=1)):
        made = cb.stage(lambda value=value: value)()
        assert_same(value_of(train(made)), (value, 1.0, None))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ([SALES], "list"),
        ([sales()], "list"),
        ({"a": sales()}, "dict"),
        (cb.defer([sales()]), "list"),
        (SALES["price"], "Series"),
        ("text", "str"),
    ],
)
def test_what_is_no_frame_is_refused_where_it_is_given(given: Any, named: str) -> None:
    with pytest.raises(UsageError, match=rf"train\(\) was given a {named} for 'frame'.*pandas frames"):
        train(given)


def test_equal_calls_are_one_and_other_declarations_are_others() -> None:
    assert train(sales())._expr.key == train(sales())._expr.key
    assert train(sales())._expr.key != train.options(reads={"frame": ["amount"]})(sales())._expr.key
    assert train(5 * sales())._expr.key != train.options(reads={})(5 * sales())._expr.key


# ---------------------------------------------------------------- declaring


def test_options_change_what_is_declared_and_keep_it_otherwise() -> None:
    assert list(value_of(train.options(memory=2048)(sales()))[0]) == ["region", "amount"]
    assert list(value_of(train.options(reads={"frame": ["price"]})(sales()))[0]) == ["price"]
    assert list(value_of(train.options(reads={"frame": []})(sales()))[0]) == []
    assert list(value_of(train.options(reads={})(sales()))[0]) == list(SALES)


def test_a_declaration_travels_with_its_stage() -> None:
    again = cloudpickle.loads(cloudpickle.dumps(train))
    assert list(value_of(again(sales()))[0]) == ["region", "amount"]


@pytest.mark.parametrize(
    ("reads", "said"),
    [
        (
            {"sale": ["a"]},
            r"reads=\{'sale': \.\.\.\} cannot be: .*f has no such parameter.* It has frame, more, other\.",
        ),
        ({"args": ["a"]}, "no such parameter of its own"),
        ({"named": ["a"]}, "no such parameter of its own"),
        ({3: ["a"]}, "no such parameter"),
        ({"frame": "amount"}, "takes a list of names of columns"),
        ({"frame": {"amount"}}, "takes a list of names of columns"),
        ({"frame": ["amount", 3]}, "takes a list of names of columns"),
        ({"frame": None}, "takes a list of names of columns"),
        ({"frame": ["amount", "amount"]}, "a column stands there twice"),
        (["frame"], "reads= cannot be a list: it is a dict"),
        ("frame", "reads= cannot be a str: it is a dict"),
    ],
)
def test_declarations_that_cannot_be_are_refused(reads: Any, said: str) -> None:
    def f(frame: Any, more: Any = 1, *args: Any, other: Any = None, **named: Any) -> Any:
        return frame

    with pytest.raises(UsageError, match=said):
        cb.stage(reads=reads)(f)
    with pytest.raises(UsageError, match=said):
        cb.stage(f).options(reads=reads)


def test_items_of_a_map_cannot_be_narrowed_and_what_stands_beside_them_can() -> None:
    for xs in ([SALES], cb.stage(lambda: [SALES])()):
        with pytest.raises(UsageError, match=r"train\.map gives items to 'frame'.*train\.options\(reads=\{\}\)\.map"):
            train.map(xs)
    for xs in ([1.0, 2.0], cb.stage(lambda: [1.0, 2.0])()):
        assert_same(
            value_of(two.map(xs, sales(), other=SALES)),
            [(rate, SALES[["amount"]], (), SALES[["region"]], {}) for rate in (1.0, 2.0)],
        )


# ---------------------------------------------------------------- on workers of their own

WIDE = pd.DataFrame(
    np.random.default_rng(0).random((20_000, 6)),
    columns=list("abcdef"),
    index=pd.date_range("2024-01-01", periods=20_000, freq="s"),
)


@cb.stage
def wide() -> pd.DataFrame:
    return WIDE


@cb.stage(reads={"frame": ["f", "b"]})
def narrow(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


@cb.stage(reads={"frame": ["a", "b"]})
def reaches(frame: pd.DataFrame, column: str) -> Any:
    return frame[column].sum()


@pytest.fixture(scope="module")
def workers() -> Iterator[None]:
    with cb.using(LocalProvider(local_settings(2))):
        yield


@pytest.mark.usefixtures("workers")
def test_a_run_gives_what_it_gives_with_all_columns() -> None:
    expected = WIDE[["b", "f"]]
    assert_same(narrow(wide()).compute(), expected)
    assert_same(narrow(WIDE).compute(), expected)
    got, whole, total = cb.compute(narrow(wide()), wide(), narrow(wide())["f"].sum())
    assert_same(got, expected)
    assert_same(whole, WIDE)
    assert total == WIDE["f"].sum()
    assert_same(narrow(wide()[["b", "a", "f"]]).compute(), expected)


@pytest.mark.usefixtures("workers")
def test_another_column_is_an_error_that_names_the_declaration() -> None:
    assert reaches(wide(), "b").compute() == WIDE["b"].sum()
    with pytest.raises(KeyError) as caught:
        reaches(wide(), "e").compute()
    assert caught.value.args == ("e",)
    note = "stage reaches is given only the columns a, b of `frame`: reads= says so. Add 'e' there to use it."
    assert note in caught.value.__notes__
    assert isinstance(caught.value.__cause__, StageError)
    assert note in caught.value.__cause__.remote_traceback
    with pytest.raises(KeyError) as caught:
        reaches.options(reads={"frame": ["nowhere"]})(wide(), "nowhere").compute()
    assert not hasattr(caught.value, "__notes__")


@pytest.mark.usefixtures("workers")
def test_a_persisted_value_is_read_in_columns_and_whole() -> None:
    kept = wide().persist()
    assert_same(narrow(kept).compute(), WIDE[["b", "f"]])
    assert_same(kept.compute(), WIDE)
