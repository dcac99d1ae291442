"""The whole journey on one page: capture, optimize, plan, run, fetch."""

from __future__ import annotations

import gc
import sys
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cloudburst import diagnosis, providers, settings
from cloudburst.driving import driven
from cloudburst.errors import DeferredError, SettingsError
from cloudburst.graph.expr import Expr, make
from cloudburst.graph.facts import Facts
from cloudburst.graph.graph import Graph
from cloudburst.graph.group import Grouping, group
from cloudburst.graph.nodes import Call, Stored
from cloudburst.graph.optimize import PASSES, optimize
from cloudburst.graph.walk import topological
from cloudburst.materials import capture_functions, materials
from cloudburst.planner import make_plan
from cloudburst.providers.base import Journal, Provider
from cloudburst.providers.remote import RemoteProvider
from cloudburst.runs import Run
from cloudburst.runtime.layout import run_id, run_prefix
from cloudburst.runtime.place import is_performing
from cloudburst.runtime.task import Plan
from cloudburst.schemas import known_frames, refuse_missing_columns, source_facts, stored_facts
from cloudburst.shapes import Wanted, fetched, shape_of, taken_apart

if TYPE_CHECKING:
    from cloudburst.report.explain import Explanation
    from cloudburst.report.picture import Picture
    from cloudburst.runtime.driver import Outcome


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan, and the graph that it was made of."""

    plan: Plan
    graph: Graph
    grouping: Grouping
    prefix: str
    extra: int
    """How many of the targets, the last ones, are values to be kept that the user did not ask for."""
    why_not: dict[str, str]
    """By a function's name: why its results cannot be recognised by a later run."""


def prepare(
    roots: Sequence[Expr],
    provider: Provider | None = None,
    name: str | None = None,
    *,
    optimized: bool = True,
    dry: bool = False,
) -> Prepared:
    """Capture what the expressions need, optimize and plan them; nothing is run.

    Raises
    ------
    CaptureError
        If a function or a value cannot travel.
    DeferredError
        If a function uses a Deferred otherwise than as an argument.
    """
    provider = provider or providers.current()
    with _collector_at_rest():
        return _prepared(roots, provider, name or settings.script_name(), optimized, dry)


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Planning makes objects by the hundred thousand and no garbage: looking for some would take half its time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _prepared(roots: Sequence[Expr], provider: Provider, name: str, optimized: bool, dry: bool) -> Prepared:
    prefix = run_prefix(name, uuid.uuid4().hex[:8])
    written = topological(roots)
    captures = capture_functions(written)
    asked = {root.key for root in roots}
    extra = tuple(node for node in written if _is_cached(node) and node.key not in asked)
    graph = Graph.of((*roots, *extra))
    if optimized:
        checked = settings.debugging()
        facts = Facts(captures.digests, captures.impure)
        graph = optimize(graph, facts, PASSES[:1], checked=checked)
        facts = replace(facts, present=_present(graph, provider))
        graph = _without_kept(optimize(graph, facts, PASSES[1:2], checked=checked), len(roots))
        sources = source_facts(graph)
        refuse_missing_columns(graph, sources)
        sources |= stored_facts(graph, provider.store)
        facts = replace(facts, sources=sources, frames=known_frames(graph))
        graph = optimize(graph, facts, PASSES[2:], checked=checked)
    grouping = group(graph)
    plan = make_plan(
        graph,
        grouping,
        materials(graph, captures, None if dry else provider.store, prefix),
        name=name,
        default=provider.default_size,
    )
    return Prepared(plan, graph, grouping, prefix, len(graph.roots) - len(roots), captures.why_not)


def submit(
    *roots: Expr,
    name: str | None = None,
    keep_going: bool = False,
    progress: bool | None = None,
    whole: bool = True,
) -> Run[Any]:
    """Start a run; its result is the value of the one expression, or with ``whole=False`` a list of all values."""
    _refuse_inside_a_stage()
    provider = providers.current()
    found: list[Expr] = []
    shapes = [shape_of(root, found) for root in roots]
    prepared = prepare(found, provider, name)
    _warn_of_merged_impure(prepared.graph)

    return _start(prepared, provider, keep_going, progress, (shapes, whole))


