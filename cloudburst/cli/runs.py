"""``cloudburst runs``: which runs there are on AWS, what each came to, what it printed, and what it has left."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from cloudburst.cli.lazy import Group
from cloudburst.errors import AccessDenied, UsageError

if TYPE_CHECKING:
    from cloudburst.history.book import Entry, History
    from cloudburst.settings.storage import StorageSettings

NOT_WELL = 1

_F = TypeVar("_F", bound=Callable[..., Any])
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw]?)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "": 86400, "d": 86400, "w": 7 * 86400}


class Place(NamedTuple):
    """Where the runs are that a command is about."""

    settings: StorageSettings
    history: History
    own: str | None
    """The user of this machine, if they have a key."""


def _epilog(*examples: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  cloudburst runs {example}" for example in examples)


def _about(function: _F) -> _F:
    """The options that say where runs are."""
    for option in (
        click.option("--endpoint-url", metavar="URL", help="Of a service that plays AWS."),
        click.option("--profile", metavar="NAME", help="The profile of cloudburst that says where runs are."),
        click.option("--region", help="The region of the bucket; that of CLOUDBURST_REGION or AWS_REGION by default."),
        click.option(
            "--storage",
            metavar="s3://BUCKET/PREFIX",
            help="Where the runs are; where `cb.init_aws()` finds its bucket by default.",
        ),
    ):
        function = option(function)
    return function


def _place(storage: str | None, region: str | None, profile: str | None, endpoint_url: str | None) -> Place:
    from cloudburst.history.book import History
    from cloudburst.runtime.stores import open_store
    from cloudburst.settings.storage import storage_settings
    from cloudburst.settings.user import known_user

    settings = storage_settings(storage, region, endpoint_url, profile)
    return Place(settings, History(open_store(settings.url)), known_user())


def _found(run: str, **about: Any) -> tuple[Place, Entry]:
    place = _place(**about)
    return place, place.history.find(run, place.own)


@click.group(
    "runs",
    cls=Group,
    subcommand_metavar="COMMAND [ARGUMENTS]...",
    epilog="""\b
Examples:
  cloudburst runs list
  cloudburst runs show last
  cloudburst runs open last
  cloudburst runs logs last --follow

