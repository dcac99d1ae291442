"""Stages and deferred functions: a call gives a Deferred."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, ParamSpec, TypeVar, overload

from cloudburst.arguments import Handle, literal
from cloudburst.calls import DeferredFunction, signature_of
from cloudburst.deferred import wrap
from cloudburst.errors import ResourceError, UsageError
from cloudburst.graph.identity import name_of
from cloudburst.graph.nodes import Policy
from cloudburst.resources import Size, parse_size, parse_storage
from cloudburst.runtime.impurity import differing

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(
    r"arn:aws[\w-]*:(secretsmanager:[a-z0-9-]+:\d+:secret:[^:\s]+(:[^:\s]*){0,3}|ssm:[a-z0-9-]+:\d+:parameter/[^:\s]+)"
)

P = ParamSpec("P")
R = TypeVar("R")


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
        spot: bool | None = None,
        ephemeral_storage: int | str | None = None,
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        reads: Mapping[str, Sequence[str]] | None = None,
    ) -> Stage[P, R]:
        """The same stage with other resources.

        Parameters
        ----------
        cpu, memory, timeout, retries, cache, pure, outputs, spot, ephemeral_storage, environment, secrets, reads
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
        storage, spot = _machine(ephemeral_storage, spot)
        size = old.resized(cpu, memory).size
        policy = _policy(
            size._replace(
                storage=size.storage if ephemeral_storage is None else storage, spot=size.spot if spot is None else spot
            ),
            timeout if timeout is not None else old.timeout_s,
            retries if retries is not None else old.retries,
            cache if cache is not None else old.cache,
            environment if environment is not None else dict(old.environment),
            secrets if secrets is not None else dict(old.secrets),
        )
        pure = self._pure if pure is None else pure
        return Stage(
            self.func,
            policy,
            pure=pure,
            outputs=_outputs(outputs) if outputs is not None else self._outputs,
            reads=_reads(reads, self.func) if reads is not None else self._reads,
        )

    def __repr__(self) -> str:
        return f"<stage {self._call.label}: {self._policy.size}>"


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
    spot: bool | None = None,
    ephemeral_storage: int | str | None = None,
    environment: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    reads: Mapping[str, Sequence[str]] | None = None,
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
    spot: bool | None = None,
    ephemeral_storage: int | str | None = None,
    environment: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    reads: Mapping[str, Sequence[str]] | None = None,
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
    spot : bool, optional
        Whether spare capacity will do, which is cheaper and may be taken back; as the provider says by default.
    ephemeral_storage : int or str, optional
        GiB of disk, 21 to 200, or text such as ``"50 GB"``; every machine has 20.
    environment : dict, optional
        Variables that the code finds in its environment.
    secrets : dict, optional
        Variables whose values only the worker learns: by name the ARN of a secret of Secrets Manager or of a parameter
        of the Systems Manager. On this machine they are taken from your own environment.
    reads : dict, optional
        By parameter the columns that the stage uses of it, which has to be a frame: it then gets only these, and no
        others are stored or read for it. ``reads={"sales": ["region", "amount"]}``.

    Returns
    -------
    Stage
        Called as the function is, it gives a Deferred; ``.func`` is the function.

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
    disk, spare = _machine(ephemeral_storage, spot)
    size = parse_size(cpu, memory)._replace(storage=disk, spot=spare)
    variables, places = {} if environment is None else environment, {} if secrets is None else secrets
    policy = _policy(size, timeout, retries, cache, variables, places)
    checked = _outputs(outputs) if outputs is not None else None

    def decorate(function: Callable[P, R]) -> Stage[P, R]:
        _check_function(function)
        return Stage(function, policy, pure=pure, outputs=checked, reads=_reads(reads or {}, function))

    return decorate if func is None else decorate(func)


def defer(value: Any, /, *, pure: bool = True) -> Any:
    """Make a function deferred, as an op that needs no container of its own; or make a Deferred of a value.

    Parameters
    ----------
    value : callable or object
        A function, of any library, or a value.
    pure : bool
        False makes every call of the function its own, as it is anyway for clocks and random numbers.

    Returns
    -------
    DeferredFunction or Deferred
        Of a function, one whose calls give Deferreds; of a value, a Deferred of it.

    Examples
    --------
    >>> import cloudburst as cb
    >>> cb.defer(max)([1, cb.defer(5)]).compute()
    5
    """
    if isinstance(value, Handle | DeferredFunction):
        return value
    if callable(value):
        return DeferredFunction(value, None, pure=pure and not _differs(value))
    return wrap(literal(value))


