import collections
import contextlib
import dataclasses
import enum
import functools
import importlib
import sys
import threading
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest

from cloudburst.errors import CaptureError
from cloudburst.runtime import reach
from cloudburst.runtime.capture import Captured, capture, load
from tests.runtime.elsewhere import Elsewhere, RaisedElsewhere, define, importing, write_files


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    other = Elsewhere(tmp_path_factory.mktemp("elsewhere"))
    yield other
    other.close()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    with importing(tmp_path):
        yield tmp_path


def captured(function: Any, **options: Any) -> Captured:
    return capture(function, stage="f", **options)


def run(elsewhere: Elsewhere, function: Any, *arguments: Any) -> Any:
    return elsewhere.call(captured(function).payload, *arguments)


# ---------------------------------------------------------------- functions


def test_plain_function_travels(elsewhere: Elsewhere) -> None:
    assert run(elsewhere, lambda x, y=2, *, z=3: (x, y, z), 1) == (1, 2, 3)


def test_globals_are_read_when_the_function_is_captured(elsewhere: Elsewhere) -> None:
    f = define("limit = 1\ndef f(): return limit")
    f.__globals__["limit"] = 2
    payload = captured(f).payload
    f.__globals__["limit"] = 3
    assert elsewhere.call(payload) == 2


def test_two_closures_of_one_factory_keep_their_own_values(elsewhere: Elsewhere) -> None:
    def make(n: int) -> Any:
        return lambda: n

    cache: dict[Any, Any] = {}
    payloads = [captured(make(n), cache=cache).payload for n in (1, 2)]
    assert [elsewhere.call(payload) for payload in payloads] == [1, 2]


def test_closures_that_share_a_variable_share_it_still(elsewhere: Elsewhere) -> None:
    def make() -> Any:
        total = 0

        def add() -> None:
            nonlocal total
            total += 1

        def get() -> int:
            return total

        return lambda: (add(), add(), get())[-1]

    assert run(elsewhere, make()) == 2


def test_functions_of_one_module_share_its_globals(elsewhere: Elsewhere) -> None:
    f = define(
        """
        count = 0
        def add():
            global count
            count += 1
        def f():
            add(); add()
            return count
        """
    )
    assert run(elsewhere, f) == 2


def test_recursive_function_travels(elsewhere: Elsewhere) -> None:
    def factorial(n: int) -> int:
        return 1 if n < 2 else n * factorial(n - 1)

    assert run(elsewhere, factorial, 5) == 120


def test_mutually_recursive_functions_travel(elsewhere: Elsewhere) -> None:
    f = define("def odd(n): return n and f(n - 1)\ndef f(n): return n == 0 or odd(n - 1)")
    assert run(elsewhere, f, 10) is True


def test_a_long_chain_of_functions_travels(elsewhere: Elsewhere) -> None:
    links = "\n".join(f"def f{n}(): return 1 + f{n + 1}()" for n in range(400))
    f = define(f"{links}\ndef f400(): return 0\ndef f(): return f0()")
    assert run(elsewhere, f) == 400


def test_nested_functions_find_their_globals(elsewhere: Elsewhere) -> None:
    f = define("scale = 3\ndef f(xs):\n    def g(x): return x * scale\n    return [g(x) for x in xs]")
    assert run(elsewhere, f, [1, 2]) == [3, 6]


def test_class_made_inside_finds_globals_of_its_body(elsewhere: Elsewhere) -> None:
    f = define("limit = 7\ndef f():\n    class A:\n        x = limit\n    return A.x")
    assert run(elsewhere, f) == 7


def test_wrapped_function_travels_with_what_it_wraps(elsewhere: Elsewhere) -> None:
    def twice(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any) -> Any:
            return function(*args), function(*args)

        return wrapper

    @twice
    def one(x: int) -> int:
        """Doc."""
        return x

    assert run(elsewhere, one, 1) == (1, 1)
    assert run(elsewhere, lambda: (one.__name__, one.__doc__)) == ("one", "Doc.")


def test_decorators_of_the_standard_library_travel(elsewhere: Elsewhere) -> None:
    @contextlib.contextmanager
    def level(n: int) -> Iterator[int]:
        yield n + 1

    def f() -> int:
        with level(1) as n:
            return n

    assert run(elsewhere, f) == 2


