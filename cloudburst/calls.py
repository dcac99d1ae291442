"""Calls that give a Deferred: arguments bound and checked, Deferreds found in them, a node made of it all."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import update_wrapper
from hashlib import blake2b
from types import FrameType
from typing import Any, Generic, ParamSpec, TypeVar

from cloudburst.arguments import LONG, Handle, literal, put_expr, to_argument
from cloudburst.binders import make_binder, positional_names, without_gaps, wording
from cloudburst.deferred import Deferred, wrap
from cloudburst.errors import DeferredError, UsageError
from cloudburst.graph.expr import Expr, born, make, named
from cloudburst.graph.identity import identify, name_of
from cloudburst.graph.nodes import Build, Call, Narrow, Operator, Policy
from cloudburst.keys import SCALARS
from cloudburst.runtime.narrowing import is_frame, narrowed
from cloudburst.runtime.place import is_performing

P = ParamSpec("P")
R = TypeVar("R")

_frame = sys._getframe
_new: Callable[[type], Any] = object.__new__


class DeferredFunction(Generic[P, R]):
    """A function of which every call gives a Deferred. ``cb.stage`` and ``cb.defer`` make them.

    Attributes
    ----------
    func : callable
        The plain function.
    """

    def __init__(
        self,
        func: Callable[P, R],
        policy: Policy | None,
        *,
        pure: bool,
        outputs: int | None = None,
        reads: tuple[tuple[str, tuple[str, ...]], ...] = (),
    ) -> None:
        self.func = func
        self._policy = policy
        self._pure = pure
        self._outputs = outputs
        self._reads = reads
        self._call = Call(func, name_of(func)[1], identify(func), policy, pure, reads=reads)
        self._is_special = not pure or outputs is not None or bool(reads)
        """Whether every call goes the general way."""
        self._prefix = b"%d:" % len(self._call.head) + self._call.head
        self._signature = signature_of(func)
        self._positional = positional_names(self._signature)
        self._bind = make_binder(self._signature)
        update_wrapper(self, func, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Deferred[R]:
        try:
            values, names = self._bind(*args, **kwargs)
        except TypeError:
            raise wording(self._call.label, self._signature, args, kwargs) from None
        caller = _frame(1)
        if self._is_special:
            return self._made(values, names, args, kwargs, caller)  # type: ignore[no-any-return]
        parts = [self._prefix]
        add = parts.append
        nodes = []
        for value in values:
            kind = type(value)
            if kind is Deferred:
                expr = value._expr
                nodes.append(expr)
                add(b"@")
                add(expr.key)
            elif (write := SCALARS.get(kind)) is not None and (
                (kind is not str and kind is not bytes) or len(value) <= LONG
            ):
                nodes.append(value)
                add(write(value))
            else:
                return self._made(values, names, args, kwargs, caller)  # type: ignore[no-any-return]
        if names:
            add(named(names))
        key = blake2b(b"".join(parts), digest_size=16).digest()
        deferred: Deferred[R] = _new(Deferred)
        put_expr(deferred, born(self._call, tuple(nodes), names, key, caller.f_code, caller.f_lasti))
        return deferred

    def call_from(self, args: tuple[Any, ...], kwargs: dict[str, Any], caller: FrameType) -> Any:
        """The call as if it stood at the caller's line: a Deferred, or a tuple of them where there are outputs."""
        try:
            values, names = self._bind(*args, **kwargs)
        except TypeError:
            raise wording(self._call.label, self._signature, args, kwargs) from None
        return self._made(values, names, args, kwargs, caller)

    def _made(self, values: Any, names: Any, args: Any, kwargs: Any, caller: FrameType) -> Any:
        """The general way: any argument, parameters left out, impure calls, several outputs."""
        arguments, names = self._arguments(values, names, caller)
        expr = make(self._what(args, kwargs), arguments, names, caller.f_code, caller.f_lasti)
        if self._outputs is None:
            return wrap(expr)
        take = Operator("getitem")
        return tuple(
            wrap(make(take, (expr, number), (), caller.f_code, caller.f_lasti)) for number in range(self._outputs)
        )

    def _arguments(self, values: Any, names: Any, caller: FrameType) -> tuple[tuple[Any, ...], tuple[str, ...]]:
        """What a binder gave as it stands in a node, without gaps and with only the columns that are declared."""
        values, names = without_gaps(self._positional, values, names)
        if self._reads:
            values = list(values)
            for parameter, columns in self._reads:
                place = _place_of(parameter, self._positional, len(values), names)
                if place is not None:
                    values[place] = self._narrowed(parameter, values[place], columns, caller)
        return tuple(map(to_argument, values)), names

    def _narrowed(self, parameter: str, value: Any, columns: tuple[str, ...], caller: FrameType) -> Any:
        if isinstance(value, Handle) and not isinstance(value._expr.what, Build):
            return wrap(make(Narrow(columns), (value._expr,), (), caller.f_code, caller.f_lasti))
        if value is None or is_frame(value):
            return narrowed(value, columns)
        kind = value._expr.what.label if isinstance(value, Handle) else type(value).__name__
        raise UsageError(
            f"{self._call.label}() was given a {kind} for {parameter!r}, and reads= says which columns it uses of "
            "that: it is for parameters that are pandas frames, each given by itself."
        )

    def _what(self, _args: Any, _kwargs: Any) -> Call:
        """What a call with these arguments is; some arguments make it impure."""
        return self._call

    def map(self, xs: Iterable[Any] | Deferred[Any], /, *args: Any, **kwargs: Any) -> Deferred[list[R]]:
        """Call the function for each item of a list, in parallel.

        Parameters
        ----------
        xs : iterable or Deferred
            The items, given to the first parameter: a list, or a Deferred whose value will be one, of any length.
        *args, **kwargs
            Given to each call beside the item.

        Returns
        -------
        Deferred of list
            The results, in the order of the items.

        Examples
        --------
        >>> import cloudburst as cb
        >>> @cb.stage
        ... def double(x: int, plus: int = 0) -> int:
        ...     return 2 * x + plus
        >>> double.map([1, 2, 3], plus=1).compute()
        [3, 5, 7]
        """
        caller = _frame(1)
        if self._positional and self._positional[0] in dict(self._reads):
            raise UsageError(
                f"{self._call.label}.map gives items to {self._positional[0]!r}, which reads= cannot narrow: leave it "
                f"out there, as in {self._call.label}.options(reads={{}}).map(...)."
            )
        if isinstance(xs, Handle):
            return self._fanned(xs, args, kwargs, caller)
        if hasattr(xs, "columns") or isinstance(xs, str | bytes | dict) or not hasattr(xs, "__iter__"):
            raise UsageError(
                f"{self._call.label}.map needs a list, or a Deferred of one; this is a {type(xs).__name__}. "
                f"Say which items you mean, as in {self._call.label}.map(list(...))."
            )
        return self._each(xs, args, kwargs, caller)

    def _each(self, xs: Iterable[Any], args: Any, kwargs: Any, caller: FrameType) -> Deferred[list[R]]:
        """A call for each item of a list that is known now."""
        exprs = tuple([to_argument(self.call_from((x, *args), kwargs, caller)) for x in xs])
        return wrap(make(Build("list"), exprs, (), caller.f_code, caller.f_lasti) if exprs else literal([]))

    def _fanned(self, xs: Handle, args: Any, kwargs: Any, caller: FrameType) -> Deferred[list[R]]:
        if xs._expr.what == Build("list"):
            items = [wrap(x) if type(x) is Expr else x for x in xs._expr.args]
            return self._each(items, args, kwargs, caller)
        if self._policy is None:
            raise UsageError(f"{self._call.label}.map over a Deferred needs a stage: decorate it with @cb.stage.")
        try:
            values, names = self._bind(xs, *args, **kwargs)
        except TypeError:
            raise wording(self._call.label, self._signature, (xs, *args), kwargs) from None
        arguments, names = self._arguments(values, names, caller)
        return wrap(make(replace(self._call, fans=True), arguments, names, caller.f_code, caller.f_lasti))

    def __repr__(self) -> str:
        return f"<deferred function {self._call.label}>"

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        raise UsageError(
            f"{self._call.label} is a method: a stage has to be a plain function. Define it outside the class, or as a "
            "staticmethod, and pass it what it needs."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuilt, (type(self), self.func, self._policy, self._pure, self._outputs, self._reads)


class FunctionInside(Generic[P, R]):
    """What a stage or deferred function is inside a stage: the plain function can be called, this cannot."""

    def __init__(self, func: Callable[P, R]) -> None:
        self.func = func
        update_wrapper(self, func, updated=())

    def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
        name = name_of(self.func)[1]
        raise DeferredError(
            f"{name} is deferred, and was called inside a stage, where nothing is. "
            f"Call {name}.func(...) to run it right there, or give its result as an argument."
        )

    def __getattr__(self, name: str) -> Any:
        if name in ("map", "options"):
            return self
        raise AttributeError(name)


def rebuilt(kind: Any, func: Any, policy: Policy | None, pure: bool, outputs: int | None, reads: Any = ()) -> Any:
    """A deferred function where it arrives."""
    return FunctionInside(func) if is_performing() else kind(func, policy, pure=pure, outputs=outputs, reads=reads)


def _place_of(parameter: str, positional: tuple[str, ...], count: int, names: tuple[str, ...]) -> int | None:
    """Where the argument for a parameter stands among so many; ``None`` where it is left to its default."""
    by_position = count - len(names)
    if parameter in positional[:by_position]:
        return positional.index(parameter)
    return by_position + names.index(parameter) if parameter in names else None


def signature_of(function: Any) -> inspect.Signature:
    """A function's signature; one that takes anything where it has none."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # functions written in C may have none
        return _ANY_SIGNATURE


_ANY_SIGNATURE = inspect.signature(lambda *args, **kwargs: None)
