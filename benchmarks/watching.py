"""A process that looks at something again and again while another is at work, and tells at the end what it saw."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self


class Watcher:
    """Runs a module of this package beside the ``with``; ``told`` is what it told at the end."""

    module: str
    told: Any

    def __init__(self, *arguments: str) -> None:
        self._command = [sys.executable, "-m", self.module, *arguments]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._process.stdout.readline()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        answer, _ = self._process.communicate("done\n")
        self.told = json.loads(answer)


def until_told(look: Callable[[], None], pause_s: float) -> None:
    """In the module: look, and look again, until the ``with`` is left."""
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), over.set()), daemon=True).start()
    print("watching", flush=True)
    while not over.is_set():
        look()
        over.wait(pause_s)


def tell(seen: Any) -> None:
    """In the module: what was seen."""
    print(json.dumps(seen), flush=True)
