import collections
import datetime as dt
import enum
import functools
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import threading
import types
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cloudburst.runtime import digests
from cloudburst.runtime.capture import capture, digest_value
from cloudburst.runtime.digests import identify
from cloudburst.runtime.reach import Memory
from tests.runtime.elsewhere import ROOT, define, importing, write_files


def digest(function: Any) -> bytes:
    found = capture(function, stage="f")
    assert found.why_not == ""
    assert found.digest is not None
    return found.digest


def digest_of(source: str, **variables: Any) -> bytes:
    return digest(define(source, **variables))


# ---------------------------------------------------------------- what does not matter

COSMETICS = {
    "comment": "# a comment\ndef f(x):\n    # another\n    return x + 1  # and one\n",
    "blank lines": "\n\n\ndef f(x):\n\n    return x + 1\n",
    "spaces": "def f( x ) :\n        return x+1\n",
}


@pytest.mark.parametrize("edited", COSMETICS.values(), ids=COSMETICS)
def test_cosmetic_edits_change_nothing(edited: str) -> None:
    plain = "def f(x):\n    return x + 1\n"
    assert digest_of(plain) == digest_of(edited) == digest_of(plain, file="/another/file.py")


def test_lines_of_a_nested_class_change_nothing() -> None:
    source = "def f():\n    class A:\n        x = 3\n        def m(self): self.y = 1; self.z = 2\n    return A\n"
    assert digest_of(source) == digest_of("\n\n" + source) == digest_of("#\n" * 300 + source)


def test_lines_of_a_global_class_change_nothing() -> None:
    source = "class A:\n    x = 3\n    def m(self): self.y = 1\ndef f(): return A\n"
    assert digest_of(source) == digest_of("\n\n" + source)


def test_unread_globals_change_nothing() -> None:
    assert digest_of("def f(): return 1") == digest_of("other = 2\ndef f(): return 1")


def test_running_a_function_changes_nothing() -> None:
    f = define("def f(n):\n    total = 0\n    for i in range(n): total += i * n\n    return total")
    before = digest(f)
    for _ in range(100):
        f(50)
    assert digest(f) == before


def test_tracing_a_function_changes_nothing() -> None:
    f = define("def f(n):\n    if n:\n        return [i for i in range(n)]\n    return n")
    before = digest(f)
    old = sys.gettrace()
    seen: list[str] = []

    def trace(frame: Any, event: str, argument: Any) -> Any:
        seen.append(event)
        return trace

    sys.settrace(trace)
    try:
        f(3)
        during = digest(f)
    finally:
        sys.settrace(old)
    assert "line" in seen
    assert during == before == digest(f)


@pytest.mark.skipif(not hasattr(sys, "monitoring"), reason="sys.monitoring is new in Python 3.12")
def test_monitoring_a_function_changes_nothing() -> None:
    f = define("def f(n):\n    for i in range(n): n += i\n    return n")
    before = digest(f)
    tool, events = 4, sys.monitoring.events
    seen: list[int] = []
    sys.monitoring.use_tool_id(tool, "test")
    try:
        sys.monitoring.register_callback(tool, events.LINE, lambda code, line: seen.append(line))
        sys.monitoring.set_local_events(tool, f.__code__, events.LINE | events.PY_START | events.PY_RETURN)
        f(3)
        during = digest(f)
    finally:
        sys.monitoring.set_local_events(tool, f.__code__, 0)
        sys.monitoring.free_tool_id(tool)
    assert seen
    assert during == before == digest(f)


def test_calls_of_cached_functions_change_nothing() -> None:
    f = define(
        """
        import functools
        @functools.lru_cache
        def g(x): return x
        @functools.singledispatch
        def h(x): return x
        def f(x): return g(x), h(x)
        """
    )
    before = digest(f)
    f(1)
    f("a")
    assert digest(f) == before


# ---------------------------------------------------------------- what does

