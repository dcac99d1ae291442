"""What a code object reads, worked out from its instructions: global names, attributes of variables, import statements.

Only straight lines of instructions are looked at (load a variable, then attribute after attribute), never the flow of
control, so that the answer can say too much and never too little: a variable whose use is not such a line counts as
used *itself*. ``co_code`` gives the instructions as they were compiled, whatever the interpreter, a debugger or a
coverage tool made of them.
"""

from __future__ import annotations

import opcode
import sys
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, Literal, NamedTuple

Chain = tuple[str, ...]

CALLED = "()"
"""Stands at the end of a chain whose value is called with no argument at all, as in ``np.random.default_rng()``."""


class Import(NamedTuple):
    """One name bound by an import statement."""

    module: str
    level: int
    """Leading dots of a relative import."""
    attribute: str | None
    """What is taken ``from`` the module (``*`` for all), ``None`` where the module itself is bound."""
    variable: str
    """The name it is bound to."""
    top: bool = False
    """Whether the variable gets the top package, as in ``import a.b``."""


class Reads(NamedTuple):
    """What a code object and those nested in it read."""

    globals: tuple[str, ...]
    """Names looked up as globals (or builtins), sorted."""
    chains: dict[str, frozenset[Chain]]
    """For each variable the attribute chains read of it; ``()`` where the variable itself is used."""
    imports: tuple[Import, ...]


_Kind = Literal["global", "local", "attribute", "store", "constant", "import", "from", "call", "copy", "other"]
_Event = tuple[_Kind, Any]

_WIDE = sys.version_info >= (3, 12)
_SHIFT = {"LOAD_GLOBAL": 1, "LOAD_ATTR": 1 if _WIDE else 0, "LOAD_SUPER_ATTR": 2}
_KIND_OF: dict[str, _Kind] = {
    "LOAD_GLOBAL": "global", "LOAD_NAME": "global", "LOAD_FROM_DICT_OR_GLOBALS": "global",
    "LOAD_FAST": "local", "LOAD_FAST_CHECK": "local", "LOAD_FAST_AND_CLEAR": "local", "LOAD_FAST_BORROW": "local",
    "LOAD_DEREF": "local", "LOAD_CLASSDEREF": "local", "LOAD_FROM_DICT_OR_DEREF": "local",
    "LOAD_ATTR": "attribute", "LOAD_METHOD": "attribute", "STORE_ATTR": "attribute", "DELETE_ATTR": "attribute",
    "STORE_FAST": "store", "STORE_DEREF": "store", "STORE_GLOBAL": "store", "STORE_NAME": "store",
    "LOAD_CONST": "constant", "LOAD_SMALL_INT": "constant",
    "IMPORT_NAME": "import", "IMPORT_FROM": "from", "CALL": "call", "COPY": "copy",
}  # fmt: skip
_SILENT = frozenset({"CACHE", "PRECALL", "PUSH_NULL", "RESUME", "NOP", "LOAD_CLOSURE"})
_PAIRS = {
    "LOAD_FAST_LOAD_FAST": ("LOAD_FAST", "LOAD_FAST"),
    "LOAD_FAST_BORROW_LOAD_FAST_BORROW": ("LOAD_FAST", "LOAD_FAST"),
    "STORE_FAST_LOAD_FAST": ("STORE_FAST", "LOAD_FAST"),
    "STORE_FAST_STORE_FAST": ("STORE_FAST", "STORE_FAST"),
}
_NAMES = tuple(opcode.opname)
_EXTENDED_ARG = opcode.opmap["EXTENDED_ARG"]


def instructions(code: CodeType) -> Iterator[tuple[str, int]]:
    """Names and arguments of the instructions as compiled, wide arguments put together, caches left out.

    >>> list(instructions(compile("x", "", "eval")))[1]
    ('LOAD_NAME', 0)
    """
    raw = code.co_code
    wide = 0
    for number, argument in zip(raw[::2], raw[1::2], strict=True):
        if number == _EXTENDED_ARG:
            wide = (wide | argument) << 8
        elif number:  # zero is an inline cache entry
            yield _NAMES[number], wide | argument
            wide = 0


