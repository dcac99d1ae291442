import asyncio
import contextvars
import functools
import importlib
import io
import socket
import sqlite3
import threading
import types
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cloudburst.errors import CaptureError, DeferredError
from cloudburst.runtime.capture import capture, load
from tests.runtime.elsewhere import define, importing, write_files


class Later:
    """Answers any question, as a Deferred does."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked")

    def __bool__(self) -> bool:
        raise AssertionError("its truth was asked")

    __eq__ = None  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


class Holder:
    def __init__(self, inner: Any) -> None:
        self.inner = inner


class Slotted:
    __slots__ = ("inner", "unset")

    def __init__(self, inner: Any) -> None:
        self.inner = inner


@pytest.fixture
def lock() -> Any:
    return threading.Lock()


def refusal(function: Any, stage: str = "f") -> str:
    with pytest.raises(CaptureError) as caught:
        capture(function, stage=stage, forbidden=(Later,))
    assert caught.value.__cause__ is not None
    return str(caught.value)


def deferred(function: Any) -> str:
    with pytest.raises(DeferredError) as caught:
        capture(function, stage="f", forbidden=(Later,))
    return str(caught.value)


# ---------------------------------------------------------------- where it is


def uses(source: str, **variables: Any) -> str:
    return refusal(define(source, **variables)).partition(", which cannot travel")[0]


def test_a_global(lock: Any) -> None:
    assert uses("def f(): return lock", lock=lock) == "'f' uses 'lock' (_thread.lock) as a global variable"


def test_a_global_of_a_nested_function(lock: Any) -> None:
    source = "def f():\n    def g(): return lock\n    return g()"
    assert uses(source, lock=lock) == "'f' uses 'lock' (_thread.lock) as a global variable"


def test_a_default(lock: Any) -> None:
    assert uses("def f(a, b=lock): return a", lock=lock) == "'f' uses 'b' (_thread.lock) as a default"
    assert uses("def f(a, b=1, *, c=lock): return a", lock=lock) == "'f' uses 'c' (_thread.lock) as a default"


def test_a_variable_of_the_function_around_it(lock: Any) -> None:
    message = refusal(lambda: lock)
    assert message.startswith("'f' uses 'lock' (_thread.lock) as a variable of the function around it")


def test_an_attribute_of_the_function(lock: Any) -> None:
    message = uses("def f(): pass\nf.guard = lock", lock=lock)
    assert message == "'f' uses 'f.guard' (_thread.lock) as an attribute of the function"


def test_deep_in_containers(lock: Any) -> None:
    message = uses("def f(): return settings", settings={"a": [1, ({"db": lock},)]})
    assert message == "'f' uses \"settings['a'][1][0]['db']\" (_thread.lock) as a global variable"


def test_deep_in_objects(lock: Any) -> None:
    thing = Holder(types.SimpleNamespace(deep=Slotted([lock])))
    message = uses("def f(): return thing", thing=thing)
    assert message == "'f' uses 'thing.inner.deep.inner[0]' (_thread.lock) as a global variable"


def test_a_class_attribute(lock: Any) -> None:
    message = uses("class A:\n    guard = lock\nclass B(A): pass\ndef f(): return B()", lock=lock)
    assert message == "'f' uses 'A.guard' (_thread.lock) as a class attribute"


def test_a_method_of_a_class(lock: Any) -> None:
    message = uses("class A:\n    @staticmethod\n    def m(): return lock\ndef f(): return A.m()", lock=lock)
    assert message == "'f' -> 'A.m' uses 'lock' (_thread.lock) as a global variable"


@pytest.mark.parametrize("how", ["functools.partial(g)", "functools.lru_cache(g)", "property(g)", "Holder(g).inner"])
def test_a_function_inside_another_callable(lock: Any, how: str) -> None:
    source = f"def g(): return lock\nh = {how}\ndef f(): return h"
    message = uses(source, lock=lock, functools=functools, Holder=Holder)
    assert message == "'f' -> 'g' uses 'lock' (_thread.lock) as a global variable"


def test_a_bound_method(lock: Any) -> None:
    message = uses("def f(): return look()", look=types.MethodType(lambda self: 1, Holder(lock)))
    assert message == "'f' uses 'look.__self__.inner' (_thread.lock) as a global variable"


def test_through_functions(lock: Any) -> None:
    message = uses("def h(): return lock\ndef g(): return h()\ndef f(): return g()", lock=lock)
    assert message == "'f' -> 'g' -> 'h' uses 'lock' (_thread.lock) as a global variable"


def test_through_functions_that_call_each_other(lock: Any) -> None:
    message = uses("def g(): return f()\ndef f(): return g(), lock", lock=lock)
    assert message == "'f' uses 'lock' (_thread.lock) as a global variable"


def test_through_a_module(tmp_path: Path) -> None:
    write_files(tmp_path, {"helpers.py": "import threading\nlock = threading.Lock()\ndef query(): return lock\n"})
    with importing(tmp_path):
        importlib.import_module("helpers")
        through = uses("import helpers\ndef f(): return helpers.query()")
        straight = uses("def f():\n    import helpers\n    return helpers.lock")
    assert through == "'f' -> 'helpers.query' uses 'lock' (_thread.lock) as a global variable"
    assert straight == "'f' uses 'helpers.lock' (_thread.lock) as a global variable"


def test_what_is_no_function_is_told_by_its_parts(lock: Any) -> None:
    assert refusal(functools.partial(max, lock)).startswith("'f' uses '.args[0]' (_thread.lock), which cannot travel")


def test_an_object_that_refuses_by_itself() -> None:
    class Stubborn:
        def __call__(self) -> None: ...

        def __reduce__(self) -> Any:
            raise RuntimeError("I stay")

    assert refusal(Stubborn()) == "'f' cannot travel to a worker: I stay"


# ---------------------------------------------------------------- what it is, and the mend


@pytest.fixture(params=["socket", "connection", "generator", "file", "thread", "pool", "variable", "loop", "weakref"])
def stuck(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Any, str]]:
    kind = request.param
    holder = Holder(1)
    if kind == "socket":
        with socket.socket() as value:
            yield value, "open it inside the stage"
    elif kind == "connection":
        connection = sqlite3.connect(":memory:")
        yield connection, "open it inside the stage"
        connection.close()
    elif kind == "file":
        with (tmp_path / "file").open("w+") as file:
            yield file, "open it inside the stage, and pass its path as an argument"
    elif kind == "loop":
        loop = asyncio.new_event_loop()
        yield loop, "start it inside the stage"
        loop.close()
    else:
        yield {
            "generator": ((n for n in range(3)), "make it inside the stage, or use a list of its values"),
            "thread": (threading.Thread(), "start it inside the stage"),
            "pool": (ThreadPoolExecutor(), "start it inside the stage"),
            "variable": (contextvars.ContextVar("variable"), "pass its value as an argument"),
            "weakref": (weakref.ref(holder), "use the object itself instead of a weak reference to it"),
        }[kind]


def test_what_cannot_travel_is_told_with_its_mend(stuck: tuple[Any, str]) -> None:
    value, mend = stuck
    message = refusal(define("def f(): return it", it=value), stage="fetch")
    assert message.startswith("'fetch' uses 'it' (")
    assert f"as a global variable, which cannot travel to a worker: {mend}. (" in message


def test_binary_file_cannot_travel(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.touch()
    with path.open("rb") as file:
        assert "open it inside the stage" in refusal(define("def f(): return it", it=file))


def test_memory_file_can_travel() -> None:
    captured = capture(define("def f(): return it", it=io.StringIO("text")), stage="f")
    assert load(captured.payload)().getvalue() == "text"


def test_lock_is_told_to_guard_nothing(lock: Any) -> None:
    assert "guard nothing" in refusal(lambda: lock)


# ---------------------------------------------------------------- Deferreds


def test_deferred_as_a_global() -> None:
    message = deferred(define("def f(): return total", total=Later()))
    assert message == "stage 'f' uses the Later 'total' as a global: pass `total` as an argument."


def test_deferred_as_a_default() -> None:
    message = deferred(define("def f(x=total): return x", total=Later()))
    assert message == "stage 'f' uses the Later 'x' as a default: pass `x` as an argument."


def test_deferred_as_a_closure() -> None:
    total = Later()
    message = deferred(lambda: total)
    assert message.startswith("stage 'f' uses the Later 'total' as a variable of the function around it")


@pytest.mark.parametrize(
    ("holder", "path"), [({"t": [1, Later()]}, "it['t'][1]"), (Holder(Later()), "it.inner"), ((Later(),), "it[0]")]
)
def test_deferred_at_any_depth(holder: Any, path: str) -> None:
    message = deferred(define("def f(): return it", it=holder))
    assert message == f"stage 'f' uses the Later {path!r} as a global: pass it as an argument."


def test_deferred_of_a_function_that_is_called() -> None:
    message = deferred(define("def g(): return total\ndef f(): return g()", total=Later()))
    assert message == "stage 'f' -> 'g' uses the Later 'total' as a global: pass `total` as an argument."


def test_deferred_beside_something_else_that_cannot_travel(lock: Any) -> None:
    source = "def f(): return both"
    assert "both[1]" in deferred(define(source, both=[Holder(1), Later(), lock]))


def test_deferred_that_is_not_reached_is_no_matter() -> None:
    captured = capture(define("def f(): return 1", total=Later()), stage="f", forbidden=(Later,))
    assert load(captured.payload)() == 1
