"""The Deferred: the user's immutable handle on an expression.

It answers any attribute, method, item and operator of the value it stands for with another Deferred, and refuses whatever
would need the value now. Its own public names are ``compute``, ``submit``, ``persist``, ``explain``, ``visualize`` and
``options``; a column so named is ``d["compute"]``.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from types import CodeType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from cloudburst.arguments import put_expr, refuse_inside_snapshot, to_argument
from cloudburst.errors import DeferredError
from cloudburst.graph.expr import Expr, make
from cloudburst.graph.flat import Flat, flatten, unflatten_one
from cloudburst.graph.identity import identify, name_of
from cloudburst.graph.nodes import Attribute, Call, Method, Operator, Policy, Sized
from cloudburst.graph.semantics import is_impure_method
from cloudburst.operators import Operators, give_operators
from cloudburst.promises import nearest_name, promised_type
from cloudburst.resources import parse_size
from cloudburst.scopes import EVALUATING, with_variables

if TYPE_CHECKING:
    from cloudburst.report.explain import Explanation
    from cloudburst.report.picture import Picture
    from cloudburst.runs import Run

T = TypeVar("T", covariant=True)

_NO_VALUE = (
    "a Deferred has no value yet. In a condition, compute() it first; given to plain pandas or numpy, "
    "make that call deferred too: cpd.concat([df, d])"
)
_frame = sys._getframe


class Deferred(Operators, Generic[T]):
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

    def compute(self, name: str | None = None, *, keep_going: bool = False, progress: bool | None = None) -> T:
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
        value: T = run.result_or_cancel()
        return value

    def submit(self, name: str | None = None, *, keep_going: bool = False, progress: bool | None = None) -> Run[T]:
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

    def persist(self, name: str | None = None) -> Deferred[T]:
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

    def options(self, *, cpu: int | str | None = None, memory: int | str | None = None) -> Deferred[T]:
        """The same value worked out on a machine of another size.

        Parameters
        ----------
        cpu, memory
            As for ``cb.stage``.

        Raises
        ------
        ResourceError
            If Fargate lacks the size.
        """
        size = parse_size(cpu, memory)
        expr, caller = self._expr, _frame(1)
        what = expr.what
        if isinstance(what, Call) and what.policy is not None:
            policy = Policy(size, what.policy.timeout_s, what.policy.retries, what.policy.cache)
            again = Call(what.function, what.name, what.identity, policy, what.pure, what.fans)
            return wrap(make(again, expr.args, expr.names, caller.f_code, caller.f_lasti))
        return wrap(make(Sized(Policy(size)), (expr,), (), caller.f_code, caller.f_lasti))

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
        return wrap(make(Operator("round"), (self._expr, ndigits), (), caller.f_code, caller.f_lasti))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Deferred[Any]:
        if "out" in kwargs:
            raise DeferredError(f"np.{ufunc.__name__}(..., out=) would write to a value: leave out= away. {_NO_VALUE}")
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        return call_op(function, inputs, kwargs, _frame(1), name=ufunc.__name__)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Deferred[Any]:
        return call_op(func, args, kwargs, _frame(1))

    # ------------------------------------------------------------ what needs the value now

    def __bool__(self) -> NoReturn:
        raise DeferredError(f"a condition asked whether {self!r} is true: {_NO_VALUE}")

    def __iter__(self) -> NoReturn:
        raise DeferredError(f"something iterated over {self!r}: {_NO_VALUE}; to work on each item, f.map(d)")

    def __len__(self) -> NoReturn:
        raise DeferredError(f"something asked for the length of {self!r}: {_NO_VALUE}; deferred: cb.defer(len)(d)")

    def __contains__(self, item: object) -> NoReturn:
        raise DeferredError(f"`in` asked what {self!r} contains: {_NO_VALUE}")

    def __float__(self) -> NoReturn:
        raise DeferredError(f"float() asked for the value of {self!r}: {_NO_VALUE}")

    def __int__(self) -> NoReturn:
        raise DeferredError(f"int() asked for the value of {self!r}: {_NO_VALUE}")

    def __index__(self) -> NoReturn:
        raise DeferredError(f"an index was made of {self!r}: {_NO_VALUE}")

    def __complex__(self) -> NoReturn:
        raise DeferredError(f"complex() asked for the value of {self!r}: {_NO_VALUE}")

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise DeferredError(f"numpy made an array of {self!r}: {_NO_VALUE}")

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise DeferredError(f"{self!r} cannot be changed: use d = d.assign(column=...), or write to it inside a stage.")

    def __delitem__(self, key: Any) -> NoReturn:
        raise DeferredError(f"{self!r} cannot be changed: use d = d.drop(columns=[...]).")

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise DeferredError(f"{self!r} cannot be changed: use d = d.assign({name}=...).")

    def __delattr__(self, name: str) -> NoReturn:
        raise DeferredError(f"{self!r} cannot be changed: use d = d.drop(columns=[{name!r}]).")

    def __format__(self, spec: str) -> str:
        if spec:
            raise DeferredError(f"a format asked for the value of {self!r}: {_NO_VALUE}")
        return repr(self)

    # ------------------------------------------------------------ as an object

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __copy__(self) -> Deferred[T]:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Deferred[T]:
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

    if not TYPE_CHECKING:

        def __class_getitem__(cls, item):
            return super().__class_getitem__(item)


OWN_NAMES = ("compute", "submit", "persist", "explain", "visualize", "options")
"""The public names of a Deferred that are not the value's."""

