"""Sentences for what cannot be stored: what it is, where in the value it lies, and what to do instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator

_DEEPEST = 32

_MENDS = {
    "generator": "give a list instead: list(...)",
    "coroutine": "await it in the stage, or make the stage `async def`",
    "async_generator": "collect it into a list",
    "TextIOWrapper": "give its content or its path",
    "BufferedReader": "give its content or its path",
    "BufferedWriter": "give its content or its path",
    "BufferedRandom": "give its content or its path",
    "FileIO": "give its content or its path",
    "socket": "open it in the stage that uses it, and give the address",
    "SSLSocket": "open it in the stage that uses it, and give the address",
    "Connection": "open it in the stage that uses it, and give the address",
    "lock": "leave it out: each task has a process to itself",
    "RLock": "leave it out: each task has a process to itself",
    "Deferred": "compute() it, or hand it on as an argument of a stage",
    "module": "import it in the stage that uses it",
}


def explain(value: object, error: Exception, dump: Callable[[object], object]) -> str:
    """The sentence for a value that pickling fails on, naming the innermost member that is to blame.

    Parameters
    ----------
    value : object
        What could not be pickled.
    error : Exception
        Why.
    dump : callable
        Pickles one value or raises.
    """
    reason = f"{type(error).__name__}: {error}"
    if "recursion" in str(error):
        return f"A {_name(value)} is nested too deeply to be pickled: give it in a flat form ({reason})."
    path, culprit = _culprit(value, dump)
    what = f"A {_name(culprit)} (at value{path})" if path else f"A {_name(culprit)}"
    return f"{what} cannot be stored, because it cannot be pickled: {_mend(culprit)} ({reason})."


def unreadable(error: Exception) -> str:
    """The sentence for bytes that were pickled well and cannot be unpickled here."""
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, ModuleNotFoundError):
        return f"A stored value needs the module {error.name!r}, which is not installed here: install it ({reason})."
    return f"A stored value cannot be read back: its class must unpickle what it pickles ({reason})."


def _name(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _mend(value: object) -> str:
    for kind in type(value).__mro__:
        if (mend := _MENDS.get(kind.__name__)) is not None:
            return mend
    return "give the data in it instead, in plain containers, arrays or frames"


def _culprit(value: object, dump: Callable[[object], object]) -> tuple[str, object]:
    path = ""
    for _ in range(_DEEPEST):
        failing = next(((step, member) for step, member in _members(value) if _fails(member, dump)), None)
        if failing is None:
            break
        path += failing[0]
        value = failing[1]
    return path, value


def _fails(value: object, dump: Callable[[object], object]) -> bool:
    try:
        dump(value)
    except Exception:  # noqa: BLE001 - a user's object may raise whatever it likes
        return True
    return False


def _members(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, member in value.items():
            yield f"[{key!r}]", member
    elif isinstance(value, (list, tuple)):
        for number, member in enumerate(value):
            yield f"[{number}]", member
    elif isinstance(value, (set, frozenset)):
        for member in value:
            yield "{...}", member
    else:
        for name, member in getattr(value, "__dict__", {}).items():
            yield f".{name}", member