DIFFERENT = {
    "constant": ["def f(): return 1", "def f(): return 2"],
    "type of a constant": ["def f(): return 1", "def f(): return True", "def f(): return 1.0"],
    "sign of zero": ["def f(): return 0.0", "def f(): return -0.0"],
    "name": ["def f(): return 1", "def g(): return 1\nf = g"],
    "operator": ["def f(x): return x + 1", "def f(x): return x - 1"],
    "default": ["def f(x=1): return x", "def f(x=2): return x", "def f(x=True): return x", "def f(x): return x"],
    "keyword default": ["def f(*, x=1): return x", "def f(*, x=2): return x"],
    "annotation": ["def f(x: int): return x", "def f(x: float): return x"],
    "set of constants": ["def f(x): return x in {1, 2}", "def f(x): return x in {1, 3}"],
    "global": ["n = 1\ndef f(): return n", "n = 2\ndef f(): return n", "n = 1.0\ndef f(): return n"],
    "missing global": ["def f(): return n", "n = None\ndef f(): return n"],
    "helper": [f"def g(): return {n}\ndef f(): return g()" for n in (1, 2)],
    "helper of a helper": [f"def h(): return {n}\ndef g(): return h()\ndef f(): return g()" for n in (1, 2)],
    "nested function": [f"def f():\n    def g(): return {n}\n    return g()" for n in (1, 2)],
    "global of a nested function": [f"n = {n}\ndef f():\n    def g(): return n\n    return g()" for n in (1, 2)],
    "closure": [f"def make(n): return lambda: n\nf = make({n})" for n in ("1", "2", "True", "'1'")],
    "handler": [f"def f():\n    try: g()\n    except {name}: pass" for name in ("OSError", "KeyError")],
    "method": [f"class A:\n    def m(self): return {n}\ndef f(): return A().m()" for n in (1, 2)],
    "class attribute": [f"class A: x = {n}\ndef f(): return A.x" for n in (1, 2)],
    "base": [f"class A: x = {n}\nclass B(A): pass\ndef f(): return B.x" for n in (1, 2)],
    "property": [f"class A:\n    @property\n    def p(self): return {n}\ndef f(): return A" for n in (1, 2)],
    "object": [f"class A: pass\na = A()\na.x = {n}\ndef f(): return a.x" for n in (1, 2)],
    "attribute of a function": [f"def g(): pass\ng.x = {n}\ndef f(): return g.x" for n in (1, 2)],
    "dataclass field": [
        f"import dataclasses as d\n@d.dataclass\nclass A:\n    x: int = {n}\ndef f(): return A()" for n in (1, 2)
    ],
    "enumeration": [f"import enum\nclass C(enum.Enum):\n    A = {n}\ndef f(): return C.A" for n in (1, 2)],
    "partial": [f"from functools import partial\ng = partial(max, {n})\ndef f(): return g(3)" for n in (1, 2)],
    "builtin": ["g = max\ndef f(): return g(1, 2)", "g = min\ndef f(): return g(1, 2)"],
    "module": ["import math as m\ndef f(): return m.inf", "import cmath as m\ndef f(): return m.inf"],
    "order of a dict": ["d = {'a': 1, 'b': 2}\ndef f(): return d", "d = {'b': 2, 'a': 1}\ndef f(): return d"],
    "recursion": ["def f(n): return f(n - 1)", "def f(n): return g(n - 1)\ndef g(n): return 0"],
    "which of two": [
        f"def a(): return 1\ndef b(): return 2\nt = ({t})\ndef f(): return t" for t in ("a, b", "b, a", "a, a")
    ],
    "cache size": [f"import functools\ng = functools.lru_cache({n})(len)\ndef f(): return g(())" for n in (1, 2)],
    "dispatch": [
        f"import functools\n@functools.singledispatch\ndef g(x): return 1\n@g.register\ndef _(x: {t}): return 2\n"
        "def f(): return g(1)"
        for t in ("int", "str")
    ],
    "seeded generator": [f"import random\nr = random.Random({n})\ndef f(): return r.random()" for n in (1, 2)],
}  # fmt: skip


