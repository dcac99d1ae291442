"""A node of pandas' own vocabulary with its arguments by the names of their parameters.

The parameters' names and order are pandas' facts; a test holds them against pandas itself.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from cloudburst.graph.expr import Expr
from cloudburst.graph.frames.constants import UNKNOWN, constant
from cloudburst.graph.nodes import Attribute, Build, Call, Method, Operator

MISSING = object()
"""Stands for an argument that was not given."""


class Spelled(NamedTuple):
    """What a node does, and where its arguments stand in ``node.args``."""

    node: Expr
    kind: str
    """``"method"``, ``"attribute"``, ``"operator"``, ``"container"``, ``"function"`` or NumPy's ``"array"``."""
    name: str
    """Of the method, attribute, operator (``"getitem"``), container (``"list"``) or function (``"concat"``)."""
    places: dict[str, int]
    """By parameter: the place in ``node.args``. A method's object is ``self``."""
    is_clear: bool
    """False where an argument has no name here: more of them than are known, or ``*args``."""

    def given(self, parameter: str) -> Any:
        """The argument as it stands in the node, or ``MISSING``."""
        place = self.places.get(parameter)
        return MISSING if place is None else self.node.args[place]

    def constant(self, parameter: str, default: Any = None) -> Any:
        """The argument's value, the default where it was not given, or ``UNKNOWN``."""
        place = self.places.get(parameter)
        return default if place is None else constant(self.node.args[place])

    def only(self, *parameters: str) -> bool:
        """Whether no other arguments than these were given, beside ``self``."""
        return self.is_clear and all(name == "self" or name in parameters for name in self.places)

    @property
    def object(self) -> Expr | None:
        """What the method, attribute or operator is applied to, where that is a node."""
        first = self.node.args[0] if self.node.args else None
        return first if type(first) is Expr else None


def spelled(node: Expr, parameters: dict[str, tuple[str, ...]]) -> Spelled:
    """A node's arguments by name.

    Parameters
    ----------
    node : Expr
        Any node.
    parameters : dict
        By name of a method or of a function of pandas: the names of its parameters that can be given by place.

    Examples
    --------
    >>> from cloudburst.graph.expr import make
    >>> one = spelled(make(Method("head"), (make(Operator("neg"), (1,)), 3)), {"head": ("n",)})
    >>> one.name, one.constant("n"), one.constant("m", 5)
    ('head', 3, 5)
    """
    what = node.what
    if isinstance(what, Operator):
        return Spelled(node, "operator", what.name, {f"{place}": place for place in range(len(node.args))}, True)
    if isinstance(what, Attribute):
        return Spelled(node, "attribute", what.name, {"self": 0}, True)
    if isinstance(what, Build):
        return Spelled(node, "container", what.container, {}, True)
    if isinstance(what, Method):
        return _bound(node, "method", what.name, ("self", *parameters.get(what.name, ())))
    if isinstance(what, Call) and what.policy is None and not what.fans:
        name = pandas_name(what)
        if name:
            return _bound(node, "function", name, parameters.get(name, ()))
        name = numpy_name(what)
        if name:
            return Spelled(node, "array", name, {}, True)
    return Spelled(node, "", "", {}, False)


def pandas_name(what: Call) -> str:
    """The public name of a function of pandas; empty for any other function."""
    module = getattr(what.function, "__module__", None)
    return what.name if isinstance(module, str) and module.partition(".")[0] == "pandas" else ""


NUMPY: Final = ("np.where", "np.select")
UFUNC: Final = "np.ufunc"
"""What any function of NumPy that works value by value, and gives one for each, is called here."""


def numpy_name(what: Call) -> str:
    """The name of a function of NumPy that has a rule, empty for any other function.

    >>> import numpy as np
    >>> [numpy_name(Call(one, one.__name__, b"", None)) for one in (np.where, np.log, np.modf, np.sort)]
    ['np.where', 'np.ufunc', '', '']
    """
    function = what.function
    if type(function).__module__ == "numpy" and type(function).__name__ == "ufunc":
        return UFUNC if getattr(function, "nout", 0) == 1 else ""
    name = f"np.{what.name}"
    return name if getattr(function, "__module__", None) == "numpy" and name in NUMPY else ""


def _bound(node: Expr, kind: str, name: str, parameters: tuple[str, ...]) -> Spelled:
    by_place = len(node.args) - len(node.names)
    places = {parameter: place for place, parameter in enumerate(parameters[:by_place])}
    is_clear = by_place <= len(parameters)
    for place, parameter in enumerate(node.names, by_place):
        is_clear = is_clear and parameter not in places
        places[parameter] = place
    return Spelled(node, kind, name, places, is_clear)


__all__ = ["MISSING", "NUMPY", "UFUNC", "UNKNOWN", "Spelled", "numpy_name", "pandas_name", "spelled"]
