"""``cloudburst image``: an image for workers that mirrors this environment."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click

_EPILOG = """\b
Examples:
  cloudburst image                                     to the repository `cloudburst` of this account's ECR
  cloudburst image --repository ghcr.io/team/worker    to another registry
  cloudburst image --no-push                           for cb.init_docker, on this machine
  cloudburst image --apt libgomp1 --platform linux/arm64
  cloudburst image --dry-run
"""


@click.command("image", epilog=_EPILOG)
@click.argument("project", default=".", type=click.Path())
@click.option("--repository", help="A name in ECR, or HOST/NAME elsewhere.  [default: setup's, or cloudburst]")
@click.option("--push/--no-push", default=True, help="Push it, or keep it on this machine.")
@click.option("--python", metavar="VERSION", help="Python of the image.  [default: this program's]")
@click.option("--platform", metavar="PLATFORM", help="linux/amd64 or linux/arm64.  [default: linux/amd64]")
@click.option("--base", metavar="IMAGE", help="What it is made from.  [default: python:VERSION-slim]")
@click.option("--apt", metavar="PACKAGE", multiple=True, help="A Debian package to install. May be given again.")
@click.option("--run", metavar="COMMAND", multiple=True, help="A shell command to run as root. May be given again.")
@click.option("--without", metavar="PACKAGE", multiple=True, help="A package to leave out. May be given again.")
@click.option("--with-data", is_flag=True, help="Take large data files of local packages along.")
@click.option("--region", metavar="REGION", help="Of ECR.  [default: what boto3 finds]")
@click.option("--engine", type=click.Choice(["docker", "podman"]), help="What builds.  [default: the first there is]")
@click.option("--dry-run", is_flag=True, help="Print the Dockerfile, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON.")
def command(project: str, dry_run: bool, as_json: bool, **asked: Any) -> None:
    """Make an image that mirrors this environment, and push it.

    PROJECT is its directory, the current one by default. The packages are those of its pylock.toml, uv.lock,
    poetry.lock or pinned requirements.txt, else those of the running environment. What no option says is as its
    pyproject.toml has it under [tool.cloudburst.image]. Where nothing has changed, nothing is
    done. The name of the image, pinned by its digest, is printed.
    """
    from cloudburst import image

    asked |= {name: asked[name] or None for name in ("apt", "run", "without", "with_data")}
    if dry_run:
        wanted = ("python", "platform", "base", "apt", "run", "without")
        click.echo(image.dockerfile(project, **{name: asked[name] for name in wanted}), nl=False)
        return
    if asked["repository"] is None:
        from cloudburst.settings.aws import repository_of
        from cloudburst.settings.origins import found_settings

        asked["repository"] = repository_of(found_settings())
    with _told() as (say, follow):
        made = image.build(project, **asked, say=say, follow=follow)
    click.echo(json.dumps(asdict(made)) if as_json else made.name)


@contextmanager
def _told() -> Iterator[tuple[Any, Any]]:
    """Functions that tell what is done, on standard error; on a terminal also what the engine is at."""
    if not sys.stderr.isatty():
        yield lambda line: click.echo(line, err=True), None
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    with console.status("Looking at the environment") as status:

        def say(line: str) -> None:
            console.print(line, markup=False, highlight=False)
            status.update(Text(line))

        yield say, lambda line: status.update(Text(line[: console.width - 4], style="dim"))
