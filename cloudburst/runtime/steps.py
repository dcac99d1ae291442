"""Performs a task: reads its inputs, evaluates its steps one by one, stores its outputs.

Whatever the user's code does, :func:`perform` comes back with a record. A task may have a hundred thousand steps:
nothing here recurses.
"""

from __future__ import annotations

import builtins
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from itertools import islice, zip_longest
from time import perf_counter
from types import AsyncGeneratorType, CoroutineType, GeneratorType, MethodType
from typing import Any, NamedTuple

from cloudburst.errors import ArgumentError, CodecError, StoreError, Tampered
from cloudburst.runtime import artifacts, narrowing, sources
from cloudburst.runtime.copies import own_copy
from cloudburst.runtime.events import Failure
from cloudburst.runtime.protocols import Assignment, Store
from cloudburst.runtime.task import Artifact, Output, Step

_CO_COROUTINE = 0x80
_MANY = 1000
_NO_RESULTS: dict[type, str] = {
    GeneratorType: "a generator, which cannot leave its process: return list(...) of it",
    AsyncGeneratorType: "an async generator, which cannot leave its process: collect it into a list",
    CoroutineType: "a coroutine: write `async def` for the stage itself, or await it there",
    MethodType: "a bound method: return the object, and call its method on the Deferred",
}
_DEFERRED = ("a Deferred: stages return values. Call the other stage from the pipeline and pass its Deferred as an "
             "argument, or call the plain function with `.func`")  # fmt: skip


class Record(NamedTuple):
    """What became of an attempt."""

    artifacts: tuple[Artifact, ...]
    """One for each output; after a failure those of :func:`kept_outputs`, or none."""
    failure: Failure | None
    seconds: float


class _Refused(Exception):
    """A value that may not be a result."""


def perform(assignment: Assignment, functions: Mapping[str, Callable[..., Any]], store: Store) -> Record:
    """Perform an attempt.

    Parameters
    ----------
    assignment : Assignment
        What to do.
    functions : mapping
        The user's functions by id; may load them when asked, and what that raises is the step's failure.
    store : Store
        Where inputs lie and outputs go.

    Returns
    -------
    Record
    """
    began = perf_counter()
    stored, failure = _performed(assignment, functions, store)
    return Record(stored, failure, perf_counter() - began)


def kept_outputs(outputs: Sequence[Output], inputs: int, stage_step: int | None) -> list[int]:
    """The outputs that are stored although a step after the stage's failed: what was there when the stage had returned.

    Parameters
    ----------
    outputs : sequence of Output
        Those of the task.
    inputs : int
        How many inputs it has.
    stage_step : int or None
        The step that calls the stage, if there is one.

    Returns
    -------
    list of int
        Numbers of outputs. The artifacts of a failed attempt are one for each of these, or none at all.

    Examples
    --------
    >>> kept_outputs([Output(3), Output(1, rescue=True)], inputs=1, stage_step=0)
    [1]
    """
    return (
        []
        if stage_step is None
        else [number for number, output in enumerate(outputs) if output.slot <= inputs + stage_step]
    )


def _performed(
    assignment: Assignment, functions: Mapping[str, Callable[..., Any]], store: Store
) -> tuple[tuple[Artifact, ...], Failure | None]:
    inputs = len(assignment.inputs)
    slots: list[Any] = []
    try:
        for artifact, columns in zip_longest(assignment.inputs, assignment.columns):
            assert isinstance(artifact, Artifact)  # whoever gives the attempt has put in what it awaited
            slots.append(artifacts.read(artifact, store, columns))
    except Exception as error:  # noqa: BLE001 - unpickling runs the user's code
        return (), _failure(error, None, f"input {len(slots)} could not be read")
    try:
        _evaluate(assignment.steps, slots, functions, store, assignment.stage_step)
    except _Refused as error:
        return (), Failure("refused", str(error), len(slots) - inputs)
    except BaseException as error:  # noqa: BLE001 - a stage's SystemExit is its failure, not the end of its worker
        from cloudburst.runtime.failures import failure_of

        step = len(slots) - inputs
        if assignment.reads and step == assignment.stage_step:
            narrowing.tell(error, assignment.stage, assignment.reads)
        return _kept(assignment, slots, failure_of(error, step), store)
    stored = []
    for number, output in enumerate(assignment.outputs):
        if not output.rescue:
            result = _stored(slots[output.slot], number, output, assignment, store)
            if isinstance(result, Failure):
                return (), result
            stored.append(result)
    return tuple(stored), None


def _evaluate(
    steps: Sequence[Step],
    slots: list[Any],
    functions: Mapping[str, Callable[..., Any]],
    store: Store,
    stage_step: int | None,
) -> None:
    """Fill a slot with each step's value. On an exception the number of filled slots tells which step raised."""
    for number, (kind, what, constants, refs, names, own, free) in enumerate(steps):
        values = list(constants)
        for position, slot in refs:
            values[position] = slots[slot]
        for position in own:
            values[position] = own_copy(values[position])
        for slot in free:
            slots[slot] = None
        if kind == "call":
            value = _called(functions[what], values, names)
            if number == stage_step:
                _check_result(value)
        elif kind == "function":
            value = functions[what]
        elif kind == "source":
            value = sources.read(sources.Spec.from_text(what), dict(zip(names, values, strict=True)), store)
        else:
            value = _OPS[kind](what, values, names)
        slots.append(value)
        value = None


