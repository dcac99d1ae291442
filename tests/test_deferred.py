"""The Deferred as an object: what it answers, what it refuses, and how others may look at it."""

from __future__ import annotations

import copy
import inspect
import math
import operator
import pickle
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any, Optional, Protocol

import cloudpickle
import numpy as np
import pandas as pd
import pytest

import cloudburst as cb
from cloudburst import pandas as cpd
from cloudburst.deferred import OWN_NAMES, Deferred
from cloudburst.errors import DeferredError, ResourceError
from cloudburst.graph.nodes import Attribute, Call, Method, Operator
from tests.contracts.equality import assert_same
from tests.inline import run_inline


@cb.stage
def give(value: Any) -> Any:
    return value


@cb.stage
def frame() -> pd.DataFrame:
    return pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 1.5, -2.5]})


def value_of(deferred: Any) -> Any:
    assert isinstance(deferred, Deferred), f"{type(deferred)} is no Deferred"
    [value] = run_inline([deferred._expr])
    return value


def label(deferred: Any) -> str:
    found: str = deferred._expr.what.label
    return found


ARRAY = np.array([1, 2, 3])
FRAME = pd.DataFrame({"a": [1, 2, 3], "b": [4, 5, 6]})
SERIES = pd.Series([1, 2, 3], name="a")
INDEX = pd.Index([1, 2, 3])

ARITHMETIC = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "xor"]
COMPARISONS = ["lt", "le", "eq", "ne", "gt", "ge"]
SHIFTS = {"lshift": operator.lshift, "rshift": operator.rshift}
LEFTS: dict[str, Any] = {
    "array": ARRAY,
    "scalar": np.int64(3),
    "series": SERIES,
    "frame": pd.DataFrame(np.arange(9).reshape(3, 3)),
    "index": INDEX,
    "number": 3,
}


@pytest.mark.parametrize("other", [2, SERIES, ARRAY], ids=["number", "series", "array"])
@pytest.mark.parametrize(("left", "name"), [(left, name) for left in LEFTS for name in ARITHMETIC + COMPARISONS])
def test_every_operator_with_anything_on_the_left_and_on_the_right(name: str, left: str, other: Any) -> None:
    one, apply = LEFTS[left], getattr(operator, name)
    if name in COMPARISONS and left == "frame" and other is SERIES:
        other = pd.Series([1, 2, 3])
    assert_same(value_of(apply(one, give(other))), apply(one, other))
    assert_same(value_of(apply(give(other), one)), apply(other, one))


@pytest.mark.parametrize("name", list(SHIFTS))
@pytest.mark.parametrize("left", [ARRAY, np.int64(3), 3], ids=["array", "scalar", "number"])
def test_shifts(name: str, left: Any) -> None:
    apply = SHIFTS[name]
    assert_same(value_of(apply(left, give(2))), apply(left, 2))
    assert_same(value_of(apply(give(left), 2)), apply(left, 2))


@pytest.mark.parametrize("left", [ARRAY, np.int64(7), 7, SERIES], ids=["array", "scalar", "number", "series"])
def test_divmod(left: Any) -> None:
    quotient, rest = value_of(divmod(left, give(2)))
    assert_same(quotient, divmod(left, 2)[0])
    assert_same(rest, divmod(left, 2)[1])
    assert_same(value_of(divmod(give(left), 2))[1], rest)


@pytest.mark.parametrize("left", [np.eye(3), ARRAY], ids=["matrix", "array"])
def test_matmul_both_ways(left: Any) -> None:
    assert_same(value_of(left @ give(ARRAY)), left @ ARRAY)
    assert_same(value_of(give(np.eye(3)) @ ARRAY), np.eye(3) @ ARRAY)
    assert_same(value_of(cb.defer(SERIES) @ give(SERIES)), SERIES @ SERIES)


