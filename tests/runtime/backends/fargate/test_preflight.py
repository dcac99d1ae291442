"""What is found wrong before anything is started."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from cloudburst.errors import LaunchError
from cloudburst.runtime.backends.fargate.preflight import PYTHON_LABEL, preflight, problems
from tests.runtime.backends.fargate.ecs import DENIED, PLACE, Clients, Ecs, error
from tests.runtime.backends.fargate.test_registries import CONFIG, Ecr

CLUSTER = {"clusterName": "data", "status": "ACTIVE", "capacityProviders": ["FARGATE", "FARGATE_SPOT"]}
OURS = f"{sys.version_info.major}.{sys.version_info.minor}"


class World:
    """An account in which all is right, until a test says otherwise."""

    def __init__(self, directory):
        self.cluster = [CLUSTER]
        self.groups = [{"logGroupName": "/cloudburst"}, {"logGroupName": "/cloudburst/other"}]
        self.ecs = Ecs()
        self.ecr = Ecr(directory)
        self.image()

    def image(self, architecture="amd64", python=OURS):
        self.ecr.manifests["latest"] = {"config": {"digest": CONFIG}}
        self.ecr.config({"architecture": architecture, "config": {"Labels": {PYTHON_LABEL: python} if python else {}}})

    def found(self, place=PLACE, **wanted):
        self.ecs.script["DescribeClusters"] = [
            self.cluster if isinstance(self.cluster, Exception) else lambda asked: {"clusters": self.cluster}
        ]
        logs = SimpleNamespace(meta=self.ecs.meta, describe_log_groups=self.describe_log_groups)
        return problems(place, clients=Clients(ecs=self.ecs, logs=logs, ecr=self.ecr), **wanted)

    def describe_log_groups(self, **asked):
        if isinstance(self.groups, Exception):
            raise self.groups
        return {"logGroups": [one for one in self.groups if one["logGroupName"].startswith(*asked.values())]}


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def settings(found):
    return [one.setting for one in found]


def test_where_all_is_right_nothing_is_found(world):
    assert world.found() == []
    assert world.found(replace(PLACE, spot=True)) == []


@pytest.mark.parametrize("cluster", [[], [CLUSTER | {"status": "INACTIVE"}], error("ClusterNotFoundException")])
def test_a_cluster_has_to_be_there(world, cluster):
    world.cluster = cluster
    [problem] = world.found()
    assert problem.setting == "compute_cluster"


def test_spot_needs_its_capacity_provider(world):
    world.cluster = [CLUSTER | {"capacityProviders": ["FARGATE"]}]
    assert world.found() == []
    [problem] = world.found(spot_wanted=True)
    assert problem.setting == "spot"
    assert "put-cluster-capacity-providers --cluster data" in problem.detail
    assert settings(world.found(replace(PLACE, spot=True))) == ["spot"]


def test_the_log_group_has_to_be_there_by_its_whole_name(world):
    world.groups = [{"logGroupName": "/cloudburst/other"}]
    [problem] = world.found()
    assert problem.setting == "log_group"
    assert "create-log-group --log-group-name /cloudburst;" in problem.detail
    assert world.found(replace(PLACE, log_group=None)) == []


def test_the_image_has_to_be_there(world):
    world.ecr.manifests.clear()
    [problem] = world.found()
    assert problem.setting == "compute_image"
    assert "Requested image not found" in problem.detail


def test_an_image_elsewhere_cannot_be_looked_at(world):
    world.ecr.manifests.clear()
    assert world.found(replace(PLACE, image="ghcr.io/x/worker:v1")) == []


def test_the_image_has_to_be_for_this_architecture(world):
    world.image(architecture="arm64")
    [problem] = world.found()
    assert problem.setting == "architecture"
    assert "architecture='ARM64'" in problem.detail
    assert world.found(replace(PLACE, architecture="ARM64")) == []


def test_the_image_has_to_have_this_python(world):
    world.image(python="2.7")
    [problem] = world.found()
    assert problem.setting == "compute_image"
    assert f"Python 2.7, and this program runs on {OURS}" in problem.detail
    world.image(python=None)
    assert world.found() == []


def test_what_may_not_be_looked_at_is_left_open(world):
    world.cluster = world.groups = world.ecr.manifests["latest"] = DENIED
    assert world.found() == []


def test_all_that_is_wrong_is_named_at_once(world, tmp_path):
    world.cluster, world.groups = [], []
    world.image(architecture="arm64", python="2.7")
    found = world.found()
    assert settings(found) == ["compute_cluster", "log_group", "architecture", "compute_image"]


@pytest.mark.parametrize(
    ("code", "setting"), [("ExpiredTokenException", "credentials"), ("UnrecognizedClientException", "credentials")]
)
def test_credentials_that_do_not_hold_are_named_once(world, code, setting):
    world.cluster = world.groups = error(code, "no")
    assert settings(world.found()) == [setting]


def test_the_error_lists_the_settings(world, monkeypatch):
    world.cluster, world.groups = [], []
    found = world.found()
    monkeypatch.setattr("cloudburst.runtime.backends.fargate.preflight.problems", lambda *_, **__: found)
    with pytest.raises(LaunchError, match="(?s)Nothing was started.*compute_cluster: there is.*log_group: there is"):
        preflight(PLACE)
    found.clear()
    preflight(PLACE)
