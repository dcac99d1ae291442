from __future__ import annotations

import pytest

from cloudburst.runtime import oom


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Files of a machine, as the kernel shows them."""

    def make(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    monkeypatch.setattr(oom, "_GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(oom, "_MACHINE", tmp_path / "vmstat")
    monkeypatch.setattr(oom, "_MOUNT", tmp_path / "mount")
    oom._counter.cache_clear()
    yield make, tmp_path
    oom._counter.cache_clear()


def test_the_own_group_counts_where_there_is_one(machine):
    make, root = machine
    make(cgroup="0::/pod/me\n", vmstat="oom_kill 9\n")
    (root / "mount/pod/me").mkdir(parents=True)
    (root / "mount/pod/me/memory.events").write_text("low 0\noom 4\noom_kill 3\noom_group_kill 1\n")
    assert oom.kills() == 3


def test_a_group_of_the_old_kind_counts(machine):
    make, root = machine
    make(cgroup="4:cpu,cpuacct:/x\n3:memory:/me\n0::/\n", vmstat="oom_kill 9\n")
    (root / "mount/memory/me").mkdir(parents=True)
    (root / "mount/memory/me/memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    assert oom.kills() == 2


def test_without_a_group_the_machine_counts(machine):
    make, root = machine
    make(cgroup="0::/\n", vmstat="nr_free_pages 12\noom_kill 9\n")
    assert oom.kills() == 9
    (root / "vmstat").write_text("oom_kill 10\n")
    assert oom.kills() == 10


def test_where_nothing_counts_it_stays_zero(machine):
    assert oom.kills() == 0
