"""Functions on their way to a worker: what travels, and what they are across processes.

``capture`` is asked when a run begins, as late as Python's own globals are read, and once for each function. What
cannot travel is a ``CaptureError`` that names the stage, the variable and the mend.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from cloudburst.runtime.arrival import PYTHON, load
from cloudburst.runtime.culprits import blame
from cloudburst.runtime.digests import digest_value, identify
from cloudburst.runtime.impurity import differing
from cloudburst.runtime.pickler import Pickler, goes_by_name
from cloudburst.runtime.reach import Memory, cells, content_of, outside_name, reach

__all__ = ["Captured", "capture", "digest_value", "load"]


@dataclass(frozen=True, slots=True)
class Captured:
    """A function as it stood when the run began."""

    payload: bytes
    """``load(payload)`` gives the function, in any process of the same Python."""
    digest: bytes | None
    """What it is, across processes and runs; ``None`` where that cannot be known."""
    why_not: str
    """Why there is no digest, as a sentence; else empty."""
    impure: frozenset[str]
    """Modules that its code reaches and that give other values from call to call: ``numpy.random``, ``time`` ..."""


def capture(
    function: Callable[..., Any],
    *,
    stage: str,
    forbidden: tuple[type, ...] = (),
    cache: dict[Any, Any] | None = None,
) -> Captured:
    """Pack a function with everything that it reaches now.

    Parameters
    ----------
    function : callable
        A plain function, or anything else that can be called and pickled.
    stage : str
        Name for messages.
    forbidden : tuple of type, optional
        What a function may not hold, at whatever depth: the types of Deferreds.
    cache : dict, optional
        One for all captures of a run: functions, modules and large values are then read once.

    Returns
    -------
    Captured
        The payload and the identity.

    Raises
    ------
    CaptureError
        If something that it reaches cannot travel.
    DeferredError
        If it reaches an instance of a forbidden type.

    Examples
    --------
    >>> limit = 3
    >>> captured = capture(lambda x: x + limit, stage="add")
    >>> load(captured.payload)(4)
    7
    """
    memory = Memory() if cache is None else cache.setdefault(Memory, Memory())
    known = memory.captured.get(id(function))
    if known is not None:
        return known[1]  # type: ignore[no-any-return]
    file = io.BytesIO()
    pickler = Pickler(file, memory, forbidden)
    try:
        parts = [*_callees_first(function, memory), function]
        pickler.dump((PYTHON, len(parts)))
        for part in parts:
            pickler.dump(part)
    except Exception as error:  # objects may raise whatever they like when they are pickled
        raise blame(function, error, stage, memory, forbidden) from error
    digest, why_not = identify(function, memory)
    itself = outside_name(function)
    names = pickler.outside if itself is None else {itself, *pickler.outside}
    captured = Captured(file.getvalue(), digest, why_not, differing(names))
    memory.captured[id(function)] = function, captured
    return captured


def _callees_first(function: Callable[..., Any], memory: Memory) -> list[FunctionType]:
    """The functions that a function calls by name, each after those it calls itself: so pickling never goes deep."""
    if not isinstance(function, FunctionType):
        return []
    ordered: list[FunctionType] = []
    seen = {id(function)}
    todo = [(function, iter(_callees(function, memory)))]
    while todo:
        caller, callees = todo[-1]
        for callee in callees:
            if id(callee) not in seen:
                seen.add(id(callee))
                todo.append((callee, iter(_callees(callee, memory))))
                break
        else:
            ordered.append(caller)
            todo.pop()
    return ordered[:-1]


def _callees(function: FunctionType, memory: Memory) -> list[FunctionType]:
    found = reach(function, memory)
    values = [*found.globals.values(), *(content_of(cell) for _, cell in cells(function))]
    for part in found.parts.values():
        values.extend(part.attributes.values())
    return [value for value in values if isinstance(value, FunctionType) and not goes_by_name(value)]
