"""Calls of stages and deferred functions: what they take, what they keep of it, what they refuse."""

from __future__ import annotations

import dataclasses
import enum
import functools
import math
import os
import pickle
import random
import threading
import time
import uuid
from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Callable, Iterator
from datetime import datetime
from fractions import Fraction
from typing import Any, NamedTuple

import cloudpickle
import numpy as np
import pandas as pd
import pytest

import cloudburst as cb
from cloudburst import session
from cloudburst.calls import DeferredFunction, FunctionInside, rebuilt
from cloudburst.deferred import Deferred
from cloudburst.errors import ArgumentError, CaptureError, DeferredError, ResourceError, UsageError
from cloudburst.graph.nodes import Build, Call, FunctionValue, Literal
from cloudburst.resources import Size
from cloudburst.stages import Stage
from tests.contracts.equality import assert_same
from tests.inline import run_inline


@cb.stage
def give(value: Any) -> Any:
    return value


@cb.stage
def add(x: int, y: int = 10, *, z: int = 100) -> int:
    return x + y + z


@cb.stage
def gather(*values: Any, **named: Any) -> tuple[Any, ...]:
    return values, named


def value_of(deferred: Deferred[Any]) -> Any:
    [value] = run_inline([deferred._expr])
    return value


def key(deferred: Any) -> bytes:
    found: bytes = deferred._expr.key
    return found


def digest_of(deferred: Deferred[Any]) -> bytes:
    graph = session.prepare([deferred._expr], dry=True).graph
    return graph.digests[graph.roots[0].key]


def policy_of(stage: Any) -> Any:
    return stage._policy


# ---------------------------------------------------------------- decorating


def test_a_stage_shows_its_function_and_its_size() -> None:
    assert repr(add) == "<stage add: default size>"
    assert repr(add.options(cpu="2 vCPU", memory="4 GB")) == "<stage add: 2 vCPU, 4 GB>"
    assert repr(cb.defer(max)) == "<deferred function max>"
    assert add.__name__ == "add"
    assert add.__wrapped__ is add.func


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("cpu", 1000),
        ("cpu", -1),
        ("cpu", "many"),
        ("cpu", True),
        ("memory", 1),
        ("memory", "2 parsecs"),
        ("memory", float("nan")),
        ("timeout", 0),
        ("timeout", -1),
        ("timeout", "5"),
        ("timeout", True),
        ("timeout", float("nan")),
        ("retries", -1),
        ("retries", 1.5),
        ("retries", True),
        ("outputs", 0),
        ("outputs", 1.0),
        ("outputs", True),
    ],
)
def test_numbers_that_cannot_be_are_refused_at_decoration_and_in_options(setting: str, value: Any) -> None:
    with pytest.raises(ResourceError, match=setting):
        cb.stage(**{setting: value})
    with pytest.raises(ResourceError, match=setting):
        add.options(**{setting: value})


def test_a_pair_that_fargate_lacks_names_the_nearest() -> None:
    with pytest.raises(ResourceError, match="Nearest: cpu=1024, memory=8192 or cpu=2048, memory=9216"):
        cb.stage(cpu=1024, memory=9216)


def test_options_change_what_is_given_and_keep_the_rest() -> None:
    stage = cb.stage(cpu=1024, memory=2048, timeout=5, retries=1, cache=True, pure=False, outputs=2)(add.func)
    changed = stage.options(memory="4 GB")
    assert policy_of(changed).size == Size(1024, 4096)
    assert dataclasses.replace(policy_of(changed), size=policy_of(stage).size) == policy_of(stage)
    assert len(changed(1)) == 2
    assert policy_of(stage.options(timeout=9, retries=0, cache=False)).timeout_s == 9.0
    assert policy_of(stage.options(retries=0)).retries == 0
    assert policy_of(stage.options(cache=False)).cache is False
    assert policy_of(stage).size == Size(1024, 2048)
    assert key(add.options(pure=True)(1)) == key(add(1))


SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:api-AbCdEf"
PARAMETER = "arn:aws:ssm:eu-west-1:123456789012:parameter/team/token"


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("spot", 1, "spot=1 cannot be: it is True or False"),
        ("spot", "no", "spot='no' cannot be"),
        ("ephemeral_storage", 10, "ephemeral_storage=10: it is 20 GiB, or 21 to 200"),
        ("ephemeral_storage", "lots", "ephemeral_storage='lots' cannot be read"),
        ("environment", ["A=1"], "environment= cannot be a list: it is a dict of texts by name"),
        ("environment", "", "environment= cannot be a str"),
        ("environment", {"a b": "hidden"}, "'a b'.*no name of an environment variable"),
        ("environment", {1: "hidden"}, "1: ....*no name of an environment variable"),
        ("environment", {"AWS_REGION": "hidden"}, "'AWS_REGION'.*belong to the worker itself"),
        ("environment", {"CLOUDBURST_POOL": "hidden"}, "belong to the worker itself"),
        ("environment", {"A": 5}, "'A'.* has a int: texts are needed"),
        ("environment", {"A": "hid\0den"}, "'A'.* has a character that no environment variable can have"),
        ("environment", {"A": "hidden\ud800"}, "'A'.* has a character"),
        ("secrets", {"A": "hidden"}, "'A'.*takes the ARN of where the value is kept"),
        ("secrets", {"A": SECRET.replace("secret:", "hidden:")}, "takes the ARN"),
        ("secrets", {"A": PARAMETER.replace(":parameter/", ":hidden/")}, "takes the ARN"),
        ("secrets", {"A": f"{SECRET}:a:b:c:d"}, "takes the ARN"),
    ],
)
def test_what_a_machine_cannot_have_is_refused_without_showing_values(setting: str, value: Any, said: str) -> None:
    for refuse in (cb.stage, add.options):
        with pytest.raises(ResourceError, match=said) as caught:
            refuse(**{setting: value})
        assert "hidden" not in str(caught.value)


def test_a_variable_is_either_plain_or_secret() -> None:
    with pytest.raises(ResourceError, match="'TOKEN' stands both in environment= and in secrets="):
        cb.stage(environment={"TOKEN": "x"}, secrets={"TOKEN": SECRET})
    with pytest.raises(ResourceError, match="both"):
        cb.stage(secrets={"TOKEN": SECRET})(add.func).options(environment={"TOKEN": "x"})


@pytest.mark.parametrize("arn", [SECRET, f"{SECRET}:token::", f"{SECRET}::AWSCURRENT:", PARAMETER])
def test_secrets_are_named_as_ecs_names_them(arn: str) -> None:
    assert policy_of(cb.stage(secrets={"TOKEN": arn})(add.func)).secrets == (("TOKEN", arn),)


def test_options_keep_what_a_machine_is_to_have() -> None:
    stage = cb.stage(
        cpu=1024, memory=2048, spot=True, ephemeral_storage="50 GB", environment={"A": "1"}, secrets={"B": SECRET}
    )(add.func)
    assert policy_of(stage).size == Size(1024, 2048, 50, True)
    assert repr(stage) == "<stage add: 1 vCPU, 2 GB, 50 GB disk, Spot>"
    larger = stage.options(memory="4 GB")
    assert policy_of(larger).size == Size(1024, 4096, 50, True)
    assert dataclasses.replace(policy_of(larger), size=policy_of(stage).size) == policy_of(stage)
    assert policy_of(stage.options(spot=False, ephemeral_storage=20)).size == Size(1024, 2048, None, False)
    assert policy_of(stage.options(environment={}, secrets={})).environment == ()
    assert policy_of(stage.options(environment={"C": "3"})).environment == (("C", "3"),)


def test_what_the_code_finds_in_its_environment_makes_another_call_and_another_digest() -> None:
    plain = add.options(pure=True)
    calls = [
        plain,
        plain.options(environment={"A": "1"}),
        plain.options(environment={"A": "2"}),
        plain.options(secrets={"A": SECRET}),
        plain.options(spot=True),
        plain.options(ephemeral_storage=50),
    ]
    assert len({key(one(1)) for one in calls}) == len(calls)
    assert key(plain.options(environment={"A": "1", "B": "2"})(1)) == key(
        plain.options(environment={"B": "2", "A": "1"})(1)
    )
    digests = [digest_of(one(1)) for one in calls]
    assert len(set(digests)) == 4
    assert digests[0] == digests[4] == digests[5]  # the machine is nothing that the code sees