def persist(root: Expr, name: str | None = None) -> Expr:
    """Run an expression and give one that reads its value from the store."""
    _refuse_inside_a_stage()
    provider = providers.current()
    prepared = prepare([root], provider, name)
    kept: list[Any] = []

    def keep(outcome: Outcome) -> None:
        kept.append(outcome.targets[0])

    _start(prepared, provider, False, None, ([], True), keep).result_or_cancel()
    [top] = prepared.graph.roots[:1]
    digest = prepared.graph.digests.get(top.key)
    written = digest or uuid.uuid4().bytes  # a key means something else in another process, where results are kept too
    lasting = provider.kept.keep({written: kept[0]})[written]
    _clean_up(prepared.prefix, provider)
    return make(Stored(lasting, written, root.what.label, provider.store))


def explain(roots: Sequence[Expr], *, optimize: bool = True) -> Explanation:
    """What would run."""
    from cloudburst.report.explain import Explanation

    prepared = prepare(taken_apart(roots), optimized=optimize, dry=True)
    tariff = providers.current().tariff()
    return Explanation.of(prepared.plan, prepared.graph, prepared.grouping, prepared.why_not, tariff)


def visualize(roots: Sequence[Expr], path: str | None = None) -> Picture:
    """What would run, as a picture."""
    from cloudburst.report.picture import Picture

    picture = Picture.of(prepare(taken_apart(roots), dry=True).plan)
    if path is not None:
        picture.save(path)
    return picture


def card(roots: Sequence[Expr], title: str) -> str:
    """A Deferred as a notebook shows it: its name and what would run."""
    from cloudburst.report.notebook import card_html

    return card_html(title, Graph.of(tuple(roots)))


def _start(
    prepared: Prepared,
    provider: Provider,
    keep_going: bool,
    progress: bool | None,
    wanted: Wanted,
    keep: Callable[[Outcome], None] | None = None,
) -> Run[Any]:
    from cloudburst.report.progress import reporter
    from cloudburst.runtime.artifacts import read
    from cloudburst.runtime.driver import Driver

    plan, store = prepared.plan, provider.store
    limits = provider.limits(keep_going)
    driver = Driver(plan, store, limits, prefix=prepared.prefix)
    reporting = reporter(plan, prepared.graph.merged, settings.progress_wanted(progress))

    def work(run: Run[Any]) -> Any:
        backend = provider.borrow()

        def begun() -> Journal | None:
            journal = provider.journal(prepared.prefix, backend)
            if journal is not None:
                journal.begin(plan, limits, wanted)
            return journal

        outcome = driven(run, driver, plan, provider, backend, reporting, begun)
        _remember(prepared, outcome, provider)
        run.summary = reporting.finish(outcome, outcome.seconds, run.cost)
        if outcome.status != "done":
            raise diagnosis.verdict(plan, outcome, run.errors, keep_going)
        if keep is not None:
            keep(outcome)
            return None
        asked = outcome.targets[: len(outcome.targets) - prepared.extra]
        values = [read(artifact, store) for artifact in asked if artifact is not None]
        _clean_up(prepared.prefix, provider)
        return fetched(wanted, values)

    return Run(plan.name, work, driver.cancel, run_id(prepared.prefix), provider.end_s)


