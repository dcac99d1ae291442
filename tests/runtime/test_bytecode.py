import pytest

from cloudburst.runtime.bytecode import Import, Reads, instructions, reads


def read(source: str) -> Reads:
    return reads(compile(source, "", "exec"))


CHAINS = {
    "a": {()},
    "a.b.c": {("b", "c")},
    "a.b; a.c": {("b",), ("c",)},
    "a.b()": {("b", "()")},
    "a.b(1)": {("b",)},
    "a.b().c": {("b", "()")},
    "f(a)": {()},
    "a[0].b": {()},
    "x = a\nx.b": {()},
    "a.b = 1": {("b",)},
    "del a.b": {("b",)},
    "(a or u).b": {()},
    "(x := a).b": {()},
    "def f():\n    return a.b": {("b",)},
    "def f():\n    a.b += 1": {("b",)},
    "def f():\n    return [a.b for _ in x]": {("b",)},
    "class C:\n    def m(self):\n        return a.b, a": {("b",), ()},
    "def f(a):\n    def g(): return a.b\n    return g": {("b",)},
}


@pytest.mark.parametrize("source", CHAINS)
def test_attribute_chains_of_a_variable(source: str) -> None:
    assert read(source).chains["a"] == CHAINS[source]


IMPORTS = {
    "import a": [Import("a", 0, None, "a", top=True)],
    "import a as b": [Import("a", 0, None, "b", top=True)],
    "import a.b": [Import("a.b", 0, None, "a", top=True)],
    "import a.b as c": [Import("a.b", 0, None, "c")],
    "import a.b.c as d": [Import("a.b.c", 0, None, "d")],
    "import a, b.c": [Import("a", 0, None, "a", top=True), Import("b.c", 0, None, "b", top=True)],
    "from a import b": [Import("a", 0, "b", "b")],
    "from a.b import c as d, e": [Import("a.b", 0, "c", "d"), Import("a.b", 0, "e", "e")],
    "from a import *": [Import("a", 0, "*", "")],
    "from . import a": [Import("", 1, "a", "a")],
    "from ..a import b": [Import("a", 2, "b", "b")],
}


@pytest.mark.parametrize("source", IMPORTS)
def test_import_statements(source: str) -> None:
    assert list(read(source).imports) == IMPORTS[source]


@pytest.mark.parametrize("source", [source for source in IMPORTS if "*" not in source])
def test_import_statements_in_a_function(source: str) -> None:
    names = [one.variable for one in IMPORTS[source]]
    inner = f"def f():\n    {source}\n    def g(): return {', '.join(names)}\n    return g"
    assert list(read(inner).imports) == IMPORTS[source]


def test_globals_of_nested_code_count() -> None:
    source = "def f(x):\n    y = u\n    class C(v):\n        z = w\n    return lambda: t + y"
    assert read(source).globals == ("t", "u", "v", "w")


def test_name_of_the_module_is_not_read_by_a_class() -> None:
    assert read("class C: pass").globals == ()
    assert read("class C: n = __name__").globals == ("__name__",)


def test_many_names_need_wide_arguments() -> None:
    source = "\n".join(f"n{number}.a{number}" for number in range(700))
    found = read(source)
    assert len(found.globals) == 700
    assert found.chains["n699"] == {("a699",)}


def test_instructions_hold_no_caches() -> None:
    names = [name for name, _ in instructions(compile("a.b(c) + 1", "", "eval"))]
    assert "CACHE" not in names
    assert "EXTENDED_ARG" not in names
    assert names[-1] == "RETURN_VALUE"
