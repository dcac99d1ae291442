"""The programs in the documents run as they stand, each document as one program, and print what is shown."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCUMENTS, ROOT, named, prints, program, shown_output

PROGRAMS = [path for path in DOCUMENTS if program(path.read_text(encoding="utf-8")).strip()]


def test_the_readme_begins_with_the_two_commands_and_an_example():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.index("make demo") < text.index("make test") < text.index("```python")
    assert ROOT / "README.md" in PROGRAMS


@pytest.mark.parametrize("document", PROGRAMS, ids=named)
@pytest.mark.usefixtures("unmeasured_programs")
def test_the_programs_of_a_document_run(document: Path, tmp_path: Path) -> None:
    script = tmp_path / f"{document.stem.lower().replace('-', '_')}_blocks.py"
    text = document.read_text(encoding="utf-8")
    script.write_text(program(text), encoding="utf-8")
    own = {f"CLOUDBURST_{name}_DIR": str(tmp_path / name.lower()) for name in ("CACHE", "CONFIG")}
    done = subprocess.run(
        [sys.executable, script.name],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), **own},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert [one for one in shown_output(text) if not prints(one.code, done.stdout)] == [], done.stdout
