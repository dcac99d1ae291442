"""What was made, who waits for it, and who will still read it."""

from __future__ import annotations

import pytest

from cloudburst.errors import InternalError
from cloudburst.runtime.results import Results, stored
from cloudburst.runtime.task import GIVEN, Artifact, Input
from tests.runtime.plans import artifact, parts, plan, task

DIAMOND = plan(task(0, Input(GIVEN)), task(1, 0), task(2, 0, 0), task(3, 1, 2), given=[artifact("given")])


def test_a_task_waits_for_the_last_of_its_inputs():
    results = Results.of(DIAMOND)
    assert results.missing == [0, 1, 2, 2]
    assert results.put(0, (artifact("0"),)) == [1, 2]
    assert results.put(1, (artifact("1"),)) == []
    assert results.put(2, (artifact("2"),)) == [3]


def test_what_was_read_for_the_last_time_is_given_back_and_forgotten():
    results = Results.of(DIAMOND)
    results.put(0, (artifact("0"),))
    assert results.release(DIAMOND.tasks[1].inputs) == []
    assert results[Input(0)] == artifact("0")
    assert results.release(DIAMOND.tasks[2].inputs) == [artifact("0")]
    assert Input(0) not in results.made


def test_what_is_read_in_columns_is_one_value_with_what_is_read_whole():
    read = [Input(0, 0, ("a",)), Input(0, 0, ("a", "b")), Input(0)]
    results = Results.of(plan(task(0), *[task(number, one) for number, one in enumerate(read, 1)]))
    assert read[0] not in results
    assert results.put(0, (artifact("0"),)) == [1, 2, 3]
    assert all(one in results and results[one] == artifact("0") for one in read)
    assert [results.release((one,)) for one in read] == [[], [], [artifact("0")]]


def test_targets_and_given_values_stay():
    results = Results.of(plan(task(0, Input(GIVEN)), task(1, 0), targets=[0, 1], given=[artifact("given")]))
    results.put(0, (artifact("0"),))
    assert results.release((Input(GIVEN), Input(0))) == []


def test_reading_what_is_not_there_is_our_bug():
    with pytest.raises(InternalError, match="Output 0 of task 1"):
        Results.of(DIAMOND)[Input(1)]


def test_what_lies_in_the_store_is_found_in_parts_of_parts():
    small = Artifact("pickle", b"small", 5)
    nested = Artifact("parts", (parts("a", "b"), small, artifact("c")), 9)
    assert list(stored([nested, small, artifact("d")])) == [artifact(key) for key in "abcd"]
