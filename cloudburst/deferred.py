"""The Deferred: the user's immutable handle on an expression.

It answers any attribute, method, item and operator of the value it stands for with another Deferred, and refuses
whatever would need the value now. Its own public names are ``compute``, ``submit``, ``persist``, ``explain``,
``visualize`` and ``options``; a column so named is ``d["compute"]``.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from dataclasses import replace
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from cloudburst.arguments import Handle, put_expr, refuse_inside_snapshot, to_argument
from cloudburst.errors import DeferredError
from cloudburst.graph.expr import Expr, make
from cloudburst.graph.flat import Flat, flatten, unflatten_one
from cloudburst.graph.identity import identify
from cloudburst.graph.nodes import Attribute, Call, Method, Operator, Policy, Sized, What
from cloudburst.graph.semantics import is_impure_method
from cloudburst.operators import BY_UFUNC, Operators, give_operators
from cloudburst.promises import has_name, nearest_name, promised_type
from cloudburst.refusals import Refusals, refuse_writing
from cloudburst.scopes import EVALUATING, with_variables

if TYPE_CHECKING:
    from inspect import Signature

    from cloudburst.report.explain import Explanation
    from cloudburst.report.picture import Picture
    from cloudburst.runs import Run

T_co = TypeVar("T_co", covariant=True)

_frame = sys._getframe


class Deferred(Operators, Refusals, Generic[T_co]):
    """A value that is not worked out yet.

    Made by calling a stage, by ``cb.defer``, or by using another Deferred. Nothing of it can be changed.

    Examples
    --------
    >>> import cloudburst as cb
    >>> @cb.stage
    ... def numbers() -> list:
    ...     return [3, 1, 2]
    >>> total = cb.defer(sum)(numbers()) + 10
    >>> total.compute()
    16
    """

    __slots__ = ("__weakref__",)

    __pandas_priority__ = 5000

    def __init__(self) -> None:
        raise DeferredError("a Deferred is made by calling a stage, or by cb.defer(value) or cb.defer(function)(...).")

    def compute(self, name: str | None = None, *, keep_going: bool = False, progress: bool | None = None) -> T_co:
        """Work out the value, and everything it needs, and give it back.

        Parameters
        ----------
        name : str, optional
            What to call the run, for people.
        keep_going : bool
            Go on with what does not depend on a failed task, and raise all errors together at the end.
        progress : bool, optional
            Show progress, or be silent. By default it is shown where there is somebody to see it.

        Returns
        -------
        object
            The value, equal to what the functions returned, and the caller's own to write to.

        Raises
        ------
        Exception
            The user's own exception, with a ``StageError`` as its cause.
        ComputeError
            Under ``keep_going``, every error.
        TaskError
            If a worker was lost, ran out of memory or took too long.
        """
        from cloudburst import session

        run = session.submit(self._expr, name=name, keep_going=keep_going, progress=progress)
        value: T_co = run.result_or_cancel()
        return value

    def submit(self, name: str | None = None, *, keep_going: bool = False, progress: bool | None = None) -> Run[T_co]:
        """Start working out the value and return at once.

        Parameters
        ----------
        name, keep_going, progress
            As for ``compute``.

        Returns
        -------
        Run
            With ``result()``, ``status``, ``cancel()`` and ``logs()``; it can be awaited.
        """
        from cloudburst import session

        return session.submit(self._expr, name=name, keep_going=keep_going, progress=progress)

    def persist(self, name: str | None = None) -> Deferred[T_co]:
        """Work out the value, keep it where the workers can read it, and give a Deferred of what is kept.

        Examples
        --------
        >>> import cloudburst as cb
        >>> kept = cb.defer(sum)([1, 2]).persist()
        >>> (kept * 2).compute()
        6
        """
        from cloudburst import session

        return wrap(session.persist(self._expr, name=name))

    def explain(self, *, optimize: bool = True) -> Explanation:
        """What would run: tasks and sizes, what rides with what, what is merged, and why things stay apart.

        Parameters
        ----------
        optimize : bool
            False shows the graph as it was written.
        """
        from cloudburst import session

        return session.explain([self._expr], optimize=optimize)

    def visualize(self, path: str | None = None) -> Picture:
        """The tasks and what passes between them as a picture, in Graphviz's language and as SVG.

        Parameters
        ----------
        path : str, optional
            Write it there as well: ``.dot`` as text, ``.svg`` as a picture.
        """
        from cloudburst import session

        return session.visualize([self._expr], path)

    def options(self, *, cpu: int | str | None = None, memory: int | str | None = None) -> Deferred[T_co]:
        """The same value worked out on a machine of another size.

        Parameters
        ----------
        cpu, memory
            As for ``cb.stage``; what is left out stays as it is.

        Raises
        ------
        ResourceError
            If Fargate lacks the size.
        """
        expr, caller = self._expr, _frame(1)
        what = expr.what
        if isinstance(what, Call) and what.policy is not None:
            again = replace(what, policy=what.policy.resized(cpu, memory))
            return wrap(make(again, expr.args, expr.names, caller.f_code, caller.f_lasti))
        return wrap(make(Sized(Policy().resized(cpu, memory)), (expr,), (), caller.f_code, caller.f_lasti))

    # ------------------------------------------------------------ what makes another Deferred

    def __getattr__(self, name: str) -> Any:
        if name[0] == "_":
            raise AttributeError(f"a Deferred has no attribute {name!r}: names that begin with _ stay in the worker.")
        caller = _frame(1)
        return DeferredAttribute(self._expr, name, caller.f_code, caller.f_lasti)

    def __getitem__(self, index: Any) -> Deferred[Any]:
        caller = _frame(1)
        args = (self._expr, to_argument(index))
        return wrap(make(_GETITEM, args, (), caller.f_code, caller.f_lasti))

    def __round__(self, ndigits: int | None = None) -> Deferred[Any]:
        caller = _frame(1)
        args = (self._expr,) if ndigits is None else (self._expr, to_argument(ndigits))
        return wrap(make(_ROUND, args, (), caller.f_code, caller.f_lasti))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Deferred[Any]:
        name = ufunc.__name__
        refuse_writing(name, kwargs)
        caller = _frame(1)
        if method != "__call__":
            what: What = Call(getattr(ufunc, method), f"{name}.{method}", identify(ufunc) + method.encode(), None)
        elif name in BY_UFUNC and not kwargs and not isinstance(inputs[0], Handle):
            what = BY_UFUNC[name]  # array + d asks for this ufunc, and means what + means for the value
            if getattr(inputs[0], "shape", None) == ():  # a scalar of numpy, which comes here as an array
                inputs = (inputs[0][()], *inputs[1:])
        else:
            what = Call(ufunc, name, identify(ufunc), None)
        return _op(what, tuple(map(to_argument, inputs)), kwargs, caller)

    def __array_function__(self, func: Any, _types: Any, args: Any, kwargs: Any) -> Deferred[Any]:
        refuse_writing(func.__name__, kwargs)
        what = Call(func, func.__name__, identify(func), None)
        return _op(what, tuple(map(to_argument, args)), kwargs, _frame(1))

    # ------------------------------------------------------------ as an object

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __copy__(self) -> Deferred[T_co]:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Deferred[T_co]:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        refuse_inside_snapshot(self)
        import cloudpickle  # functions that stages hide behind their names travel by value

        return _rebuilt, (cloudpickle.dumps(flatten([self._expr])),)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return self.__reduce__()

    def __dir__(self) -> list[str]:
        promised = promised_type(self._expr)
        names = [name for name in dir(promised) if name[0] != "_"] if promised is not None else []
        return sorted({*names, *OWN_NAMES})

    def __repr__(self) -> str:
        promised = promised_type(self._expr)
        of = f" of {promised.__name__}" if promised is not None else ""
        return f"<Deferred {self._expr.name}{of}>"

    def _repr_html_(self) -> str:
        from cloudburst import session

        return session.card([self._expr], repr(self))


OWN_NAMES = ("compute", "submit", "persist", "explain", "visualize", "options")
"""The public names of a Deferred that are not the value's."""

