from __future__ import annotations

import builtins
import dataclasses
import functools
import operator
import pickle
import subprocess
import threading

import pandas as pd
import pytest

from cloudburst.errors import StoreError, Tampered
from cloudburst.runtime import artifacts
from cloudburst.runtime.steps import kept_outputs, perform
from cloudburst.runtime.stores.memory import MemoryStore
from cloudburst.runtime.task import Artifact, Output
from tests.assignments import Bench, assignment, slot, step


def add(x, y=10):
    return x + y


@dataclasses.dataclass(frozen=True)
class Window:
    start: int
    stop: int
    width: int = dataclasses.field(init=False, default=0)

    def __post_init__(self):
        object.__setattr__(self, "width", self.stop - self.start)


# ---------------------------------------------------------------- each kind of step


def test_a_call_gets_positions_and_keywords_from_constants_and_slots():
    bench = Bench(add=add)
    assert bench.value(step("call", "add", 1, y=slot(0)), inputs=[5]) == 6
    assert bench.value(step("call", "add", slot(0)), inputs=[5]) == 15
    assert bench.value(step("call", "add", 1), step("call", "add", slot(0), slot(0))) == 22


def test_a_method_is_called_on_its_object():
    assert Bench().value(step("method", "split", "a,b,c", ",", maxsplit=1)) == ["a", "b,c"]


def test_an_attribute_and_an_item_are_read():
    frame = pd.DataFrame({"x": [1, 2]})
    assert Bench().value(step("attribute", "shape", slot(0)), inputs=[frame]) == (2, 1)
    assert list(Bench().value(step("item", "", slot(0), "x"), inputs=[frame])) == [1, 2]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        *[
            (name, (7, 3))
            for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lt", "eq", "xor", "and_")
        ],
        ("divmod", (7, 3)),
        ("pow", (7, 3, 5)),
        ("round", (7.254, 1)),
        ("round", (7.5,)),
        ("abs", (-7,)),
        ("neg", (7,)),
        ("invert", (7,)),
        ("pos", (7,)),
    ],
)
def test_an_operator_gives_what_python_gives(name, values):
    expected = getattr(operator, name, None) if len(values) < 3 else None
    assert Bench().value(step("operator", name, *values)) == (expected or getattr(builtins, name))(*values)


@pytest.mark.parametrize("container", ["list", "tuple", "set", "frozenset"])
def test_a_container_is_built_of_its_members(container):
    built = Bench().value(step("build", container, 1, slot(0)), inputs=[2])
    assert built == getattr(builtins, container)([1, 2])
    assert type(built) is getattr(builtins, container)


def test_a_dict_and_a_slice_are_built():
    assert Bench().value(step("build", "dict", "a", slot(0), "b", 2), inputs=[1]) == {"a": 1, "b": 2}
    assert Bench().value(step("build", "slice", 1, slot(0), None), inputs=[5]) == slice(1, 5, None)


def test_a_dataclass_is_built_as_it_was_without_running_its_init_again():
    inputs = [Window, 1]
    built = Bench().value(step("build", "dataclass", slot(0), "start", slot(1), "stop", 9, "width", -1), inputs=inputs)
    assert (type(built), built.start, built.stop, built.width) == (Window, 1, 9, -1)


def test_a_function_step_gives_the_function_itself():
    bench = Bench(add=add)
    assert bench.value(step("function", "add"), step("method", "__call__", slot(0), 1)) == 11


@pytest.mark.parametrize("wrap", [lambda f: f, lambda f: functools.partial(f)], ids=["plain", "partial"])
def test_an_async_stage_is_awaited(wrap):
    async def later(x):
        return x + 1

    assert Bench(later=wrap(later)).value(step("call", "later", 1)) == 2


def test_an_object_with_an_async_call_is_awaited():
    class Later:
        async def __call__(self, x):
            return x + 1

    assert Bench(later=Later()).value(step("call", "later", 1)) == 2


# ---------------------------------------------------------------- values


def test_a_chain_of_100_000_steps_needs_no_depth():
    bench = Bench()
    record = bench.perform(*[step("operator", "add", slot(n), 1, free=(n,)) for n in range(100_000)], inputs=[0])
    assert bench.values(record) == [100_000]