def test_a_comparison_means_what_it_means_for_the_value() -> None:
    assert_same(value_of(ARRAY == give("text")), ARRAY == "text")  # noqa: SIM300 - the array has to be on the left
    assert_same(value_of(np.array(["a", "b"]) == give("a")), np.array([True, False]))


@pytest.mark.parametrize(
    "left",
    [pd.Timestamp("2024-01-02"), pd.Timedelta("1D"), np.datetime64("2024-01-02"), np.timedelta64(1, "D")],
    ids=lambda left: type(left).__name__,
)
def test_moments_and_spans_on_the_left(left: Any) -> None:
    span = pd.Timedelta("2D")
    assert_same(value_of(left + give(span)), left + span)
    assert_same(value_of(left == give(left)), left == left)
    assert_same(value_of(left < give(left + span)), left < left + span)


@pytest.mark.parametrize(
    "left", [Decimal("1.5"), Fraction(1, 3), 1.5, True, 2 + 1j], ids=lambda left: type(left).__name__
)
def test_pythons_own_numbers_on_the_left(left: Any) -> None:
    assert value_of(left * give(3)) == left * 3
    assert value_of(left == give(left)) is True
    assert value_of(left != give(left)) is False


def test_containers_on_the_left() -> None:
    assert value_of(operator.add([1], give([2]))) == [1, 2]
    assert value_of("a" + give("b")) == "ab"
    assert value_of({1} | give({2})) == {1, 2}
    assert value_of({"a": 1} | give({"b": 2})) == {"a": 1, "b": 2}
    assert value_of([1] * give(2)) == [1, 1]
    assert value_of(pd.array([1, 2], "Int64") + give(1)).tolist() == [2, 3]


def test_assignments_with_an_operator_make_a_new_deferred() -> None:
    total = start = give(1)
    total += 2
    total **= 2
    assert value_of(total) == 9
    assert value_of(start) == 1


def test_unary_operators() -> None:
    number = give(-2.5)
    assert [value_of(made) for made in (-number, +number, abs(number), round(number), ~give(1))] == [
        2.5,
        -2.5,
        2.5,
        -2,
        -2,
    ]
    assert [value_of(made) for made in (math.floor(number), math.ceil(number), math.trunc(number))] == [-3, -2, -2]


def test_rounding() -> None:
    assert value_of(round(give(2.567), 1)) == 2.6
    assert value_of(round(give(2.567), give(2))) == 2.57
    assert_same(value_of(round(frame())), round(frame.func()))
    assert_same(value_of(round(give(SERIES / 3), 1)), round(SERIES / 3, 1))


def test_powers() -> None:
    assert value_of(pow(give(3), 4, 5)) == pow(3, 4, 5)
    assert value_of(pow(give(3), give(4), give(5))) == 1
    assert value_of(2 ** give(3)) == 8
    assert value_of(pow(2, give(3))) == 8


@pytest.mark.parametrize(
    "apply",
    [
        np.sin,
        lambda d: np.add(d, d),
        lambda d: np.add(d, 1, dtype=float),
        lambda d: np.add.reduce(d),
        lambda d: np.multiply.outer(d, d),
        lambda d: np.add.accumulate(d),
        lambda d: np.concatenate([d, d]),
        lambda d: np.where(d > 1, d, 0),
        lambda d: np.stack([d, d], axis=1),
        lambda d: np.sum(d),
        lambda d: np.sort(d)[::-1],
        lambda d: np.polyfit(d, d, 1).round(6),
        lambda d: np.equal(d, 1),
    ],
)
def test_functions_of_numpy(apply: Callable[[Any], Any]) -> None:
    assert_same(value_of(apply(give(ARRAY))), apply(ARRAY))


def test_equal_calls_of_numpy_are_one() -> None:
    deferred = give(ARRAY)
    for apply in (np.sin, np.add.reduce, np.sum, lambda d: ARRAY + d):
        assert apply(deferred)._expr == apply(deferred)._expr
    assert np.add.reduce(deferred)._expr != np.multiply.reduce(deferred)._expr != np.multiply.accumulate(deferred)._expr


