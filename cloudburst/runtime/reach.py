"""What a function reaches when it runs: globals, attributes of the project's own modules, modules imported in its body.

Everything is read at the moment it is asked for, as Python's own globals are. Of an own module only what is read of it
counts, so that an open file elsewhere in it spoils nothing; a module that is used *itself* (passed on, asked with
``getattr``) counts whole. Modules that only an import statement in the body names are found too: in memory as they are
now, else as their source.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import resolve_name
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from cloudburst.runtime.arrival import surroundings_of
from cloudburst.runtime.bytecode import CALLED, Chain, Import, Reads, reads
from cloudburst.runtime.own_modules import Source, find_source, is_own_module

_ITSELF: frozenset[Chain] = frozenset({()})


@dataclass(slots=True)
class Part:
    """What is read of one of the project's own modules."""

    module: ModuleType
    attributes: dict[str, object] = field(default_factory=dict)
    whole: bool = False
    """Whether the module is used itself, so that anything in it may be read."""


class Reach(NamedTuple):
    """What one function reaches directly."""

    globals: Mapping[str, object]
    """Own globals that it reads and that are there; nothing where they belong to an installed module."""
    parts: Mapping[str, Part]
    """The project's own modules, by name."""
    sources: Mapping[str, Source]
    """Own modules that it imports and nobody has imported yet, by name."""
    submodules: tuple[str, ...]
    """Installed modules read as attributes of their packages: they must be imported where the function arrives."""
    outside: frozenset[str]
    """Dotted names of what it uses of installed modules."""


@dataclass(slots=True)
class Memory:
    """What the captures of one run share, so that everything is read once. It keeps alive what it names by ``id``."""

    reads: dict[int, tuple[CodeType, Reads]] = field(default_factory=dict)
    reaches: dict[int, tuple[FunctionType, Reach]] = field(default_factory=dict)
    codes: dict[int, tuple[CodeType, bytes]] = field(default_factory=dict)
    sources: dict[str, Source | None] = field(default_factory=dict)
    encodings: dict[int, tuple[object, bytes]] = field(default_factory=dict)
    wholes: dict[int, tuple[ModuleType, dict[str, object], dict[str, str]]] = field(default_factory=dict)
    captured: dict[int, tuple[object, Any]] = field(default_factory=dict)

    def reads_of(self, code: CodeType) -> Reads:
        known = self.reads.get(id(code))
        if known is None:
            known = self.reads[id(code)] = code, reads(code)
        return known[1]

    def source_of(self, name: str) -> Source | None:
        if name not in self.sources:
            self.sources[name] = find_source(name)
        return self.sources[name]


def reach(function: FunctionType, memory: Memory) -> Reach:
    """What a function reaches directly; the functions among it reach further."""
    known = memory.reaches.get(id(function))
    if known is None:
        known = memory.reaches[id(function)] = function, _Search(function, memory).reach()
    return known[1]


def home(function: FunctionType) -> ModuleType | None:
    """The installed module whose globals a function reads, ``None`` where they are the project's own."""
    namespace = function.__globals__
    module = sys.modules.get(namespace.get("__name__", ""))
    if module is None or vars(module) is not namespace or is_own_module(module):
        return None
    return module


def module_named(name: str, namespace: Mapping[str, Any]) -> ModuleType | None:
    """The module that an import among these globals gives, if somebody has imported it."""
    around = surroundings_of(namespace)
    return (around.modules.get(name) if around is not None else None) or sys.modules.get(name)


def cells(function: FunctionType) -> Iterable[tuple[str, CellType]]:
    """The closure of a function: names and cells."""
    return zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)


def is_submodule(value: object, package: ModuleType, name: str) -> bool:
    """Whether an attribute of a package is the module of that name in it."""
    return isinstance(value, ModuleType) and sys.modules.get(f"{package.__name__}.{name}") is value


