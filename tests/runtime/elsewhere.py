"""A process that knows nothing of the project: another directory, a bare environment, only what is installed."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

_SERVE = """
import os, pickle, sys
sys.path.append(sys.argv[1])
requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)
from cloudburst.runtime.arrival import load
while True:
    try:
        payload, arguments = pickle.load(requests)
    except EOFError:
        break
    try:
        reply = "value", load(payload)(*arguments)
        data = pickle.dumps(reply)
    except BaseException as error:
        data = pickle.dumps(("error", type(error).__name__, str(error)))
    replies.write(data)
    replies.flush()
"""


class RaisedElsewhere(Exception):
    """What a function raised in the other process: name of the type and text."""


class Elsewhere:
    """The other process."""

    def __init__(self, directory: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", _SERVE, str(ROOT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=directory,
            env={},
        )

    def call(self, payload: bytes, *arguments: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        pickle.dump((payload, arguments), self.process.stdin)
        self.process.stdin.flush()
        kind, *rest = pickle.load(self.process.stdout)
        if kind == "error":
            raise RaisedElsewhere(*rest)
        return rest[0]

    def close(self) -> None:
        with self.process as process:
            assert process.stdin is not None
            process.stdin.close()


def write_files(directory: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    importlib.invalidate_caches()


@contextmanager
def importing(directory: Path) -> Iterator[None]:
    """Modules of a directory can be imported, and are forgotten afterwards."""
    sys.path.insert(0, str(directory))
    try:
        yield
    finally:
        sys.path.remove(str(directory))
        for name, module in list(sys.modules.items()):
            if is_within(module, directory):
                del sys.modules[name]


def is_within(module: ModuleType, directory: Path) -> bool:
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    return any(isinstance(place, str) and Path(place).is_relative_to(directory) for place in places)


def define(source: str, name: str = "f", file: str = "<cell>", **variables: Any) -> Any:
    """A variable of a piece of source, executed as a notebook cell would be."""
    namespace: dict[str, Any] = {"__name__": "__main__", **variables}
    exec(compile(textwrap.dedent(source), file, "exec", dont_inherit=True), namespace)
    return namespace[name]