def test_partial_function_travels(elsewhere: Elsewhere) -> None:
    assert run(elsewhere, functools.partial(lambda x, y: (x, y), 1), 2) == (1, 2)


def test_cached_recursive_function_travels_with_an_empty_cache(elsewhere: Elsewhere) -> None:
    @functools.lru_cache(maxsize=50)
    def fibonacci(n: int) -> int:
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    fibonacci(30)

    def f() -> tuple[int, int, int | None]:
        before = fibonacci.cache_info().currsize
        return before, fibonacci(20), fibonacci.cache_info().maxsize

    assert run(elsewhere, f) == (0, 6765, 50)


def test_single_dispatch_travels(elsewhere: Elsewhere) -> None:
    @functools.singledispatch
    def kind(x: object) -> str:
        return "object"

    @kind.register
    def _(x: int) -> str:
        return "int"

    kind(1)
    assert run(elsewhere, lambda: (kind(1), kind(""))) == ("int", "object")


def test_installed_function_travels_by_name(elsewhere: Elsewhere) -> None:
    payload = captured(np.sum).payload
    assert len(payload) < 200
    assert elsewhere.call(payload, [1, 2]) == 3


def test_hidden_generators_are_not_copied() -> None:
    f = define("from random import random as draw\ndef f(): return draw()")
    first, second = load(captured(f).payload), load(captured(f).payload)
    assert first() != second()


def test_annotations_travel(elsewhere: Elsewhere) -> None:
    def g(x: int) -> "str":
        return ""

    assert run(elsewhere, lambda: g.__annotations__) == {"x": int, "return": "str"}


def test_type_variables_travel(elsewhere: Elsewhere) -> None:
    f = define(
        """
        from typing import Generic, NewType, ParamSpec, TypeVar
        T, P, Id = TypeVar("T", bound=int), ParamSpec("P"), NewType("Id", int)
        class Box(Generic[T]):
            def get(self: T) -> T: ...
        def g(x: T, y: Id) -> P: ...
        def f(): return Box[int].__origin__ is Box, g.__annotations__["x"] is Box.__parameters__[0], Id(3)
        """
    )
    assert run(elsewhere, f) == (True, True, 3)


def test_standard_streams_are_those_of_the_worker(elsewhere: Elsewhere) -> None:
    f = define("import sys\nout, err = sys.stdout, sys.stderr\ndef f(): return out is sys.stdout, err is sys.stderr")
    assert run(elsewhere, f) == (True, True)


# ---------------------------------------------------------------- classes


@dataclasses.dataclass
class Point:
    x: int
    tags: list[str] = dataclasses.field(default_factory=list)

    def moved(self) -> "Point":
        return dataclasses.replace(self, x=self.x + 1)


class Base:
    def __init__(self, x: int) -> None:
        self.x = x

    @property
    def double(self) -> int:
        return 2 * self.x

    @classmethod
    def make(cls, x: int) -> "Base":
        return cls(x)

    @staticmethod
    def name() -> str:
        return "base"

    @functools.cached_property
    def square(self) -> int:
        return self.x**2


class Child(Base):
    def __init__(self, x: int) -> None:
        super().__init__(x + 1)


class Color(enum.Enum):
    RED = 1
    BLUE = 2

    def other(self) -> "Color":
        return Color.BLUE if self is Color.RED else Color.RED


class Pair(typing.NamedTuple):
    a: int
    b: int


Row = collections.namedtuple("Row", "x y")  # noqa: PYI024 - both kinds are in use


def test_dataclass_travels(elsewhere: Elsewhere) -> None:
    def f() -> Any:
        field = dataclasses.fields(Point)[0]
        return Point(1).moved() == Point(2), Point(1).tags, field.default is dataclasses.MISSING

    assert run(elsewhere, f) == (True, [], True)


def test_inheritance_and_descriptors_travel(elsewhere: Elsewhere) -> None:
    def f() -> Any:
        child = Child(1)
        return child.double, Child.make(2).x, Child.name(), child.square, isinstance(child, Base)

    assert run(elsewhere, f) == (4, 3, "base", 4, True)


def test_enumeration_travels(elsewhere: Elsewhere) -> None:
    assert run(elsewhere, lambda: (Color(1).other() is Color.BLUE, [c.name for c in Color])) == (True, ["RED", "BLUE"])


