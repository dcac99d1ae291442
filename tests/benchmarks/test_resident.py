"""What is told of memory is that of all processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SIZE = 200 << 20

PROGRAM = f"""
import json, subprocess, sys
from benchmarks.resident import Resident
with Resident() as resident:
    subprocess.run([sys.executable, "-c", "import time; held = b'1' * {SIZE}; time.sleep(1)"], check=True)
with Resident() as before:
    pass
print(json.dumps([resident.peak - before.peak, resident.peak_once - before.peak_once, resident.peak]))
"""
"""In a process of its own: a child counts as what its parent is until it is a program of its own."""


def test_memory_of_a_child_that_is_gone_again_counts():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    more, more_once, peak = json.loads(done.stdout)
    assert SIZE < more < 2 * SIZE
    assert SIZE < more_once < peak