def resume(id: str, *, progress: bool | None = None) -> Run[Any]:  # noqa: A002
    """Go on with a run whose program was killed, under the provider that is current, which has to be as it was then.

    Parameters
    ----------
    id : str
        That of the run: ``Run.id``.
    progress : bool, optional
        As for ``Deferred.compute``.

    Returns
    -------
    Run
        Its result is what ``compute`` would have given.

    Raises
    ------
    NotFound
        If there is no such run, or it is over.
    SettingsError
        If the provider is not AWS.

    Examples
    --------
    ``cb.resume("6a2-daily-1f3b5d7e").result()``
    """
    from cloudburst.report.progress import reporter
    from cloudburst.runtime.artifacts import read

    _refuse_inside_a_stage()
    provider = providers.current()
    if not isinstance(provider, RemoteProvider):
        raise SettingsError("A run on this machine ends with its program: only runs on AWS can be resumed.")
    taken = provider.take_up(f"runs/{id}")
    plan, driver, backend = taken.plan, taken.driver, taken.backend
    reporting = reporter(plan, (), settings.progress_wanted(progress))

    def work(run: Run[Any]) -> Any:
        outcome = driven(run, driver, plan, provider, backend, reporting, lambda: taken.chronicle, is_taken_up=True)
        run.summary = reporting.finish(outcome, outcome.seconds, run.cost)
        if outcome.status != "done":
            raise diagnosis.verdict(plan, outcome, run.errors, keep_going=False)
        values = [read(artifact, provider.store) for artifact in outcome.targets if artifact is not None]
        _clean_up(f"runs/{id}", provider)
        return fetched(taken.told, values)

    return Run(plan.name, work, driver.cancel, id, provider.end_s)


def _refuse_inside_a_stage() -> None:
    if is_performing():
        raise DeferredError(
            "compute() was called inside a stage, where no run can be started. Give the Deferred to the stage as an "
            "argument: it arrives as its value."
        )


def _is_cached(node: Expr) -> bool:
    return isinstance(node.what, Call) and node.what.policy is not None and node.what.policy.cache


def _present(graph: Graph, provider: Provider) -> dict[bytes, Any]:
    """What is stored already, by digest."""
    digests = graph.digests
    lasting = [digests[node.key] for node in graph.nodes if _is_cached(node) and node.key in digests]
    return provider.kept.among(digests.values(), lasting)


def _without_kept(graph: Graph, asked: int) -> Graph:
    """The graph without roots that were to be kept and are: what is read of them is what the pipeline uses."""
    wanted, extra = graph.roots[:asked], graph.roots[asked:]
    roots = (*wanted, *[root for root in extra if not isinstance(root.what, Stored)])
    if len(roots) == len(graph.roots):
        return graph
    nodes = tuple(topological(roots))
    digests = {node.key: graph.digests[node.key] for node in nodes if node.key in graph.digests}
    return replace(graph, roots=roots, nodes=nodes, digests=digests)


def _remember(prepared: Prepared, outcome: Outcome, provider: Provider) -> None:
    """Keep what is to be cached; of a failed run all that was finished, so that the next one begins where it ended."""
    digests = prepared.graph.digests
    kept = provider.kept
    for written, artifact in outcome.finished:
        kept.add(written, artifact)
    roots = zip(prepared.graph.roots, outcome.targets, strict=True)
    kept.keep(
        {
            digests[root.key]: artifact
            for root, artifact in roots
            if artifact is not None and _is_cached(root) and root.key in digests
        }
    )


def _clean_up(prefix: str, provider: Provider) -> None:
    """Remove from the store what the run left and nobody keeps."""
    store, kept = provider.store, provider.kept
    after = ""
    while page := store.list(prefix + "/", after):
        store.delete(key for key in page if not kept.holds(key))
        after = page[-1]


def _warn_of_merged_impure(graph: Graph) -> None:
    for merged in graph.merged:
        if merged.is_stage and merged.reaches:
            warnings.warn(
                f"{merged.label} was called {merged.times} times with equal arguments and runs once, but its code uses "
                f"{', '.join(sorted(merged.reaches))}: mark it @cb.stage(pure=False) if every call should have a value "
                "of its own.",
                UserWarning,
                stacklevel=_levels_to_caller(),
            )


def _levels_to_caller() -> int:
    """How many frames up the user's own line is, for a warning."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("cloudburst."):
        frame, level = frame.f_back, level + 1
    return level
