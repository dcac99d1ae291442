from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cloudburst.runtime import kinship
from cloudburst.runtime.kinship import tree_mib

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")

HOLD = "held = bytearray(b'x') * (80 << 20)\n"
READY = "print('ready', flush=True)\ninput()\n"
FORK = "import os\nif os.fork() == 0:\n    import time; time.sleep(60)\n"


@pytest.fixture
def started():
    processes = []

    def start(code):
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        processes.append(process)
        assert process.stdout.readline() == b"ready\n"
        return process.pid

    yield start
    for process in processes:
        os.killpg(process.pid, 9)
        process.communicate()


def test_what_a_process_holds_is_counted(started):
    assert 80 < tree_mib(started(HOLD + READY)) < 130


def test_what_its_children_hold_is_counted_too(started):
    child = (
        f"import subprocess, sys\np = subprocess.Popen([sys.executable, '-c', {HOLD + READY!r}], stdin=-1, stdout=-1)\n"
    )
    assert 80 < tree_mib(started(child + "p.stdout.readline()\n" + READY)) < 140


def test_what_a_fork_shares_is_counted_once(started):
    assert 80 < tree_mib(started(HOLD + FORK + READY)) < 130


def test_without_a_finer_count_what_is_resident_counts(started, tmp_path, monkeypatch):
    pid = started(READY)
    whole = kinship._resident(pid)
    monkeypatch.setattr(kinship, "_SHARED_ONCE", "Nothing:")
    assert kinship._proportional(pid) == pytest.approx(whole, rel=0.2)


def test_a_process_that_has_ended_holds_nothing():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert tree_mib(process.pid) == 0