\b
A RUN is its id, a beginning of it that no other has, or `last`.
""",
)
def command() -> None:
    """Look at the runs on AWS, stop one, and remove what they have left.

    All of it is read from the bucket, by whoever has access to it: it does not matter which machine started a run.
    """


@command.command("list", epilog=_epilog("list", "list --limit 5", "list --all-users --json | jq '.[].run'"))
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many at most.")
@click.option("--all-users", is_flag=True, help="Those of everybody whose runs are here.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for scripts.")
@_about
def list_runs(limit: int, all_users: bool, as_json: bool, **about: Any) -> None:
    """List runs, the newest first."""
    from cloudburst.cli import tables

    place = _place(**about)
    users = place.history.users()
    chosen = users if all_users else [user for user in users if user == place.own]
    runs = place.history.latest(chosen, limit)
    if as_json:
        click.echo(json.dumps([tables.as_json(one) for one in runs], indent=2))
    elif runs:
        tables.print_runs(runs, with_users=all_users)
    else:
        others = "" if all_users or not users else f", and {len(users)} other users have: --all-users lists theirs"
        others = others.replace("1 other users have", "another user has")
        click.echo(f"No runs in {tables.where(place.settings)}{' of yours' if others else ''}{others}.")


@command.command("show", epilog=_epilog("show last", "show 6a2", "show last --json | jq '.stages[].seconds'"))
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for scripts.")
@_about
def show(run: str, as_json: bool, **about: Any) -> int:
    """Say what a run came to, a line a stage.

    The exit code is 1 if it failed, was cancelled, or its program was killed.
    """
    from cloudburst.cli import tables
    from cloudburst.history.book import Seen

    place, entry = _found(run, **about)
    record = place.history.record(entry)
    if as_json:
        click.echo(json.dumps(tables.as_json(Seen(entry, record)), indent=2))
    else:
        tables.print_run(record)
    return 0 if record.state in ("running", "done") else NOT_WELL


@command.command("open", epilog=_epilog("open last", "open 6a2 --out report.html"))
@click.argument("run")
@click.option("--out", metavar="FILE", type=click.Path(dir_okay=False), help="Write it there, and open nothing.")
@_about
def open_run(run: str, out: str | None, **about: Any) -> None:
    """Show what a run came to as a page in the browser.

    The page is one file that needs no network: what `show` tells, errors, and where the time went. It tells how the
    run stood when its program last wrote of it.
    """
    from cloudburst.cli import pages, tables
    from cloudburst.history.page import page

    place, entry = _found(run, **about)
    record = place.history.record(entry)
    text = page(record, tables.cost_line(record))
    if out is not None:
        pages.write(text, out)
        click.echo(f"The report is in {out}.")
        return
    path = pages.write_private(text, entry.run)
    is_open = pages.show(path)
    click.echo(f"{'' if is_open else 'No browser can be opened here. '}The report is in {path}.")


@command.command("logs", epilog=_epilog("logs last", "logs 6a2 fit", "logs last --follow"))
@click.argument("run")
@click.argument("stage", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until the run is over.")
@_about
def logs(run: str, stage: str | None, follow: bool, **about: Any) -> int:
    """Print what the tasks of a run, or of one STAGE, have printed.

    What a task printed is in the bucket once it has ended. --follow shows it as it comes, where the run has a log
    group; Ctrl-C ends the following and not the run.
    """
    from cloudburst.history.output import Output

    place, entry = _found(run, **about)
    record = place.history.record(entry)
    stages = sorted({one.stage for one in record.stages})
    if stage is not None and stage not in stages:
        raise UsageError(
            f"{entry.run} has no stage {stage!r}: there {'are' if stages else 'is'} {', '.join(stages) or 'none'}."
        )
    output = Output(place.history, entry, stage, place.settings.endpoint_url)
    try:
        for line in output.follow() if follow else output.lines():
            click.echo(f"{line.source} | {line.text}")
    except KeyboardInterrupt:
        if follow and place.history.record(entry).state == "running":
            click.echo(f"\nThe run goes on; `cloudburst runs stop {entry.run}` would end it.", err=True)
        raise
    state = place.history.record(entry).state
    if follow:
        click.echo(f"The run is over: {state}.", err=True)
    return NOT_WELL if follow and state != "done" else 0


@command.command("stop", epilog=_epilog("stop last", "stop 6a2-daily-1f3b5d7e"))
@click.argument("run")
@_about
def stop(run: str, **about: Any) -> None:
    """End a run, whoever started it and wherever.

    Its program is asked to, which then stops its machines and raises Cancelled. If that program was killed, the
    machines with the tags of the run are stopped from here, and it is marked as ended. To do it twice does no harm.
    """
    from cloudburst import settings
    from cloudburst.history import ending
    from cloudburst.report.amounts import counted

    place, entry = _found(run, **about)
    stopped = ending.stop(place.history, entry, place.settings.endpoint_url, scale=settings.time_scale())
    machines = f"{counted(stopped.machines, 'machine')} stopped" if stopped.machines else "no machine was left to stop"
    said = {
        "over": f"{entry.run} was over before ({stopped.state}): there was nothing to stop.",
        "asked": f"{entry.run}: its program was asked to end it and has not done so yet. Ask again to see.",
        "ended": f"{entry.run}: its program has ended it ({stopped.state}).",
        "swept": f"{entry.run}: its program was killed; {machines}. It is marked as ended.",
    }
    click.echo(said[stopped.how])


@command.command(
    "clean", epilog=_epilog("clean --dry-run", "clean --older-than 30d --yes", "clean --older-than 12h --kept 90d")
)
@click.option("--older-than", metavar="AGE", default="7d", show_default=True, help="For how long a run has to be over.")
@click.option("--kept", metavar="AGE", help="Also values of persist() and cached stages that were kept longer ago.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@_about
def clean(older_than: str, kept: str | None, dry_run: bool, yes: bool, **about: Any) -> None:
    """Remove what runs have left that are over or whose program was killed.

    That is the values of those that failed, journals, what was said between programs and machines that are no more, and
    task definitions of cloudburst's without a task. Values of persist() and of cached stages stay, unless --kept says
    otherwise, as does everything of a run that goes on, and what `list`, `show` and `logs` tell.
    """
    from cloudburst import settings
    from cloudburst.history.cleaning import remains, remove
    from cloudburst.report.amounts import counted, volume
    from cloudburst.runtime.backends.fargate.remains import Definitions
    from cloudburst.runtime.terms import Terms

    age_s = _seconds(older_than, "--older-than")
    kept_s = math.inf if kept is None else _seconds(kept, "--kept")
    place = _place(**about)
    history = place.history
    found = remains(history, age_s, Terms().scaled(settings.time_scale()).lease_limit_s, kept_s)
    clusters = {one.record.cluster for one in history.latest(history.users()) if one.record and one.record.cluster}
    definitions = Definitions(place.settings.region, place.settings.endpoint_url, clusters)
    try:
        unused = definitions.unused(age_s, found.families) if clusters else []
    except AccessDenied as error:
        unused = []
        click.echo(f"Task definitions are left as they are: {error}", err=True)
    what = f"{counted(found.objects, 'object')} ({volume(found.nbytes)}) of {counted(len(found.runs), 'run')}"
    what += f" and {counted(len(found.pools), 'pool')}" if found.pools else ""
    what += f", with {counted(len(found.receipts), 'kept value')}" if found.receipts else ""
    what += f", {counted(len(unused), 'task definition')}" if unused else ""
    if found.kept or found.living:
        spared = [f"{counted(found.kept, 'object')} with kept values"] if found.kept else []
        spared += [f"{counted(len(found.living), 'run')} that may go on"] if found.living else []
        click.echo(f"Left as they are: {' and '.join(spared)}.")
    if not (found.objects or unused):
        click.echo(f"Nothing to remove that is older than {older_than}.")
    elif dry_run:
        click.echo(f"Would remove {what}.")
    elif yes or click.confirm(f"Remove {what}?"):
        remove(history.store, found)
        definitions.deregister(unused)
        click.echo(f"Removed {what}.")
    else:
        click.echo("Nothing was removed.")


def _seconds(age: str, option: str) -> float:
    """An age in seconds.

    >>> _seconds("7d", "--kept"), _seconds("12h", "--kept"), _seconds("0", "--kept")
    (604800.0, 43200.0, 0.0)
    """
    found = _DURATION.fullmatch(age.strip())
    if found is None:
        raise UsageError(f"{option} {age!r} cannot be: it is a number with s, m, h, d or w behind it, such as 7d.")
    return float(found[1]) * _SECONDS[found[2]]
