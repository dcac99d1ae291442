"""Nodes worked out one by one with plain pandas, so that tests of rules need no plan and no worker."""

from __future__ import annotations

import builtins
import operator
from typing import Any

from cloudburst.graph.expr import Expr
from cloudburst.graph.nodes import Attribute, Build, Call, FunctionValue, Literal, Method, Operator

CONTAINERS: dict[str, Any] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}


def value_of(node: Expr, args: list[Any]) -> Any:
    """What a node gives for the values of its arguments."""
    what, by_place = node.what, len(node.args) - len(node.names)
    named = dict(zip(node.names, args[by_place:], strict=True))
    if isinstance(what, Literal):
        return what.value
    if isinstance(what, FunctionValue):
        return what.function
    if isinstance(what, Method):
        return getattr(args[0], what.name)(*args[1:by_place], **named)
    if isinstance(what, Attribute):
        return getattr(args[0], what.name)
    if isinstance(what, Operator):
        return getattr(builtins if what.name in ("abs", "round") else operator, what.name)(*args)
    if isinstance(what, Call):
        return what.function(*args[:by_place], **named)
    assert isinstance(what, Build)
    if what.container == "dict":
        return dict(zip(args[::2], args[1::2], strict=True))
    return slice(*args) if what.container == "slice" else CONTAINERS[what.container](args)


def worked_out(nodes: list[Expr], given: dict[bytes, Any]) -> tuple[dict[bytes, Any], BaseException | None]:
    """The value of every node up to the first that raises, and what that raises."""
    values = dict(given)
    for node in nodes:
        if node.key not in values:
            try:
                values[node.key] = value_of(node, [values[arg.key] if type(arg) is Expr else arg for arg in node.args])
            except Exception as error:
                return values, error
    return values, None