def test_values_of_variables_are_shown_nowhere() -> None:
    stage = add.options(environment={"TOKEN": "hidden"})
    prepared = session.prepare([stage(1)._expr], dry=True)
    shown = [stage, policy_of(stage), stage(1), stage(1)._expr, prepared.plan, prepared.graph, stage(1).explain()]
    assert "hidden" not in "".join(map(repr, shown)) + "".join(map(str, shown))
    assert "hidden" in repr(prepared.plan.tasks[0].environment)


def test_a_stage_finds_its_variables_and_only_while_it_is_performed() -> None:
    @cb.stage(environment={"CITY": "Bern"})
    def with_city() -> str | None:
        return os.environ.get("CITY")

    @cb.stage(pure=False)
    def without() -> str | None:
        return os.environ.get("CITY")

    with cb.using(cb.init_local(workers=1)):
        assert cb.compute([without(), with_city(), without()]) == [None, "Bern", None]
        assert with_city.options(environment={"CITY": "Rome"})().compute() == "Rome"


def test_secrets_of_this_machine_are_those_of_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    @cb.stage(secrets={"CLOUDY_TOKEN": SECRET})
    def token() -> str:
        return os.environ["CLOUDY_TOKEN"]

    with cb.using(cb.init_local(workers=1)):
        with pytest.raises(cb.StageError, match=r"token .*could not begin: its secret CLOUDY_TOKEN is not there.*Set"):
            token().compute()
        monkeypatch.setenv("CLOUDY_TOKEN", "open sesame")
        assert token().compute() == "open sesame"


class Greeter:
    def greet(self) -> str:
        return "hello"

    @cb.stage
    def staged(self) -> str:
        return "hello"

    @staticmethod
    @cb.stage
    def free(x: int) -> int:
        return x


def generator() -> Iterator[int]:
    yield 1


async def async_generator() -> Any:
    yield 1


@pytest.mark.parametrize(
    ("function", "mend"),
    [
        (generator, r"generator: .* Return a list"),
        (async_generator, r"generator: .* Return a list"),
        (Greeter().greet, "bound method"),
        (Greeter, "Wrap it in a function"),
        (5, "Wrap it in a function"),
        (classmethod(lambda cls: None), "Wrap it in a function"),
        (add, r"a stage already: use add\.options"),
    ],
)
def test_what_cannot_be_a_stage_says_what_to_do(function: Any, mend: str) -> None:
    with pytest.raises(UsageError, match=mend):
        cb.stage(function)
    with pytest.raises(UsageError, match=mend):
        cb.stage(cpu=1024)(function)


def test_a_stage_in_a_class_is_refused_when_it_is_used_as_a_method() -> None:
    with pytest.raises(UsageError, match=r"staged is a method: .*staticmethod"):
        Greeter().staged()
    assert isinstance(Greeter.staged, Stage)
    assert value_of(Greeter.free(3)) == 3
    assert value_of(Greeter().free(3)) == 3


def test_a_method_where_a_stage_is_defined_in_a_function_of_a_class() -> None:
    assert isinstance(cb.stage(Greeter.greet), Stage)
    assert isinstance(cb.stage(functools.partial(add.func, 1)), Stage)


# ---------------------------------------------------------------- signatures


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: add(), "missing a required argument: 'x'"),
        (lambda: add(1, 2, 3), "too many positional arguments"),
        (lambda: add(1, x=2), "multiple values for argument 'x'"),
        (lambda: add(1, w=2), "unexpected keyword argument 'w'"),
        (lambda: give(1).pipe(add, w=2), "unexpected keyword argument 'w'"),
        (lambda: add.map([1], w=2), "unexpected keyword argument 'w'"),
        (lambda: add.map(give([1]), w=2), "unexpected keyword argument 'w'"),
        (lambda: cb.defer(add.func)(), "missing a required argument: 'x'"),
        (lambda: cb.defer(len)(), "missing a required argument: 'obj'"),
    ],
)
def test_wrong_arguments_are_refused_at_the_call(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said) as caught:
        call()
    assert isinstance(caught.value, TypeError)
    assert "cannot be called so" in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_message_shows_the_signature() -> None:
    with pytest.raises(ArgumentError, match=r"Its signature is add\(x: .*int.*, y: .*int.* = 10, \*, z: .* = 100\)"):
        add(1, 2, 3)


