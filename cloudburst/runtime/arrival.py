"""How a captured function comes to life in a worker.

The project's own modules arrive as far as they are reached and only for the functions that brought them: they are never
put into ``sys.modules``, so that payloads of two runs, or two versions of one notebook cell, cannot see each other.
Functions find them through an ``__import__`` of their own, which stands in the builtins of their globals.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import io
import marshal
import pickle
import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from importlib.util import resolve_name
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

from cloudburst.errors import CaptureError
from cloudburst.runtime.own_modules import Source

PYTHON = sys.version_info[:2]

_from_elsewhere: weakref.WeakSet[type] = weakref.WeakSet()


def load(payload: bytes) -> Callable[..., Any]:
    """The function that ``capture`` put into a payload.

    Parameters
    ----------
    payload : bytes
        ``Captured.payload``. Only bytes that can be trusted: unpickling runs code.

    Returns
    -------
    callable
        The function with everything that it reaches.

    Raises
    ------
    CaptureError
        If it was captured under another version of Python.
    """
    unpickler = pickle.Unpickler(io.BytesIO(payload))
    python, count = unpickler.load()
    if python != PYTHON:
        raise CaptureError(
            f"This function was captured under Python {python[0]}.{python[1]} and cannot run under "
            f"{PYTHON[0]}.{PYTHON[1]}: use the same version in the workers."
        )
    function: Callable[..., Any] = unpickler.load()
    for _ in range(count - 1):
        function = unpickler.load()
    return function


class Surroundings:
    """The project's own modules of one payload, and the import statement that finds them."""

    def __init__(self) -> None:
        self.modules: dict[str, ModuleType] = {}
        self.sources: dict[str, Source] = {}
        self.builtins = {**vars(builtins), "__import__": self.import_}

    def __reduce__(self) -> tuple[Any, ...]:
        return Surroundings, ()  # they travel empty: each function brings what it reaches

    def make(self, name: str, identity: Mapping[str, Any], importable: bool) -> ModuleType:
        """A module that is empty but for its identity; what is reached in it comes later."""
        module = ModuleType(name)
        vars(module).update(identity)
        vars(module)["__builtins__"] = self.builtins
        if importable:
            self.modules[name] = module
        return module

    def import_(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - the names that callers of __import__ use
        locals: Mapping[str, Any] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """What an import statement does: own modules first, then whatever is installed."""
        full = resolve_name("." * level + name, (globals or {}).get("__package__") or "") if level else name
        if not self.has(full):
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        module = self.module(full)
        if not fromlist:
            return self.module(full.partition(".")[0])
        for taken in fromlist:
            if taken != "*" and taken not in vars(module) and self.has(f"{full}.{taken}"):
                self.module(f"{full}.{taken}")
        return module

    def has(self, name: str) -> bool:
        return name in self.modules or name in self.sources

    def module(self, name: str) -> ModuleType:
        """The own module of that name, executed now where it came as source."""
        above, _, last = name.rpartition(".")
        package = self.module(above) if above and self.has(above) else None
        if name in self.modules:
            return self.modules[name]
        source = self.sources[name]
        identity = {"__file__": source.file, "__package__": name if source.is_package else above}
        module = self.make(name, {**identity, "__path__": []} if source.is_package else identity, importable=True)
        try:
            exec(compile(source.text, source.file, "exec", dont_inherit=True), vars(module))
        except BaseException:
            del self.modules[name]
            raise
        if package is not None:
            setattr(package, last, module)
        return module


def surroundings_of(namespace: Mapping[str, Any]) -> Surroundings | None:
    """Those that the globals of an arrived function stand in, ``None`` for globals that were made here."""
    found = namespace.get("__builtins__")
    owner = getattr(found.get("__import__"), "__self__", None) if isinstance(found, dict) else None
    return owner if isinstance(owner, Surroundings) else None


def make_module(surroundings: Surroundings, name: str, identity: Mapping[str, Any], importable: bool) -> ModuleType:
    """``Surroundings.make`` under a plain name."""
    return surroundings.make(name, identity, importable)


def empty_cell() -> CellType:
    """A cell of a closure; what lies in it comes with the function."""
    return CellType()


def function(code: bytes | CodeType, module: ModuleType, closure: tuple[CellType, ...] | None) -> FunctionType:
    """A function without its values yet: they come with ``fill_function``, so that cycles can close."""
    made = marshal.loads(code) if isinstance(code, bytes) else code
    return FunctionType(made, vars(module), closure=closure)


def fill_function(made: FunctionType, state: Mapping[str, Any]) -> None:
    """Give a function its defaults, closure, globals and what it reaches in own modules."""
    for name in state.get("submodules", ()):
        importlib.import_module(name)
    for cell, content in state.get("cells", ()):
        cell.cell_contents = content
    for name, value in state.get("settings", {}).items():
        setattr(made, name, value)
    vars(made).update(state.get("attributes", {}))
    made.__globals__.update(state.get("globals", {}))
    for module, attributes, absent in state.get("parts", ()):
        fill_module(module, (attributes, absent))
    if "sources" in state:
        surroundings, sources = state["sources"]
        surroundings.sources.update(sources)


def fill_module(module: ModuleType, state: tuple[Mapping[str, Any], Mapping[str, str]]) -> None:
    """Give a module what is reached in it; ``absent`` says why names of it did not travel."""
    attributes, absent = state
    vars(module).update(attributes)
    if absent and "__getattr__" not in vars(module):
        vars(module)["__getattr__"] = functools.partial(_tell_absent, module.__name__, dict(absent))


def _tell_absent(module: str, absent: Mapping[str, str], name: str) -> Any:
    why = f": {absent[name]}" if name in absent else ""
    raise AttributeError(f"module {module!r} has no attribute {name!r} in this worker{why}", name=name)


def arrive(make: Callable[..., type], *arguments: Any) -> type:
    """The class that was sent from here, or a bare one for ``settle`` to fill.

    Parameters
    ----------
    make : callable
        cloudpickle's, for classes or for enumerations.
    *arguments : object
        Its arguments, of which the last but one is the number that cloudpickle knows the class by.
    """
    from cloudpickle.cloudpickle import _DYNAMIC_CLASS_TRACKER_BY_ID

    is_new = arguments[-2] not in _DYNAMIC_CLASS_TRACKER_BY_ID
    kind = make(*arguments)
    if is_new:
        _from_elsewhere.add(kind)
    return kind


def settle(kind: type, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Give a class from elsewhere its attributes, or the newest that it has there; one made here stays as it is."""
    from cloudpickle.cloudpickle import _class_setstate

    if kind in _from_elsewhere:
        _class_setstate(kind, state)


def itself(value: Any) -> Any:
    """Whatever it is given: what arrives already made is called by this name in a pickle."""
    return value


def cached(wrapped: Callable[..., Any], parameters: Mapping[str, Any]) -> Any:
    """A function under ``functools.lru_cache``, with an empty cache."""
    return functools.lru_cache(**parameters)(wrapped)


def cached_property(wrapped: Callable[..., Any], name: str | None) -> Any:
    """A ``functools.cached_property``, which in Python 3.11 holds a lock and cannot be pickled."""
    made: functools.cached_property[Any] = functools.cached_property(wrapped)
    made.attrname = name
    return made


def weak_keys(items: dict[Any, Any]) -> Any:
    """A dictionary that holds its keys weakly."""
    return weakref.WeakKeyDictionary(items)


def weak_values(items: dict[Any, Any]) -> Any:
    """A dictionary that holds its values weakly."""
    return weakref.WeakValueDictionary(items)
