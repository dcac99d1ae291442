"""Which variable keeps a function from travelling. Asked only after pickling has failed, so it may take its time.

From the function down, members that do not travel on their own are followed until one is met of which every member
does: that is the culprit, and the way to it is told. Objects of installed packages are not taken apart; the variable
that holds them says more.
"""

from __future__ import annotations

import functools
import io
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from types import FunctionType, MethodType
from typing import Any

from cloudburst.errors import CaptureError, DeferredError, UsageError
from cloudburst.runtime.own_modules import is_own
from cloudburst.runtime.pickler import Refused, goes_by_name, travels
from cloudburst.runtime.reach import EMPTY, Memory, cells, content_of, reach


@dataclass(frozen=True, slots=True)
class _Trail:
    """The way to a value: functions that lead there, and the variable that holds it."""

    readers: tuple[str, ...]
    value: object
    path: str = ""
    role: str = ""
    """As what the last function uses it: ``a global``."""

    def variable(self, name: str, role: str, value: object) -> _Trail:
        return replace(self, path=name, role=role, value=value)

    def member(self, hop: str, value: object) -> _Trail:
        return replace(self, path=self.path + hop, value=value)


def blame(
    function: Callable[..., Any], error: Exception, stage: str, memory: Memory, forbidden: tuple[type, ...]
) -> UsageError:
    """The error that tells why a function cannot travel.

    Parameters
    ----------
    function : callable
        What was to be captured.
    error : Exception
        What pickling it raised.
    stage : str
        Name for the message.
    memory : Memory
        What the captures of this run share.
    forbidden : tuple of type
        What a function may not hold.

    Returns
    -------
    UsageError
        A ``DeferredError`` where the culprit is of a forbidden type, else a ``CaptureError``.
    """
    refused = isinstance(error, Refused)
    seen = {id(function)}
    todo = deque([(_Trail((stage,), function), error)])
    culprit = todo[0]
    while todo:
        trail, why = todo.popleft()
        # a forbidden one would answer anything that it is asked; a deep one is deep at every step
        if isinstance(trail.value, forbidden) or (trail.path and isinstance(why.__cause__, RecursionError)):
            culprit = trail, why
            break
        stuck = [(one, fault) for one in _members(trail, memory) if (fault := travels(one.value, memory, forbidden))]
        following = [(one, fault) for one, fault in stuck if isinstance(fault, Refused) == refused]
        if not following:
            culprit = trail, why
            break
        for one, fault in following:
            if id(one.value) not in seen:
                seen.add(id(one.value))
                todo.append((one, fault))
    return _deferred_error(culprit[0], forbidden) if refused else _capture_error(*culprit)


def _deferred_error(trail: _Trail, forbidden: tuple[type, ...]) -> DeferredError:
    holder = trail.value
    role = trail.role or "a part of itself"
    if isinstance(holder, forbidden):
        what = f"the {type(holder).__name__} {trail.path!r} as {role}"
    else:
        what = f"a Deferred inside {trail.path!r} ({_type_name(holder)}) as {role}"
    mend = f"pass `{trail.path}` as an argument" if trail.path.isidentifier() else "pass it as an argument"
    return DeferredError(f"stage {_chain(trail.readers)} uses {what}: {mend}.")


def _capture_error(trail: _Trail, error: Exception) -> CaptureError:
    if not trail.role and not trail.path:
        return CaptureError(f"{_chain(trail.readers)} cannot travel to a worker: {error}")
    role = f" as {trail.role} variable" if trail.role == "a global" else f" as {trail.role}"
    what = f"{trail.path!r} ({_type_name(trail.value)}){role if trail.role else ''}"
    return CaptureError(
        f"{_chain(trail.readers)} uses {what}, which cannot travel to a worker: {_mend(trail.value, error)}. ({error})"
    )


def _chain(readers: Iterable[str]) -> str:
    return " -> ".join(map(repr, readers))


def _type_name(value: object) -> str:
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")


