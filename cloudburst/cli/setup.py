"""``cloudburst setup``: make in an AWS account what pipelines need there, and remove it again."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from cloudburst.errors import UsageError

if TYPE_CHECKING:
    from cloudburst.aws.setup import Proposal, Setup, Wishes
    from cloudburst.aws.stack import Event

_EPILOG = """\b
Examples:
  cloudburst setup
  cloudburst setup --region eu-west-1 --subnets subnet-0abc,subnet-0def
  cloudburst setup --template > cloudburst.json
  cloudburst setup --remove
"""


_COLOURS = {"+": "green", "~": "yellow", "-": "red"}


@click.command("setup", epilog=_EPILOG)
@click.option("--name", default="cloudburst", show_default=True, help="What the stack and all things in it are called.")
@click.option("--region", help="Where; as the profile, AWS_REGION or your AWS profile say by default.")
@click.option("--profile", help="The profile of cloudburst that is written.")
@click.option(
    "--subnets", multiple=True, metavar="IDS", help="Subnets for machines; those of the default VPC otherwise."
)
@click.option(
    "--bucket", metavar="NAME", help="The bucket's name; one of yours that is there already is used as it is."
)
@click.option("--s3-endpoint/--no-s3-endpoint", default=None, help="A gateway endpoint for S3, which is free.")
@click.option("--run-days", type=click.IntRange(1), help="Days until values of runs are removed; 30 at first.")
@click.option("--log-days", type=int, help="Days until logs are removed; 30 at first.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--template", is_flag=True, help="Print the CloudFormation template, and do nothing.")
@click.option("--remove", is_flag=True, help="Remove what was made; a bucket with kept data stays.")
@click.option("--delete-data", is_flag=True, help="With --remove: the bucket too, whatever is in it.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def command(
    name: str, region: str | None, profile: str | None, yes: bool, template: bool, remove: bool, delete_data: bool,
    as_json: bool, **wishes: Any,
) -> None:  # fmt: skip
    """Make in an AWS account what pipelines need there, or remove it.

    It is one CloudFormation stack: a bucket, a cluster without machines, a registry for images, a log, two roles, and
    a policy for those who run pipelines. What would change is shown before anything is done. A profile is written, by
    which cb.init_aws() needs no argument.
    """
    if delete_data and not remove:
        raise UsageError("--delete-data goes with --remove.")
    if template:
        from cloudburst.aws.template import template_text

        click.echo(template_text(), nl=False)
        return
    session = _Session(name, region, profile, yes=yes, as_json=as_json)
    if remove:
        session.remove(wishes["bucket"], delete_data=delete_data)
    else:
        session.set_up(_wishes(**wishes))


def _wishes(subnets: tuple[str, ...], log_days: int | None, **others: Any) -> Wishes:
    from cloudburst.aws.setup import Wishes
    from cloudburst.aws.template import LOG_DAYS

    if log_days is not None and log_days not in LOG_DAYS:
        raise UsageError(f"--log-days {log_days} cannot be: CloudWatch has {', '.join(map(str, LOG_DAYS))}.")
    ids = tuple(dict.fromkeys(one.strip() for text in subnets for one in text.split(",") if one.strip()))
    return Wishes(subnets=ids, log_days=log_days, **others)


class _Session:
    """One call of the command."""

    def __init__(self, name: str, region: str | None, profile: str | None, *, yes: bool, as_json: bool) -> None:
        from cloudburst.aws.access import Access
        from cloudburst.aws.setup import Setup
        from cloudburst.settings import time_scale
        from cloudburst.settings.aws import region_of
        from cloudburst.settings.origins import found_settings

        sources = found_settings({"region": region}, profile, is_to_be=True)
        self.profile = sources.profile
        self.setup: Setup = Setup(Access(region_of(sources)), name, time_scale())
        self._yes = yes
        self._as_json = as_json

    # ------------------------------------------------------------ setting up

    def set_up(self, wishes: Wishes) -> None:
        setup = self.setup
        state = setup.state()
        if state is not None and state.is_moving:
            self._say(f"AWS is at the stack {setup.name} already ({state.status}): waiting until it is done.")
            with _going_on(setup):
                setup.stack.settled()
            state = setup.state()
        if state is not None and state.is_leftover:
            self._say(
                f"The stack {setup.name} is {state.status}: an attempt failed and left it. It has to be deleted, "
                "and is then made anew."
            )
            self._ask("Delete it?")
            with _going_on(setup) as see:
                setup.clear_leftover(see)
        with _going_on(setup):
            proposal = setup.propose(wishes)
        if proposal.change_set:
            self._make(proposal)
        else:
            self._say(f"There is nothing to change in the stack {setup.name} in {setup.access.region}.")
        self._conclude(proposal)

    def _make(self, proposal: Proposal) -> None:
        access, verb = self.setup.access, "be made with" if proposal.is_new else "change in"
        self._say(f"In account {access.account}, {access.region}, the stack {self.setup.name} would {verb}:\n")
        width = max((len(what) for _, what, _ in proposal.lines), default=0)
        for sign, what, why in proposal.lines:
            self._say(f"  {click.style(sign, fg=_COLOURS[sign])} {what:<{width}}  {why}".rstrip())
        self._say("")
        for note in proposal.notes:
            self._say(note)
        if proposal.is_new:
            self._say("While nothing runs, it costs only what lies in the bucket, the registry and the log.")
        self._say(self._about_profile())
        try:
            self._ask("Go on?")
        except (click.Abort, UsageError):
            self.setup.withdraw(proposal)
            raise
        with _going_on(self.setup) as see:
            self.setup.carry_out(proposal, see)

    def _about_profile(self) -> str:
        from cloudburst.settings.tables import profile_table, profiles_path, shown

        before = profile_table(self.profile)
        told = f"The profile {self.profile} in {shown(profiles_path())} will name all this."
        bucket = None if before is None else before.values.get("storage_bucket")
        return told if bucket is None else f"{told} It names the bucket {bucket} now."

    def _conclude(self, proposal: Proposal) -> None:
        from cloudburst.settings.tables import profile_table, shown, write_profile

        settings = self.setup.settings()
        path = write_profile(self.profile, settings)
        if self._as_json:
            changes = [{"action": sign, "what": what, "why": why} for sign, what, why in proposal.lines]
            told = {"changes": changes, "profile": self.profile, "file": str(path), "settings": settings}
            click.echo(json.dumps(told, indent=2))
            return
        click.echo(f"The profile {self.profile} in {shown(path)} names it: cb.init_aws() needs no argument.")
        written = profile_table(self.profile)
        if written is None or "compute_image" not in written.values:
            click.echo("Next, cloudburst image makes the image that workers run.")
        click.echo(f"Whoever runs pipelines and is no administrator needs the policy {self.setup.caller_policy}.")
        click.echo(f"Whoever makes images needs {self.setup.pusher_policy}.")

    # ------------------------------------------------------------ removing

    def remove(self, bucket: str | None, *, delete_data: bool) -> None:
        from cloudburst.aws.removal import plan_removal, remove

        setup = self.setup
        state = setup.state()
        if state is not None and state.is_moving:
            self._say(f"AWS is at the stack {setup.name} already ({state.status}): waiting until it is done.")
            with _going_on(setup):
                setup.stack.settled()
        with _going_on(setup):
            removal = plan_removal(setup, bucket=bucket, delete_data=delete_data)
        if not removal.is_nothing:
            self._say(f"In account {setup.access.account}, {setup.access.region}, this would be removed:\n")
            for one in removal.lines:
                self._say(f"  {click.style('-', fg=_COLOURS['-'])} {one}")
            self._say("")
        for one in removal.stays:
            self._say(one)
        if removal.is_nothing:
            self._say(f"There is no set-up {setup.name} in {setup.access.region} to remove.")
        else:
            self._ask("Remove it?")
            with _going_on(setup) as see:
                remove(setup, removal, see)
        is_forgotten = self._forget()
        if self._as_json:
            told = {"removed": removal.lines, "stays": removal.stays, "profile": self.profile if is_forgotten else None}
            click.echo(json.dumps(told, indent=2))
        elif not removal.is_nothing:
            click.echo(f"Removed{f', and the profile {self.profile} with it' if is_forgotten else ''}.")

    def _forget(self) -> bool:
        """Take the profile away, if it is of what was removed."""
        from cloudburst.settings.tables import forget_profile, profile_table

        table = profile_table(self.profile)
        ours = {"compute_cluster": self.setup.name, "region": self.setup.access.region}
        if table is None or any(table.values.get(name) != value for name, value in ours.items()):
            return False
        return forget_profile(self.profile)

    # ------------------------------------------------------------ speaking

    def _say(self, text: str) -> None:
        click.echo(text, err=self._as_json)

    def _ask(self, question: str) -> None:
        if self._yes:
            return
        try:
            click.confirm(question, abort=True, err=self._as_json)
        except click.Abort as abort:
            if isinstance(abort.__context__, EOFError):
                raise UsageError("nothing was done, since nobody is there to be asked: say --yes.") from None
            click.echo("Nothing was done.", err=True)
            raise


@contextmanager
def _going_on(setup: Setup) -> Iterator[Callable[[Event], None]]:
    """Show on terminals what AWS is at; after Ctrl-C, say that it goes on there."""
    try:
        if not sys.stderr.isatty():
            yield lambda event: None
            return
        from rich.console import Console

        from cloudburst.aws.wording import thing

        console = Console(stderr=True)
        with console.status(f"asking AWS in {setup.access.region}") as status:

            def see(event: Event) -> None:
                becomes = event.status.replace("_", " ").lower()
                status.update(f"{thing(event.name, setup.words({}))}: {becomes}")

            yield see
    except KeyboardInterrupt:
        click.echo(
            f"AWS goes on by itself with what it has begun. To look at it: aws cloudformation describe-stack-events "
            f"--stack-name {setup.name} --region {setup.access.region}, or cloudburst setup again.",
            err=True,
        )
        raise
