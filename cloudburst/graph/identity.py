"""Which function object a function is: module, qualified name, and its ordinal among those of that name here.

Two functions are never one because they look alike: ``make(1)`` and ``make(2)`` share their code and their name, and
get ordinals of their own. The same program makes the same functions in the same order and so the same identities.
Objects are told apart by ``is``; their ``==`` and ``hash()`` are not asked.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

from cloudburst.keys import encode

_lock = threading.Lock()
_process = os.urandom(8)
_known: dict[int, tuple[Any, bytes]] = {}
_ordinals: dict[tuple[str, str], int] = {}


def identify(function: Any) -> bytes:
    """The identity of this very function object, in this process.

    >>> def make(n): return lambda: n
    >>> one, two = make(1), make(2)
    >>> identify(one) == identify(one), identify(one) == identify(two)
    (True, False)
    """
    number = id(function)
    with _lock:
        known = _known.get(number)
        if known is not None and known[0]() is function:
            return known[1]
        name = name_of(function)
        ordinal = _ordinals[name] = _ordinals.get(name, 0) + 1
        identity = encode((*name, ordinal))
        try:
            alive: Any = weakref.ref(function)
        except TypeError:

            def alive(kept: Any = function) -> Any:
                return kept

        _known[number] = alive, identity
        return identity


def process() -> bytes:
    """What tells this process from others, so that an ordinal is not mistaken for one that was given elsewhere."""
    return _process


def _become_another() -> None:
    """In a forked child: from here on it gives ordinals of its own."""
    global _process, _lock
    _process, _lock = os.urandom(8), threading.Lock()


getattr(os, "register_at_fork", lambda **_: None)(after_in_child=_become_another)


def name_of(function: Any) -> tuple[str, str]:
    """Module and qualified name of a callable, or of its type where it has none."""
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", None)
    if not isinstance(name, str):
        kind = type(function)
        return kind.__module__, kind.__qualname__
    return (module if isinstance(module, str) else ""), name
