"""What a return annotation promises of a Deferred's value: its type, and so its names."""

from __future__ import annotations

import difflib
import inspect
import typing
from functools import lru_cache
from types import FunctionType, UnionType

from cloudburst.graph.expr import Expr
from cloudburst.graph.nodes import Call


def promised_type(expr: Expr) -> type | None:
    """The class that the function's annotation says it returns, where the expression is a call and it says so."""
    what = expr.what
    if not isinstance(what, Call) or what.fans or type(what.function) is not FunctionType:
        return None
    return _return_type(what.function)


@lru_cache(maxsize=4096)
def _return_type(function: FunctionType) -> type | None:
    hint = function.__annotations__.get("return")
    if isinstance(hint, str):
        try:
            hint = eval(hint, function.__globals__)
        except Exception:  # noqa: BLE001 - the name is not there, as under TYPE_CHECKING: nothing is promised
            return None
    hint = typing.get_origin(hint) or hint
    return hint if isinstance(hint, type) and not _is_open(hint) else None


def _is_open(kind: type) -> bool:
    """Whether a class says little about which names its values have: a union, a protocol, an abstract class."""
    return (
        kind in (object, type, type(None), UnionType)
        or kind.__module__ in ("typing", "collections.abc")
        or getattr(kind, "_is_protocol", False)
        or inspect.isabstract(kind)
    )


def has_name(kind: type, name: str) -> bool:
    """Whether values of a class have that name, as far as the class says."""
    return hasattr(kind, name) or any(name in vars(one).get("__annotations__", ()) for one in kind.__mro__)


def nearest_name(kind: type, name: str) -> str:
    """``: did you mean 'query'?`` where the class has a name like this one.

    >>> nearest_name(str, "uper")
    ": did you mean 'upper'?"
    """
    near = difflib.get_close_matches(name, [one for one in dir(kind) if one[0] != "_"], n=1)
    return f": did you mean {near[0]!r}?" if near else ""