_GETITEM = Operator("getitem")
_ROUND = Operator("round")
_new: Callable[[type], Any] = object.__new__


def wrap(expr: Expr) -> Deferred[Any]:
    """The handle of an expression."""
    deferred: Deferred[Any] = _new(Deferred)
    put_expr(deferred, expr)
    return deferred


def _rebuilt(data: bytes) -> Deferred[Any]:
    flat: Flat = pickle.loads(data)
    return wrap(unflatten_one(flat))


class DeferredAttribute(Deferred[Any]):
    """What ``d.name`` is until it is known whether it will be called: an attribute, or a method."""

    __slots__ = ("_asked", "_made")

    _asked: tuple[Expr, str, CodeType, int]
    _made: Expr

    def __init__(self, owner: Expr, name: str, code: CodeType, lasti: int) -> None:
        _put_asked(self, (owner, name, code, lasti))

    @property
    def _expr(self) -> Expr:  # type: ignore[override]
        try:
            return self._made
        except AttributeError:
            owner, name, code, lasti = self._asked
            made = make(Attribute(name), (owner,), (), code, lasti)
            _put_made(self, made)
            return made

    @property
    def __signature__(self) -> Signature:
        """What the promised type says of the method, for completion and help."""
        import inspect

        owner, name, *_ = self._asked
        method = getattr(promised_type(owner), name, None)
        try:
            _, *parameters = inspect.signature(method).parameters.values()  # type: ignore[arg-type]
        except (TypeError, ValueError):  # no promise, no method, or one written in C
            return inspect.signature(lambda *args, **kwargs: None)
        return inspect.Signature(parameters)

    def __call__(self, *args: Any, **kwargs: Any) -> Deferred[Any]:
        owner, name, *_ = self._asked
        caller = _frame(1)
        if kwargs.get("inplace") is True:
            raise DeferredError(
                f".{name}(inplace=True) would change a value: leave inplace away and use what it gives."
            )
        promised = promised_type(owner)
        if promised is not None and not has_name(promised, name):
            raise AttributeError(
                f"{promised.__name__} has no method {name!r}{nearest_name(promised, name)} "
                f"(the annotation of {owner.what.label} says that it returns a {promised.__name__})."
            )
        if name == "pipe" and args and not isinstance(args[0], Handle):
            call_from = getattr(args[0], "call_from", None)
            if call_from is not None:
                piped: Deferred[Any] = call_from((wrap(owner), *args[1:]), kwargs, caller)
                return piped
        if name in EVALUATING and args:
            kwargs = with_variables(kwargs, args[0], caller)
        method = Method(name, pure=not is_impure_method(name, kwargs))
        return _op(method, (owner, *map(to_argument, args)), kwargs, caller)


_put_asked: Callable[[Any, Any], None] = DeferredAttribute.__dict__["_asked"].__set__
_put_made: Callable[[Any, Expr], None] = DeferredAttribute.__dict__["_made"].__set__


def _op(what: What, values: tuple[Any, ...], kwargs: Any, caller: FrameType) -> Deferred[Any]:
    """An op applied to values as they stand in nodes, and to keyword arguments, at the caller's line."""
    names = tuple(kwargs)
    if names:
        values = (*values, *map(to_argument, kwargs.values()))
    return wrap(make(what, values, names, caller.f_code, caller.f_lasti))


give_operators(Deferred, wrap)