def reads(code: CodeType) -> Reads:
    """What the code and the code nested in it read.

    >>> found = reads(compile("import a.b as c; f(c.x.y, z)", "", "exec"))
    >>> found.globals
    ('c', 'f', 'z')
    >>> found.chains["c"], found.imports
    (frozenset({('x', 'y')}), (Import(module='a.b', level=0, attribute=None, variable='c', top=False),))
    """
    names: set[str] = set()
    chains: dict[str, set[Chain]] = {}
    imports: list[Import] = []
    todo = [code]
    while todo:
        one = todo.pop()
        events = list(_events(one))
        _read_chains(events, names, chains)
        _read_imports(events, imports)
        todo.extend(nested for nested in one.co_consts if isinstance(nested, CodeType))
    return Reads(tuple(sorted(names)), {name: frozenset(found) for name, found in chains.items()}, tuple(imports))


def _events(code: CodeType) -> Iterator[_Event]:
    cells = (*code.co_cellvars, *code.co_freevars)
    slots = (*code.co_varnames, *(name for name in code.co_cellvars if name not in code.co_varnames), *code.co_freevars)
    meanings: dict[str, Callable[[int], Any]] = {
        "global": lambda number: code.co_names[number],
        "attribute": lambda number: code.co_names[number],
        "import": lambda number: code.co_names[number],
        "from": lambda number: code.co_names[number],
        "constant": lambda number: code.co_consts[number],
        "local": lambda number: slots[number],
    }
    for name, argument in instructions(code):
        if name in _SILENT:
            continue
        if (pair := _PAIRS.get(name)) is not None:
            yield _KIND_OF[pair[0]], slots[argument >> 4]
            yield _KIND_OF[pair[1]], slots[argument & 15]
            continue
        kind = _KIND_OF.get(name, "other")
        number = argument >> _SHIFT.get(name, 0)
        if kind == "store":
            yield kind, (code.co_names if name in ("STORE_GLOBAL", "STORE_NAME") else slots)[number]
        elif name == "LOAD_SMALL_INT":
            yield kind, number
        elif name == "LOAD_FAST" and slots[number] in cells:
            continue  # hands a cell to a nested function, whose own reading of it counts
        else:
            meaning = meanings.get(kind)
            yield kind, number if meaning is None else meaning(number)


def _read_chains(events: list[_Event], names: set[str], chains: dict[str, set[Chain]]) -> None:
    end = len(events)
    for place, (kind, name) in enumerate(events):
        if kind != "global" and kind != "local":
            continue
        after = place + 1
        if name == "__name__" and after < end and events[after] == ("store", "__module__"):
            continue  # how every class body begins
        if kind == "global":
            names.add(name)
        chain: list[str] = []
        while after < end:
            what, value = events[after]
            if what == "attribute":
                chain.append(value)
            elif what == "call" and chain and value == 0:
                chain.append(CALLED)
                break
            elif what != "copy" or events[after + 1][0] != "attribute":  # a copy first: ``helpers.total += 1``
                break
            after += 1
        chains.setdefault(name, set()).add(tuple(chain))


def _read_imports(events: list[_Event], imports: list[Import]) -> None:
    for place, (kind, module) in enumerate(events):
        if kind != "import":
            continue
        level, taken = events[place - 2][1], events[place - 1][1]
        following = events[place + 1 :]
        if not taken:
            as_module = following[0][0] == "from"  # import a.b as c walks from a to b
            variable = next((value for what, value in following if what == "store"), "")
            imports.append(Import(module, level, None, variable, top=not as_module))
        elif taken == ("*",):
            imports.append(Import(module, level, "*", ""))
        else:
            stores = following[: 2 * len(taken)][1::2]
            imports.extend(
                Import(module, level, name, variable) for name, (_, variable) in zip(taken, stores, strict=False)
            )