@pytest.mark.parametrize(
    "write",
    [
        lambda d, a: np.add(d, 1, out=a),
        lambda d, a: np.sum(d, out=a),
        lambda d, a: np.copyto(a, d),
        lambda d, a: np.putmask(a, d > 1, 0),
        lambda d, a: operator.iadd(a, d),
    ],
)
def test_numpy_may_not_write_a_deferred_into_an_array(write: Callable[[Any, Any], Any]) -> None:
    target = np.zeros(3)
    with pytest.raises(DeferredError, match="no value yet"):
        write(give(ARRAY), target)
    assert target.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "use",
    [
        lambda d: FRAME[d],
        lambda d: FRAME[d > 1],
        lambda d: FRAME[d.mask],
        lambda d: FRAME.loc[d],
        lambda d: SERIES[d],
        lambda d: FRAME @ d,
        lambda d: SERIES @ d,
        lambda d: pd.DataFrame({"a": d}),
        lambda d: pd.DataFrame(d),
        lambda d: pd.Series(d),
        lambda d: np.array(d),
        lambda d: np.asarray([d, d]),
        lambda d: np.zeros(3)[d],
        lambda d: np.float64(d),
        lambda d: [1, 2][d],
        lambda d: range(d),
        lambda d: sorted(d),
        lambda d: 1 in d,
        lambda d: "yes" if d > 1 else "no",
        lambda d: 0 < d < 5,
        lambda d: not d,
        lambda d: [*d],
        lambda d: dict(d),
        lambda d: len(d),
        lambda d: math.sqrt(d),
        lambda d: int(d),
        lambda d: float(d),
        lambda d: complex(d),
        lambda d: operator.index(d),
        lambda d: f"{d:.2f}",
        lambda d: format(d, ">5"),
        lambda d: reversed(d),
        lambda d: sum(d),
        lambda d: {**d},
        lambda d: max(d, d),
    ],
)
def test_what_needs_the_value_now_says_so_and_names_the_mend(use: Callable[[Any], Any]) -> None:
    with pytest.raises(DeferredError) as caught:
        use(give(1))
    said = str(caught.value)
    assert "a Deferred has no value yet" in said
    assert "compute()" in said
    assert "cpd.concat([df, d])" in said


@pytest.mark.parametrize(
    ("change", "mend"),
    [
        (lambda d: operator.setitem(d, "x", 1), r"d = d\.assign\(column="),
        (lambda d: operator.delitem(d, "x"), r"d = d\.drop\(columns="),
        (lambda d: setattr(d, "x", 1), r"d = d\.assign\(x="),
        (lambda d: delattr(d, "x"), r"d = d\.drop\(columns=\['x'\]\)"),
        (lambda d: setattr(d.x, "y", 1), r"d = d\.assign\(y="),
        (lambda d: setattr(d, "_expr", 1), "cannot be changed"),
        (lambda d: operator.setitem(d.loc, 0, 1), "cannot be changed"),
        (lambda d: d.fillna(0, inplace=True), "leave inplace away"),
    ],
)
def test_a_deferred_cannot_be_changed(change: Callable[[Any], Any], mend: str) -> None:
    deferred = frame()
    before = deferred._expr
    with pytest.raises(DeferredError, match=mend):
        change(deferred)
    assert deferred._expr is before


def test_inplace_false_is_no_change() -> None:
    assert label(give(FRAME).fillna(0, inplace=False)) == ".fillna()"


def test_a_deferred_is_not_made_by_hand() -> None:
    with pytest.raises(DeferredError, match="made by calling a stage"):
        Deferred()


