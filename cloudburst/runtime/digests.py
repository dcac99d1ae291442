"""What a function is, across processes and edits that do not matter.

A function is its code without file and line numbers, its defaults, closure, annotations and attributes, and the values
of what it reaches (see ``reach``), functions and classes among them in the same way. Two of them have one digest only
if they do the same: where that cannot be proved there is no digest. Docstrings of functions count as the constants they
are, those of classes do not. Objects of installed packages go by name and version, and the minor version of Python is
in every digest.

Functions, classes and whole modules are numbered in the order in which they are met, and written one after another with
numbers in the place of references: so cycles close and nothing recurses along calls. (Two functions that only stand in
one set are met in no certain order; their digest may then differ from process to process, which costs a reuse and no
more.)
"""

from __future__ import annotations

import copyreg
import functools
import importlib.metadata
import pickle
import sys
import weakref
from collections.abc import Callable, Iterable
from functools import lru_cache
from types import CellType, CodeType, FunctionType, MappingProxyType, ModuleType
from typing import Any

from cloudburst import keys
from cloudburst.runtime.bytecode import instructions
from cloudburst.runtime.own_modules import is_own_module
from cloudburst.runtime.pickler import goes_by_name, whole
from cloudburst.runtime.reach import (
    EMPTY,
    Memory,
    cells,
    compiled,
    content_of,
    home,
    place_of_generator,
    reach,
)

_FORM = b"1 %d.%d " % sys.version_info[:2]
_LONG = 256
_MADE_BY_CLASS_STATEMENT = 1 << 9  # Py_TPFLAGS_HEAPTYPE
_DATA_PACKAGES = frozenset({"numpy", "pandas"})
_CLASS_SPECIALS = frozenset(
    {
        "__abstractmethods__", "__annotate__", "__annotate_func__", "__annotations_cache__", "__dict__", "__doc__",
        "__firstlineno__", "__module__", "__orig_bases__", "__parameters__", "__qualname__", "__static_attributes__",
        "__weakref__", "_abc_impl",
    }
)  # fmt: skip
_LINE_CONSTANTS = frozenset({"__firstlineno__", "__static_attributes__"})
"""What class bodies since 3.13 note of their source."""

_SINGLE_DISPATCH = functools.singledispatch(len).__code__  # type: ignore[attr-defined]


class NoIdentity(Exception):
    """A value that cannot be told from others across processes; the text says why."""


def identify(function: Callable[..., Any], memory: Memory) -> tuple[bytes | None, str]:
    """The digest of a function, or ``None`` and a sentence why there is none."""
    try:
        return _Walk(memory).digest(function), ""
    except Exception as error:  # noqa: BLE001 - objects may raise whatever they like when asked for their state
        return None, str(error) if isinstance(error, NoIdentity) else f"{type(error).__name__}: {error}"


def digest_value(value: object) -> bytes | None:
    """Identity of an argument's value across processes, functions and classes in it told by what they do.

    Parameters
    ----------
    value : object
        Any value.

    Returns
    -------
    bytes or None
        16 bytes; ``None`` where the value cannot be told from others.

    Examples
    --------
    >>> digest_value([len, 1]) == digest_value([len, 1]), digest_value([len, 1]) == digest_value([len, True])
    (True, False)
    """
    return identify(value, Memory())[0]  # type: ignore[arg-type]


def code_digest(code: CodeType, memory: Memory) -> bytes:
    r"""Identity of code: everything that is executed, nothing of where it stands.

    >>> one, two = compile("x + 1", "a.py", "eval"), compile("\n\nx + 1", "b.py", "eval")
    >>> code_digest(one, Memory()) == code_digest(two, Memory())
    True
    """
    known = memory.codes.get(id(code))
    if known is None:
        shape = (
            *(code.co_qualname, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags),
            *(code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_exceptiontable),
        )
        body: tuple[object, ...] = (code.co_code, code.co_consts)
        if not _LINE_CONSTANTS.isdisjoint(code.co_names):
            body = tuple(_without_lines(code))
        written = keys.encode((shape, body), lambda value: _nested_code(value, memory))
        known = memory.codes[id(code)] = code, keys.digest(written)
    return known[1]


def _nested_code(value: object, memory: Memory) -> bytes | None:
    return b"c" + code_digest(value, memory) if isinstance(value, CodeType) else None


