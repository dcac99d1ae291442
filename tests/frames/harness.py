"""The same program in plain pandas and deferred: whether they agree to the last bit, and what was left unread."""

from __future__ import annotations

import pickle
import traceback
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cloudburst import pandas as cpd
from cloudburst.deferred import Deferred
from cloudburst.graph.expr import Expr
from cloudburst.graph.facts import Facts
from cloudburst.graph.graph import Graph
from cloudburst.graph.group import group
from cloudburst.graph.nodes import Call, FunctionValue, Source, Stored
from cloudburst.graph.optimize import PASSES, optimize
from cloudburst.graph.walk import topological
from cloudburst.keys import digest
from cloudburst.materials import Captures, materials
from cloudburst.planner import make_plan
from cloudburst.runtime.artifacts import read
from cloudburst.runtime.capture import Captured
from cloudburst.runtime.events import Failure
from cloudburst.runtime.protocols import Assignment
from cloudburst.runtime.steps import perform
from cloudburst.runtime.stores.memory import MemoryStore
from cloudburst.runtime.task import GIVEN, Artifact, TaskId
from cloudburst.schemas import known_frames, source_facts, stored_facts
from tests.contracts.equality import assert_same
from tests.frames.chains import Chain, chain
from tests.frames.files import POOL, Pool
from tests.frames.kept import KEPT, Kept
from tests.frames.spelling import scope


class Outcome(NamedTuple):
    """What became of a program."""

    value: Any = None
    error: str = ""
    """The name of the type that was raised."""
    told: str = ""
    """The error, for people."""
    dropped: bool = False
    """Whether a column was left unread."""
    skipped: bool = False
    """Whether a row group was left unread."""


def plainly(program: Chain) -> Outcome:
    """Run a program in plain pandas."""
    names = scope(pd, F=POOL, S=KEPT)
    try:
        exec(program.text, names)
    except Exception as error:
        return _raised(error)
    return Outcome(names[program.result])


def deferred(program: Chain) -> Outcome:
    """Run a program deferred and optimized, in this process."""
    names = scope(cpd, F=POOL, S=KEPT.deferred)
    try:
        exec(program.text, names)
    except Exception as error:
        return _raised(error)
    result = names[program.result]
    if not isinstance(result, Deferred):
        return Outcome(result)
    try:
        graph, captures, functions = optimized(result._expr)
    except Exception:
        return Outcome(error="planning", told=traceback.format_exc(limit=-4))
    leaves = [node for node in graph.nodes if isinstance(node.what, Source | Stored)]
    wanted = graph.wanted_of()
    dropped = any(
        (node.what.columns if isinstance(node.what, Source) else wanted[node.key]) is not None for node in leaves
    )
    skipped = any(one.groups is not None and one.groups[0] < one.groups[1] for one in graph.readings)
    outcome = _performed(graph, captures, functions)
    return outcome._replace(dropped=dropped, skipped=skipped)


def optimized(root: Expr) -> tuple[Graph, Captures, dict[str, Any]]:
    """The graph as a run would have it, and the functions in it."""
    found = {
        node.what.identity: node.what.function
        for node in topological([root])
        if isinstance(node.what, Call | FunctionValue)
    }
    digests = {identity: digest(b"captured", identity) for identity in found}
    graph = optimize(Graph.of((root,)), Facts(digests), PASSES[:1], checked=True)
    sources = source_facts(graph) | stored_facts(graph, KEPT.store)
    facts = replace(Facts(digests), sources=sources, frames=known_frames(graph))
    graph = optimize(graph, facts, PASSES[1:], checked=True)
    captures = Captures({one: Captured(b"", written, "", frozenset()) for one, written in digests.items()}, {})
    return graph, captures, {digests[identity].hex(): function for identity, function in found.items()}


def _performed(graph: Graph, captures: Captures, functions: dict[str, Any]) -> Outcome:
    store = KEPT.store if any(isinstance(node.what, Stored) for node in graph.nodes) else MemoryStore()
    plan = make_plan(graph, group(graph), materials(graph, captures, store, "runs/test"), name="test")
    made: list[tuple[Artifact, ...]] = []
    for task in plan.tasks:
        inputs = tuple(
            plan.given[one.output] if one.task == GIVEN else made[one.task][one.output] for one in task.inputs
        )
        prefix = f"runs/test/a/{task.index}"
        one = Assignment(TaskId(task.index, -1), 1, task.steps, inputs, task.outputs, prefix, None, task.stage_step)
        record = perform(one._replace(columns=task.columns), functions, store)
        if record.failure is not None:
            return _failed(record.failure)
        made.append(record.artifacts)
    [target] = plan.targets
    return Outcome(read(plan.given[target.output] if target.task == GIVEN else made[target.task][target.output], store))


def _failed(failure: Failure) -> Outcome:
    if failure.cause != "raised":
        return Outcome(error=failure.cause, told=failure.message)
    if failure.exception is not None:
        return _raised(pickle.loads(failure.exception))._replace(told=f"{failure.message}\n{failure.traceback}")
    name = failure.message.partition(":")[0]
    return Outcome(error=name, told=f"{failure.message}\n{failure.traceback}")


def _raised(error: BaseException) -> Outcome:
    return Outcome(error=type(error).__qualname__, told=f"{type(error).__qualname__}: {error}")