def test_a_freed_slot_holds_its_value_no_longer():
    alive = []

    class Noisy:
        def __del__(self):
            alive.append(False)

    def make():
        return Noisy()

    def use(noisy):
        return 1

    def look(_):
        return list(alive)

    bench = Bench(make=make, use=use, look=look)
    used = step("call", "use", slot(0), free=(0,))
    assert bench.value(step("call", "make"), used, step("call", "look", slot(1))) == [False]
    alive.clear()
    assert bench.value(step("call", "make"), used._replace(free=()), step("call", "look", slot(1))) == []


def test_an_own_value_is_written_to_alone():
    def spoil(values):
        values.append(9)
        return len(values)

    bench = Bench(spoil=spoil)
    record = bench.perform(step("call", "spoil", slot(0), own=(0,)), inputs=[[1]], outputs=[0, 1])
    assert bench.values(record) == [[1], 2]
    record = bench.perform(step("call", "spoil", slot(0)), inputs=[[1]], outputs=[0, 1])
    assert bench.values(record) == [[1, 9], 2]


def test_a_list_for_a_fan_is_stored_in_parts():
    bench = Bench()
    record = bench.perform(step("build", "list", 1, "b"), outputs=[Output(0, parts=True)])
    assert record.artifacts[0].codec == "parts"
    assert bench.values(record) == [[1, "b"]]


def test_outputs_go_under_the_prefix_by_their_number():
    bench = Bench()
    record = bench.perform(
        step("operator", "mul", b"x", 100_000), step("operator", "mul", b"y", 100_000), outputs=[1, 0]
    )
    assert [artifact.body for artifact in record.artifacts] == ["runs/test/0-1/0", "runs/test/0-1/1"]
    assert [value[:1] for value in bench.values(record)] == [b"y", b"x"]


def test_an_output_for_the_rescue_is_not_stored_when_nothing_failed():
    bench = Bench(add=add)
    steps = step("call", "add", 1), step("operator", "add", slot(0), 1)
    record = bench.perform(*steps, outputs=[Output(1), Output(0, rescue=True)], stage_step=0)
    assert bench.values(record) == [12]


# ---------------------------------------------------------------- failures


def failing(error):
    def stage(*_):
        raise error

    return Bench(stage=stage, add=add)


def test_an_exception_is_a_failure_with_its_step_and_the_exception_itself():
    record = failing(ValueError("no rows", 3)).perform(step("build", "list"), step("call", "stage"))
    failure = record.failure
    assert failure is not None
    assert (failure.cause, failure.step) == ("raised", 1)
    assert failure.message == "ValueError: ('no rows', 3)"
    error = pickle.loads(failure.exception)
    assert (type(error), error.args) == (ValueError, ("no rows", 3))
    assert record.artifacts == ()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()], ids=repr)
def test_what_would_end_the_process_is_a_failure_that_carries_no_exception_to_raise(error):
    failure = failing(error).perform(step("call", "stage")).failure
    assert failure is not None
    assert (failure.cause, failure.exception) == ("raised", None)
    assert failure.message.startswith(type(error).__name__)


def test_the_traceback_shows_the_users_frames_and_none_of_ours():
    failure = failing(ValueError("no rows")).perform(step("call", "stage")).failure
    assert "in stage" in failure.traceback
    assert "raise error" in failure.traceback
    assert "_evaluate" not in failure.traceback
    assert "perform" not in failure.traceback


def test_the_traceback_of_an_async_stage_shows_no_frames_of_asyncio():
    async def stage():
        raise ValueError("later")

    failure = Bench(stage=stage).perform(step("call", "stage")).failure
    assert "in stage" in failure.traceback
    assert "asyncio" not in failure.traceback


def test_a_function_that_cannot_be_loaded_fails_its_step():
    class Broken(dict):
        def __missing__(self, name):
            raise ModuleNotFoundError("No module named 'lost'")

    bench = Bench()
    bench.functions = Broken()
    failure = bench.perform(step("call", "stage")).failure
    assert (failure.cause, failure.step) == ("raised", 0)
    assert "lost" in failure.message


