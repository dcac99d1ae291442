from __future__ import annotations

import os

import pytest

from cloudburst.runtime import logs, onward
from cloudburst.runtime.onward import Onward, printed


@pytest.fixture
def shown(monkeypatch):
    """What goes to standard output."""
    out = bytearray()

    def write(file, data):
        assert file == 1
        some = bytes(data[:100_000])
        out.extend(some)
        return len(some)

    monkeypatch.setattr(onward.os, "write", write)
    return out


@pytest.fixture
def log(tmp_path):
    return tmp_path / "w1.log"


def append(log, data):
    with log.open("ab") as file:
        file.write(data)


def test_a_log_is_passed_on_as_it_grows(log, shown):
    passing = Onward()
    passing.go()
    passing.follow(log)
    passing.go()
    append(log, b"one\n\xe2")
    passing.go()
    append(log, b"\x82\xac\n")
    passing.go()
    passing.go()
    assert shown.decode() == "one\n€\n"


def test_of_one_task_ten_megabytes_are_passed_on_and_a_line_that_says_so(log, shown):
    passing = Onward()
    passing.follow(log)
    passing.next_task()
    for _ in range(3):
        append(log, b"x" * (6 << 20))
        passing.go()
    assert shown.count(b"x") == 10 << 20
    assert shown.count(b"this task has printed 10 MB; the rest is not shown") == 1
    passing.next_task()
    append(log, b"next")
    passing.go()
    assert shown.endswith(b"next")


def test_a_log_that_was_shortened_is_followed_from_where_it_ends(log, shown):
    passing = Onward()
    passing.follow(log)
    append(log, b"12345678")
    passing.go()
    os.truncate(log, 4)
    passing.go()
    append(log, b"abc")
    passing.go()
    assert shown == b"12345678abc"


def test_that_nobody_reads_it_does_not_matter(log, monkeypatch):
    def write(file, data):
        raise BrokenPipeError

    monkeypatch.setattr(onward.os, "write", write)
    append(log, b"text")
    passing = Onward()
    passing.follow(log)
    passing.go()


def test_a_range_of_a_log_is_its_text(log):
    append(log, b"one two three")
    assert printed(log, 4, 7) == "two"


def test_of_a_long_range_both_ends_are_read(log):
    append(log, b"a" * logs.KEPT + b"m" * 5000 + b"z" * logs.KEPT)
    text = printed(log, 0, 2 * logs.KEPT + 5000)
    assert "m" not in text.replace("cloudburst", "").replace("megabyte", "")
    assert (text.count("a" * logs.KEPT), text.count("z" * logs.KEPT), "5000 bytes" in text) == (1, 1, True)


def test_what_was_shortened_while_it_was_written_is_not_shortened_again(log):
    append(log, b"a" * logs.KEPT + b"\n[cloudburst: 102760448 bytes of output left out here]\n" + b"z" * logs.KEPT)
    text = printed(log, 0, log.stat().st_size)
    assert text.count("bytes of output left out here") == 1
    assert "102760448" in text


def test_ten_megabytes_that_were_passed_on_exactly_are_told_of_when_there_is_more(log, shown):
    passing = Onward()
    passing.follow(log)
    append(log, b"x" * onward.MOST)
    passing.go()
    assert b"not shown" not in shown
    append(log, b"y")
    passing.go()
    passing.go()
    assert shown.count(b"the rest is not shown") == 1