def test_attributes_and_methods_are_told_apart_by_the_call() -> None:
    deferred = give(FRAME)
    assert isinstance(deferred.shape._expr.what, Attribute)
    assert isinstance(deferred.head(2)._expr.what, Method)
    assert value_of(deferred.shape) == (3, 2)
    assert_same(value_of(deferred.head(n=2)), FRAME.head(2))
    assert_same(value_of(deferred.a.cumsum()), FRAME.a.cumsum())
    assert value_of(deferred.columns.tolist()) == ["a", "b"]


def test_an_attribute_is_a_deferred_in_every_respect() -> None:
    column = give(FRAME).a
    assert isinstance(column, Deferred)
    assert_same(value_of(column + 1), FRAME.a + 1)
    assert_same(value_of(1 + column), 1 + FRAME.a)
    assert_same(value_of(np.sqrt(column)), np.sqrt(FRAME.a))
    assert_same(value_of(give(FRAME)[column > 1]), FRAME[FRAME.a > 1])
    assert column._expr is column._expr
    assert copy.deepcopy(column) is column
    assert pickle.loads(pickle.dumps(column))._expr == column._expr
    with pytest.raises(DeferredError):
        bool(column)


@pytest.mark.parametrize(
    "take",
    [
        lambda f: f["a"],
        lambda f: f[["b", "a"]],
        lambda f: f[f["a"] > 1],
        lambda f: f[1:],
        lambda f: f.loc[f.index > 0, "a"],
        lambda f: f.iloc[0, 1],
        lambda f: f.loc[:, ["a"]],
        lambda f: f.query("a > 1").assign(c=lambda g: g.a + g.b),
        lambda f: f.groupby("a")["b"].agg(["sum", "mean"]),
        lambda f: f.a.astype(str).str.zfill(3),
        lambda f: f.pipe(lambda g, n: g * n, n=3),
        lambda f: f.apply(lambda row: row.sum(), axis=1),
    ],
)
def test_pandas_on_a_deferred_is_pandas_on_its_value(take: Callable[[Any], Any]) -> None:
    assert_same(value_of(take(give(FRAME))), take(FRAME))


def test_plain_frames_take_deferreds_in_operators_alone() -> None:
    assert_same(value_of(FRAME + give(FRAME)), FRAME + FRAME)
    assert_same(value_of(FRAME["a"] > give(1)), FRAME["a"] > 1)
    assert_same(value_of(cpd.concat([FRAME, give(FRAME)])), pd.concat([FRAME, FRAME]))
    with pytest.raises(TypeError, match="Deferred"):
        pd.concat([FRAME, give(FRAME)])


def test_its_own_public_names_are_six_and_columns_so_named_are_items() -> None:
    public = {name for name in dir(Deferred) if not name.startswith("_")}
    assert public == set(OWN_NAMES) == {"compute", "explain", "options", "persist", "submit", "visualize"}
    taken = give(pd.DataFrame({"compute": [1]}))
    assert_same(value_of(taken["compute"]), pd.Series([1], name="compute"))
    assert value_of(cb.defer(getattr)(give(pd.Series({"options": 5})), "options")) == 5


@pytest.mark.parametrize(
    "name", ["_private", "__wrapped__", "__array_interface__", "_repr_png_", "__dataclass_fields__"]
)
def test_names_that_begin_with_an_underscore_are_not_there(name: str) -> None:
    assert not hasattr(give(1), name)
    with pytest.raises(AttributeError, match="begin with _"):
        getattr(give(1), name)
    assert not hasattr(give(1).x, name)


def test_copies_are_the_deferred_itself() -> None:
    deferred = give([1])
    assert copy.copy(deferred) is deferred
    assert copy.deepcopy({"a": deferred})["a"] is deferred


def test_hash_is_identity_and_equality_is_deferred() -> None:
    one, same = give(1), give(1)
    assert len({one, same}) == 2
    assert {one: "found"}[one] == "found"
    assert isinstance(one == same, Deferred)
    assert one._expr == same._expr


