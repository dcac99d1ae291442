"""Stages and deferred functions: a call gives a Deferred."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable
from functools import update_wrapper
from hashlib import blake2b
from typing import Any, Generic, ParamSpec, TypeVar, overload

from cloudburst.arguments import LONG, Handle, literal, put_expr, to_argument
from cloudburst.binders import ABSENT, bind_with_gaps, make_binder, wording
from cloudburst.deferred import Deferred, wrap
from cloudburst.errors import DeferredError, ResourceError, UsageError
from cloudburst.graph.expr import Expr, make
from cloudburst.graph.identity import identify, name_of
from cloudburst.graph.nodes import Build, Call, Operator, Policy, nonce
from cloudburst.keys import SCALARS
from cloudburst.resources import Size, parse_size
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

    def __init__(self, func: Callable[P, R], policy: Policy | None, *, pure: bool, outputs: int | None = None) -> None:
        self.func = func
        self._policy = policy
        self._pure = pure
        self._outputs = outputs
        module, name = name_of(func)
        self._call = Call(func, name, identify(func), policy, pure)
        self._prefix = b"%d:" % len(self._call.head) + self._call.head
        self._signature = _signature(func)
        self._bind = make_binder(self._signature) if self._signature is not None else _bind_anything
        update_wrapper(self, func, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Deferred[R]:
        try:
            values, names = self._bind(*args, **kwargs)
        except TypeError:
            raise self._refused(args, kwargs) from None
        if not self._pure or self._outputs is not None:
            made: Deferred[R] = self._made(values, names, args, kwargs, _frame(1))
            return made
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
            elif (write := SCALARS.get(kind)) is not None and not ((kind is str or kind is bytes) and len(value) > LONG):
                nodes.append(value)
                add(write(value))
            else:
                made = self._made(values, names, args, kwargs, _frame(1))
                return made
        if names:
            add(b"k" + ",".join(names).encode())
        caller = _frame(1)
        key = blake2b(b"".join(parts), digest_size=16).digest()
        deferred: Deferred[R] = _new(Deferred)
        put_expr(deferred, Expr(self._call, tuple(nodes), names, key, caller.f_code, caller.f_lasti))
        return deferred

    def call_from(self, args: tuple[Any, ...], kwargs: dict[str, Any], caller: Any) -> Deferred[R]:
        """The call as if it stood at the caller's line."""
        try:
            values, names = self._bind(*args, **kwargs)
        except TypeError:
            raise self._refused(args, kwargs) from None
        made: Deferred[R] = self._made(values, names, args, kwargs, caller)
        return made

    def _made(self, values: Any, names: Any, args: Any, kwargs: Any, caller: Any) -> Any:
        """The general way: any argument, parameters left out, impure calls, several outputs."""
        if any(value is ABSENT for value in values):
            assert self._signature is not None
            values, names = bind_with_gaps(self._signature, args, kwargs)
        arguments = tuple(map(to_argument, values))
        expr = make(self._call, arguments, names, caller.f_code, caller.f_lasti)
        if self._outputs is None:
            return wrap(expr)
        take = Operator("getitem")
        return tuple(
            wrap(make(take, (expr, number), (), caller.f_code, caller.f_lasti)) for number in range(self._outputs)
        )

    def _refused(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exception:
        if self._signature is None:
            return UsageError(f"{self._call.label}() cannot be called so.")
        return wording(self._call.label, self._signature, args, kwargs)

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
        if isinstance(xs, Handle):
            return self._fanned(xs, args, kwargs, caller)
        if hasattr(xs, "columns") or isinstance(xs, str | bytes | dict) or not hasattr(xs, "__iter__"):
            raise UsageError(
                f"{self._call.label}.map needs a list, or a Deferred of one; this is a {type(xs).__name__}. "
                f"Say which items you mean, as in {self._call.label}.map(list(...))."
            )
        calls = tuple(self.call_from((x, *args), kwargs, caller) for x in xs)
        exprs = tuple(to_argument(call) if isinstance(call, Handle) else _tuple_of(call) for call in calls)
        if not exprs:
            return wrap(literal([]))
        return wrap(make(Build("list"), exprs, (), caller.f_code, caller.f_lasti))

    def _fanned(self, xs: Handle, args: Any, kwargs: Any, caller: Any) -> Deferred[list[R]]:
        if xs._expr.what == Build("list"):
            calls = [self.call_from((wrap_argument(x), *args), kwargs, caller) for x in xs._expr.args]
            return wrap(make(Build("list"), tuple(map(to_argument, calls)), (), caller.f_code, caller.f_lasti))
        if self._policy is None:
            raise UsageError(f"{self._call.label}.map over a Deferred needs a stage: decorate it with @cb.stage.")
        values, names = bind_with_gaps(self._signature or inspect.signature(_anything), (xs, *args), kwargs)
        call = self._call
        fan = Call(call.function, call.name, call.identity, call.policy, call.pure, fans=True)
        arguments = tuple(map(to_argument, values))
        return wrap(make(fan, arguments, names, caller.f_code, caller.f_lasti))

    def __repr__(self) -> str:
        return f"<deferred function {self._call.label}>"

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        raise UsageError(
            f"{self._call.label} is a method: a stage has to be a plain function. Define it outside the class, or as a "
            "staticmethod, and pass it what it needs."
        )


class Stage(DeferredFunction[P, R]):
    """A user's function with resources."""

    _policy: Policy

    def options(
        self,
        *,
        cpu: int | str | None = None,
        memory: int | str | None = None,
        timeout: float | None = None,
        retries: int | None = None,
        cache: bool | None = None,
        pure: bool | None = None,
        outputs: int | None = None,
    ) -> Stage[P, R]:
        """The same stage with other resources.

        Parameters
        ----------
        cpu, memory, timeout, retries, cache, pure, outputs
            As for ``cb.stage``; what is left out stays as it is.

        Examples
        --------
        >>> import cloudburst as cb
        >>> @cb.stage(cpu=1024, memory=2048)
        ... def f(x: int) -> int:
        ...     return x
        >>> f.options(memory="8 GB")
        <stage f: 1 vCPU, 8 GB>
        """
        old = self._policy
        if cpu is None and memory is None:
            size = old.size
        else:
            size = parse_size(cpu if cpu is not None else old.size.cpu, memory if memory is not None else old.size.memory)
        policy = _policy(
            size,
            timeout if timeout is not None else old.timeout_s,
            retries if retries is not None else old.retries,
            cache if cache is not None else old.cache,
        )
        pure = self._pure if pure is None else pure
        return Stage(self.func, policy, pure=pure, outputs=_outputs(outputs) if outputs is not None else self._outputs)

    def __repr__(self) -> str:
        return f"<stage {self._call.label}: {self._policy.size}>"

    def __reduce__(self) -> Any:
        return _rebuilt_stage, (self.func, self._policy, self._pure, self._outputs)


class StageInside(Generic[P, R]):
    """What a stage is inside a stage: its plain function can be called, the stage itself cannot."""

    def __init__(self, func: Callable[P, R]) -> None:
        self.func = func
        update_wrapper(self, func, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = name_of(self.func)[1]
        raise DeferredError(
            f"the stage {name} was called inside a stage, where nothing is deferred. "
            f"Call {name}.func(...) to run it right there, or give its result as an argument."
        )

    def __getattr__(self, name: str) -> Any:
        if name in ("map", "options"):
            return self
        raise AttributeError(name)


def _rebuilt_stage(func: Callable[P, R], policy: Policy, pure: bool, outputs: int | None) -> Any:
    return StageInside(func) if is_performing() else Stage(func, policy, pure=pure, outputs=outputs)


@overload
def stage(func: Callable[P, R], /) -> Stage[P, R]: ...


@overload
def stage(
    *,
    cpu: int | str | None = None,
    memory: int | str | None = None,
    timeout: float | None = None,
    retries: int = 0,
    cache: bool = False,
    pure: bool = True,
    outputs: int | None = None,
) -> Callable[[Callable[P, R]], Stage[P, R]]: ...


def stage(
    func: Any = None,
    /,
    *,
    cpu: int | str | None = None,
    memory: int | str | None = None,
    timeout: float | None = None,
    retries: int = 0,
    cache: bool = False,
    pure: bool = True,
    outputs: int | None = None,
) -> Any:
    """Mark a function as a stage: calling it computes nothing and gives a Deferred.

    Parameters
    ----------
    cpu : int or str, optional
        CPU units, 1024 to a virtual CPU, or text such as ``"2 vCPU"``. Without size the provider's default is used.
    memory : int or str, optional
        MiB, or text such as ``"4 GB"``.
    timeout : float, optional
        Seconds after which a task of this stage is stopped.
    retries : int
        How often it is tried again after its own code raised.
    cache : bool
        Keep what it returns in the store, and read it from there when the same call comes again.
    pure : bool
        False makes every call its own: equal calls are not merged.
    outputs : int, optional
        The number of values in the tuple it returns: a call then gives a tuple of so many Deferreds.

    Returns
    -------
    Stage

    Raises
    ------
    ResourceError
        If Fargate lacks the size, or a number cannot be.
    UsageError
        If the function cannot be a stage.

    Examples
    --------
    >>> import cloudburst as cb
    >>> @cb.stage(cpu=1024, memory=2048)
    ... def add(x: int, y: int) -> int:
    ...     return x + y
    >>> add(1, add(2, 3)).compute()
    6
    """
    policy = _policy(parse_size(cpu, memory), timeout, retries, cache)
    checked = _outputs(outputs) if outputs is not None else None

    def decorate(function: Callable[P, R]) -> Stage[P, R]:
        _check_function(function)
        return Stage(function, policy, pure=pure, outputs=checked)

    return decorate if func is None else decorate(func)


def defer(value: Any, /, *, pure: bool = True) -> Any:
    """Make a function deferred, as an op that needs no container of its own; or make a Deferred of a value.

    Parameters
    ----------
    value : callable or object
        A function, of any library, or a value.
    pure : bool
        False makes every call of the function its own.

    Returns
    -------
    DeferredFunction or Deferred

    Examples
    --------
    >>> import cloudburst as cb
    >>> cb.defer(max)([1, cb.defer(5)]).compute()
    5
    """
    if isinstance(value, Handle):
        return value
    if isinstance(value, DeferredFunction):
        return value
    if callable(value):
        return DeferredFunction(value, None, pure=pure)
    return wrap(literal(value))


def wrap_argument(argument: Any) -> Any:
    """A Deferred of an expression, a scalar as it is."""
    return wrap(argument) if type(argument) is Expr else argument


def _tuple_of(deferreds: tuple[Deferred[Any], ...]) -> Expr:
    return make(Build("tuple"), tuple(to_argument(one) for one in deferreds))


def _policy(size: Size, timeout: Any, retries: Any, cache: Any) -> Policy:
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0):
        raise ResourceError(f"timeout={timeout!r} cannot be: it is a number of seconds above 0, or None for no limit.")
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise ResourceError(f"retries={retries!r} cannot be: it is how often to try again, 0 or more.")
    return Policy(size, float(timeout) if timeout is not None else None, retries, bool(cache))


def _outputs(outputs: Any) -> int:
    if isinstance(outputs, bool) or not isinstance(outputs, int) or outputs < 1:
        raise ResourceError(f"outputs={outputs!r} cannot be: it is the number of values that the stage returns.")
    return outputs


def _check_function(function: Any) -> None:
    name = name_of(function)[1]
    if isinstance(function, DeferredFunction):
        raise UsageError(f"{name} is a stage already: use {name}.options(...) to give it other resources.")
    if not callable(function) or isinstance(function, type):
        raise UsageError(f"@cb.stage marks functions; this is {function!r}. Wrap it in a function.")
    if inspect.ismethod(function):
        raise UsageError(f"{name} is a bound method: a stage has to be a plain function, given what it needs as arguments.")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise UsageError(f"{name} is a generator: a stage returns its value whole. Return a list, as in list({name}(...)).")


def _signature(function: Any) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # functions written in C may have none
        return None


def _anything(*args: Any, **kwargs: Any) -> None: ...


_bind_anything = make_binder(inspect.signature(_anything))
