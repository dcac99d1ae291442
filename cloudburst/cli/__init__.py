"""The command line: ``cloudburst demo | explain | config``. One file a command; here they are put together."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import NoReturn

from cloudburst import __version__
from cloudburst.cli import config, demo, explain
from cloudburst.errors import CloudburstError, UsageError

COMMANDS = (demo, explain, config)

MISUSED = 2
"""What the program returns when it could not do what was asked."""
INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are errors like all others of ours."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}. See {self.prog} --help.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the program by default.

    Returns
    -------
    int
        0 if it was done, 2 if it could not be, with one sentence on stderr; 130 if Ctrl-C ended it.
    """
    try:
        _asked(argv)()
    except CloudburstError as error:
        print(f"cloudburst: {error}", file=sys.stderr)
        return MISUSED
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _asked(argv: Sequence[str] | None) -> Callable[[], object]:
    """What the arguments ask for."""
    parser = _parser()
    try:
        arguments = parser.parse_args(argv)
    except SystemExit:  # --help and --version have said what they have to say
        return lambda: None
    if arguments.run is None:
        return parser.print_help
    return partial(arguments.run, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="cloudburst", description="Pandas pipelines that outgrew the laptop.")
    parser.add_argument("--version", action="version", version=f"cloudburst {__version__}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    for command in COMMANDS:
        command.describe(commands.add_parser(command.NAME, help=command.HELP, description=f"{command.HELP}."))
    return parser