def test_named_tuples_travel(elsewhere: Elsewhere) -> None:
    assert run(elsewhere, lambda: (Pair(1, 2).b, Row(3, 4)._replace(x=5)[0])) == (2, 5)


def test_objects_of_own_classes_travel(elsewhere: Elsewhere) -> None:
    child = Child(4)
    assert run(elsewhere, lambda: child.double) == 10


def test_objects_that_pickle_as_a_name_of_their_module_travel(elsewhere: Elsewhere) -> None:
    f = define(
        """
        import enum
        class Nothing:
            def __reduce__(self): return "NOTHING"
        NOTHING = Nothing()
        NOTHING.note = "n"
        @enum.global_enum
        class Flag(enum.IntFlag):
            UP = 1
        def g(x=NOTHING): return x is NOTHING
        def f(): return g(), NOTHING.note, flag is Flag.UP
        flag = Flag.UP
        """
    )
    assert run(elsewhere, f) == (True, "n", True)


def test_own_class_stays_as_it_is_when_its_payload_is_loaded_at_home() -> None:
    before = Base.__init__
    made = load(captured(lambda: Base(1)).payload)()
    assert type(made) is Base
    assert Base.__init__ is before


# ---------------------------------------------------------------- the project's modules


def test_sibling_module_travels_by_value(elsewhere: Elsewhere, project: Path) -> None:
    write_files(
        project,
        {
            "helpers.py": "LIMIT = 3\ndef double(x): return 2 * x\ndef clip(x): return min(double(x), LIMIT)\n",
            "steps.py": """
                import helpers
                from helpers import clip as cut
                def by_module(x): return helpers.clip(x)
                def by_name(x): return cut(x)
                """,
        },
    )
    steps = importlib.import_module("steps")
    assert run(elsewhere, steps.by_module, 5) == 3
    assert run(elsewhere, steps.by_name, 1) == 2


def test_module_travels_as_it_is_in_memory(elsewhere: Elsewhere, project: Path) -> None:
    write_files(project, {"helpers.py": "LIMIT = 3\n"})
    helpers = importlib.import_module("helpers")
    write_files(project, {"helpers.py": "LIMIT = 4\n"})
    helpers.LIMIT = 5
    f = define("import helpers\ndef f(): return helpers.LIMIT")
    g = define("def f():\n    import helpers\n    return helpers.LIMIT")
    assert run(elsewhere, f) == 5
    assert run(elsewhere, g) == 5


def test_what_a_stage_does_not_read_of_a_module_spoils_nothing(elsewhere: Elsewhere, project: Path) -> None:
    write_files(
        project,
        {
            "helpers.py": """
                import logging, sqlite3, threading
                lock = threading.Lock()
                db = sqlite3.connect(":memory:")
                log = logging.getLogger(__name__)
                log.addHandler(logging.StreamHandler())
                def double(x):
                    log.debug("double")
                    return 2 * x
                def guarded(x):
                    with lock: return db.execute(x)
                """
        },
    )
    helpers = importlib.import_module("helpers")
    assert run(elsewhere, define("import helpers\ndef f(x): return helpers.double(x)"), 2) == 4
    with pytest.raises(CaptureError, match=r"'f' -> 'helpers.guarded' uses '(lock|db)'"):
        captured(define("import helpers\ndef f(x): return helpers.guarded(x)"))
    helpers.db.close()


def test_packages_and_their_modules_travel(elsewhere: Elsewhere, project: Path) -> None:
    write_files(
        project,
        {
            "pkg/__init__.py": "VERSION = 2\n",
            "pkg/sub.py": "from . import VERSION\nfrom .deep import core\ndef f(x): return core.g(x) + VERSION\n",
            "pkg/deep/__init__.py": "",
            "pkg/deep/core.py": "from ..other import K\ndef g(x):\n    from .. import late\n    return x+K+late.N",
            "pkg/other.py": "K = 10\n",
            "pkg/late.py": "N = 100\n",
        },
    )
    f = define("import pkg.sub\ndef f(x): return pkg.sub.f(x)")
    assert run(elsewhere, f, 1) == 113
    assert "pkg.late" not in sys.modules
    assert f(1) == 113
    assert run(elsewhere, f, 1) == 113