def test_one_call_written_in_many_ways_is_one_expression() -> None:
    assert len({key(add(1, 2)), key(add(1, y=2)), key(add(y=2, x=1)), key(add(x=1, y=2))}) == 1
    assert len({key(add(1, 2, z=3)), key(add(z=3, y=2, x=1))}) == 1
    assert key(add(1, z=3)) == key(add(z=3, x=1))
    assert key(gather(1, a=2)) != key(gather(1, b=2))
    assert key(gather(1, 2)) != key(gather(1, a=2))
    assert key(gather(**{"a,b": 1, "c": 2})) != key(gather(**{"a": 1, "b,c": 2}))
    assert key(gather(1, **{"a,b": 2})) != key(gather(a=1, b=2))


@pytest.mark.parametrize(
    ("call", "value"),
    [
        (lambda: add(1), 111),
        (lambda: add(1, 2), 103),
        (lambda: add(1, z=1), 12),
        (lambda: add(y=1, x=0, z=0), 1),
        (lambda: gather(), ((), {})),
        (lambda: gather(1, *[2, 3], a=4, **{"not a name": 5}), ((1, 2, 3), {"a": 4, "not a name": 5})),
        (lambda: cb.defer(divmod)(7, 2), (3, 1)),
        (lambda: cb.defer(max)(1, 5, key=lambda x: -x), 1),
        (lambda: cb.defer(dict)(a=1), {"a": 1}),
    ],
)
def test_arguments_arrive_as_they_were_given(call: Callable[[], Deferred[Any]], value: Any) -> None:
    assert value_of(call()) == value


# ---------------------------------------------------------------- nested arguments


@dataclasses.dataclass
class Point:
    x: Any
    y: Any = None
    total: Any = dataclasses.field(init=False, default=None)
    made: int = 0

    def __post_init__(self) -> None:
        self.made += 1


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    x: Any


class Pair(NamedTuple):
    left: Any
    right: Any = 0


class Colour(enum.Enum):
    RED = 1


def test_deferreds_arrive_as_values_wherever_they_stand() -> None:
    one, two = give(1), give("two")
    nests: list[tuple[Any, Any]] = [
        ([one, [two, {"k": (one,)}]], [1, ["two", {"k": (1,)}]]),
        ({"a": one, 3: {one}}, {"a": 1, 3: {1}}),
        (frozenset({one, 5}), frozenset({1, 5})),
        (slice(one, None, 2), slice(1, None, 2)),
        (Point(one, [two]), Point(1, ["two"])),
        (Frozen(Frozen(one)), Frozen(Frozen(1))),
        (Pair(one, right=[two]), Pair(1, ["two"])),
        ((one.real, one + 1), (1, 2)),
    ]
    for nest, value in nests:
        arrived = value_of(give(nest))
        assert arrived == value
        assert type(arrived) is type(value)


def test_a_dataclass_is_not_made_anew_by_its_init() -> None:
    point = Point(give(1))
    point.total = 5
    arrived = value_of(give(point))
    assert (arrived.made, arrived.total) == (1, 5)


def test_a_named_tuple_of_frames_keeps_them_apart() -> None:
    frame = pd.DataFrame({"a": [1]})
    deferred = give(Pair(frame, [frame]))
    kinds = [type(child.what).__name__ for child in deferred._expr.children[0].children]
    assert kinds == ["FunctionValue", "Literal", "Build"]
    assert_same(value_of(deferred).right[0], frame)


