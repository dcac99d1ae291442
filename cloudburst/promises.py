"""What a return annotation promises of a Deferred's value: its type, and so its names."""

from __future__ import annotations

import sys
import typing
from functools import lru_cache
from typing import Any

from cloudburst.graph.expr import Expr
from cloudburst.graph.nodes import Call


def promised_type(expr: Expr) -> type | None:
    """The class that the function's annotation says it returns, where the expression is a call and it says so."""
    what = expr.what
    if not isinstance(what, Call) or what.fans:
        return None
    return _return_type(what.function)


@lru_cache(maxsize=4096)
def _return_type(function: Any) -> type | None:
    annotations = getattr(function, "__annotations__", None)
    if not annotations or "return" not in annotations:
        return None
    hint = annotations["return"]
    if isinstance(hint, str):
        module = sys.modules.get(function.__module__)
        try:
            hint = eval(hint, getattr(function, "__globals__", getattr(module, "__dict__", {})))  # noqa: S307
        except Exception:  # the name is not there, as under TYPE_CHECKING: nothing is promised
            return None
    hint = typing.get_origin(hint) or hint
    return hint if isinstance(hint, type) and hint is not object and hint is not type(None) else None


def nearest_name(kind: type, name: str) -> str:
    """``: did you mean 'query'?`` where the class has a name like this one.

    >>> nearest_name(str, "uper")
    ": did you mean 'upper'?"
    """
    import difflib

    near = difflib.get_close_matches(name, [one for one in dir(kind) if one[0] != "_"], n=1)
    return f": did you mean {near[0]!r}?" if near else ""
