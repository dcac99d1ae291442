"""Machines that an earlier program left."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloudburst.errors import LaunchError
from cloudburst.resources import Size
from cloudburst.runtime.backends.fargate.requests import Chunk, run_request
from cloudburst.runtime.backends.fargate.stopping import LEFT_OVER, stop_leftovers
from tests.runtime.backends.fargate.ecs import DENIED, LOST, PLACE, THROTTLED, Clients, Ecs, error


@pytest.fixture
def ecs():
    return Ecs()


def left_by(ecs, pool_id, count):
    for number in range(count):
        ecs.run_task(**run_request(PLACE, pool_id, "v", "arn:definition", Chunk(Size(1024, 2048), 10, "1", number)))


def stopped(ecs, *pool_ids):
    return stop_leftovers(PLACE, pool_ids, scale=0.001, clients=Clients(ecs=ecs))


def test_the_machines_of_those_pools_are_stopped_and_no_others(ecs):
    left_by(ecs, "mine", 12)
    left_by(ecs, "mine2", 1)
    left_by(ecs, "theirs", 1)
    assert stopped(ecs, "mine", "mine2", "gone") == 130
    assert {ecs.tasks[arn]["startedBy"] for arn in ecs.up} == {"cb-theirs"}
    assert {call["reason"] for call in ecs.calls["StopTask"]} == {LEFT_OVER}
    assert stopped(ecs, "mine") == 0


def test_without_pools_nothing_is_asked(ecs):
    assert stopped(ecs) == 0
    assert not ecs.calls


def test_what_passes_is_asked_again(ecs):
    left_by(ecs, "mine", 1)
    ecs.script["ListTasks"] = [THROTTLED]
    ecs.script["StopTask"] = [LOST, THROTTLED]
    assert stopped(ecs, "mine") == 10
    assert ecs.up == []


def test_one_that_has_gone_meanwhile_is_not_counted(ecs):
    left_by(ecs, "mine", 1)
    ecs.script["StopTask"] = [error("InvalidParameterException", "The referenced task was not found.")]
    assert stopped(ecs, "mine") == 9


@pytest.mark.parametrize("operation", ["ListTasks", "StopTask"])
def test_a_refusal_says_which_permission_is_missing(ecs, operation):
    left_by(ecs, "mine", 1)
    ecs.script[operation] = [DENIED]
    with pytest.raises(LaunchError, match="earlier program left on data.*docs/iam/caller.json"):
        stopped(ecs, "mine")


def test_asking_again_has_an_end(ecs):
    ecs.script["ListTasks"] = [THROTTLED] * 100
    with pytest.raises(LaunchError, match="too often"):
        stopped(ecs, "mine")
    assert len(ecs.calls["ListTasks"]) == 6


def test_only_machines_whose_tags_name_the_user_are_stopped_if_that_is_asked(ecs):
    left_by(ecs, "mine", 1)
    place = replace(PLACE, user="u1f00aa22")
    ecs.run_task(**run_request(place, "mine", "v", "arn:definition", Chunk(Size(1024, 2048), 2, "2", 0)))
    clients = Clients(ecs=ecs)
    assert stop_leftovers(PLACE, ["mine"], scale=0.001, clients=clients, user="u99999999") == 0
    assert len(ecs.up) == 12
    assert stop_leftovers(PLACE, ["mine"], scale=0.001, clients=clients, user="u1f00aa22") == 2
    assert len(ecs.up) == 10
