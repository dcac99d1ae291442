"""The pickler of functions: the project's own code by value and only as far as it is reached, the rest by name.

It is cloudpickle's, with three rules of its own: which modules are own (see ``own_modules``), that of an own module
only what is read of it travels (see ``reach``), and that functions of one module share its globals where they arrive
(see ``arrival``). Nothing of cloudpickle's global registry is touched, so that captures in several threads do not meet.
"""

from __future__ import annotations

import copyreg
import dataclasses
import enum
import functools
import importlib
import io
import marshal
import pickle
import sys
import typing
import weakref
from collections.abc import Callable, Mapping
from types import CellType, FunctionType, ModuleType
from typing import Any, Protocol

import cloudpickle
from cloudpickle.cloudpickle import _decompose_typevar, _dynamic_class_reduce, _make_typevar

from cloudburst.keys import SCALARS
from cloudburst.runtime import arrival
from cloudburst.runtime.own_modules import is_own, is_own_module
from cloudburst.runtime.reach import (
    EMPTY,
    Memory,
    Part,
    cells,
    content_of,
    home,
    module_named,
    place_of_generator,
    reach,
)

Reduction = tuple[Any, ...]

_IDENTITY = ("__package__", "__file__", "__path__")
_KEPT_SPECIALS = frozenset({"__all__", "__author__", "__getattr__", "__version__"})
_GENERATORS = frozenset({"Random", "RandomState"})
_STREAMS = ("stdout", "stderr", "__stdout__", "__stderr__")


class SupportsWrite(Protocol):
    """Something to write to."""

    def write(self, data: bytes, /) -> Any: ...


class Refused(Exception):
    """Pickling met an object of a forbidden type."""


class _Arriving:
    """Stands for what exists once where a payload arrives: a module's globals or a cell of a closure."""

    __slots__ = ("kept", "reduction")

    def __init__(self, kept: object, reduction: Reduction) -> None:
        self.kept = kept  # so that its id stays its own
        self.reduction = reduction


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Writes functions and what they reach.

    Parameters
    ----------
    file : object with a method ``write``
        Where to.
    memory : Memory
        What the captures of this run share.
    forbidden : tuple of type, optional
        Meeting an instance of these raises ``Refused``.
    buffer_callback : callable, optional
        As for ``pickle.Pickler``.
    """

    def __init__(
        self,
        file: SupportsWrite,
        memory: Memory,
        forbidden: tuple[type, ...] = (),
        buffer_callback: Callable[[pickle.PickleBuffer], Any] | None = None,
    ) -> None:
        super().__init__(file, protocol=5, buffer_callback=buffer_callback)
        self.memory = memory
        self.forbidden = forbidden
        self.surroundings = arrival.Surroundings()
        self.spaces: dict[int, _Arriving] = {}
        self.cells: dict[int, _Arriving] = {}
        self.outside: set[str] = set()

    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        if kind is FunctionType:
            return NotImplemented if goes_by_name(value) else self._function(value)
        if kind is _Arriving:
            return value.reduction
        if issubclass(kind, self.forbidden):
            raise Refused(kind)
        if issubclass(kind, type):
            return _reduce_class(value) if is_own(value.__module__) else super().reducer_override(value)
        if issubclass(kind, ModuleType):
            return self._module(value)
        rule = _RULES.get(kind)
        if rule is not None and (reduction := rule(value)) is not None:
            return reduction
        if kind.__name__ in _GENERATORS and (place := place_of_generator(value)) is not None:
            return getattr, (sys.modules[place[0]], place[1])
        if issubclass(kind, io.TextIOBase):
            return _reduce_stream(value, kind)
        return _reduce_object(value, kind)

    def _function(self, function: FunctionType) -> Reduction:
        try:
            code: Any = marshal.dumps(function.__code__)
        except ValueError:  # constants that no compiler makes
            code = function.__code__
        closure = None if function.__closure__ is None else tuple(map(self._cell, function.__closure__))
        arguments = code, self._space_of(function), closure
        return arrival.function, arguments, self._state(function), None, None, arrival.fill_function

    def _state(self, function: FunctionType) -> dict[str, Any]:
        found = reach(function, self.memory)
        self.outside |= found.outside
        contents = [(self._cell(cell), content_of(cell)) for _, cell in cells(function)]
        state: dict[str, Any] = {
            "settings": _settings(function),
            "attributes": vars(function),
            "globals": {name: self._read(value) for name, value in found.globals.items()},
            "cells": [(cell, self._read(content)) for cell, content in contents if content is not EMPTY],
            "parts": [self._part(part) for part in found.parts.values()],
            "submodules": found.submodules,
        }
        state = {name: value for name, value in state.items() if value}
        if found.sources:
            state["sources"] = self.surroundings, found.sources
        return state

    def _read(self, value: object) -> object:
        """A variable's value; of an own module only what ``reach`` found is to come, so the bare module goes."""
        if isinstance(value, ModuleType) and is_own_module(value):
            return self._space(vars(value), value.__name__)
        return value

    def _cell(self, cell: CellType) -> _Arriving:
        known = self.cells.get(id(cell))
        if known is None:
            known = self.cells[id(cell)] = _Arriving(cell, (arrival.empty_cell, ()))
        return known

    def _space_of(self, function: FunctionType) -> Any:
        module = home(function)
        return self._space(function.__globals__, function.__globals__.get("__name__")) if module is None else module

    def _space(self, namespace: Mapping[str, Any], name: object) -> _Arriving:
        known = self.spaces.get(id(namespace))
        if known is None:
            label = name if isinstance(name, str) else ""
            identity = {key: namespace[key] for key in _IDENTITY if key in namespace}
            if "__path__" in identity:
                identity["__path__"] = list(identity["__path__"])
            module = module_named(label, namespace)
            importable = module is not None and vars(module) is namespace
            arguments = self.surroundings, label, identity, importable
            known = self.spaces[id(namespace)] = _Arriving(namespace, (arrival.make_module, arguments))
        return known

    def _part(self, part: Part) -> tuple[Any, ...]:
        attributes, absent = whole(part.module, self.memory, self.forbidden) if part.whole else (part.attributes, {})
        space = self._space(vars(part.module), part.module.__name__)
        return space, {name: self._read(value) for name, value in attributes.items()}, absent

    def _module(self, module: ModuleType) -> Reduction:
        if not is_own_module(module):
            return importlib.import_module, (module.__name__,)
        space, attributes, absent = self._part(Part(module, whole=True))
        return arrival.itself, (space,), (attributes, absent), None, None, arrival.fill_module


