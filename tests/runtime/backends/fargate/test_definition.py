"""The task definition: one for all sizes and runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from cloudburst.runtime.backends.fargate.definition import Definition, definition_of, family_of
from tests.runtime.backends.fargate.ecs import DENIED, PLACE, Ecs


@pytest.fixture
def ecs():
    return Ecs()


def test_it_says_what_a_launch_cannot_override():
    definition = definition_of(PLACE, "us-east-1")
    assert definition == {
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "2048",
        "memory": "8192",
        "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
        "executionRoleArn": PLACE.execution_role,
        "taskRoleArn": PLACE.task_role,
        "containerDefinitions": [
            {
                "name": "worker",
                "image": PLACE.image,
                "essential": True,
                "stopTimeout": 120,
                "linuxParameters": {"initProcessEnabled": True},
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": "/cloudburst",
                        "awslogs-region": "us-east-1",
                        "awslogs-stream-prefix": "cloudburst",
                        "mode": "non-blocking",
                        "max-buffer-size": "25m",
                    },
                },
            }
        ],
    }


def test_what_is_not_given_is_left_out():
    definition = definition_of(replace(PLACE, log_group=None, execution_role=None, task_role=None), "us-east-1")
    assert not {"executionRoleArn", "taskRoleArn"} & definition.keys()
    assert "logConfiguration" not in definition["containerDefinitions"][0]


def test_its_name_is_made_of_all_it_says_and_of_nothing_else():
    others = [
        replace(PLACE, image="other"),
        replace(PLACE, architecture="ARM64"),
        replace(PLACE, log_group=None),
        replace(PLACE, task_role="other"),
        replace(PLACE, execution_role="other"),
    ]
    names = {family_of(definition_of(place, "us-east-1")) for place in [PLACE, *others]}
    assert len(names) == 6
    elsewhere = replace(PLACE, cluster="c", subnets=("s",), security_groups=(), spot=True, tags=(("a", "b"),), user="u")
    assert family_of(definition_of(elsewhere, "us-east-1")) == family_of(definition_of(PLACE, "us-east-1"))
    assert family_of(definition_of(PLACE, "us-east-1")).startswith("cloudburst-")


def test_it_is_registered_once_and_found_by_the_next_run(ecs):
    first = Definition(ecs, PLACE)
    arn = first.arn()
    assert first.arn() == arn
    assert len(ecs.calls["RegisterTaskDefinition"]) == 1
    assert len(ecs.calls["DescribeTaskDefinition"]) == 1
    assert Definition(ecs, PLACE).arn() == arn
    assert len(ecs.calls["RegisterTaskDefinition"]) == 1


def test_one_of_that_name_that_says_something_else_is_not_used(ecs):
    definition = Definition(ecs, PLACE)
    definition.arn()
    ecs.definitions[definition.family]["containerDefinitions"][0]["image"] = "planted"
    Definition(ecs, PLACE).arn()
    assert len(ecs.calls["RegisterTaskDefinition"]) == 2


def test_one_that_was_forgotten_is_looked_up_again(ecs):
    definition = Definition(ecs, PLACE)
    definition.arn()
    ecs.definitions.clear()
    definition.forget()
    definition.arn()
    assert len(ecs.calls["RegisterTaskDefinition"]) == 2


def test_without_permission_to_look_nothing_is_registered(ecs):
    ecs.script["DescribeTaskDefinition"] = [DENIED]
    with pytest.raises(ClientError):
        Definition(ecs, PLACE).arn()
    assert not ecs.calls["RegisterTaskDefinition"]