def difference(one: Outcome, other: Outcome) -> str:
    """How the second outcome differs from the first, for people; empty where it does not."""
    if one.error != other.error:
        return f"plain: {_shown(one)}\ndeferred: {_shown(other)}"
    if one.error:
        return ""
    try:
        alike(one.value, other.value)
    except AssertionError as error:
        return f"{str(error)[:1500]}\nplain: {_shown(one)}\ndeferred: {_shown(other)}"
    return ""


def _shown(outcome: Outcome) -> str:
    if outcome.error:
        return f"raises {outcome.told}"
    index = getattr(outcome.value, "index", None)
    return f"{type(outcome.value).__name__}\n{outcome.value!r}" + (
        f"\n{index!r}" if isinstance(index, pd.Index) else ""
    )


def alike(one: Any, other: Any) -> None:
    """Fail unless two values are alike to the last bit: signs of zeros and kinds of missing values too."""
    if isinstance(one, np.ndarray):
        assert type(other) is np.ndarray
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        alike(one.tolist(), other.tolist())
        return
    if isinstance(one, pd.api.extensions.ExtensionArray):
        assert type(one) is type(other)
        one, other = pd.Series(one), pd.Series(other)
    if isinstance(one, pd.DataFrame | pd.Series) and _is_odd(one.index):
        alike(one.index, other.index)
        one, other = (value.set_axis(pd.RangeIndex(len(value)), axis=0) for value in (one, other))
    if isinstance(one, pd.Index) and _is_odd(one):
        assert (type(one), one.dtype, one.names) == (type(other), other.dtype, other.names)
        alike(list(one), list(other))
        return
    if isinstance(one, pd.DataFrame | pd.Series | pd.Index):
        assert_same(one, other)
        for mine, its in zip(_floats(one), _floats(other), strict=True):
            assert np.array_equal(np.signbit(mine), np.signbit(its)), "signs of zeros differ"
        return
    assert type(one) is type(other), f"{type(one)} is not {type(other)}"
    if isinstance(one, list | tuple):
        assert len(one) == len(other)
        for mine, its in zip(one, other, strict=True):
            alike(mine, its)
    elif isinstance(one, dict):
        alike(list(one), list(other))
        alike(list(one.values()), list(other.values()))
    elif isinstance(one, float | np.floating):
        assert repr(one) == repr(other), f"{one!r} is not {other!r}"
    elif one is pd.NA or one is pd.NaT or one is None:
        assert one is other
    else:
        same = one == other
        assert same if isinstance(same, bool) else np.all(same), f"{one!r} is not {other!r}"


def _is_odd(index: pd.Index) -> bool:
    """Whether labels are such that pandas finds them unlike themselves: NaN in tuples, NaN of Arrow's."""
    levels = list(index.levels) if isinstance(index, pd.MultiIndex) else [index]
    has_tuples = any(type(label) is tuple for level in levels for label in level)
    return has_tuples or any(isinstance(level.dtype, pd.ArrowDtype) for level in levels)


def _floats(value: Any) -> list[Any]:
    places = range(value.shape[1]) if isinstance(value, pd.DataFrame) else ()
    columns = [value.iloc[:, place] for place in places] or [value]
    # A missing float has no sign that anything shows.
    return [
        np.nan_to_num(np.asarray(one), nan=1.0)
        for one in columns
        if str(getattr(one, "dtype", "")) in ("float64", "float32")
    ]


@dataclass
class Tally:
    """What many programs came to."""

    chains: int = 0
    dropped: int = 0
    skipped: int = 0
    raised: int = 0
    differing: list[int] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    def shares(self) -> tuple[float, float, float]:
        """Of all programs: those that skipped a group, those that dropped a column, those that raised."""
        return tuple(count / max(self.chains, 1) for count in (self.skipped, self.dropped, self.raised))  # type: ignore[return-value]


def run(seeds: Iterable[int], pool: Pool | Kept = POOL) -> Tally:
    """Run the programs of these seeds both ways."""
    tally = Tally()
    for seed in seeds:
        outcome, told = compare(seed, pool)
        tally.chains += 1
        tally.dropped += outcome.dropped
        tally.skipped += outcome.skipped
        tally.raised += bool(outcome.error)
        if outcome.error:
            tally.errors[outcome.error] += 1
        if told:
            tally.differing.append(seed)
    return tally


def compare(seed: int, pool: Pool | Kept = POOL) -> tuple[Outcome, str]:
    """What the deferred program of a seed came to, and how that differs from plain pandas."""
    return compared(chain(seed, pool))


def compared(program: Chain) -> tuple[Outcome, str]:
    """What a program came to when deferred, and how that differs from what plain pandas made of it as it was grown."""
    plain = Outcome(program.value) if program.error is None else _raised(program.error)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = deferred(program)
    return other, difference(plain, other)


def differs(program: Chain) -> str:
    """How a program differs; empty where it does not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return difference(plainly(program), deferred(program))


def reproduce(seed: int, pool: Pool | Kept = POOL) -> str:
    """The shortest program that still differs as that of the seed does, and how; empty where it does not.

    Examples
    --------
    ``print(reproduce(17))``
    """
    program = chain(seed, pool)
    told = differs(program)
    if not told:
        return ""
    is_shorter = True
    while is_shorter:
        is_shorter = False
        for one in program.shorter():
            now = differs(one)
            if now:
                program, told, is_shorter = one, now, True
                break
    files = "".join(f"\n# F[{number}] is {POOL[number]}" for number in _numbers(program))
    return f"seed {seed}\n{program.text}{files}\n{told}"


def _numbers(program: Chain) -> list[int]:
    return [number for number in range(240) if f"F[{number}]" in program.text]