@pytest.mark.parametrize("sources", DIFFERENT.values(), ids=DIFFERENT)
def test_what_changes_the_meaning_changes_the_digest(sources: list[str]) -> None:
    found = [digest_of(source) for source in sources]
    assert len(set(found)) == len(sources)
    assert [digest_of(source) for source in sources] == found


@pytest.mark.parametrize(
    "values",
    [
        [pd.DataFrame({"x": [1]}), pd.DataFrame({"x": [2]}), pd.DataFrame({"x": pd.array([1], dtype="Int8")})],
        [np.arange(3), np.arange(4), np.arange(3.0), np.arange(3).astype("i2")],
        [pd.Timestamp("2020"), pd.Timestamp("2021")],
        [np.sin, np.cos],
        [np.int64(1), np.int32(1), 1],
        [np.random.default_rng(0), np.random.default_rng(1)],
    ],
    ids=["frames", "arrays", "timestamps", "ufuncs", "scalars", "generators"],
)
def test_data_in_globals_is_told_by_content(values: list[Any]) -> None:
    found = [digest_of("def f(): return value", value=value) for value in values]
    assert len(set(found)) == len(values)


def test_another_version_of_a_package_is_another_function(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest_of("import pandas as pd\ndef f(): return pd.concat")
    digests.version_of.cache_clear()
    monkeypatch.setattr(pd, "__version__", "99.0")
    after = digest_of("import pandas as pd\ndef f(): return pd.concat")
    digests.version_of.cache_clear()
    assert before != after


# ---------------------------------------------------------------- modules of the project


def digest_with(directory: Path, files: dict[str, str], source: str) -> bytes:
    write_files(directory, files)
    with importing(directory):
        return digest_of(source)


@pytest.mark.parametrize(
    "source",
    [
        "import helpers\ndef f(): return helpers.g()",
        "from helpers import g\ndef f(): return g()",
        "def f():\n    import helpers\n    return helpers.g()",
        "def f():\n    from helpers import g\n    return g()",
        "import helpers\ndef f(name): return getattr(helpers, name)()",
    ],
    ids=["module", "name", "module in the body", "name in the body", "itself"],
)
def test_an_edit_of_a_sibling_module_counts_where_it_is_reached(tmp_path: Path, source: str) -> None:
    texts = [
        "LIMIT = 1\ndef g(): return LIMIT\nother = 1\n",
        "# comment\nLIMIT = 1\n\ndef g():\n    return LIMIT\nother = 1\n",
        "LIMIT = 2\ndef g(): return LIMIT\nother = 1\n",
        "LIMIT = 1\ndef g(): return LIMIT + 0\nother = 1\n",
    ]
    plain, comments, limit, body = (
        digest_with(tmp_path / str(number), {"helpers.py": text}, source) for number, text in enumerate(texts)
    )
    assert plain == comments
    assert len({plain, limit, body}) == 3


def test_unread_attributes_of_a_sibling_module_change_nothing(tmp_path: Path) -> None:
    source = "import helpers\ndef f(): return helpers.g()"
    one = digest_with(tmp_path / "1", {"helpers.py": "def g(): return 1\nother = 1\n"}, source)
    two = digest_with(tmp_path / "2", {"helpers.py": "def g(): return 1\nother = object()\n"}, source)
    assert one == two


# ---------------------------------------------------------------- what has none


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("a = []\na.append(a)\ndef f(): return a", "f uses the global 'a' (list)"),
        ("class A:\n    def __reduce__(self): raise ValueError('no')\na = A()\ndef g(): return a\ndef f(): return g()",
         "g uses the global 'a' (__main__.A)"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_from_others_has_no_digest(source: str, why: str) -> None:
    found, reason = identify(define(source), Memory())
    assert found is None
    assert reason.startswith(why)


def test_package_without_a_version_has_no_digest(tmp_path: Path) -> None:
    write_files(tmp_path, {"site-packages/anonymous.py": "def g(): return 1\n"})
    with importing(tmp_path / "site-packages"):
        found = capture(define("import anonymous\ndef f(): return anonymous.g()"), stage="f")
    assert found.digest is None
    assert "the package 'anonymous' has no version" in found.why_not


# ---------------------------------------------------------------- values


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


def test_values_with_functions_in_them() -> None:
    def make(n: int) -> Callable[[], int]:
        return lambda: n

    values = [[make(1)], [make(2)], (make(1),), {"a": make(1)}, [make(1), make(1)], make(1), len, Colour, Colour.RED]
    found = [digest_value(value) for value in values]
    assert None not in found
    assert len(set(found)) == len(values)
    assert digest_value([make(1)]) == found[0]


def test_shared_objects_cost_no_more_than_their_number() -> None:
    node: Any = None
    for _ in range(60):
        node = type("Node", (), {})() if node is None else _pair(node)
    assert digest_value(node) is not None


class _pair:  # noqa: N801 - a plain container
    def __init__(self, both: Any) -> None:
        self.left = self.right = both


def test_objects_that_hold_each_other() -> None:
    def ring(value: int) -> Any:
        one, two = _pair(None), _pair(None)
        one.left, two.left, one.right = two, one, value
        return one

    assert digest_value(ring(1)) == digest_value(ring(1)) != digest_value(ring(2))


def test_containers_of_the_standard_library() -> None:
    def values(n: int) -> list[Any]:
        return [
            collections.OrderedDict(a=n), collections.Counter([n]), collections.deque([n]), re.compile(str(n)),
            dt.date(2020, 1, n), pathlib.Path(str(n)), types.MappingProxyType({"a": n}), memoryview(bytes([n])),
            collections.defaultdict(list, a=[n]), weakref.WeakValueDictionary({n: Colour.RED}), {Colour.RED: n},
            functools.cached_property(lambda self: n), types.CellType(n), slice(n), range(n), [list[int], n],
            types.SimpleNamespace(x=n),
        ]  # fmt: skip

    one, again, two = ([digest_value(value) for value in values(n)] for n in (1, 1, 2))
    assert one == again
    assert None not in one
    assert len({*one, *two}) == 2 * len(one)


def test_values_that_cannot_be_told_from_others() -> None:
    assert digest_value(threading.Lock()) is None
    assert digest_value(n for n in range(3)) is None


# ---------------------------------------------------------------- across processes

PROGRAM = """
import sys, json
sys.path[:0] = [{root!r}, {project!r}]
import program
from cloudburst.runtime.capture import capture
found = {{}}
for name, value in vars(program).items():
    if name.startswith("stage_"):
        one = capture(value, stage=name)
        found[name] = one.digest.hex() if one.digest else one.why_not
print(json.dumps(found))
"""

MODULE = """
import collections, dataclasses, enum, functools, typing
import numpy as np, pandas as pd
import helpers
from random import randint

{lines}
class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"

@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: typing.Optional[int] = None
    z: tuple = dataclasses.field(default_factory=tuple)
    def norm(self): return helpers.square(self.x)

class Pair(typing.NamedTuple):
    a: int
    b: str = "b"

names = frozenset({{"a", "b", "c", "d"}})
palette = {{Colour.RED, Colour.BLUE}}
points = {{Point(1): {{"u", "v", "w"}}}}
frame = pd.DataFrame({{"x": [1, 2], "y": ["a", None]}})
array = np.arange(5)

def odd(n): return n and stage_even(n - 1)
def stage_even(n): return n == 0 or odd(n - 1)
def stage_sets(x): return x in {{"p", "q", "r", "s"}}, names, palette
def stage_point(x): return Point(x).norm(), Pair(1), points
def stage_data(x): return frame, array, pd.concat, np.random.rand
def stage_nested(x):
    class Inner(Point):
        w = 1
        def set(self): self.alpha = 1; self.beta = 2; self.gamma = 3
    return lambda y: Inner(x)
def stage_random(): return randint(1, 2)
@functools.lru_cache
def stage_cached(x): return [i for i in x if i]
def stage_late():
    import late
    return late.value
"""


def test_digests_are_the_same_in_every_process(tmp_path: Path) -> None:
    found = []
    for number, seed in enumerate(["0", "1", "12345"]):
        project = tmp_path / str(number)
        write_files(
            project,
            {
                "program.py": MODULE.format(lines="# comment\n" * 7 * number),
                "helpers.py": "\n" * number + "def square(x): return x * x\n",
                "late.py": "#\n" * number + "value = {1, 2}\n",
            },
        )
        code = PROGRAM.format(root=str(ROOT), project=str(project))
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout))
    assert len(found[0]) == 8
    assert all(len(digest) == 32 for digest in found[0].values()), found[0]
    assert len(set(found[0].values())) == 8
    assert found[0] == found[1] == found[2]