def test_the_stages_own_value_is_stored_when_a_later_step_fails():
    bench = Bench(add=add)
    steps = step("call", "add", 1), step("operator", "truediv", slot(0), 0)
    record = bench.perform(*steps, outputs=[Output(1), Output(0, rescue=True)], stage_step=0)
    assert (record.failure.step, record.failure.message) == (1, "ZeroDivisionError: division by zero")
    assert bench.values(record._replace(failure=None)) == [11]


def test_nothing_is_stored_when_the_stage_itself_fails():
    steps = step("operator", "add", 1, 1), step("call", "stage", slot(0))
    record = failing(ValueError()).perform(*steps, outputs=[0, 1], stage_step=1)
    assert record.artifacts == ()


def test_a_stages_value_that_cannot_be_kept_does_not_hide_the_failure():
    bench = Bench(stage=threading.Lock)
    steps = step("call", "stage"), step("operator", "truediv", 1, 0)
    record = bench.perform(*steps, outputs=[Output(1), Output(0, rescue=True)], stage_step=0)
    assert record.artifacts == ()
    assert record.failure.message.startswith("ZeroDivisionError")
    assert "could not be kept" in record.failure.traceback


def test_kept_outputs_are_those_there_were_when_the_stage_returned():
    outputs = [Output(4), Output(2), Output(3, rescue=True)]
    assert kept_outputs(outputs, inputs=1, stage_step=2) == [1, 2]
    assert kept_outputs(outputs, inputs=1, stage_step=None) == []


# ---------------------------------------------------------------- refusals


def numbers():
    yield 1


async def anumbers():
    yield 1


async def later():
    return 1


@pytest.mark.parametrize(
    ("returned", "what"),
    [
        (numbers, "a generator"),
        (anumbers, "an async generator"),
        (lambda: pd.DataFrame().head, "a bound method"),
    ],
)
def test_a_stage_may_not_return_what_is_no_finished_value(returned, what):
    failure = Bench(stage=returned).perform(step("call", "stage"), stage_step=0).failure
    assert (failure.cause, failure.step) == ("refused", 0)
    assert what in failure.message


def test_a_plain_stage_may_not_return_a_coroutine():
    made = []

    def stage():
        made.append(later())
        return made[0]

    failure = Bench(stage=stage).perform(step("call", "stage"), stage_step=0).failure
    assert "a coroutine" in failure.message
    made[0].close()


@pytest.mark.parametrize("wrap", [lambda d: d, lambda d: [1, d], lambda d: {"a": d}, lambda d: (d,)])
def test_a_stage_may_not_return_a_deferred(wrap):
    import cloudburst

    failure = Bench(stage=lambda: wrap(cloudburst.defer(1))).perform(step("call", "stage"), stage_step=0).failure
    assert failure.cause == "refused"
    assert "a Deferred" in failure.message


def test_a_result_that_cannot_be_pickled_is_refused_with_its_step():
    with subprocess.Popen(["true"]) as process:
        failure = (
            Bench(stage=lambda: process).perform(step("call", "stage"), step("build", "list"), outputs=[1, 0]).failure
        )
    assert (failure.cause, failure.step) == ("refused", 0)
    assert "cannot be" in failure.message


def test_a_full_store_refuses_the_result_and_says_so(monkeypatch):
    bench = Bench()

    def put(key, parts, *, if_absent=False):
        raise StoreError("No space left in the store.")

    monkeypatch.setattr(bench.store, "put", put)
    failure = bench.perform(step("operator", "mul", b"x", 100_000)).failure
    assert failure.cause == "refused"
    assert failure.message == "No space left in the store."


def test_running_out_of_memory_while_storing_is_told_as_that(monkeypatch):
    bench = Bench()

    def put(key, parts, *, if_absent=False):
        raise MemoryError

    monkeypatch.setattr(bench.store, "put", put)
    failure = bench.perform(step("operator", "mul", b"x", 100_000)).failure
    assert (failure.cause, failure.message) == ("refused", "its result could not be stored: MemoryError")
    assert type(pickle.loads(failure.exception)) is MemoryError