def _called(function: Callable[..., Any], values: list[Any], names: tuple[str, ...]) -> Any:
    value = _apply(function, values, names)
    if type(value) is CoroutineType and _is_async(function):
        import asyncio

        return asyncio.run(value)
    return value


def _apply(function: Callable[..., Any], values: list[Any], names: tuple[str, ...]) -> Any:
    if not names:
        return function(*values)
    first = len(values) - len(names)
    return function(*values[:first], **dict(zip(names, values[first:], strict=True)))


def _is_async(function: Any) -> bool:
    while hasattr(function, "func") and not hasattr(function, "__code__"):  # functools.partial
        function = function.func
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    return bool(getattr(code, "co_flags", 0) & _CO_COROUTINE)


def _method(what: str, values: list[Any], names: tuple[str, ...]) -> Any:
    return _apply(getattr(values[0], what), values[1:], names)


def _operator(what: str, values: list[Any], _names: tuple[str, ...]) -> Any:
    return getattr(_OPERATORS_ELSEWHERE.get(what, operator), what)(*values)


def _build(what: str, values: list[Any], _names: tuple[str, ...]) -> Any:
    if what == "dict":
        return dict(zip(values[::2], values[1::2], strict=True))
    if what == "slice":
        return slice(*values)
    if what == "dataclass":
        kind, *fields = values
        if issubclass(kind, tuple):
            return kind._make(fields[1::2])
        built = object.__new__(kind)  # as it was, and not through an __init__ that would run twice
        for name, value in zip(fields[::2], fields[1::2], strict=True):
            object.__setattr__(built, name, value)
        return built
    return _CONTAINERS[what](values)


def _relabel(what: str, values: list[Any], _names: tuple[str, ...]) -> Any:
    """What was filtered from rows some of which were not read, with the index that it has if all are read."""
    import pandas as pd

    start, stop, step = map(int, what.split(","))
    value, labels = values[0], values[0].index
    if len(labels) > 2 and labels[-1] - labels[0] != (labels[1] - labels[0]) * (len(labels) - 1):
        return value  # such labels are no range, whatever was read
    value = value.copy(deep=False)
    places = (labels.to_numpy() - start) // step
    value.index = pd.RangeIndex(start, stop, step, name=value.index.name).take(places)
    return value


_CONTAINERS: dict[str, Callable[[list[Any]], Any]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}
_OPERATORS_ELSEWHERE = {
    **dict.fromkeys(("abs", "divmod", "pow", "round"), builtins),
    **dict.fromkeys(("ceil", "floor", "trunc"), math),
}
_OPS: dict[str, Callable[[str, list[Any], tuple[str, ...]], Any]] = {
    "method": _method,
    "attribute": lambda what, values, names: getattr(values[0], what),
    "item": lambda what, values, names: values[0][values[1]],
    "operator": _operator,
    "build": _build,
    "narrow": lambda what, values, names: narrowing.narrowed(values[0], values[1:]),
    "relabel": _relabel,
}


def _check_result(value: Any) -> None:
    """Refuse what no stage may return, by name of the type: importing Deferred here would be the wrong way round."""
    if (what := _NO_RESULTS.get(type(value))) is not None:
        raise _Refused(f"it returned {what}.")
    members = value.values() if type(value) is dict else value if type(value) in (list, tuple) else ()
    for one in (value, *islice(members, _MANY)):
        if type(one).__module__ == "cloudburst.deferred":
            raise _Refused(f"it returned {_DEFERRED}.")


def _stored(value: Any, number: int, output: Output, assignment: Assignment, store: Store) -> Artifact | Failure:
    step = output.slot - len(assignment.inputs)
    try:
        _check_result(value)
        key = f"{assignment.prefix}/{number}"
        return artifacts.write(value, store, key, parts=output.parts)
    except _Refused as error:
        return Failure("refused", str(error), step)
    except Exception as error:  # noqa: BLE001 - pickling runs the user's code
        return _failure(error, step, "its result could not be stored")


def _failure(error: Exception, step: int | None, what: str) -> Failure:
    """A failure to read or store a value: our own errors say all themselves, others are the user's pickling code."""
    from cloudburst.runtime.failures import describe, failure_of, pickled

    if isinstance(error, Tampered):
        return Failure("tampered", str(error), step, pickled(error))
    if isinstance(error, (CodecError, StoreError, ArgumentError)):
        return Failure("refused", str(error), step)
    return failure_of(error, step, "refused")._replace(message=f"{what}: {describe(error)}")


def _kept(
    assignment: Assignment, slots: list[Any], failure: Failure, store: Store
) -> tuple[tuple[Artifact, ...], Failure]:
    """Store what the stage itself has returned, so that the next run begins at the op that failed."""
    outputs, stage_step = assignment.outputs, assignment.stage_step
    stored = []
    if stage_step is None or failure.step is None or failure.step <= stage_step:
        return (), failure
    for number in kept_outputs(outputs, len(assignment.inputs), stage_step):
        result = _stored(slots[outputs[number].slot], number, outputs[number], assignment, store)
        if isinstance(result, Failure):
            text = f"{failure.traceback}\nThe stage's own value could not be kept: {result.message}\n"
            return (), failure._replace(traceback=text)
        stored.append(result)
    return tuple(stored), failure