def _without_lines(code: CodeType) -> Iterable[object]:
    steps = list(instructions(code))
    for (name, argument), following in zip(steps, [*steps[1:], ("", 0)], strict=True):
        if name != "LOAD_CONST" and name != "RETURN_CONST":
            yield name, argument
        elif following[0] == "STORE_NAME" and code.co_names[following[1]] in _LINE_CONSTANTS:
            yield name
        else:
            yield name, code.co_consts[argument]


@lru_cache(maxsize=1024)
def version_of(module: str) -> str:
    """Version of the installed package that a module belongs to; empty for Python's own."""
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return ""
    version = getattr(sys.modules.get(top), "__version__", None)
    if isinstance(version, str):
        return version
    names = importlib.metadata.packages_distributions().get(top, [])
    if not names and top != "cloudburst":
        raise NoIdentity(f"the package {top!r} has no version")
    return " ".join(sorted(f"{name}=={importlib.metadata.version(name)}" for name in set(names)))


class _Walk:
    """One digest while it is being made."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.numbers: dict[int, int] = {}
        self.met: list[Any] = []
        self.open: dict[int, int] = {}
        self.objects: dict[int, tuple[object, bytes]] = {}
        self.references = 0
        self.returns = 0

    def digest(self, root: object) -> bytes:
        written = [_FORM, self.encode(root)]
        written.extend(self.record(one) for one in self.met)  # which grows while it is walked
        return keys.digest(*written)

    def encode(self, value: object) -> bytes:
        """Bytes of a value, taken from the memory where it refers to nothing numbered."""
        scalar = keys.SCALARS.get(type(value))
        if scalar is not None:
            return scalar(value)
        known = self.memory.encodings.get(id(value))
        if known is not None:
            return known[1]
        before = self.references
        data = keys.encode(value, self.special)
        if len(data) > _LONG:
            data = b"#" + keys.digest(data)
        if self.references == before:
            self.memory.encodings[id(value)] = value, data
        return data

    def special(self, value: Any) -> bytes | None:
        """Bytes of what is no plain container, ``None`` where ``keys`` has the rule."""
        kind = type(value)
        if issubclass(kind, (FunctionType, type)):
            return self.named(value) if goes_by_name(value) or _is_built_in(value) else self.number(value)
        if issubclass(kind, ModuleType):
            if is_own_module(value):
                return self.number(value)
            return b"m" + keys.encode((value.__name__, version_of(value.__name__)))
        if kind is CodeType:
            return b"c" + code_digest(value, self.memory)
        rule = _RULES.get(kind)
        if rule is not None:
            return self.inside(value, lambda: (kind.__name__, *rule(value)))
        if isinstance(getattr(value, "__qualname__", None), str) and goes_by_name(value):
            return self.named(value)
        if str(kind.__module__).partition(".")[0] in _DATA_PACKAGES and not callable(value):
            place = place_of_generator(value)
            return None if place is None else keys.encode(("generator", *place))
        if kind in (slice, range, bytearray):
            return None
        return self.inside(value, lambda: _reduced(value))

    def number(self, value: object) -> bytes:
        self.references += 1
        number = self.numbers.get(id(value))
        if number is None:
            number = self.numbers[id(value)] = len(self.met)
            self.met.append(value)
        return b"n%d;" % number

    def named(self, value: Any) -> bytes:
        return b"N" + keys.encode((value.__module__, value.__qualname__, version_of(value.__module__)))

    def inside(self, value: object, parts: Callable[[], tuple[object, ...]]) -> bytes:
        """An object by what it is made of; one that is being written already by how far back that began."""
        begun = self.open.get(id(value))
        if begun is not None:
            self.references += 1
            self.returns += 1
            return b"^%d;" % (len(self.open) - begun)
        known = self.objects.get(id(value))
        if known is not None:
            self.references += 1  # it may hold numbers
            return known[1]
        before = self.returns
        self.open[id(value)] = len(self.open)
        try:
            data = b"O" + keys.digest(keys.encode(parts(), self.special))
        finally:
            del self.open[id(value)]
        if self.returns == before:
            self.objects[id(value)] = value, data
        return data

    def record(self, value: Any) -> bytes:
        if isinstance(value, FunctionType):
            parts = self.function(value)
        elif isinstance(value, ModuleType):
            parts = self.variables(value.__name__, "the variable", whole(value, self.memory, ())[0])
        else:
            parts = self.class_(value)
        return keys.digest(b"".join(b"%d:%b" % (len(part), part) for part in parts))

    def function(self, function: FunctionType) -> list[bytes]:
        name = function.__qualname__
        parts = [code_digest(function.__code__, self.memory)]
        if function.__code__ is _SINGLE_DISPATCH:  # its closure holds a cache and a counter of this process
            return [*parts, self.encode(dict(function.registry))]  # type: ignore[attr-defined]
        defaults = {"defaults": function.__defaults__, "keyword defaults": function.__kwdefaults__}
        others = {"annotations": function.__annotations__, "attributes": vars(function)}
        parts += self.variables(name, "its", defaults | others)
        parts += self.variables(name, "the outer variable", {n: content_of(cell) for n, cell in cells(function)})
        if home(function) is not None:
            module = function.__globals__["__name__"]
            return [*parts, keys.encode((module, version_of(module)))]
        found = reach(function, self.memory)
        parts += self.variables(name, "the global", found.globals)
        for module_name, part in sorted(found.parts.items()):
            attributes = whole(part.module, self.memory, ())[0] if part.whole else part.attributes
            ordered = {f"{module_name}.{attribute}": attributes[attribute] for attribute in sorted(attributes)}
            parts += self.variables(name, "the variable", ordered)
        for source in sorted(found.sources.values()):
            code = compiled(source)
            body = source.text.encode() if code is None else code_digest(code, self.memory)
            parts.append(keys.encode((source.name, source.is_package, body)))
        return parts

    def class_(self, kind: type) -> list[bytes]:
        attributes = {name: value for name, value in sorted(vars(kind).items()) if name not in _CLASS_SPECIALS}
        head = {"name": kind.__qualname__, "type": type(kind), "bases": kind.__bases__}
        return [
            *self.variables(kind.__qualname__, "its", head),
            *self.variables(kind.__qualname__, "the attribute", attributes),
        ]

    def variables(self, reader: str, how: str, values: Any) -> list[bytes]:
        written = [b"%d" % len(values)]
        for name, value in values.items():
            try:
                data = b"empty" if value is EMPTY else self.variable(value)
            except NoIdentity as error:
                raise NoIdentity(f"{reader} uses {how} {name!r}: {error}") from error
            except Exception as error:
                kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
                raise NoIdentity(
                    f"{reader} uses {how} {name!r} ({kind}), which cannot be told from others across processes: {error}"
                ) from error
            written += [name.encode("utf-8", "surrogatepass"), data]
        return written

    def variable(self, value: object) -> bytes:
        if isinstance(value, ModuleType) and is_own_module(value):
            return b"M"  # what is read of it stands among the reader's variables
        return self.encode(value)


def _is_built_in(value: Any) -> bool:
    """Whether this is a type made in C: some are found under no name, like that of built-in functions."""
    return isinstance(value, type) and not value.__flags__ & _MADE_BY_CLASS_STATEMENT


def _reduced(value: Any) -> tuple[object, ...]:
    """What pickling would keep of an object."""
    place = place_of_generator(value)
    if place is not None:
        return "generator", *place
    reducer = copyreg.dispatch_table.get(type(value))
    reduction: Any = value.__reduce_ex__(5) if reducer is None else reducer(value)
    if isinstance(reduction, str):
        module = getattr(value, "__module__", None) or pickle.whichmodule(value, reduction)  # type: ignore[attr-defined]
        return "named", module, reduction, type(value)
    make, arguments, state, items, pairs = (*reduction, None, None, None)[:5]
    return "object", type(value), make, arguments, state, list(items or ()), list(pairs or ())


def _buffer(value: pickle.PickleBuffer) -> tuple[object, ...]:
    with value.raw() as view:
        return len(view), keys.digest(bytes(view))


_RULES: dict[type, Callable[[Any], tuple[object, ...]]] = {
    CellType: lambda value: (content_of(value),),
    MappingProxyType: lambda value: (dict(value),),
    classmethod: lambda value: (value.__func__,),
    functools.cached_property: lambda value: (value.func, value.attrname),
    memoryview: lambda value: (value.format, value.shape, value.tobytes()),
    pickle.PickleBuffer: _buffer,
    property: lambda value: (value.fget, value.fset, value.fdel),
    staticmethod: lambda value: (value.__func__,),
    type(functools.lru_cache(len)): lambda value: (value.__wrapped__, value.cache_parameters()),
    type(EMPTY): lambda value: (),
    weakref.WeakKeyDictionary: lambda value: (dict(value),),
    weakref.WeakSet: lambda value: (set(value),),
    weakref.WeakValueDictionary: lambda value: (dict(value),),
}
