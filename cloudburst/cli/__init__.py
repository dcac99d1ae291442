"""The command line, ``cloudburst COMMAND``, put together; one file a command.

Commands are :class:`click.Command` objects. What a command returns is what the program returns: ``None`` is 0.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from cloudburst import __version__
from cloudburst.cli.lazy import LazyGroup
from cloudburst.errors import CloudburstError

COMMANDS = {
    "demo": "Run the example pipeline, on a year of flights from New York.",
    "explain": "Say what a Deferred of a script would run, without running it.",
    "setup": "Make in an AWS account what pipelines need there, or remove it.",
    "doctor": "See that all that pipelines need on AWS is there.",
    "image": "Make an image that mirrors this environment, and push it.",
    "config": "Say what pipelines use, and where each setting stands.",
    "runs": "Look at the runs on AWS, stop one, and remove what they have left.",
}
"""Each command, whose module is of that name, and the first sentence of its help."""

MISUSED = 2
"""What the program returns when it could not do what was asked."""
INTERRUPTED = 130

_EPILOG = """\b
Examples:
  cloudburst demo --out flights.png
  cloudburst explain pipeline.py:result
  cloudburst setup
  cloudburst doctor
  cloudburst image
  cloudburst runs show last
  cloudburst COMMAND --help

\b
Exit codes:
  0    it was done
  1    what was looked at is not well
  2    it could not be done; a sentence on stderr says why
  130  Ctrl-C ended it

\b
Completion of what you type, in your shell's own start file:
  eval "$(_CLOUDBURST_COMPLETE=bash_source cloudburst)"           ~/.bashrc
  eval "$(_CLOUDBURST_COMPLETE=zsh_source cloudburst)"            ~/.zshrc
  _CLOUDBURST_COMPLETE=fish_source cloudburst | source            config.fish
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the program by default.

    Returns
    -------
    int
        0 if it was done, 1 if what was looked at is not well, 2 if it could not be done, with one sentence on stderr;
        130 if Ctrl-C ended it.

    Examples
    --------
    >>> main(["--version"])
    cloudburst 0.1.0
    0
    """
    try:
        outcome = program.main(argv, prog_name="cloudburst", standalone_mode=False)
    except click.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        return _refused(_sentence(error))
    except CloudburstError as error:
        return _refused(str(error))
    return outcome if isinstance(outcome, int) else 0


def _refused(sentence: str) -> int:
    print(f"cloudburst: {sentence}", file=sys.stderr)
    return MISUSED


def _sentence(error: click.ClickException) -> str:
    """A complaint of Click's, in a line that says where there is help."""
    said = " ".join(error.format_message().split()).rstrip(".")
    mark = "" if said.endswith("?") else "."
    if not isinstance(error, click.UsageError):
        return f"{said}{mark}"
    return f"{said}{mark} See {error.ctx.command_path if error.ctx else 'cloudburst'} --help."


program = click.version_option(__version__, message="%(prog)s %(version)s")(
    LazyGroup(
        COMMANDS,
        name="cloudburst",
        help="Pandas pipelines that outgrew the laptop.",
        epilog=_EPILOG,
        subcommand_metavar="COMMAND [ARGUMENTS]...",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
)
"""The whole command line."""
