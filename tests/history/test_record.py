"""Records of runs: what was written comes back, and what others wrote does no harm."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.errors import CodecError
from cloudburst.history.record import (
    LONGEST_LINE,
    MachineRecord,
    RunRecord,
    SizeRecord,
    StageRecord,
    from_json,
    moment,
    one_line,
    shown,
    to_json,
)
from tests.history.told import told

counts = st.integers(0, 1 << 40)
numbers = st.floats(0, 1e9)
texts = st.text(max_size=40)
sizes = st.builds(SizeRecord, *[st.none() | counts] * 3, st.booleans(), texts)
stages = st.builds(
    StageRecord, texts, st.sampled_from(["waiting", "running", "done", "failed", "stopped", "skipped"]), sizes,
    *[counts] * 5, *[numbers] * 2, *[counts] * 2, numbers, texts,
)  # fmt: skip
records = st.builds(
    RunRecord,
    run=texts,
    name=texts,
    state=st.sampled_from(["running", "done", "failed", "cancelled", "lost"]),
    begun_s=numbers,
    written_s=numbers,
    ended_s=st.none() | numbers,
    user=texts,
    tasks=counts,
    more=st.booleans(),
    stages=st.lists(stages, max_size=3),
    machines=st.lists(st.builds(MachineRecord, sizes, st.lists(numbers, max_size=3)), max_size=3),
    workers=st.lists(st.from_regex(r"[0-9a-f-]{1,40}", fullmatch=True), max_size=3),
)


@given(records)
def test_what_was_written_comes_back(record):
    assert from_json(to_json(record)) == record


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (b"", "JSONDecodeError"),
        (b"\xff\xfe\x00", "record of a run"),
        (b"[" * 100_000, "record of a run"),
        (b"[]", "version 1"),
        (b'{"v": 2}', "version 1"),
        (b'{"v": 1}', "it has no run"),
    ],
)
def test_what_is_no_record_says_so(text, wrong):
    with pytest.raises(CodecError, match=wrong):
        from_json(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("run", 3), ("state", "finished"), ("begun_s", "now"), ("begun_s", 1e300), ("begun_s", float("nan")),
        ("tasks", 1.5), ("tasks", True), ("tasks", 1 << 80), ("stages", {}), ("stages", [3]), ("stages", [{}]),
        ("machines", [None]), ("machines", [{"size": {}, "seconds": [float("inf")]}]), ("workers", "abc"),
    ],
)  # fmt: skip
def test_a_field_that_cannot_be_is_named(name, value):
    forged = {"v": 1, **asdict(told()), name: value}
    with pytest.raises(CodecError, match="it has no|cannot be"):
        from_json(json.dumps(forged))


def test_workers_are_names_that_can_stand_in_a_log_stream():
    assert from_json(to_json(replace(told(), workers=["0f1e", "../x", "a b", ""]))).workers == ["0f1e"]


@given(st.text())
def test_what_is_shown_stands_in_one_line_and_moves_no_cursor(text):
    line = shown(text)
    assert not any(ord(one) < 32 or 127 <= ord(one) < 160 for one in line)
    assert len(line.splitlines()) <= 1
    line.encode()


def test_a_text_that_is_turned_round_is_shown_as_it_is_written():
    assert shown("abc\u202ecod.exe") == "abc\\u202ecod.exe"


def test_an_error_is_told_in_one_line_of_moderate_length():
    assert one_line("  ValueError: no\nmore of it") == "ValueError: no"
    assert len(one_line("x" * 5000)) == LONGEST_LINE


def test_times_are_told_as_scripts_read_them():
    assert moment(1_700_000_000.25) == "2023-11-14T22:13:20.250Z"


def test_a_run_that_goes_on_has_taken_what_was_told_last():
    assert told(state="running").seconds == 75.0
    assert told().seconds == 75.0
