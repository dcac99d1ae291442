"""``cloudburst explain FILE:NAME``: what a Deferred of a script would run."""

from __future__ import annotations

import difflib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import click

from cloudburst.errors import CloudburstError, UsageError

if TYPE_CHECKING:
    from cloudburst.deferred import Deferred

_EPILOG = """\b
Examples:
  cloudburst explain pipeline.py:result
  cloudburst explain reports/monthly.py:table
"""


@click.command("explain", epilog=_EPILOG)
@click.argument("where", metavar="FILE:NAME")
def command(where: str) -> None:
    """Say what a Deferred of a script would run, without running it.

    FILE:NAME is a script and the name of a Deferred in it. The script is imported, as a module and not as the main
    program: what stands under `if __name__ == '__main__':` is not run.
    """
    file, colon, name = where.rpartition(":")
    if not (file and colon and name):
        raise UsageError(f"{where!r} is not FILE:NAME, such as pipeline.py:result.")
    click.echo(_deferred(_imported(Path(file)), file, name).explain())


def _imported(path: Path) -> ModuleType:
    name = path.stem if path.stem not in sys.modules else f"{path.stem} as explained"
    spec = importlib.util.spec_from_file_location(name, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise UsageError(f"there is no Python script {str(path)!r}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.absolute().parent))
    try:
        spec.loader.exec_module(module)
    except CloudburstError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"{path} cannot be imported: {_what_went_wrong(error, path)}.") from error
    return module


def _what_went_wrong(error: BaseException, path: Path) -> str:
    """An error of a script in one line, with the last line of the script that led to it."""
    told = " ".join(traceback.format_exception_only(error)[-1].split())
    lines = [at for frame, at in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)]
    at = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    return f"line {at}, {told}" if at else told


def _deferred(module: ModuleType, file: str, name: str) -> Deferred[object]:
    from cloudburst.deferred import Deferred

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