def _differs(function: Any) -> bool:
    """Whether a function is known to give something else at every call: ``time.time``, ``np.random.rand``."""
    module, name = name_of(function)
    owner = getattr(function, "__self__", None)
    if isinstance(owner, type):
        module = owner.__module__
    elif owner is not None and not isinstance(owner, ModuleType):
        module, name = ".".join(type(owner).__module__.split(".")[:2]), name.rpartition(".")[2]
    return bool(differing([f"{module}.{name}"]))


def _policy(size: Size, timeout: Any, retries: Any, cache: Any, environment: Any, secrets: Any) -> Policy:
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0):
        raise ResourceError(f"timeout={timeout!r} cannot be: it is a number of seconds above 0, or None for no limit.")
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise ResourceError(f"retries={retries!r} cannot be: it is how often to try again, 0 or more.")
    variables, places = _variables("environment", environment), _variables("secrets", secrets)
    if both := dict(variables).keys() & dict(places).keys():
        raise ResourceError(f"{min(both)!r} stands both in environment= and in secrets=: it can be only one of them.")
    for name, place in places:
        if not _SECRET.fullmatch(place):  # which is not shown: it may be the secret itself
            raise ResourceError(
                f"secrets={{{name!r}: ...}} cannot be: it takes the ARN of where the value is kept, "
                "arn:aws:secretsmanager:<region>:<account>:secret:<name>[:<json key>::] or "
                "arn:aws:ssm:<region>:<account>:parameter/<name>."
            )
    return Policy(size, float(timeout) if timeout is not None else None, retries, bool(cache), variables, places)


def _machine(ephemeral_storage: Any, spot: Any) -> tuple[int | None, bool | None]:
    if spot is not None and not isinstance(spot, bool):
        raise ResourceError(f"spot={spot!r} cannot be: it is True or False, or None for what the provider says.")
    return parse_storage(ephemeral_storage), spot


def _variables(setting: str, given: Any) -> tuple[tuple[str, str], ...]:
    """Variables in the order of their names. Values are not shown in errors: they may be secret."""
    if not isinstance(given, Mapping):
        raise ResourceError(f"{setting}= cannot be a {type(given).__name__}: it is a dict of texts by name.")
    for name, value in given.items():
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise ResourceError(f"{setting}={{{name!r}: ...}} cannot be: that is no name of an environment variable.")
        if name.startswith(("CLOUDBURST_", "AWS_", "ECS_")):
            raise ResourceError(f"{setting}={{{name!r}: ...}} cannot be: such names belong to the worker itself.")
        if not isinstance(value, str):
            raise ResourceError(f"{setting}={{{name!r}: ...}} has a {type(value).__name__}: texts are needed.")
        if "\0" in value or not _is_text(value):
            raise ResourceError(f"{setting}={{{name!r}: ...}} has a character that no environment variable can have.")
    return tuple(sorted(given.items()))


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def _outputs(outputs: Any) -> int:
    if isinstance(outputs, bool) or not isinstance(outputs, int) or outputs < 1:
        raise ResourceError(f"outputs={outputs!r} cannot be: it is the number of values that the stage returns.")
    return outputs


def _reads(reads: Any, function: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What a stage uses of its parameters, checked against its signature."""
    if not isinstance(reads, Mapping):
        raise UsageError(f"reads= cannot be a {type(reads).__name__}: it is a dict of lists of columns by parameter.")
    name = name_of(function)[1]
    parameters = signature_of(function).parameters
    single = [one.name for one in parameters.values() if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    for parameter, columns in reads.items():
        if parameter not in single:
            raise UsageError(
                f"reads={{{parameter!r}: ...}} cannot be: {name} has no such parameter of its own. "
                f"It has {', '.join(single) or 'none'}."
            )
        if not isinstance(columns, list | tuple) or any(not isinstance(one, str) for one in columns):
            raise UsageError(f"reads={{{parameter!r}: {columns!r}}} cannot be: it takes a list of names of columns.")
        if len(set(columns)) != len(columns):
            raise UsageError(f"reads={{{parameter!r}: {columns!r}}} cannot be: a column stands there twice.")
    return tuple([(parameter, tuple([str(one) for one in columns])) for parameter, columns in reads.items()])


def _check_function(function: Any) -> None:
    name = name_of(function)[1]
    if isinstance(function, DeferredFunction):
        raise UsageError(f"{name} is a stage already: use {name}.options(...) to give it other resources.")
    if not callable(function) or isinstance(function, type):
        raise UsageError(f"@cb.stage marks functions; this is {function!r}. Wrap it in a function.")
    if inspect.ismethod(function):
        raise UsageError(
            f"{name} is a bound method: a stage has to be a plain function, given what it needs as arguments."
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise UsageError(
            f"{name} is a generator: a stage returns its value whole. Return a list, as in list({name}(...))."
        )
