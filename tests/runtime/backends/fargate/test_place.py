"""The clients that speak to AWS."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloudburst.errors import LaunchError
from cloudburst.runtime.backends.fargate.place import Clients
from tests.runtime.backends.fargate.ecs import PLACE


@pytest.fixture(autouse=True)
def nothing_of_aws_around(monkeypatch, tmp_path):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))


def test_a_client_is_made_once_for_its_region_with_retries_that_adapt():
    clients = Clients(replace(PLACE, endpoint_url="http://127.0.0.1:9"))
    ecs = clients("ecs")
    assert clients("ecs") is ecs
    assert ecs.meta.region_name == "us-east-1"
    assert ecs.meta.endpoint_url == "http://127.0.0.1:9"
    assert ecs.meta.config.retries["mode"] == "adaptive"
    assert clients("ecr", "eu-west-1").meta.region_name == "eu-west-1"


def test_the_region_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    assert Clients(replace(PLACE, region=None))("ecs").meta.region_name == "eu-west-3"


@pytest.mark.parametrize(
    ("change", "words"),
    [({"region": None}, 'Set region="us-east-1"'), ({"endpoint_url": "no url"}, "no url")],
)
def test_what_no_client_can_be_made_of_is_named(change, words):
    with pytest.raises(LaunchError, match=words):
        Clients(replace(PLACE, **change))("ecs")
