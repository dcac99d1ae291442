from __future__ import annotations

from pathlib import Path

from cloudburst.runtime import layout
from cloudburst.runtime.task import TaskId


def test_two_runs_of_one_name_share_no_keys():
    assert layout.run_prefix("daily", "a") != layout.run_prefix("daily", "b")


def test_no_two_attempts_share_a_prefix_even_when_their_names_look_alike():
    tasks = [TaskId(1), TaskId(1, 0), TaskId(1, 1), TaskId(11), TaskId(11, 1)]
    names = ["clean", "clean-1", "clean/1"]
    prefixes = {layout.attempt_prefix("runs/r", "clean", task, attempt) for task in tasks for attempt in (1, 2)}
    assert len(prefixes) == 10
    assert len({layout.attempt_prefix("runs/r", name, TaskId(number), 1) for number, name in enumerate(names)}) == 3


def test_any_name_can_stand_in_a_key():
    for name in ("<lambda>", "f.<locals>.g", "größe", "../../etc", "", "a" * 500, "."):
        key = layout.attempt_prefix("runs/r", name, TaskId(0), 1)
        assert key.isascii()
        assert key.count("/") == 3
        assert ".." not in key.split("/")
        assert len(key) < 100


def test_a_log_lies_in_its_directory():
    assert layout.log_path(Path("logs"), "w1") == Path("logs/w1.log")
