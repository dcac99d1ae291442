"""``cloudburst doctor``: see that all that pipelines need on AWS is there, and how to mend what is not."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from cloudburst.doctor.findings import Case, Mark, Result
    from cloudburst.doctor.trial import Trial

_EPILOG = """\b
Examples:
  cloudburst doctor
  cloudburst doctor --run
  cloudburst doctor --profile team --json

\b
Exit codes:
  0    nothing is wrong
  1    something is wrong, and its mend is told
  2    it could not look at all
"""
NOT_WELL = 1
_SIGNS: dict[Mark, tuple[str, str]] = {
    "well": ("✓", "green"),
    "warning": ("!", "yellow"),
    "wrong": ("✗", "red"),
    "open": ("–", "bright_black"),
}
_NAME = 12
"""Columns of a check's name."""
_NARROWEST, _WIDEST = 60, 120


@click.command("doctor", epilog=_EPILOG)
@click.option("--profile", help="The profile to look at; that which cb.init_aws() would use otherwise.")
@click.option("--run", "with_run", is_flag=True, help="Run one smallest task too, and time its parts (about $0.0002).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(profile: str | None, with_run: bool, as_json: bool) -> int:
    """See that all that pipelines need on AWS is there.

    Settings, credentials, bucket, cluster, image, roles and permissions, network, log, quota and Docker are looked at
    in this order, and for each is said: it is well (✓), well but costly or tight (!), wrong, with the mend (✗), or not
    to be seen from here (–). Nothing is changed; a small object is written to the bucket, and removed.
    """
    from cloudburst.doctor.examination import examine
    from cloudburst.doctor.findings import Case
    from cloudburst.doctor.trial import tried
    from cloudburst.settings.aws import need_boto3
    from cloudburst.settings.origins import found_settings

    need_boto3("cloudburst doctor")
    case = Case(found_settings(profile=profile))
    results: list[Result] = []
    checks = examine(case)
    while True:
        with _waiting("looking"):  # and not while lines are printed: they would meet on a terminal
            result = next(checks, None)
        if result is None:
            break
        results.append(result)
        if not as_json:
            _print(result)
    trial = None
    if with_run:
        with _waiting("waiting for a machine, which takes a minute or two"):
            result, trial = tried(case, results)
        results.append(result)
        if not as_json:
            _print(result)
    if as_json:
        click.echo(json.dumps(_told(case, results, trial), indent=2))
    else:
        _print_trial(trial)
        click.echo(f"\n{_summary(results)}")
    return NOT_WELL if any(one.mark == "wrong" for one in results) else 0


@contextmanager
def _waiting(what: str) -> Iterator[None]:
    """Say on terminals what is waited for."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def _print(result: Result) -> None:
    width = max(_NARROWEST, min(_WIDEST, get_terminal_size().columns)) if sys.stdout.isatty() else 0
    for number, one in enumerate(result.findings):
        sign, colour = _SIGNS[one.mark]
        name = result.name if not number else ""
        indent = " " * (_NAME + 3)
        lines = textwrap.wrap(one.said, width - len(indent), break_long_words=False) if width else [one.said]
        click.echo(f"{click.style(sign, fg=colour)} {name:<{_NAME}} " + f"\n{indent}".join(lines))


def _print_trial(trial: Trial | None) -> None:
    if trial is None:
        return
    for phase in trial.phases:
        click.echo(f"{'':<{_NAME + 3}}{phase.seconds:>6.1f} s  {phase.name}")
    if trial.cost:
        click.echo(f"{'':<{_NAME + 3}}{trial.cost}")


def _summary(results: list[Result]) -> str:
    marks = [one.mark for one in results]
    if wrong := marks.count("wrong"):
        return f"{wrong} of {len(marks)} {'is' if wrong == 1 else 'are'} wrong."
    unseen = marks.count("open")
    return "Nothing is wrong." if unseen else "All is well."


def _told(case: Case, results: list[Result], trial: Trial | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "profile": case.sources.profile,
        "well": not any(one.mark == "wrong" for one in results),
        "checks": [
            {"check": one.name, "mark": one.mark, "said": [found._asdict() for found in one.findings]}
            for one in results
        ],
    }
    if trial is not None:
        phases = [{"phase": one.name, "seconds": round(one.seconds, 3)} for one in trial.phases]
        told["run"] = {"seconds": round(trial.seconds, 3), "phases": phases, "cost": trial.cost}
    return told