@pytest.mark.parametrize(
    "value",
    [
        [[1, 2], [3, [4]]],
        {"a": [1], "b": {"c": (2,)}},
        [Point(1, [2])],
        Pair(1, [2]),
        [Colour.RED, {1, 2}],
        "a" * 100_000,
        [["a" * 100_000]],
        (),
        namedtuple("Empty", [])(),  # noqa: PYI024 - what older programs have
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_nest_without_deferreds_is_one_value(value: Any) -> None:
    [child] = give(value)._expr.children
    assert isinstance(child.what, Literal)
    assert value_of(give(value)) == value


def test_plain_scalars_are_no_nodes_of_their_own() -> None:
    for scalar in (None, True, 1, 1.5, 2j, "text", b"bytes", ...):
        assert give(scalar)._expr.children == []
        assert value_of(give(scalar)) == scalar


def test_equal_arguments_make_equal_calls_and_others_do_not() -> None:
    makes: list[Callable[[], Any]] = [
        lambda: [1, 2], lambda: (1, 2), lambda: {1, 2}, lambda: {"a": [1]}, lambda: np.arange(3),
        lambda: pd.DataFrame({"a": [1]}),
        lambda: np.arange(3.0), lambda: [True, 2], lambda: Point(1), lambda: Pair(1), lambda: Frozen(1),
        lambda: slice(1),
        lambda: Colour.RED, lambda: np.float32(1), lambda: range(3), lambda: functools.partial(max, 1), lambda: len,
        lambda: int,
        lambda: ("builtin", "builtins", "len"), lambda: "abc".upper, lambda: "xyz".upper, lambda: math.sin,
        lambda: Point,
    ]  # fmt: skip
    keys = [key(give(make())) for make in makes]
    assert [key(give(make())) for make in makes] == keys
    assert len(set(keys)) == len(keys)


def test_functions_and_own_classes_given_as_values_are_captured_later() -> None:
    def local(x: int) -> int:
        return x + 1

    for function in (local, Point, Greeter().greet):
        [child] = give(function)._expr.children
        assert isinstance(child.what, FunctionValue)
    assert value_of(cb.defer(lambda f, x: f(x))(local, 1)) == 2
    [child] = give({"key": local})._expr.children
    assert isinstance(child.what, Build)
    [child] = give(int)._expr.children
    assert isinstance(child.what, Literal)


# ---------------------------------------------------------------- snapshots


def mutate_frame(frame: pd.DataFrame) -> None:
    frame.loc[0, "a"] = 99
    frame["new"] = 1
    frame.index.name = "changed"
    frame.columns.name = "changed"
    frame.attrs["deep"]["list"].append(2)


def frame_with_attrs() -> pd.DataFrame:
    frame = pd.DataFrame({"a": [1, 2], "s": ["x", "y"]}, index=pd.Index([0, 1], name="i"))
    frame.attrs["deep"] = {"list": [1]}
    return frame


def frame_of_objects() -> pd.DataFrame:
    frame = frame_with_attrs()
    frame["o"] = [[1], {"k": 2}]
    return frame


def mutate_objects(frame: pd.DataFrame) -> None:
    frame["o"].iloc[0].append(5)
    mutate_frame(frame)


CHANGES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "list": (lambda: [1, 2], lambda value: value.append(3)),
    "nested list": (lambda: [[1], 2], lambda value: value[0].append(3)),
    "dict": (lambda: {"a": 1}, lambda value: value.update(b=2)),
    "set": (lambda: {1}, lambda value: value.add(2)),
    "bytearray": (lambda: bytearray(b"ab"), lambda value: value.extend(b"c")),
    "dataclass": (lambda: Point([1]), lambda value: value.x.append(2)),
    "ordered dict": (lambda: OrderedDict(a=1), lambda value: value.update(b=2)),
    "default dict": (lambda: defaultdict(list, a=[1]), lambda value: value["b"].append(2)),
    "array": (lambda: np.arange(3), lambda value: value.__setitem__(0, 9)),
    "fortran array": (lambda: np.asfortranarray(np.eye(2)), lambda value: value.__setitem__((0, 0), 9)),
    "array view": (lambda: np.arange(6)[::2], lambda value: value.base.__setitem__(0, 9)),
    "object array": (lambda: np.array([[1], None], object), lambda value: value[0].append(2)),
    "frame": (frame_with_attrs, mutate_frame),
    "frame of objects": (frame_of_objects, mutate_objects),
    "series": (lambda: pd.Series([1, 2], name="a"), lambda value: value.__setitem__(0, 9)),
    "index": (lambda: pd.Index([1], name="a"), lambda value: setattr(value, "name", "b")),
    "list of frames": (lambda: [frame_with_attrs()], lambda value: mutate_frame(value[0])),
}


@pytest.mark.parametrize(("make", "change"), CHANGES.values(), ids=list(CHANGES))
def test_what_is_done_to_an_argument_after_the_call_changes_nothing(make: Any, change: Any) -> None:
    value = make()
    deferred, nested = give(value), give([give(1), value])
    before = key(deferred)
    change(value)
    assert_same(value_of(deferred), make())
    assert_same(value_of(nested)[1], make())
    assert key(give(make())) == before
    assert key(give(value)) != before


def test_tables_of_arrow_are_kept_as_they_are() -> None:
    import pyarrow as pa

    table = pa.table({"a": [1, 2]})
    assert literal_of(give(table)).value is table
    assert value_of(give([table, give(1)]))[0].equals(table)


def test_calling_changes_nothing_of_the_argument() -> None:
    array, frame = np.arange(3), frame_with_attrs()
    give(array), give(frame)
    array[0] = 5
    frame.loc[0, "a"] = 5
    assert array.flags.writeable


# ---------------------------------------------------------------- refusals


def self_holding() -> Any:
    loop: list[Any] = [1]
    loop.append({"k": loop})
    return loop


def self_holding_with_deferred() -> Any:
    loop: list[Any] = [give(1)]
    loop.append(loop)
    return loop


@pytest.mark.parametrize("loop", [self_holding, self_holding_with_deferred])
def test_an_argument_that_holds_itself_is_refused(loop: Callable[[], Any]) -> None:
    with pytest.raises(UsageError, match="holds itself"):
        give(loop())


def deep(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value


def test_an_argument_that_is_too_deep_is_refused() -> None:
    with pytest.raises(UsageError, match="nested too deeply"):
        give(deep(give(1), 1200))
    with pytest.raises(UsageError, match="recursion"):
        give(deep(1, 50_000))


@pytest.mark.parametrize(
    "holder",
    [
        lambda d: pd.DataFrame({"a": cells(d, 1)}),
        lambda d: cells(d, 1),
        lambda d: pd.Series([1, [d]], dtype=object),
        lambda d: np.array([None, {"k": d}], object),
        lambda d: [1, cells([d], 1)],
        lambda d: functools.partial(max, d),
        lambda d: functools.partial(lambda x: x, d),
        lambda d: defaultdict(list, a=[d]),
        lambda d: OrderedDict(a=d),
        lambda d: with_attrs(d),
        lambda d: Holder(d),
    ],
)
def test_a_deferred_where_its_value_cannot_be_put_in_is_refused(holder: Callable[[Any], Any]) -> None:
    with pytest.raises(DeferredError, match=r"give-\w+ is a Deferred inside a .* Pass it as an argument of its own"):
        gather(holder(give(1)))
    assert pickle.loads(pickle.dumps(give(1)))._expr == give(1)._expr


def cells(*values: Any) -> np.ndarray:
    array = np.empty(len(values), object)
    for number, value in enumerate(values):
        array[number] = value
    return array


def with_attrs(d: Any) -> pd.DataFrame:
    frame = pd.DataFrame({"a": [1]})
    frame.attrs = {"source": d}
    return frame


class Holder:
    def __init__(self, held: Any) -> None:
        self.held = held


@pytest.mark.parametrize("holder", [lambda d: {d: 1}, lambda d: [{(1, d): 1}], lambda d: {"a": d, d: 2}])
def test_a_deferred_is_no_key_of_a_dict(holder: Callable[[Any], Any]) -> None:
    with pytest.raises(DeferredError, match="cannot be a key of a dict"):
        give(holder(give(1)))


@pytest.mark.parametrize(
    "value", [threading.Lock(), (n for n in range(3)), [threading.Lock()], Holder(threading.Lock())]
)
def test_an_argument_that_cannot_travel_is_refused(value: Any) -> None:
    with pytest.raises(CaptureError, match="cannot travel to a worker: .* make it inside the stage"):
        give(value)


def test_an_object_that_refuses_to_be_pickled_says_why() -> None:
    class Prickly:
        def __reduce__(self) -> Any:
            raise RuntimeError("I stay here")

    with pytest.raises(CaptureError, match="I stay here"):
        give(Prickly())


def test_values_with_code_of_the_users_are_not_recognised_in_another_process() -> None:
    assert not literal_of(give(Holder(1))).portable
    assert not literal_of(give([Holder(1)])).portable
    assert not literal_of(give(np.array([lambda: 1, 2], object))).portable
    assert not literal_of(give(np.array([Holder, 2], object))).portable
    assert literal_of(give([1, {2}])).portable
    assert literal_of(give(np.array([1, "a"], object))).portable
    assert literal_of(give(pd.DataFrame({"a": [1]}))).portable


def literal_of(deferred: Any) -> Literal:
    what = deferred._expr.children[0].what
    assert isinstance(what, Literal)
    return what


def test_functions_in_cells_are_told_apart() -> None:
    def make(n: int) -> Any:
        return np.array([lambda: n, None], object)

    assert key(give(make(1))) != key(give(make(2)))


# ---------------------------------------------------------------- map


@pytest.mark.parametrize(
    "xs",
    [[1, 2, 3], (1, 2, 3), range(1, 4), pd.Series([1, 2, 3]), np.array([1, 2, 3])],
    ids=lambda xs: type(xs).__name__,
)
def test_map_over_what_is_in_hand(xs: Any) -> None:
    assert value_of(add.map(xs, 0, z=0)) == [1, 2, 3]
    assert value_of(add.map((x for x in xs), z=0)) == [11, 12, 13]


def test_map_over_deferreds_in_a_list() -> None:
    assert value_of(add.map([give(1), 2, give([3])[0]], 0, z=0)) == [1, 2, 3]


def test_map_over_nothing() -> None:
    assert value_of(add.map([])) == []
    assert value_of(add.map(give([]))) == []


def test_map_over_a_list_known_when_it_is_computed() -> None:
    deferred = add.map(give([1, 2, 3]), give(0), z=give(0))
    assert deferred._expr.what.fans
    assert value_of(deferred) == [1, 2, 3]
    assert value_of(add.map(add.map(give([1, 2]), 0, z=0), 0, z=0)) == [1, 2]


def test_map_over_a_map_in_hand_is_known_now() -> None:
    deferred = add.map(add.map([1, 2]), z=0)
    assert deferred._expr.what == Build("list")
    assert value_of(deferred) == [121, 122]
    assert value_of(add.map(cb.defer([give(1), 5]), 0, z=0)) == [1, 5]


def test_each_item_of_a_map_is_the_call_written_by_hand() -> None:
    assert add.map([1, 2])._expr.args[1] == add(2)._expr


@pytest.mark.parametrize("xs", ["text", b"bytes", {"a": 1}, 5, None, pd.DataFrame({"a": [1]})])
def test_map_refuses_what_has_no_plain_items(xs: Any) -> None:
    with pytest.raises(UsageError, match=r"add\.map needs a list, or a Deferred of one"):
        add.map(xs)


def test_deferred_functions_map_over_lists_in_hand_alone() -> None:
    assert value_of(cb.defer(abs).map([-1, 2])) == [1, 2]
    with pytest.raises(UsageError, match="needs a stage"):
        cb.defer(abs).map(give([1]))


# ---------------------------------------------------------------- impure calls, several outputs


def test_impure_calls_are_each_their_own() -> None:
    chance = add.options(pure=False)
    assert key(chance(1)) != key(chance(1))
    assert key(cb.defer(max, pure=False)(1, 2)) != key(cb.defer(max, pure=False)(1, 2))
    assert key(add(1)) == key(add(1))
    mapped = chance.map([1, 1])._expr.args
    assert mapped[0] != mapped[1]


@pytest.mark.parametrize(
    "function",
    [
        time.time,
        random.random,
        random.Random(1).gauss,
        np.random.rand,
        np.random.default_rng(1).normal,
        uuid.uuid4,
        datetime.now,
    ],
)
def test_clocks_and_random_numbers_are_impure_as_they_stand(function: Any) -> None:
    assert not cb.defer(function)()._expr.what.pure


@pytest.mark.parametrize(
    "function", [len, math.sin, np.sin, time.sleep, [1].count, sorted, datetime.fromisoformat, dict]
)
def test_other_functions_are_pure(function: Any) -> None:
    assert cb.defer(function)._pure


def test_several_outputs_are_a_tuple_of_deferreds() -> None:
    halves = cb.stage(outputs=2)(lambda x: (x // 2, x % 2))
    quotient, rest = halves(7)
    assert (value_of(quotient), value_of(rest)) == (3, 1)
    assert quotient._expr.args[0] is rest._expr.args[0]
    assert value_of(halves.map([7, 8])) == [(3, 1), (4, 0)]
    assert value_of(give(halves(7))) == (3, 1)
    assert halves.func(7) == (3, 1)


def test_an_impure_stage_of_several_outputs_is_called_once_for_all() -> None:
    one, two = cb.stage(outputs=2, pure=False)(lambda: (1, 2))()
    assert one._expr.args[0] == two._expr.args[0]


# ---------------------------------------------------------------- defer


def test_defer_makes_functions_deferred_and_values_deferreds() -> None:
    largest = cb.defer(max)
    assert isinstance(largest, DeferredFunction)
    assert cb.defer(largest) is largest
    assert cb.defer(add) is add
    deferred = cb.defer([1, 2])
    assert isinstance(deferred, Deferred)
    assert cb.defer(deferred) is deferred
    assert value_of(cb.defer(5)) == 5
    assert value_of(cb.defer([give(1), 2])) == [1, 2]
    assert_same(value_of(cb.defer(pd.DataFrame({"a": [1]}))), pd.DataFrame({"a": [1]}))


@pytest.mark.parametrize(
    ("function", "args", "value"),
    [
        (sorted, ([2, 1],), [1, 2]),
        (math.sqrt, (4,), 2.0),
        (np.sin, (0.0,), np.float64(0.0)),
        (np.add, (1, 2), np.int64(3)),
        (int, ("5",), 5),
        (pd.Series, ([1, 2],), None),
        (Fraction, (1, 2), Fraction(1, 2)),
        ("text".upper, (), "TEXT"),
        (functools.partial(max, 3), (5,), 5),
        (len, ([1, 2],), 2),
        (getattr, ("a", "__doc__"), str.__doc__),
    ],
)
def test_defer_takes_any_callable(function: Any, args: Any, value: Any) -> None:
    deferred = cb.defer(function)(*args)
    assert isinstance(deferred._expr.what, Call)
    assert deferred._expr.what.policy is None
    assert_same(value_of(deferred), pd.Series([1, 2]) if value is None else value)


# ---------------------------------------------------------------- travelling


def test_a_stage_travels_with_its_options() -> None:
    stage = cloudpickle.loads(cloudpickle.dumps(add.options(memory=2048, retries=2)))
    assert isinstance(stage, Stage)
    assert repr(stage) == "<stage add: 0.25 vCPU, 2 GB>"
    assert policy_of(stage).retries == 2
    assert value_of(stage(1)) == 111
    op = cloudpickle.loads(cloudpickle.dumps(cb.defer(lambda x: x + 1)))
    assert value_of(op(1)) == 2


def test_a_stage_given_as_an_argument_arrives_as_what_may_be_called_by_func() -> None:
    assert value_of(cb.defer(lambda f: type(f).__name__)(add)) in ("Stage", "FunctionInside")


def test_inside_a_stage_only_the_plain_function_may_be_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudburst.calls.is_performing", lambda: True)
    inside = rebuilt(Stage, add.func, policy_of(add), True, None)
    assert isinstance(inside, FunctionInside)
    assert inside.func(1) == 111
    for call in (inside, inside.map, inside.options):
        with pytest.raises(DeferredError, match=r"Call add\.func\(\.\.\.\)"):
            call(1)
    assert not hasattr(inside, "something")
    assert inside.__name__ == "add"