_GETITEM = Operator("getitem")
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

    __slots__ = ("_code", "_lasti", "_made", "_name", "_owner")

    def __init__(self, owner: Expr, name: str, code: CodeType, lasti: int) -> None:
        put = object.__setattr__
        put(self, "_owner", owner)
        put(self, "_name", name)
        put(self, "_code", code)
        put(self, "_lasti", lasti)
        put(self, "_made", None)

    @property
    def _expr(self) -> Expr:  # type: ignore[override]
        made: Expr | None = self._made
        if made is None:
            made = make(Attribute(self._name), (self._owner,), (), self._code, self._lasti)
            object.__setattr__(self, "_made", made)
        return made

    def __call__(self, *args: Any, **kwargs: Any) -> Deferred[Any]:
        name: str = self._name
        caller = _frame(1)
        if kwargs.get("inplace") is True:
            raise DeferredError(f".{name}(inplace=True) would change a value: leave inplace away and use what it gives.")
        promised = promised_type(self._owner)
        if promised is not None and not hasattr(promised, name):
            raise AttributeError(
                f"{promised.__name__} has no method {name!r}{nearest_name(promised, name)} "
                f"(the annotation of {self._owner.what.label} says that it returns a {promised.__name__})."
            )
        if name == "pipe" and args and (piped := getattr(args[0], "call_from", None)) is not None:
            result: Deferred[Any] = piped((wrap(self._owner), *args[1:]), kwargs, caller)
            return result
        if name in EVALUATING and args:
            kwargs = with_variables(kwargs, args[0], caller)
        names = tuple(kwargs)
        values = (self._owner, *map(to_argument, args), *map(to_argument, kwargs.values()))
        method = Method(name, pure=not is_impure_method(name, names))
        return wrap(make(method, values, names, caller.f_code, caller.f_lasti))


def call_op(function: Any, args: Any, kwargs: Any, caller: Any, name: str | None = None) -> Deferred[Any]:
    """A function applied to arguments as an op that needs no container of its own."""
    values = (*map(to_argument, args), *map(to_argument, kwargs.values()))
    what = Call(function, name or name_of(function)[1], identify(function), None)
    return wrap(make(what, values, tuple(kwargs), caller.f_code, caller.f_lasti))


give_operators(Deferred, wrap)
