"""``cloudburst config``: what pipelines would use, here and on AWS, and where each setting stands."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from cloudburst.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudburst.settings.origins import Sources

_EPILOG = """\b
Examples:
  cloudburst config
  cloudburst config --profile work
  cloudburst config --json
"""
NOT_WELL = 1
_NO_AWS = "pip install 'cloudburst[aws]' for pipelines on AWS."


class _Row(NamedTuple):
    name: str
    value: Any
    shown: str
    place: str


@click.command("config", epilog=_EPILOG)
@click.option("--profile", help="The profile to look at; that which cb.init_aws() would use otherwise.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(profile: str | None, as_json: bool) -> int:
    """Say what pipelines use, and where each setting stands.

    A setting of AWS stands in the call of cb.init_aws, else in a variable (CLOUDBURST_STORAGE_BUCKET), else under
    [tool.cloudburst] in the nearest pyproject.toml, else in a profile, which cloudburst setup writes. The exit code is
    1 if one of them cannot be.
    """
    here = _here()
    name, aws, wrong = _on_aws(profile)
    if as_json:
        told = {
            "local": {row.name: {"value": row.value, "from": row.place} for row in here},
            "profile": name,
            "aws": {row.name: {"value": row.value, "from": row.place} for row in aws},
            "wrong": wrong,
        }
        click.echo(json.dumps(told, indent=2))
    else:
        click.echo("On this machine, as cb.init_local(...) or a variable says:")
        _table(here)
        click.echo(f"\nOn AWS, with the profile {name}:" if name else f"\n{_NO_AWS}")
        _table(aws)
        for one in wrong:
            click.echo(f"\n{one}")
    return NOT_WELL if wrong else 0


def _table(rows: list[_Row]) -> None:
    if rows:
        name, shown = (max(len(row[column]) for row in rows) for column in (0, 2))
        for row in rows:
            click.echo(f"  {row.name:<{name}}  {row.shown:<{shown}}  {row.place}".rstrip())


def _here() -> list[_Row]:
    """The settings of the local provider, and where each can be changed."""
    from cloudburst import settings

    local = settings.local_settings()
    progress = settings.progress_wanted(None)
    shown = {None: "in a terminal or a notebook", True: "always", False: "never"}[progress]
    place = "the default" if progress is None else "CLOUDBURST_PROGRESS"
    return [
        _Row("workers", local.workers, str(local.workers), "the CPUs of this machine"),
        _Row("memory", local.memory_mib, f"{local.memory_mib / 1024:.3g} GB", "the memory of this machine"),
        _Row("storage", None, "a private directory", "the default; it goes with the program"),
        _Row("progress", progress, shown, place),
    ]


def _on_aws(profile: str | None) -> tuple[str | None, list[_Row], list[str]]:
    """The profile, its settings, and what is wrong with them."""
    if find_spec("boto3") is None:
        return None, [], []
    from cloudburst.settings.aws import region_of, wrong_settings
    from cloudburst.settings.checks import DEFAULTS
    from cloudburst.settings.origins import found_settings
    from cloudburst.settings.tables import AWS_NAMES, OTHER_NAMES

    sources = found_settings(profile=profile)
    rows = []
    for name in (*AWS_NAMES, *OTHER_NAMES):
        found = sources.found.get(name)
        if found is not None:
            rows.append(_Row(name, found.value, _shown(found.value), found.origin))
        elif name == "region" and (region := _own_region(sources, region_of)):
            rows.append(_Row(name, region, region, "AWS_REGION, or your AWS profile"))
        elif name in DEFAULTS:
            rows.append(_Row(name, DEFAULTS[name], _shown(DEFAULTS[name]), "the default"))
        else:
            rows.append(_Row(name, None, "–", "not set"))
    return sources.profile, rows, wrong_settings(sources)


def _own_region(sources: Sources, region_of: Callable[[Sources], str]) -> str:
    """The region that AWS's own settings name; empty if they name none."""
    try:
        return region_of(sources)
    except SettingsError:
        return ""


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name}={one}" for name, one in value.items()) or "none"
    return str(value) or "none"
