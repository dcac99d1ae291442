"""What ECR knows of an image."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError

from cloudburst.runtime.backends.fargate.registries import ImageFacts, image_facts, parse_ecr
from tests.runtime.backends.fargate.ecs import DENIED, error

HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
CONFIG = "sha256:" + "c" * 64


class RepositoryNotFoundException(type(DENIED)):
    pass


class Ecr:
    """boto3's client for ECR: manifests by tag or digest, and image configurations as files."""

    def __init__(self, directory):
        self.directory = directory
        self.manifests = {}
        self.exceptions = SimpleNamespace(RepositoryNotFoundException=RepositoryNotFoundException)
        self.asked = []

    def batch_get_image(self, **asked):
        self.asked.append(asked)
        [wanted] = asked["imageIds"]
        found = self.manifests.get(next(iter(wanted.values())))
        if isinstance(found, Exception):
            raise found
        if found is None:
            reason = "Requested image not found"
            return {"images": [], "failures": [{"failureCode": "ImageNotFound", "failureReason": reason}]}
        return {"images": [{"imageManifest": found if isinstance(found, str) else json.dumps(found)}], "failures": []}

    def get_download_url_for_layer(self, **asked):
        return {"downloadUrl": (self.directory / asked["layerDigest"].removeprefix("sha256:")).as_uri()}

    def config(self, text):
        (self.directory / ("c" * 64)).write_text(text if isinstance(text, str) else json.dumps(text))


@pytest.fixture
def ecr(tmp_path):
    return Ecr(tmp_path)


IMAGE = parse_ecr(f"{HOST}/worker:v1")


@pytest.mark.parametrize(
    ("address", "repository", "wanted"),
    [
        (f"{HOST}/worker", "worker", {"imageTag": "latest"}),
        (f"{HOST}/team/worker:v1.2", "team/worker", {"imageTag": "v1.2"}),
        (f"{HOST}/worker@sha256:{'0' * 64}", "worker", {"imageDigest": f"sha256:{'0' * 64}"}),
        (f"{HOST}/worker:v1@sha256:{'0' * 64}", "worker", {"imageDigest": f"sha256:{'0' * 64}"}),
    ],
)
def test_an_address_in_ecr_is_read(address, repository, wanted):
    found = parse_ecr(address)
    assert (found.account, found.region, found.repository, found.wanted) == (
        "123456789012",
        "us-east-1",
        repository,
        wanted,
    )


@pytest.mark.parametrize("address", ["python:3.11", "public.ecr.aws/x/worker:v1", "ghcr.io/x/worker", "", f"{HOST}/"])
def test_what_is_not_in_ecr_is_not_asked_for(address):
    assert parse_ecr(address) is None


def test_labels_and_architecture_are_read_from_the_images_configuration(ecr):
    ecr.manifests["v1"] = {"config": {"digest": CONFIG}}
    ecr.config({"architecture": "arm64", "config": {"Labels": {"org.cloudburst.python": "3.11"}}})
    facts = image_facts(ecr, IMAGE, "ARM64")
    assert facts == ImageFacts(True, "", frozenset({"ARM64"}), {"org.cloudburst.python": "3.11"})
    assert ecr.asked[0]["registryId"] == "123456789012"


def test_of_an_image_for_several_machines_the_right_one_is_read(ecr):
    ecr.manifests["v1"] = {
        "manifests": [
            {"digest": "sha256:arm", "platform": {"os": "linux", "architecture": "arm64"}},
            {"digest": "sha256:amd", "platform": {"os": "linux", "architecture": "amd64"}},
            {"digest": "sha256:attestation", "platform": {"os": "unknown", "architecture": "unknown"}},
        ]
    }
    ecr.manifests["sha256:amd"] = {"config": {"digest": CONFIG}}
    ecr.config({"architecture": "amd64", "config": {"Labels": None}})
    both = frozenset({"ARM64", "X86_64"})
    assert image_facts(ecr, IMAGE, "X86_64") == ImageFacts(True, "", both, {})
    ecr.manifests["v1"]["manifests"].pop(1)
    assert image_facts(ecr, IMAGE, "X86_64") == ImageFacts(True, "", frozenset({"ARM64"}), None)


def test_an_image_that_is_not_there_is_told_in_ecrs_words(ecr):
    assert image_facts(ecr, IMAGE, "X86_64") == ImageFacts(False, "Requested image not found")
    missing = RepositoryNotFoundException(error("RepositoryNotFoundException", "The repository x").response, "x")
    ecr.manifests["v1"] = missing
    assert image_facts(ecr, IMAGE, "X86_64") == ImageFacts(False, "The repository x")


@pytest.mark.parametrize("raised", [DENIED, EndpointConnectionError(endpoint_url="https://ecr")])
def test_what_may_not_be_read_is_left_open(ecr, raised):
    ecr.manifests["v1"] = raised
    assert image_facts(ecr, IMAGE, "X86_64") == ImageFacts()


@pytest.mark.parametrize("manifest", ["no JSON", "[]", {}, {"config": {}}, {"manifests": [3]}, {"config": None}])
def test_a_manifest_that_nobody_can_read_is_an_image_all_the_same(ecr, manifest):
    ecr.manifests["v1"] = manifest
    assert image_facts(ecr, IMAGE, "X86_64") == ImageFacts(is_there=True)


@pytest.mark.parametrize("config", [None, "no JSON", "[]", '{"config": 3}'])
def test_a_configuration_that_cannot_be_had_is_left_open(ecr, config):
    ecr.manifests["v1"] = {"config": {"digest": CONFIG}}
    if config is not None:
        ecr.config(config)
    assert image_facts(ecr, IMAGE, "X86_64") == ImageFacts(is_there=True)