def travels(value: object, memory: Memory, forbidden: tuple[type, ...]) -> Exception | None:
    """``None`` where a value can be pickled on its own, else why not."""
    if type(value) in SCALARS:
        return None
    try:
        Pickler(io.BytesIO(), memory, forbidden).dump(value)
    except Exception as error:  # noqa: BLE001 - objects may raise whatever they like when they are pickled
        return error
    return None


def whole(
    module: ModuleType, memory: Memory, forbidden: tuple[type, ...]
) -> tuple[Mapping[str, object], Mapping[str, str]]:
    """Everything of an own module that can travel, and for the rest why not."""
    known = memory.wholes.get(id(module))
    if known is None:
        attributes: dict[str, object] = {}
        absent: dict[str, str] = {}
        # entered before it is filled: what uses the module itself must not ask for it again
        known = memory.wholes[id(module)] = module, attributes, absent
        for name, value in list(vars(module).items()):
            if name.startswith("__") and name.endswith("__") and name not in _KEPT_SPECIALS:
                continue
            if travels(value, memory, forbidden) is None:
                attributes[name] = value
            else:
                absent[name] = f"it cannot travel ({type(value).__name__})"
    return known[1], known[2]


def _settings(function: FunctionType) -> dict[str, Any]:
    """What a function made of its code alone would lack."""
    code = function.__code__
    settings: dict[str, Any] = {
        "__defaults__": function.__defaults__,
        "__kwdefaults__": function.__kwdefaults__,
        "__annotations__": function.__annotations__,
    }
    settings = {name: value for name, value in settings.items() if value}
    names = {
        "__name__": code.co_name,
        "__qualname__": code.co_qualname,
        "__module__": function.__globals__.get("__name__"),
        "__doc__": code.co_consts[0] if code.co_consts else None,
    }
    return settings | {name: own for name, plain in names.items() if (own := getattr(function, name)) != plain}


def goes_by_name(value: Any) -> bool:
    """Whether a function or class is found under its name in an installed module."""
    name = getattr(value, "__module__", None)
    if not isinstance(name, str) or is_own(name):
        return False
    found: Any = sys.modules.get(name)
    for part in value.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is value


def _reduce_class(kind: type) -> Reduction:
    make, arguments, state, *_ = _dynamic_class_reduce(kind)
    return arrival.arrive, (make, *arguments), state, None, None, arrival.settle


def _reduce_stream(value: Any, kind: type) -> Any:
    for name in _STREAMS:
        if value is getattr(sys, name):
            return getattr, (sys, name)
    if issubclass(kind, io.TextIOWrapper):  # cloudpickle would send a copy of what is in the file
        raise pickle.PicklingError(f"cannot pickle an open file: {value!r}")
    return NotImplemented


def _reduce_object(value: Any, kind: type) -> Any:
    """As pickle would, but for objects that give their name in an own module, which would not be found there."""
    plain: Any = object
    is_plain = kind.__reduce__ is plain.__reduce__ and kind.__reduce_ex__ is plain.__reduce_ex__
    if is_plain or not is_own(getattr(value, "__module__", "builtins")):
        return NotImplemented
    reduction = value.__reduce_ex__(5)
    if not isinstance(reduction, str):
        return reduction
    if isinstance(value, enum.Enum):
        return getattr, (kind, value.name)
    return copyreg.__newobj__, (kind,), getattr(value, "__dict__", None)  # type: ignore[attr-defined]


def _reduce_cached(value: Any) -> Reduction | None:
    if goes_by_name(value):
        return None
    return arrival.cached, (value.__wrapped__, value.cache_parameters()), vars(value)


def _reduce_type_variable(value: Any) -> Reduction | None:
    if not is_own(value.__module__):
        return None
    if isinstance(value, typing.TypeVar):
        return _make_typevar, _decompose_typevar(value)
    if isinstance(value, typing.NewType):
        return typing.NewType, (value.__name__, value.__supertype__)
    return type(value), (value.__name__,)


_RULES: dict[type, Callable[[Any], Reduction | None]] = {
    type(functools.lru_cache(len)): _reduce_cached,
    functools.cached_property: lambda value: (arrival.cached_property, (value.func, value.attrname)),
    weakref.WeakKeyDictionary: lambda value: (arrival.weak_keys, (dict(value),)),
    weakref.WeakValueDictionary: lambda value: (arrival.weak_values, (dict(value),)),
    type(dataclasses.MISSING): lambda value: (getattr, (dataclasses, "MISSING")),
    typing.TypeVar: _reduce_type_variable,
    typing.ParamSpec: _reduce_type_variable,
    typing.TypeVarTuple: _reduce_type_variable,
    typing.NewType: _reduce_type_variable,
}
