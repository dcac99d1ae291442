from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cloudburst.resources import Size
from cloudburst.runtime.events import Ended, Failure, Gone, Hello
from cloudburst.runtime.letters import Letter, Said, named
from cloudburst.runtime.task import Artifact, Awaited, TaskId
from tests.assignments import assignment, slot, step

TEXT = st.text(max_size=8)
NUMBERS = st.integers(-1, 5)
SECONDS = st.floats(0, 1e6)
ARTIFACTS = st.recursive(
    st.builds(Artifact, TEXT, st.binary(max_size=8) | TEXT, NUMBERS, st.none() | st.binary(max_size=4)),
    lambda parts: st.builds(Artifact, TEXT, st.lists(parts, max_size=3).map(tuple), NUMBERS),
    max_leaves=4,
)
TASKS = st.builds(TaskId, NUMBERS, NUMBERS)
LOGS = st.none() | st.tuples(TEXT, NUMBERS, NUMBERS)
FAILURES = st.builds(
    Failure, st.sampled_from(["raised", "memory", "tampered"]), TEXT, st.none() | NUMBERS,
    st.none() | st.binary(max_size=8), TEXT, st.none() | SECONDS,
)  # fmt: skip
EVENTS = st.one_of(
    st.builds(Hello, TEXT, st.none() | st.builds(Size, st.just(256), st.just(512), st.none(), st.booleans())),
    st.builds(Gone, TEXT, st.sampled_from(["lost", "reclaimed", "stopped"]), TEXT, st.none() | TASKS, LOGS),
    st.builds(
        Ended, TEXT, TASKS, NUMBERS, st.lists(ARTIFACTS, max_size=2).map(tuple), st.none() | FAILURES, SECONDS,
        SECONDS, LOGS,
    ),
)  # fmt: skip
ASSIGNMENTS = st.builds(
    lambda task, attempt, inputs, value: assignment(
        step("call", "f", slot(0), value), inputs=inputs, task=task, attempt=attempt
    ),
    NUMBERS, NUMBERS, st.lists(ARTIFACTS | st.builds(Awaited, TASKS, NUMBERS, NUMBERS), max_size=2), TEXT | NUMBERS,
)  # fmt: skip


@given(st.lists(EVENTS, max_size=2).map(tuple), TEXT, st.dictionaries(TEXT, TEXT | NUMBERS, max_size=2))
def test_what_was_said_is_what_is_heard(events, tail, about):
    said = Said(events, tail, about)
    assert Said.of_bytes(said.as_bytes()) == said


@given(
    TEXT,
    st.dictionaries(TEXT, st.binary(max_size=8), max_size=2),
    st.dictionaries(TEXT, st.tuples(TEXT, st.binary(max_size=8)), max_size=2),
    st.lists(ASSIGNMENTS, max_size=2).map(tuple),
    st.booleans(),
)
def test_a_letter_is_read_as_it_was_written(run, functions, elsewhere, tasks, is_last):
    letter = Letter(run, functions, elsewhere, tasks, is_last)
    assert Letter.of_bytes(letter.as_bytes()) == letter


def test_what_workers_say_can_be_read_by_anyone():
    assert b'"Hello"' in Said((Hello("w1"),)).as_bytes()


def test_functions_are_those_that_are_called_or_passed_on():
    tasks = [assignment(step("call", "f", 1), step("method", "sum", slot(0)), step("function", "g"))]
    assert named(tasks) == {"f", "g"}
