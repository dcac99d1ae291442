"""The caller's variables in a query: ``d.query("x > @limit")`` takes ``limit`` from where it stands, as pandas does."""

from __future__ import annotations

import re
from types import FrameType
from typing import Any

EVALUATING = frozenset({"query", "eval"})
"""Methods of a frame whose text may name variables of the caller."""

_VARIABLE = re.compile(r"@([A-Za-z_]\w*)")


def with_variables(kwargs: dict[str, Any], text: object, caller: FrameType) -> dict[str, Any]:
    """The keyword arguments with a ``local_dict`` of the variables that the text names, as they are now.

    >>> import sys
    >>> limit = 3
    >>> with_variables({}, "x > @limit", sys._getframe())
    {'local_dict': {'limit': 3}}
    """
    if not isinstance(text, str) or "@" not in text or "local_dict" in kwargs:
        return kwargs
    found: dict[str, Any] = {}
    for name in dict.fromkeys(_VARIABLE.findall(text)):
        for scope in (caller.f_locals, caller.f_globals):
            if name in scope:
                found[name] = scope[name]
                break
    return {**kwargs, "local_dict": found} if found else kwargs
