"""What a RunTask call says."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cloudburst import __version__
from cloudburst.errors import InternalError
from cloudburst.resources import Size
from cloudburst.runtime.backends.fargate.requests import (
    LONGEST_POOL_ID,
    LONGEST_VARIABLE,
    Chunk,
    check_pool,
    chunks,
    is_spot,
    run_request,
    started_by,
)
from tests.runtime.backends.fargate.ecs import PLACE

SHAPE = Size(1024, 2048)


def request(shape=SHAPE, place=PLACE, pool="p", variable="s3://b/p#key", count=10, token="1"):
    return run_request(place, pool, variable, "arn:definition", Chunk(shape, count, token, 0))


def test_the_size_is_an_override_and_the_pool_the_only_variable():
    asked = request(Size(2048, 4096, 50))
    assert asked["overrides"] == {
        "containerOverrides": [
            {"name": "worker", "environment": [{"name": "CLOUDBURST_POOL", "value": "s3://b/p#key"}]}
        ],
        "cpu": "2048",
        "memory": "4096",
        "ephemeralStorage": {"sizeInGiB": 50},
    }
    assert "ephemeralStorage" not in request()["overrides"]
    assert "cpu" not in request(Size())["overrides"]


def test_the_network_is_that_of_the_settings():
    wanted = {"subnets": ["subnet-a", "subnet-b"], "securityGroups": ["sg-a"], "assignPublicIp": "ENABLED"}
    assert request()["networkConfiguration"] == {"awsvpcConfiguration": wanted}
    private = request(place=replace(PLACE, security_groups=(), assign_public_ip=False))
    assert private["networkConfiguration"]["awsvpcConfiguration"] == {
        "subnets": ["subnet-a", "subnet-b"],
        "assignPublicIp": "DISABLED",
    }


def test_spot_is_asked_for_through_its_capacity_provider_and_nothing_else():
    spot = request(SHAPE._replace(spot=True))
    assert spot["capacityProviderStrategy"] == [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    assert "launchType" not in spot
    assert request()["launchType"] == "FARGATE"
    assert "capacityProviderStrategy" not in request()


def test_a_shape_that_does_not_say_is_what_the_place_says():
    spot = replace(PLACE, spot=True)
    assert is_spot(spot, SHAPE)
    assert not is_spot(spot, SHAPE._replace(spot=False))
    assert not is_spot(PLACE, SHAPE)


@pytest.mark.parametrize("count", [1, 9, 10, 11, 100, 1000])
def test_a_launch_is_asked_for_by_tens(count):
    parts = list(chunks(SHAPE, count, "7"))
    assert sum(part.count for part in parts) == count
    assert all(1 <= part.count <= 10 for part in parts)
    assert len(parts) == -(-count // 10)
    assert len({part.client_token("p") for part in parts}) == len(parts)


def test_a_client_token_says_which_part_of_which_launch_of_which_pool_and_is_the_same_each_time():
    one = Chunk(SHAPE, 10, "1", 0)
    others = [one._replace(token="2"), one._replace(number=1), one._replace(generation=1)]
    assert one.client_token("p") == Chunk(SHAPE, 10, "1", 0).client_token("p")
    assert len({one.client_token("p"), one.client_token("q"), *[other.client_token("p") for other in others]}) == 5
    longest = Chunk(SHAPE, 10, "t" * 500, 10**6, 99).client_token("p" * LONGEST_POOL_ID)
    assert len(longest) <= 64
    assert longest.isascii()


def test_machines_are_tagged_with_pool_user_shape_version_and_the_users_tags():
    place = replace(PLACE, tags=(("team", "data"), ("cost centre", "42")))
    asked = request(Size(1024, 2048, 50, spot=True), place, token="run/1")
    assert {tag["key"]: tag["value"] for tag in asked["tags"]} == {
        "team": "data",
        "cost centre": "42",
        "cloudburst:pool": "p",
        "cloudburst:user": "ada",
        "cloudburst:shape": "1024/2048/50 spot",
        "cloudburst:version": __version__,
        "cloudburst:launch": "run/1",
    }
    assert "cloudburst:user" not in str(request(place=replace(PLACE, user=""))["tags"])


def test_what_ecs_does_not_take_in_a_tag_does_not_get_there():
    asked = request(place=replace(PLACE, user="ada <lovelace>"))
    assert {"key": "cloudburst:user", "value": "ada _lovelace_"} in asked["tags"]


def test_no_launch_can_be_longer_than_ecs_takes():
    role = "arn:aws-us-gov:iam::123456789012:role/" + "p" * 512 + "/" + "n" * 64
    place = replace(PLACE, execution_role=role, task_role=role, image="i" * 255, cluster="c" * 255)
    check_pool("p" * LONGEST_POOL_ID, "v" * LONGEST_VARIABLE)
    longest = Size(16384, 122880, 200, spot=True)
    asked = request(longest, place, "p" * LONGEST_POOL_ID, '"' * LONGEST_VARIABLE)
    assert len(json.dumps(asked["overrides"])) <= 8192 / 2
    assert len(started_by("p" * LONGEST_POOL_ID)) <= 36


@pytest.mark.parametrize(
    ("pool", "variable"),
    [("", "v"), ("p" * 31, "v"), ("p q", "v"), ("p", ""), ("p", "v" * 1025), ("p", "schlüssel")],
)
def test_a_pool_that_is_not_short_and_plain_is_our_bug_and_its_key_stays_secret(pool, variable):
    with pytest.raises(InternalError, match="pool") as raised:
        check_pool(pool, variable)
    assert len(variable) < 5 or variable not in str(raised.value)
