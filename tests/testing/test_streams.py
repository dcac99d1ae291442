"""Output of containers, cut into lines."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cloudburst.testing.streams import Stream


class Logs:
    def __init__(self, *groups):
        self.groups = dict.fromkeys(groups)
        self.streams = set()
        self.events = []

    def ensure_log_stream(self, group, stream):
        self.streams.add((group, stream))

    def put_log_events(self, group, stream, events):
        self.events += [event["message"] for event in events]


@pytest.fixture
def logs():
    return Logs("/g")


@pytest.fixture
def stream(logs):
    return Stream(SimpleNamespace(logs=logs), SimpleNamespace(log=("/g", "s")))


def test_lines_are_whole_whatever_the_pieces(stream, logs):
    assert [line for piece in (b"on", b"e\ntwo\n\nth", "é\r\n".encode()) for line in stream.take(piece)] == [
        "one",
        "two",
        "",
        "thé",
    ]
    stream.flush()
    assert logs.events == ["one", "two", "thé"]
    assert logs.streams == {("/g", "s")}


def test_a_last_line_needs_no_end(stream):
    assert list(stream.take(b"rest")) == []
    assert list(stream.end()) == ["rest"]
    assert list(stream.end()) == []


def test_a_line_without_end_is_cut(stream):
    assert [len(line) for line in stream.take(b"x" * 300_000)] == [300_000]


def test_a_group_that_was_deleted_loses_what_comes(stream, logs):
    list(stream.take(b"one\n"))
    logs.groups.clear()
    stream.flush()
    assert logs.events == []
    assert stream.lines == ["one"]


def test_without_a_log_configuration_lines_are_still_kept(logs):
    stream = Stream(SimpleNamespace(logs=logs), SimpleNamespace(log=None))
    list(stream.take(b"one\n"))
    stream.flush()
    assert (stream.lines, logs.streams) == (["one"], set())