def test_a_pickle_gives_an_equal_deferred() -> None:
    deferred = frame().query("a > 1").assign(c=lambda f: f.a) + give([1, {"k": 2.5}])
    assert pickle.loads(pickle.dumps(deferred))._expr == deferred._expr
    assert cloudpickle.loads(cloudpickle.dumps([deferred]))[0]._expr == deferred._expr
    assert [pickle.loads(pickle.dumps(deferred, protocol))._expr == deferred._expr for protocol in range(6)] == [
        True
    ] * 6


def test_a_pickle_means_the_same_in_another_process() -> None:
    bonus = 10

    @cb.stage
    def add(x: int) -> int:
        return x + bonus

    deferred = add(add(1)) * 2
    program = (
        "import pickle, sys; d = pickle.loads(sys.stdin.buffer.read())\n"
        "def value(e): return e.what.function(*map(value, e.args)) if hasattr(e, 'what') else e\n"
        "print(repr(d)[:13], value(d._expr.args[0]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=pickle.dumps(deferred), capture_output=True, check=True, timeout=240
    )
    assert done.stdout == b"<Deferred mul 21\n"


def test_representations_name_it_and_its_type() -> None:
    assert repr(frame()) == f"<Deferred {frame()._expr.name} of DataFrame>"
    assert str(give(1)) == f"{give(1)}" == repr(give(1))
    assert repr(give(1)).startswith("<Deferred give-")
    assert repr(frame().a).startswith("<Deferred a-")


def test_inspect_may_look_at_it() -> None:
    for deferred in (frame(), frame().head, frame().head(2)):
        looks = [getattr(inspect, name) for name in dir(inspect) if name.startswith("is") and name != "iskeyword"]
        assert not any(look(deferred) for look in looks)
        assert dict(inspect.getmembers(deferred))["compute"]
        assert inspect.unwrap(deferred) is deferred
        assert inspect.getdoc(deferred)
    with pytest.raises(TypeError):
        inspect.signature(frame())
    assert list(inspect.signature(frame().head).parameters) == ["n"]
    assert list(inspect.signature(frame().no_such).parameters) == ["args", "kwargs"]
    assert list(inspect.signature(give(1).head).parameters) == ["args", "kwargs"]


def test_ipython_may_show_it() -> None:
    from IPython.core.formatters import DisplayFormatter
    from IPython.lib.pretty import pretty

    deferred = frame().head(2)
    data, _ = DisplayFormatter().format(deferred)
    assert data["text/plain"] == pretty(deferred) == repr(deferred)
    assert set(data) <= {"text/plain", "text/html"}
    shown, _ = DisplayFormatter().format([deferred.a, {"k": deferred}])
    assert "<Deferred a-" in shown["text/plain"]


def test_completion_offers_what_the_annotation_promises() -> None:
    from IPython.core.completer import dir2

    assert set(dir(give(1))) == set(OWN_NAMES)
    assert {"query", "groupby", "compute"} <= set(dir(frame()))
    assert not [name for name in dir(frame()) if name.startswith("_")]
    assert "query" in dir2(frame())


def test_a_method_that_the_promised_type_lacks_is_refused_on_the_callers_line() -> None:
    with pytest.raises(AttributeError, match="DataFrame has no method 'qwery': did you mean 'query'") as caught:
        frame().qwery("a > 1")
    assert caught.traceback[0].path.name == "test_deferred.py"
    with pytest.raises(AttributeError, match="has no method 'zzzzzz' \\(the annotation of frame"):
        frame().zzzzzz()
    assert label(frame().head().anything()) == ".anything()"


class Model:
    fitted: Callable[[], int]

    def fit(self) -> Model:
        return self


class Shape(ABC):
    @abstractmethod
    def area(self) -> float: ...


class Named(Protocol):
    name: str


def promising(hint: Any) -> Any:
    def function() -> Any:
        return None

    function.__annotations__["return"] = hint
    return cb.stage(function)()


