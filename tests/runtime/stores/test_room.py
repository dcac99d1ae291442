import os
import sys

import pytest

from cloudburst.runtime.stores import room


def test_free_is_part_of_total(tmp_path):
    assert 0 < room.free_disk(tmp_path) < room.total_disk(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_free_memory_is_part_of_the_machines():
    free = room.free_memory()
    assert free is not None
    assert 0 <= free < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(room, "_CGROUP", tmp_path)
    return tmp_path


def test_nothing_is_known_where_nothing_is_told(machine):
    assert room.free_memory() is None
    (machine / "meminfo").write_text("MemTotal:  100 kB\n")
    assert room.free_memory() is None


def test_the_machine_tells_what_is_available(machine):
    (machine / "meminfo").write_text("MemTotal:  100 kB\nMemAvailable:    40 kB\n")
    assert room.free_memory() == 40 * 1024


def test_a_control_group_allows_less_than_the_machine_has(machine):
    (machine / "meminfo").write_text("MemAvailable:    40 kB\n")
    (machine / "memory.current").write_text("1000\n")
    (machine / "memory.max").write_text("5000\n")
    assert room.free_memory() == 4000
    (machine / "memory.max").write_text("500\n")
    assert room.free_memory() == 0
    (machine / "memory.max").write_text("max\n")
    assert room.free_memory() == 40 * 1024
