"""A run from its first task to its last: who watches it, and what is told of it when its workers are given back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cloudburst import diagnosis, settings
from cloudburst.history.keeper import keeping
from cloudburst.providers.base import Journal, Provider
from cloudburst.runs import Run
from cloudburst.runtime.protocols import Backend
from cloudburst.runtime.task import Plan

if TYPE_CHECKING:
    from cloudburst.report.progress import Reporting
    from cloudburst.runtime.driver import Driver, Outcome


def driven(
    run: Run[Any],
    driver: Driver,
    plan: Plan,
    provider: Provider,
    backend: Backend,
    reporting: Reporting,
    begun: Callable[[], Journal | None],
    *,
    is_taken_up: bool = False,
) -> Outcome:
    """Drive a run to its end and give its workers back.

    Parameters
    ----------
    run : Run
        Is told its errors, its logs and its cost.
    driver : Driver
        Has the plan.
    plan : Plan
        What is run.
    provider : Provider
        Where.
    backend : Backend
        Its workers, borrowed from the provider.
    reporting : Reporting
        Shows the progress.
    begun : callable
        Begins the journal, where there is one.
    is_taken_up : bool
        Whether another program had begun the run.

    Returns
    -------
    Outcome
        With all that the user is to be warned of.
    """
    spending = provider.spending(plan)
    try:
        journal = begun()
        scale = settings.time_scale()
        history = keeping(provider, plan, run.id, backend, driver.cancel, scale=scale, is_taken_up=is_taken_up)
        with history, reporting:
            outcome = driver.drive(backend, observe=[reporting.see, history.see, spending.see], journal=journal)
            history.finish(outcome)
        run.take(diagnosis.errors_of(plan, outcome, backend), diagnosis.logs_of(plan, outcome, backend))
    finally:
        run.cost = spending.cost(provider.give_back(backend))  # also of a run that fails or breaks off
    history.spent(run.cost)
    return outcome._replace(warnings=(*outcome.warnings, *provider.notes(), *history.notes()))