def _members(trail: _Trail, memory: Memory) -> Iterator[_Trail]:
    """What a value holds that travels with it."""
    value: Any = trail.value
    if isinstance(value, FunctionType):
        if not goes_by_name(value):
            yield from _function_members(trail, value, memory)
    elif isinstance(value, type):
        if is_own(value.__module__):
            for name, attribute in vars(value).items():
                if not isinstance(attribute, (types.GetSetDescriptorType, types.MemberDescriptorType)):
                    yield trail.variable(f"{value.__qualname__}.{name}", "a class attribute", attribute)
            for base in value.__bases__:
                yield replace(trail, value=base)
    elif isinstance(value, (list, tuple)):
        for number, one in enumerate(value):
            yield trail.member(f"[{number}]", one)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield trail.member(f"[{key!r}]", one)
            yield trail.member(f" key {key!r}", key)
    elif isinstance(value, (set, frozenset)):
        for one in value:
            yield trail.member(f" member {one!r}", one)
    else:
        yield from _attribute_members(trail, value)


def _function_members(trail: _Trail, function: FunctionType, memory: Memory) -> Iterator[_Trail]:
    if len(trail.readers) > 1 or trail.path:
        module = function.__module__
        name = function.__qualname__ if not module or module == "__main__" else f"{module}.{function.__qualname__}"
        trail = _Trail((*trail.readers, name), function)
    code = function.__code__
    with_default = code.co_varnames[: code.co_argcount][-len(function.__defaults__ or ()) or code.co_argcount :]
    defaults = [*zip(with_default, function.__defaults__ or (), strict=True), *(function.__kwdefaults__ or {}).items()]
    found = reach(function, memory)
    for name, value in found.globals.items():
        if not isinstance(value, types.ModuleType):
            yield trail.variable(name, "a global", value)
    for part in found.parts.values():
        for name, value in part.attributes.items():
            yield trail.variable(f"{part.module.__name__}.{name}", "a global", value)
    for name, cell in cells(function):
        if (content := content_of(cell)) is not EMPTY:
            yield trail.variable(name, "a variable of the function around it", content)
    for name, value in defaults:
        yield trail.variable(name, "a default", value)
    for name, value in function.__annotations__.items():
        yield trail.variable(name, "an annotation", value)
    for name, value in vars(function).items():
        yield trail.variable(f"{function.__name__}.{name}", "an attribute of the function", value)


def _attribute_members(trail: _Trail, value: Any) -> Iterator[_Trail]:
    if isinstance(value, MethodType):
        names = ["__self__", "__func__"]
    elif isinstance(value, functools.partial):
        names = ["func", "args", "keywords"]
    elif isinstance(value, (classmethod, staticmethod)):
        names = ["__func__"]
    elif isinstance(value, property):
        names = ["fget", "fset", "fdel"]
    elif isinstance(value, type(functools.lru_cache(len))):
        names = ["__wrapped__"]
    elif is_own(type(value).__module__) or isinstance(value, (types.SimpleNamespace, BaseException)):
        slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        names = [*getattr(value, "__dict__", {}), *slots]
        yield replace(trail, value=type(value))
    elif type(value).__module__.startswith("cloudburst."):
        names = ["func"]
    else:
        return
    for name in names:
        if hasattr(value, name):
            yield trail.member(f".{name}", getattr(value, name))


_LOCK_MODULES = frozenset({"_thread", "threading", "_multiprocessing", "multiprocessing.synchronize", "asyncio.locks"})
_RUNNING = ("Thread", "Popen", "Process", "Executor", "Loop", "Future", "Task", "Pool")
_OPENED = ("Connection", "connection", "socket", "Socket", "Session", "Client", "Cursor", "Engine", "SSL", "Channel")


def _mend(value: object, error: Exception) -> str:
    kind = type(value)
    if isinstance(error.__cause__, RecursionError):
        return "it is nested too deeply, so keep it flatter or make it inside the stage"
    if isinstance(value, (types.GeneratorType, types.AsyncGeneratorType, types.CoroutineType)):
        return "make it inside the stage, or use a list of its values"
    if isinstance(value, io.IOBase):
        return "open it inside the stage, and pass its path as an argument"
    if kind.__module__ in ("contextvars", "_contextvars"):
        return "pass its value as an argument"
    if kind.__module__ in ("weakref", "_weakref"):
        return "use the object itself instead of a weak reference to it"
    if any(word in base.__name__ for base in kind.__mro__ for word in _RUNNING):
        return "start it inside the stage"
    if kind.__module__ in _LOCK_MODULES:
        return "make it inside the stage (a worker is a process of its own, where this one would guard nothing)"
    if any(word in base.__name__ for base in kind.__mro__ for word in _OPENED):
        return "open it inside the stage"
    return "make it inside the stage, or pass what it is made of as an argument"