IMPORTS = {
    "import helpers": "helpers.LIMIT",
    "import helpers as h": "h.LIMIT",
    "from helpers import LIMIT": "LIMIT",
    "from helpers import double as d": "d(1) + 1",
    "import pkg.sub": "pkg.sub.f() + pkg.TOP",
    "import pkg.deep.core as c": "c.N",
    "from pkg import sub": "sub.f() + 1",
    "from pkg.deep import core": "core.N",
}


@pytest.mark.parametrize("already", [True, False], ids=["imported", "not imported"])
@pytest.mark.parametrize("statement", IMPORTS)
def test_modules_imported_in_the_body_travel(
    elsewhere: Elsewhere, project: Path, statement: str, already: bool
) -> None:
    write_files(
        project,
        {
            "helpers.py": "LIMIT = 3\ndef double(x): return 2 * x\n",
            "pkg/__init__.py": "TOP = 1\n",
            "pkg/sub.py": "import helpers\ndef f(): return helpers.double(1)\n",
            "pkg/deep/__init__.py": "",
            "pkg/deep/core.py": "from pkg import TOP\nfrom ..sub import f\nN = TOP + f()\n",
        },
    )
    if already:
        for name in ("helpers", "pkg.sub", "pkg.deep.core"):
            importlib.import_module(name)
    f = define(f"def f():\n    {statement}\n    return {IMPORTS[statement]}")
    payload = captured(f).payload
    assert ("helpers" in sys.modules) is already
    assert elsewhere.call(payload) == f() == 3


def test_nested_function_uses_a_module_imported_around_it(elsewhere: Elsewhere, project: Path) -> None:
    write_files(project, {"helpers.py": "import threading\nlock = threading.Lock()\nLIMIT = 3\n"})
    importlib.import_module("helpers")
    f = define("def f():\n    import helpers\n    def g(): return helpers.LIMIT\n    return g()")
    assert run(elsewhere, f) == 3


def test_module_used_itself_travels_as_far_as_it_can(elsewhere: Elsewhere, project: Path) -> None:
    write_files(project, {"helpers.py": "import threading\nlock = threading.Lock()\nLIMIT = 3\ndef one(): return 1\n"})
    f = define("import helpers\ndef f(name): return getattr(helpers, name)")
    assert run(elsewhere, f, "LIMIT") == 3
    with pytest.raises(RaisedElsewhere, match="it cannot travel"):
        run(elsewhere, f, "lock")
    held = define("import helpers\nheld = [helpers]\ndef f(): return held[0].one()")
    assert run(elsewhere, held) == 1


def test_modules_that_use_each_other_themselves_travel(elsewhere: Elsewhere, project: Path) -> None:
    write_files(
        project,
        {
            "one.py": "import two\nX = 1\ndef see(): return vars(two)['Y']\n",
            "two.py": "import one\nY = 2\ndef see(): return vars(one)['X'] + one.see()\n",
        },
    )
    assert run(elsewhere, define("import one, two\ndef f(): return two.see(), vars(one)['X']")) == (3, 1)


def test_module_with_getattr_travels(elsewhere: Elsewhere, project: Path) -> None:
    write_files(project, {"lazy.py": "BASE = 'v'\ndef __getattr__(name): return BASE + name\n"})
    assert run(elsewhere, define("import lazy\ndef f(): return lazy.abc")) == "vabc"


def test_function_sees_what_it_sets_in_its_module(elsewhere: Elsewhere, project: Path) -> None:
    write_files(project, {"helpers.py": "count = 1\ndef get(): return count\n"})
    f = define("import helpers\ndef f():\n    helpers.count += 1\n    return helpers.get()")
    assert run(elsewhere, f) == 2


def test_star_import_in_a_module_not_imported_yet(elsewhere: Elsewhere, project: Path) -> None:
    write_files(project, {"base.py": "A = 1\nB = 2\n", "over.py": "from base import *\nC = A + B\n"})
    assert run(elsewhere, define("def f():\n    import over\n    return over.C")) == 3


def test_syntax_error_in_a_module_is_told_where_it_is_imported(elsewhere: Elsewhere, project: Path) -> None:
    write_files(project, {"broken.py": "def (:\n"})
    f = define("def f():\n    try:\n        import broken\n    except SyntaxError:\n        return 'broken'")
    assert run(elsewhere, f) == "broken"


