"""``cloudburst explain FILE:NAME``: what a Deferred of a script would run."""

from __future__ import annotations

import argparse
import difflib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from cloudburst.deferred import Deferred
from cloudburst.errors import UsageError

NAME = "explain"
HELP = "say what a Deferred of a script would run, without running it"


def describe(parser: argparse.ArgumentParser) -> None:
    """Tell a parser what this command takes."""
    parser.add_argument(
        "where", metavar="FILE:NAME", help="a script and the name of a Deferred in it: pipeline.py:result"
    )
    parser.set_defaults(run=show)


def show(arguments: argparse.Namespace) -> None:
    """Import the script, as a module and not as the main program, and print the explanation.

    Raises
    ------
    UsageError
        If there is no such script or no such Deferred in it.
    """
    file, colon, name = arguments.where.rpartition(":")
    if not (file and colon and name):
        raise UsageError(f"{arguments.where!r} is not FILE:NAME, such as pipeline.py:result.")
    print(_deferred(_imported(Path(file)), file, name).explain())


def _imported(path: Path) -> ModuleType:
    name = path.stem if path.stem not in sys.modules else f"{path.stem} as explained"
    spec = importlib.util.spec_from_file_location(name, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise UsageError(f"there is no Python script {str(path)!r}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.absolute().parent))
    spec.loader.exec_module(module)
    return module


def _deferred(module: ModuleType, file: str, name: str) -> Deferred[object]:
    found = vars(module).get(name)
    if isinstance(found, Deferred):
        return found
    there = [one for one, value in vars(module).items() if isinstance(value, Deferred)]
    if not there:
        raise UsageError(
            f"no name in {file} holds a Deferred; what stands inside a function or under `if __name__ == '__main__':` "
            "is not seen from here."
        )
    nearest = difflib.get_close_matches(name, there, n=1)
    listed = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(sorted(there))}."
    raise UsageError(f"{name} in {file} {'is no Deferred' if name in vars(module) else 'is not there'}: {listed}")