# ---------------------------------------------------------------- any function

CONSTANTS = st.one_of(
    st.integers(-3, 300), st.booleans(), st.floats(-2, 2), st.sampled_from(["a", "b", None, 1.0, -0.0])
)
Program = list[tuple[str, Any, list[int]]]


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Functions and variables, each function calling some of those before it."""
    count = draw(st.integers(1, 6))
    parts: Program = []
    for number in range(count):
        kind = draw(st.sampled_from(["function", "default", "closure", "variable", "class", "set"]))
        below = draw(st.lists(st.integers(0, number - 1), max_size=2)) if number else []
        parts.append((kind, draw(CONSTANTS), below))
    return parts


def written(program: Program, noise: random.Random | None = None) -> str:
    """The program as source; with noise, comments and blank lines wherever they may stand."""

    def gap(indent: str = "") -> str:
        if noise is None:
            return ""
        return "".join(noise.choice(["\n", f"{indent}# {noise.random()}\n"]) for _ in range(noise.randrange(3)))

    out = []
    for number, (kind, value, below) in enumerate(program):
        calls = ", ".join(f"p{one}" for one in below)
        body = f"{gap('    ')}    return {value!r}, [{calls}]\n"
        out.append(gap())
        if kind == "function":
            out.append(f"def p{number}(x=None):\n{body}")
        elif kind == "default":
            out.append(f"def p{number}(x={value!r}):\n{gap('    ')}    return x, [{calls}]\n")
        elif kind == "closure":
            inner = f"        return n, [{calls}]\n"
            out.append(f"def m{number}(n):\n{gap('    ')}    def q():\n{gap('        ')}{inner}    return q\n")
            out.append(f"p{number} = m{number}({value!r})\n")
        elif kind == "variable":
            out.append(f"p{number} = ({value!r}, [{calls}])\n")
        elif kind == "class":
            method = f"{gap('    ')}    def m(self):\n        return [{calls}]\n"
            out.append(f"class p{number}:\n{gap('    ')}    x = {value!r}\n{method}")
        else:
            out.append(f"def p{number}(x):\n    return x in {{{value!r}, 'k', 7}}, [{calls}]\n")
    out.append(f"{gap()}def f():\n    return p{len(program) - 1}\n")
    return "".join(out)


def reached(program: Program) -> set[int]:
    found, todo = set[int](), [len(program) - 1]
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo.extend(program[one][2])
    return found


def same(one: Any, two: Any) -> bool:
    return type(one) is type(two) and repr(one) == repr(two)


@given(programs(), st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_any_function_keeps_its_digest_under_cosmetic_edits(program: Program, seed: int) -> None:
    assert digest_of(written(program)) == digest_of(written(program, random.Random(seed)), file=f"/{seed}.py")


@given(programs(), st.data())
@settings(max_examples=150, deadline=None)
def test_any_changed_value_changes_the_digest_if_it_is_reached(program: Program, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(program) - 1))
    kind, value, below = program[place]
    other = data.draw(CONSTANTS)
    assume(not same(value, other))
    if kind == "set":  # where 1 and True, or 7 and 7.0, are one member
        assume({value, "k", 7} != {other, "k", 7})
    changed = [*program[:place], (kind, other, below), *program[place + 1 :]]
    differs = digest_of(written(program)) != digest_of(written(changed))
    assert differs is (place in reached(program))