def test_missing_module_is_missing_there_too(elsewhere: Elsewhere) -> None:
    f = define("def f():\n    try:\n        import nowhere_to_be_found\n    except ImportError:\n        return 'none'")
    assert run(elsewhere, f) == "none"


def test_installed_submodules_are_imported_on_arrival(elsewhere: Elsewhere) -> None:
    f = define("import xml.dom.minidom\ndef f(): return xml.dom.minidom.parseString('<a/>').documentElement.tagName")
    assert run(elsewhere, f) == "a"


def test_payloads_do_not_see_each_other(elsewhere: Elsewhere, project: Path) -> None:
    f = define("def f():\n    import helpers\n    helpers.seen = helpers.seen + 1\n    return helpers.seen")
    payloads = []
    for number in (10, 20):
        write_files(project, {"helpers.py": f"seen = {number}\n"})
        payloads.append(captured(f).payload)
    assert [elsewhere.call(payload) for payload in payloads] == [11, 21]
    assert elsewhere.call(captured(lambda: "helpers" in sys.modules).payload) is False


def test_function_that_arrived_can_travel_on(project: Path, elsewhere: Elsewhere) -> None:
    write_files(project, {"helpers.py": "LIMIT = 3\ndef g(): return LIMIT\n", "later.py": "N = 4\n"})
    importlib.import_module("helpers")
    f = define("def f():\n    import helpers, later\n    return helpers.g() + later.N")
    arrived = load(captured(f).payload)
    sys.modules.pop("helpers")
    write_files(project, {"helpers.py": "", "later.py": ""})
    assert run(elsewhere, arrived) == 7


# ---------------------------------------------------------------- the whole


def test_nothing_of_cloudpickle_is_left_changed(project: Path) -> None:
    write_files(project, {"helpers.py": "def g(): return 1\n"})
    captured(define("import helpers\ndef f(): return helpers.g()"))
    assert cloudpickle.list_registry_pickle_by_value() == set()


def test_captures_in_several_threads_do_not_meet(elsewhere: Elsewhere, project: Path) -> None:
    write_files(project, {"helpers.py": "def g(n): return n\n"})
    functions = [define(f"import helpers\ndef f(): return helpers.g({n})") for n in range(8)]
    payloads: dict[int, bytes] = {}

    def work(number: int) -> None:
        for _ in range(20):
            payloads[number] = captured(functions[number]).payload

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [elsewhere.call(payloads[number]) for number in range(8)] == list(range(8))


def test_a_function_is_captured_once_a_run() -> None:
    f = define("def f(): return 1")
    cache: dict[Any, Any] = {}
    assert captured(f, cache=cache) is captured(f, cache=cache)


def test_a_shared_frame_is_read_once_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from cloudburst import keys

    frame = pd.DataFrame({"x": range(10)})
    asked: list[object] = []
    encode = keys.encode

    def counting(value: object, special: Any = None) -> bytes:
        asked.append(value)
        return encode(value, special)

    monkeypatch.setattr(keys, "encode", counting)
    cache: dict[Any, Any] = {}
    digests = {captured(define(f"def f(): return frame, {n}", frame=frame), cache=cache).digest for n in range(20)}
    assert len(digests) == 20
    assert sum(value is frame for value in asked) == 1


def test_helpers_code_is_read_once_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    f = define("def g(): return 1\ndef f(): return g()\ndef h(): return g() + 1")
    read: list[str] = []
    reads = reach.reads
    monkeypatch.setattr(reach, "reads", lambda code: (read.append(code.co_name), reads(code))[1])
    cache: dict[Any, Any] = {}
    captured(f, cache=cache)
    captured(f.__globals__["h"], cache=cache)
    assert sorted(read) == ["f", "g", "h"]


def test_payload_of_another_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    payload = captured(lambda: 1).payload
    monkeypatch.setattr("cloudburst.runtime.arrival.PYTHON", (3, 99))
    with pytest.raises(CaptureError, match=r"use the same version"):
        load(payload)


def test_deep_recursion_in_a_value_is_an_error() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(CaptureError, match=r"'f' uses 'deep' \(list\) .* nested too deeply"):
        captured(define("def f(): return deep", deep=deep))
