"""Events as lines, and back."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.errors import CodecError
from cloudburst.resources import Size
from cloudburst.runtime.events import (
    Began,
    Cancelled,
    Cause,
    Due,
    Ended,
    Failure,
    Gone,
    Hello,
    LaunchCause,
    LaunchFailed,
)
from cloudburst.runtime.journal import from_line, read, replay, to_line
from cloudburst.runtime.state import Limits, State
from cloudburst.runtime.task import Artifact, TaskId
from tests.runtime.plans import plan, task

GONE = ["lost", "memory", "timeout", "reclaimed", "host", "stopped"]
LIMITS = Limits(workers=1, cpu=None, memory_mib=None)

text, count = st.text(max_size=5), st.integers(0, 10**9)
some_seconds = st.floats(0, 1e6)
ids = st.builds(TaskId, count, st.integers(-1, 10**6))
checksums = st.none() | st.binary(min_size=32, max_size=32)
leaves = st.builds(Artifact, text, st.binary(max_size=9) | text, count, checksums)
sizes = st.builds(
    Size, st.none() | count, st.none() | count, st.none() | st.integers(21, 200), st.sampled_from([None, True, False])
)
artifacts = st.recursive(
    leaves,
    lambda parts: st.builds(Artifact, st.just("parts"), st.lists(parts, max_size=3).map(tuple), count),
    max_leaves=5,
)
causes = st.sampled_from(get_args(Cause))
failures = st.builds(
    Failure, causes, text, st.none() | count, st.none() | st.binary(max_size=9), text, st.none() | some_seconds
)
logs = st.none() | st.tuples(text, count, count)
events = st.one_of(
    st.builds(Hello, text, st.none() | sizes),
    st.builds(Began, text, ids, count),
    st.builds(
        Ended,
        text,
        ids,
        count,
        st.lists(artifacts, max_size=3).map(tuple),
        st.none() | failures,
        some_seconds,
        some_seconds,
        logs,
    ),
    st.builds(Gone, text, st.sampled_from(GONE), text, st.none() | ids, logs),
    st.builds(LaunchFailed, text, count, text, st.sampled_from(get_args(LaunchCause))),
    st.builds(Due, st.none() | ids, st.none() | sizes),
    st.builds(Cancelled, text),
)


def typed(value):
    """A value with the types of all its parts, because a plain tuple is equal to a named one."""
    return (type(value), [typed(one) for one in value]) if isinstance(value, tuple) else (type(value), value)


@given(st.lists(events, max_size=4).map(tuple))
def test_events_come_back_equal_and_of_their_types(batch):
    line = to_line(batch)
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert json.loads(line)["v"] == 1
    assert typed(from_line(line)) == typed(batch)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "7",
        "{}",
        '{"v": 1}',
        '{"v": 1, "events": [["Hello"]]}',
        '{"v": 1, "events": [["Farewell", "w1"]]}',
        '{"v": 1, "events": [["Hello", "w1", null, 2]]}',
        '{"v": 1, "events": [["Hello", "w1", [1, 2, 3, 4, 5]]]}',
        '{"v": 1, "events": [["Due", {"b": "?"}]]}',
    ],
)
def test_what_is_no_line_of_a_journal_is_refused(line):
    with pytest.raises(CodecError, match="no line of a journal"):
        from_line(line)


def test_a_later_version_is_refused():
    with pytest.raises(CodecError, match="version 2"):
        from_line('{"v": 2, "events": []}')


def test_a_line_that_its_writer_did_not_live_to_end_is_left_out():
    whole = to_line([Hello("w1")])
    assert list(read([whole, whole, whole[:-5]])) == [(Hello("w1"),)] * 2
    assert list(read([])) == []


def test_artifacts_are_written_as_short_as_they_are_and_read_as_long_as_they_come():
    whole = Artifact("parquet", "a/0", 9, b"sum")
    some = whole._replace(groups=(1, 3))
    parts = Artifact("parts", (whole, some), 18)
    ended = Ended("w1", TaskId(0), 1, (whole, some, parts), None, 0.1, 1.0)
    line = to_line([ended])
    assert '["parquet", "a/0", 9, {"b": "c3Vt"}],' in line
    assert from_line(line) == (ended,)


def test_a_replayed_run_goes_on_with_the_same_commands():
    described = plan(task(0), task(1, 0))
    ended = Ended("w1", TaskId(0), 1, (Artifact("pickle", b"x", 1),), None, 0.1, 1.0)
    batches = [(Hello("w1"),), (ended,)]
    first = State(described, LIMITS)
    first.start(*batches[0])
    commands = first.on(*batches[1])
    again = replay(described, LIMITS, batches[:1])
    assert again != first
    assert again.on(*batches[1]) == commands != []
    assert again == first == replay(described, LIMITS, batches)


def test_a_run_of_which_nothing_was_written_has_not_started():
    assert replay(plan(task(0)), LIMITS, []) == State(plan(task(0)), LIMITS)
