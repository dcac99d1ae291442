"""Every operator of a Deferred, with the Deferred on its left and on its right."""

from __future__ import annotations

import sys
from collections.abc import Callable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from cloudburst.arguments import Handle, put_expr, to_argument
from cloudburst.graph.expr import Expr, born, make
from cloudburst.graph.nodes import Operator

_frame = sys._getframe

REFLECTED = tuple("add sub mul matmul truediv floordiv mod divmod lshift rshift and_ or_ xor".split())
COMPARISONS = ("lt", "le", "eq", "ne", "gt", "ge")
BY_UFUNC = {ufunc: Operator(name) for ufunc, name in {
    "add": "add", "subtract": "sub", "multiply": "mul", "matmul": "matmul", "divide": "truediv", "power": "pow",
    "floor_divide": "floordiv", "remainder": "mod", "divmod": "divmod", "left_shift": "lshift",
    "right_shift": "rshift", "bitwise_and": "and_", "bitwise_or": "or_", "bitwise_xor": "xor", "less": "lt",
    "less_equal": "le", "equal": "eq", "not_equal": "ne", "greater": "gt", "greater_equal": "ge",
}.items()}  # fmt: skip
"""The operator that makes an array on its left ask for a ufunc of this name."""

UNARY = ("neg", "pos", "invert", "abs", "trunc", "floor", "ceil")


class Operators(Handle):
    """What type checkers know of the operators that ``give_operators`` gives."""

    __slots__ = ()

    if TYPE_CHECKING:
        from cloudburst.deferred import Deferred

        def __add__(self, other: Any) -> Deferred[Any]: ...
        def __radd__(self, other: Any) -> Deferred[Any]: ...
        def __sub__(self, other: Any) -> Deferred[Any]: ...
        def __rsub__(self, other: Any) -> Deferred[Any]: ...
        def __mul__(self, other: Any) -> Deferred[Any]: ...
        def __rmul__(self, other: Any) -> Deferred[Any]: ...
        def __matmul__(self, other: Any) -> Deferred[Any]: ...
        def __rmatmul__(self, other: Any) -> Deferred[Any]: ...
        def __truediv__(self, other: Any) -> Deferred[Any]: ...
        def __rtruediv__(self, other: Any) -> Deferred[Any]: ...
        def __floordiv__(self, other: Any) -> Deferred[Any]: ...
        def __rfloordiv__(self, other: Any) -> Deferred[Any]: ...
        def __mod__(self, other: Any) -> Deferred[Any]: ...
        def __rmod__(self, other: Any) -> Deferred[Any]: ...
        def __divmod__(self, other: Any) -> Deferred[Any]: ...
        def __rdivmod__(self, other: Any) -> Deferred[Any]: ...
        def __lshift__(self, other: Any) -> Deferred[Any]: ...
        def __rlshift__(self, other: Any) -> Deferred[Any]: ...
        def __rshift__(self, other: Any) -> Deferred[Any]: ...
        def __rrshift__(self, other: Any) -> Deferred[Any]: ...
        def __and__(self, other: Any) -> Deferred[Any]: ...
        def __rand__(self, other: Any) -> Deferred[Any]: ...
        def __or__(self, other: Any) -> Deferred[Any]: ...
        def __ror__(self, other: Any) -> Deferred[Any]: ...
        def __xor__(self, other: Any) -> Deferred[Any]: ...
        def __rxor__(self, other: Any) -> Deferred[Any]: ...
        def __pow__(self, other: Any) -> Deferred[Any]: ...
        def __rpow__(self, other: Any) -> Deferred[Any]: ...
        def __lt__(self, other: Any) -> Deferred[Any]: ...
        def __le__(self, other: Any) -> Deferred[Any]: ...
        def __eq__(self, other: object) -> Deferred[Any]: ...  # type: ignore[override]
        def __ne__(self, other: object) -> Deferred[Any]: ...  # type: ignore[override]
        def __hash__(self) -> int: ...
        def __gt__(self, other: Any) -> Deferred[Any]: ...
        def __ge__(self, other: Any) -> Deferred[Any]: ...
        def __neg__(self) -> Deferred[Any]: ...
        def __pos__(self) -> Deferred[Any]: ...
        def __invert__(self) -> Deferred[Any]: ...
        def __abs__(self) -> Deferred[Any]: ...
        def __trunc__(self) -> Deferred[Any]: ...
        def __floor__(self) -> Deferred[Any]: ...
        def __ceil__(self) -> Deferred[Any]: ...


def give_operators(deferred: Any, wrap: Callable[[Expr], Any]) -> None:
    """Define every operator on the class; ``wrap`` makes a handle of an expression."""
    for name in REFLECTED:
        method = name.strip("_")
        setattr(deferred, f"__{method}__", _forward(name, deferred, wrap))
        setattr(deferred, f"__r{method}__", _reflected(name, wrap))
    deferred.__pow__ = _power(wrap)
    deferred.__rpow__ = _reflected("pow", wrap)
    for name in COMPARISONS:
        setattr(deferred, f"__{name}__", _forward(name, deferred, wrap))
    for name in UNARY:
        setattr(deferred, f"__{name}__", _unary(name, wrap))


def _forward(name: str, deferred: Any, wrap: Callable[[Expr], Any]) -> Callable[[Any, Any], Any]:
    operator = Operator(name)
    prefix = b"%d:" % len(operator.head) + operator.head + b"@"
    new: Any = object.__new__

    def forward(self: Any, other: Any) -> Any:
        caller = _frame(1)
        expr = self._expr
        if type(other) is not deferred:
            return wrap(make(operator, (expr, to_argument(other)), (), caller.f_code, caller.f_lasti))
        argument: Expr = other._expr
        key = blake2b(prefix + expr.key + b"@" + argument.key, digest_size=16).digest()
        result = new(deferred)
        put_expr(result, born(operator, (expr, argument), (), key, caller.f_code, caller.f_lasti))
        return result

    return forward


def _reflected(name: str, wrap: Callable[[Expr], Any]) -> Callable[[Any, Any], Any]:
    operator = Operator(name)

    def reflected(self: Any, other: Any) -> Any:
        caller = _frame(1)
        return wrap(make(operator, (to_argument(other), self._expr), (), caller.f_code, caller.f_lasti))

    return reflected


def _unary(name: str, wrap: Callable[[Expr], Any]) -> Callable[[Any], Any]:
    operator = Operator(name)

    def unary(self: Any) -> Any:
        caller = _frame(1)
        return wrap(make(operator, (self._expr,), (), caller.f_code, caller.f_lasti))

    return unary


def _power(wrap: Callable[[Expr], Any]) -> Callable[..., Any]:
    operator = Operator("pow")

    def power(self: Any, exponent: Any, modulo: Any = None) -> Any:
        caller = _frame(1)
        args = (self._expr, to_argument(exponent), *([] if modulo is None else [to_argument(modulo)]))
        return wrap(make(operator, args, (), caller.f_code, caller.f_lasti))

    return power