class _Search:
    """One function's reach while it is being found."""

    def __init__(self, function: FunctionType, memory: Memory) -> None:
        self.function = function
        self.memory = memory
        self.parts: dict[str, Part] = {}
        self.sources: dict[str, Source] = {}
        self.submodules: set[str] = set()
        self.outside: set[str] = set()

    def reach(self) -> Reach:
        function = self.function
        found = self.memory.reads_of(function.__code__)
        namespace = function.__globals__
        mine: dict[str, object] = {}
        if home(function) is None:
            mine = {name: namespace[name] for name in found.globals if name in namespace}
            self.follow_imports(found, _package(namespace))
        for name, value in mine.items():
            self.use(value, found.chains[name])
        for name, cell in cells(function):
            if (content := content_of(cell)) is not EMPTY:
                self.use(content, found.chains.get(name, _ITSELF))
        submodules = tuple(sorted(self.submodules))
        return Reach(mine, self.parts, self.sources, submodules, frozenset(self.outside))

    def use(self, value: object, chains: Iterable[Chain]) -> None:
        """Note what is read of a value by attribute chains."""
        if isinstance(value, ModuleType):
            if is_own_module(value):
                for chain in chains:
                    self.follow(value, chain)
            else:
                for chain in chains:
                    self.outside.add(".".join((value.__name__, *chain)))
                    self.need_submodules(value, chain)
        elif (name := outside_name(value)) is not None:
            self.outside.update(".".join((name, *chain)) for chain in chains)

    def follow(self, module: ModuleType, chain: Chain) -> None:
        part = self.part(module)
        if not chain or chain == (CALLED,):
            part.whole = True
            return
        self.take(part, chain[0], [chain[1:]])

    def take(self, part: Part, name: str, chains: Iterable[Chain]) -> None:
        """Note that one attribute of an own module is read, and what is read of that."""
        namespace = vars(part.module)
        if name not in namespace:
            if (beneath := self.bring(f"{part.module.__name__}.{name}")) is not None:
                self.use(beneath, chains)
            name = "__getattr__"
        if name in namespace:
            part.attributes[name] = namespace[name]
            self.use(namespace[name], chains)

    def part(self, module: ModuleType) -> Part:
        name = module.__name__
        part = self.parts.get(name)
        if part is None:
            part = self.parts[name] = Part(module)
            package, _, last = name.rpartition(".")
            if package and (above := self.bring(package)) is not None and is_own_module(above):
                self.part(above).attributes[last] = module
        return part

    def bring(self, name: str) -> ModuleType | None:
        """The module of that name where it is imported; else have the source of it and of its packages travel."""
        module = self.module(name)
        if module is None and name not in self.sources and (source := self.source(name)) is not None:
            self.sources[name] = source
            package = name if source.is_package else name.rpartition(".")[0]
            if above := name.rpartition(".")[0]:
                self.bring(above)
            if (code := compiled(source)) is not None:
                self.follow_imports(self.memory.reads_of(code), package)
        elif module is not None and is_own_module(module):
            self.part(module)
        return module

    def module(self, name: str) -> ModuleType | None:
        return module_named(name, self.function.__globals__)

    def source(self, name: str) -> Source | None:
        around = surroundings_of(self.function.__globals__)
        return around.sources[name] if around is not None and name in around.sources else self.memory.source_of(name)

    def follow_imports(self, found: Reads, package: str) -> None:
        for one in found.imports:
            name = _absolute(one, package)
            if name is None:
                continue
            chains = found.chains.get(one.variable, ())
            module = self.bring(name)
            if module is None or not is_own_module(module):
                self.import_outside(one, name, chains)
            elif one.attribute is None:
                top = self.module(name.partition(".")[0]) if one.top else module
                self.use(top, chains)
            elif one.attribute == "*":
                self.part(module).whole = True
            else:
                self.take(self.part(module), one.attribute, chains)

    def import_outside(self, one: Import, name: str, chains: Iterable[Chain]) -> None:
        if one.attribute is not None:
            self.bring(f"{name}.{one.attribute}")
            name = f"{name}.{one.attribute}"
        elif one.top:
            name = name.partition(".")[0]
        self.outside.update(".".join((name, *chain)) for chain in chains)

    def need_submodules(self, module: ModuleType, chain: Chain) -> None:
        for name in chain:
            value = vars(module).get(name)
            if not isinstance(value, ModuleType) or not is_submodule(value, module, name):
                return
            self.submodules.add(value.__name__)
            module = value


class _Empty:
    """Content of a cell that has none yet."""


EMPTY = _Empty()


def content_of(cell: CellType) -> object:
    """What lies in a cell, ``EMPTY`` where nothing does."""
    try:
        return cell.cell_contents
    except ValueError:
        return EMPTY


def compiled(source: Source) -> CodeType | None:
    """The code of a source, ``None`` where it does not parse: that is then told where it is imported."""
    try:
        return compile(source.text, source.file, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None


def _package(namespace: Mapping[str, Any]) -> str:
    package = namespace.get("__package__")
    if isinstance(package, str):
        return package
    name = str(namespace.get("__name__", ""))
    return name if "__path__" in namespace else name.rpartition(".")[0]


def _absolute(one: Import, package: str) -> str | None:
    if not one.level:
        return one.module
    try:
        return resolve_name("." * one.level + one.module, package)
    except ImportError:
        return None


def outside_name(value: object) -> str | None:
    """Dotted name of a class or function of an installed module; methods go by the module of their object."""
    if isinstance(value, ModuleType):
        return value.__name__
    if isinstance(value, (MethodType, BuiltinFunctionType)) and is_shared_generator(value.__self__):
        return f"{type(value.__self__).__module__.removesuffix('.mtrand')}.{value.__name__}"
    if isinstance(value, (type, FunctionType, BuiltinFunctionType)):
        return f"{value.__module__}.{value.__qualname__}"
    return None


def is_shared_generator(value: object) -> bool:
    """Whether this is the hidden generator behind the functions of ``random`` or ``numpy.random``."""
    return place_of_generator(value) is not None


def place_of_generator(value: object) -> tuple[str, str] | None:
    """Module and attribute where a hidden generator stands."""
    for place in (("random", "_inst"), ("numpy.random.mtrand", "_rand")):
        module = sys.modules.get(place[0])
        if module is not None and getattr(module, place[1], None) is value:
            return place
    return None
