"""A group whose commands are modules that are imported when they are asked for, so that ``--help`` stays quick."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module

import click


class LazyGroup(click.Group):
    """A group that knows its commands by name and sentence, and imports the one that is wanted.

    Parameters
    ----------
    commands : mapping of str to str
        The name of each command and what it does in a sentence. It is what is called ``command`` in the module
        ``cloudburst.cli.NAME``.
    **attributes
        What a :class:`click.Group` takes.

    Examples
    --------
    >>> group = LazyGroup({"config": "Say what is used."}, name="cloudburst")
    >>> group.list_commands(click.Context(group)), group.commands
    (['config'], {})
    >>> group.get_command(click.Context(group), "config").name
    'config'
    """

    def __init__(self, commands: Mapping[str, str], **attributes: object) -> None:
        super().__init__(**attributes)  # type: ignore[arg-type]
        self._sentences = dict(commands)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - Click's own signature
        return list(self._sentences)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self._sentences:
            return None
        found: click.Command = import_module(f"cloudburst.cli.{cmd_name}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(self._sentences.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self._sentences and not name.startswith("-") and not ctx.resilient_parsing:
            nearest = difflib.get_close_matches(name, self._sentences, n=1)
            there = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(self._sentences)}."
            raise click.UsageError(f"there is no command {name!r}: {there}", ctx)
        return super().resolve_command(ctx, args)
