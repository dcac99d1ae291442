from __future__ import annotations

import pickle

from cloudburst.runtime.events import Ended, Failure
from cloudburst.runtime.messages import assignment_of, ended_of, record_message, task_message
from cloudburst.runtime.steps import Record
from cloudburst.runtime.task import Artifact, Output, TaskId
from tests.assignments import assignment, slot, step

GIVEN = assignment(
    step("call", "f", 1, y=slot(0), own=(1,), free=(0,)),
    inputs=[Artifact("parquet", "key", 9, b"sum", (0, 2)), Artifact("parts", (Artifact("pickle", "key", 5),), 5)],
    outputs=[Output(2, parts=True, digest=b"d"), Output(2, rescue=True)],
    task=3,
    attempt=2,
    timeout_s=5.0,
    stage_step=0,
)._replace(stage="train", columns=(None, ("a", "b")), reads=(("sales", ("a",)),))


def sent(message):
    return pickle.loads(pickle.dumps(message, 5))


def test_an_assignment_comes_out_as_it_went_in_but_for_its_time_out():
    came = assignment_of(sent(task_message(GIVEN)))
    assert came == GIVEN._replace(timeout_s=None)
    assert [type(one) for one in (came.id, came.steps[0], came.inputs[1], came.outputs[0])] == [
        type(one) for one in (GIVEN.id, GIVEN.steps[0], GIVEN.inputs[1], GIVEN.outputs[0])
    ]


def test_a_record_becomes_an_event():
    artifacts = Artifact("pickle", b"x", 1), Artifact("arrow", "key", 9)
    failure = Failure("raised", "ValueError: no", 1, b"pickle", "text")
    for record in (Record(artifacts, None, 0.5), Record((), failure, 0.5)):
        event = ended_of(sent(record_message(GIVEN, record, 81.0, 30)), "w1", 20)
        assert event == Ended("w1", TaskId(3), 2, record.artifacts, record.failure, 0.5, 81.0, ("w1", 20, 30))
        assert all(type(one) is Artifact for one in event.artifacts)
