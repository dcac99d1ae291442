from __future__ import annotations

import os
import re

import pytest

from cloudburst.runtime import logs


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(logs, "MOST", 1000)
    monkeypatch.setattr(logs, "KEPT", 100)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "w1.log"
    file = logs.create(path)
    yield path, file
    os.close(file)


def test_each_attempt_has_what_was_printed_in_its_time(log):
    path, file = log
    output = logs.Output(file)
    os.write(file, b"one")
    first = output.next_attempt()
    second = output.next_attempt()
    os.write(file, "zwei \N{SNOWMAN} \xff".encode() + b"\xff")
    third = output.next_attempt()
    assert logs.read(path, 0, first) == "one"
    assert logs.read(path, first, second) == ""
    assert logs.read(path, second, third) == "zwei \N{SNOWMAN} \xff\\xff"


def test_of_an_attempt_that_prints_too_much_both_ends_stay_with_a_line_between(log, short):
    path, file = log
    output = logs.Output(file)
    os.write(file, b"before")
    start = output.next_attempt()
    for number in range(1000):
        os.write(file, b"%03d " % number)
        output.shorten()
        assert path.stat().st_size <= start + 1300
    end = output.next_attempt()
    text = logs.read(path, start, end)
    assert text.startswith("000 001 ")
    assert text.endswith("998 999 ")
    [said] = re.findall(r"(\d+) bytes of output left out here: a task may print", text)
    omission = logs._OMISSION % (int(said), logs.MOST >> 20)
    assert int(said) + len(text) - len(omission) == 4000  # however often it was cut
    assert logs.read(path, 0, start) == "before"


def test_too_much_is_cut_at_the_latest_when_the_attempt_ends_and_the_next_range_begins_there(log, short):
    path, file = log
    output = logs.Output(file)
    os.write(file, b"a" * 5000)
    end = output.next_attempt()
    assert end == path.stat().st_size < 400
    assert "4800 bytes of output left out" in logs.read(path, 0, end)
    os.write(file, b"next")
    assert logs.read(path, end, output.next_attempt()) == "next"


def test_as_much_as_is_allowed_stays_as_it_is(log, short):
    _, file = log
    output = logs.Output(file)
    os.write(file, b"a" * 1000)
    assert output.next_attempt() == 1000


def test_the_file_is_known_even_when_the_users_code_closes_its_own(log):
    _, file = log
    other = os.dup(file)
    output = logs.Output(other)
    os.close(other)
    os.write(file, b"abc")
    assert output.next_attempt() == 3


def test_a_log_that_somebody_removed_is_empty(tmp_path):
    assert logs.read(tmp_path / "none.log", 0, 5) == ""
    assert logs.size(tmp_path / "none.log") == 0


def test_a_log_is_never_shared(log):
    path, _ = log
    with pytest.raises(FileExistsError):
        logs.create(path)
