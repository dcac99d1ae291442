"""Fans, and the lists that their items make."""

from __future__ import annotations

import pytest

from cloudburst.errors import InternalError
from cloudburst.runtime.fans import Fan
from cloudburst.runtime.task import Artifact, Input, Output
from tests.runtime.plans import artifact, parts, task

TASK = task(0, Input(-1), fan=0, outputs=(Output(0), Output(1), Output(2, rescue=True)))


def test_the_results_of_items_make_a_list_for_each_output():
    fan = Fan.of(TASK, parts("a", "b"))
    fan.put(1, (artifact("1/0"), artifact("1/1")))
    fan.put(0, (artifact("0/0"), artifact("0/1")))
    assert fan.lists() == (parts("0/0", "1/0"), parts("0/1", "1/1"))


def test_a_fan_over_nothing_makes_empty_lists():
    fan = Fan.of(TASK, parts())
    assert fan.undecided == 0
    assert fan.lists() == (Artifact("parts", (), 0),) * 2


@pytest.mark.parametrize("body", ["key", b"bytes"])
def test_a_value_without_parts_cannot_be_fanned_out_over(body):
    with pytest.raises(InternalError, match="work-0 is to be performed for each part"):
        Fan.of(TASK, Artifact("pickle", body, 1))
