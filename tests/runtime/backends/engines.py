"""A command line that plays Docker's or Podman's from files: it says what real ones seldom do too."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_PROGRAM = """\
#!{python} -IS
import json, os, pathlib, sys, time
home = pathlib.Path({home!r})
arguments = sys.argv[1:]
asked = " ".join(arguments)
with open(home / "asked", "a") as file:
    file.write(json.dumps([arguments, os.environ.get("CLOUDBURST_POOL")]) + "\\n")
for words, (status, printed, complaint, seconds) in json.loads((home / "answers").read_text()):
    if words in asked:
        time.sleep(seconds)
        sys.stdout.write(printed)
        sys.stderr.write(complaint)
        sys.exit(status)
containers = home / "containers"
if arguments[0] == "run":
    (containers / arguments[arguments.index("--name") + 1]).write_text("running")
elif arguments[0] == "ps":
    for one in sorted(containers.iterdir()):
        row = {{"ID": one.name, "Names": one.name, "State": one.read_text()}}
        line = arguments[-1]
        for name, value in row.items():
            line = line.replace("{{{{." + name + "}}}}", value)
        print(line)
elif arguments[0] == "rm":
    for name in arguments[3:]:
        (containers / name).unlink()
elif arguments[:2] == ["image", "inspect"]:
    print('{{"Env": ["HOME=/srv"], "Labels": {{"org.cloudburst.python": "3.11"}}}}')
elif arguments[0] == "info":
    print("false")
elif arguments[0] == "inspect":
    print('{{"ExitCode": 3, "OOMKilled": false, "Error": ""}}')
elif arguments[0] == "logs":
    print("last words")
"""


class PlayedEngine:
    """An engine in a directory; ``directory / "bin"`` is to be on the ``PATH``."""

    def __init__(self, directory: Path, name: str = "docker") -> None:
        self.directory = directory
        self._answers: list[tuple[str, tuple[int, str, str, float]]] = []
        (directory / "containers").mkdir(parents=True)
        self.path = directory / "bin"
        self.path.mkdir()
        program = self.path / name
        program.write_text(_PROGRAM.format(python=sys.executable, home=str(directory)))
        program.chmod(0o755)
        self._write()

    def answers(
        self, words: str, printed: str = "", complaint: str = "", status: int = 0, seconds: float = 0.0
    ) -> None:
        """From now on this is the answer to commands with these words in them."""
        self._answers.insert(0, (words, (status, printed, complaint, seconds)))
        self._write()

    def refuses(self, words: str, complaint: str) -> None:
        """From now on commands with these words in them fail."""
        self.answers(words, complaint=complaint, status=1)

    def mends(self) -> None:
        """All is as it was in the beginning."""
        self._answers = []
        self._write()

    def asked(self, command: str) -> list[tuple[list[str], str | None]]:
        """The arguments of each call of a command, and the pool that stood in its environment."""
        path = self.directory / "asked"
        calls: list[Any] = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [(arguments, pool) for arguments, pool in calls if arguments[0] == command]

    def containers(self) -> dict[str, str]:
        """State by name."""
        return {one.name: one.read_text() for one in (self.directory / "containers").iterdir()}

    def set_state(self, container: str, state: str) -> None:
        (self.directory / "containers" / container).write_text(state)

    def _write(self) -> None:
        new = self.directory / "answers.new"
        new.write_text(json.dumps(self._answers))
        new.rename(self.directory / "answers")