def test_an_op_may_make_what_no_task_may_hand_on():
    bench = Bench(numbers=numbers, make_list=list)
    steps = step("call", "numbers"), step("call", "make_list", slot(0))
    assert bench.value(*steps) == [1]
    failure = bench.perform(steps[0]).failure
    assert (failure.cause, failure.step) == ("refused", 0)
    assert "a generator" in failure.message


def test_an_error_in_the_users_pickling_keeps_its_exception():
    class Sulky:
        def __reduce__(self):
            raise LookupError("not today")

    failure = Bench(stage=Sulky).perform(step("call", "stage")).failure
    assert failure.cause == "refused"
    assert "not today" in failure.message


def test_an_input_that_is_gone_is_told():
    lost = assignment(step("build", "list", slot(0)), inputs=[Artifact("pickle", "runs/lost", 1)])
    failure = perform(lost, {}, MemoryStore()).failure
    assert (failure.cause, failure.step) == ("refused", None)
    assert "runs/lost" in failure.message


def test_an_input_that_is_not_what_was_written_is_told_as_what_it_is():
    store = MemoryStore(shared=True)
    artifact = artifacts.write(b"x" * 40_000, store, "runs/a")
    store.put("runs/a", [b"y" * 40_000])
    failure = perform(assignment(step("build", "list", slot(0)), inputs=[artifact]), {}, store).failure
    assert (failure.cause, failure.step) == ("tampered", None)
    assert "runs/a is not what was written" in failure.message
    assert str(pickle.loads(failure.exception)) == failure.message
    assert type(pickle.loads(failure.exception)) is Tampered


def test_what_is_fanned_over_must_be_a_list():
    failure = Bench().perform(step("operator", "add", 1, 1), outputs=[Output(0, parts=True)]).failure
    assert failure.cause == "refused"
    assert "list" in failure.message


# ---------------------------------------------------------------- columns

FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [0.5, None]})


def test_a_frame_is_narrowed_and_all_else_is_passed_on():
    bench = Bench()
    made = bench.value(step("narrow", "", slot(0), "c", "nowhere", "a"), inputs=[FRAME])
    pd.testing.assert_frame_equal(made, FRAME[["a", "c"]])
    assert bench.value(step("narrow", "", slot(0), "a"), inputs=[[1, 2]]) == [1, 2]


def test_of_each_input_the_columns_are_read_that_the_task_needs():
    bench = Bench()
    given = assignment(
        step("build", "list", slot(0), slot(1), slot(2)), inputs=[bench.write(value) for value in (FRAME, FRAME, [3])]
    )
    for columns, expected in (
        ((("b", "z"), None, ("a",)), [["b"], ["a", "b", "c"]]),
        ((), [["a", "b", "c"], ["a", "b", "c"]]),
    ):
        first, second, third = bench.values(perform(given._replace(columns=columns), {}, bench.store))[0]
        assert [list(first), list(second)] == expected
        assert third == [3]


def failed(function, *, reads, stage_step=0):
    bench = Bench(f=function)
    one = assignment(
        step("call", "f", slot(0)), step("method", "max", slot(1)), inputs=[bench.write(FRAME)], stage_step=stage_step
    )
    record = perform(one._replace(stage="train", reads=reads), bench.functions, bench.store)
    return pickle.loads(record.failure.exception)


def test_a_column_that_the_stage_did_not_declare_is_told_by_its_declaration():
    error = failed(lambda frame: frame["price"], reads=(("sales", ("a", "b")),))
    assert type(error) is KeyError
    assert error.__notes__ == [
        "stage train is given only the columns a, b of `sales`: reads= says so. Add 'price' there to use it."
    ]
    assert not hasattr(failed(lambda frame: frame["price"], reads=()), "__notes__")


def test_what_an_op_that_rides_misses_is_not_the_stages_to_declare():
    class Odd:
        def max(self):
            return FRAME["price"]

    error = failed(lambda frame: Odd(), reads=(("sales", ("a", "b")),))
    assert type(error) is KeyError
    assert not hasattr(error, "__notes__")