@pytest.mark.parametrize(
    ("hint", "promised"),
    [
        (pd.DataFrame, "DataFrame"),
        ("pd.DataFrame", "DataFrame"),
        (list[int], "list"),
        (Model, "Model"),
        (None, None),
        (object, None),
        (Any, None),
        (pd.DataFrame | None, None),
        (int | str, None),
        (Optional[int], None),  # noqa: UP045 - as people write it
        (Iterable[int], None),
        (type[int], None),
        (Shape, None),
        (Named, None),
        ("NotThere", None),
        ("not python", None),
    ],
)
def test_only_plain_classes_promise_names(hint: Any, promised: str | None) -> None:
    said = repr(promising(hint))
    assert said.endswith(f" of {promised}>") if promised else " of " not in said
    if promised is None:
        assert label(promising(hint).anything_at_all()) == ".anything_at_all()"


def test_names_that_a_class_only_annotates_are_its_own() -> None:
    assert label(promising(Model).fitted()) == ".fitted()"
    with pytest.raises(AttributeError, match="did you mean 'fit'"):
        promising(Model).fitt()


def test_a_map_promises_no_methods_of_its_items() -> None:
    @cb.stage
    def one(x: int) -> pd.DataFrame:
        return pd.DataFrame({"x": [x]})

    assert label(one.map(give([1])).count(1)) == ".count()"


def test_callables_that_cannot_be_hashed_promise_nothing() -> None:
    class Unhashable:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self, x: Any) -> Any:
            return x

    assert label(cb.defer(Unhashable())(1).head()) == ".head()"


def test_pipe_into_a_stage_a_deferred_function_and_a_plain_one() -> None:
    deferred = give(3)
    assert deferred.pipe(give)._expr == give(deferred)._expr
    largest = cb.defer(max)
    assert deferred.pipe(largest, 5)._expr == largest(deferred, 5)._expr
    assert label(deferred.pipe(max, 5)) == ".pipe()"
    assert label(deferred.pipe(deferred)) == ".pipe()"
    assert label(deferred.pipe()) == ".pipe()"


def test_options_give_another_size_and_keep_the_rest() -> None:
    sized = give.options(cpu=1024, memory=2048, retries=2, timeout=5)(1)
    larger = sized.options(memory="8 GB")
    what = larger._expr.what
    assert isinstance(what, Call)
    assert what.policy is not None
    assert what.policy.size == (1024, 8192, None, None)
    assert (what.policy.retries, what.policy.timeout_s) == (2, 5.0)
    assert larger._expr != sized._expr
    assert sized.options()._expr == sized._expr
    assert give(1).head().options(memory="8 GB")._expr.what.policy.size[:2] == (1024, 8192)
    with pytest.raises(ResourceError, match="Fargate has no size"):
        sized.options(memory=100)


def test_places_are_the_users_lines() -> None:
    here = test_places_are_the_users_lines.__code__
    deferred = give(FRAME)
    made = [
        deferred, deferred.a, deferred.head(), deferred["a"], deferred + 1, 1 + deferred, -deferred, round(deferred),
        deferred**2, np.sin(deferred), np.sum(deferred), ARRAY + deferred, cb.defer(len)(deferred), deferred.pipe(give),
        cpd.concat([deferred]), cpd.read_csv("https://example.org/a.csv"), give.map(deferred), give.map([1, 2]),
        deferred.options(memory=2048), deferred.head().options(memory=2048), give.options(outputs=2)(1)[0],
        give.options(pure=False)(1), give([1]), deferred.query("a > 1"),
    ]  # fmt: skip
    assert [one for one in made if one._expr.code is not here] == []


def test_a_deferred_made_by_an_operator_is_made_by_its_name() -> None:
    assert isinstance((give(1) + 1)._expr.what, Operator)
    assert isinstance((ARRAY + give(1))._expr.what, Operator)
    assert isinstance(np.add(give(1), ARRAY)._expr.what, Call)


def test_type_arguments_are_taken() -> None:
    assert Deferred[int].__origin__ is Deferred
