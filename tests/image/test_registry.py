"""Registries: ECR on the fake AWS, others through a played engine."""

import json

import boto3
import pytest

from cloudburst.errors import ImageError, SettingsError
from cloudburst.image.ecr import Ecr
from cloudburst.image.registry import Elsewhere, registry_of
from cloudburst.runtime.backends.engine import find_engine
from cloudburst.testing import FakeAWS
from tests.runtime.backends.engines import PlayedEngine

DIGEST = "sha256:" + "1" * 64


@pytest.fixture(scope="module")
def aws():
    with FakeAWS() as aws:
        yield aws


@pytest.fixture
def played(tmp_path, monkeypatch):
    played = PlayedEngine(tmp_path / "engine")
    monkeypatch.setenv("PATH", str(played.path))
    return played


def ecr(aws, name, **more):
    return Ecr(name, "us-east-1", aws.settings["endpoint_url"], **more)


def test_a_repository_is_made_when_it_is_missing_and_once(aws):
    mine = ecr(aws, "team/mine")
    assert mine.uri() is None
    assert mine.make() == "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/mine"
    assert ecr(aws, "team/mine").uri() == ecr(aws, "team/mine").make() == mine.uri()


def test_what_lies_under_a_tag_is_told_by_its_digest(aws):
    there = boto3.client("ecr").describe_images(repositoryName="cloudburst", imageIds=[{"imageTag": "latest"}])
    assert ecr(aws, "cloudburst").digest("latest") == there["imageDetails"][0]["imageDigest"]
    assert ecr(aws, "cloudburst").digest("nothing") is None


def test_the_engine_gets_the_password_and_its_arguments_do_not(aws, played):
    ecr(aws, "cloudburst").log_in(find_engine())
    [(arguments, _)] = played.asked("login")
    host = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
    assert arguments == ["login", "--username", "AWS", "--password-stdin", host]


def test_a_refused_login_does_not_tell_the_password(aws, played):
    played.refuses("login", "unauthorized: 123456789012-auth-token is wrong")
    with pytest.raises(ImageError, match=r"Docker could not log in.*unauthorized: \*\*\* is wrong"):
        ecr(aws, "cloudburst").log_in(find_engine())


def test_amazons_own_credential_helper_is_let_do_its_work(aws, played):
    played.refuses("login", "Error saving credentials: error storing credentials - out: `not implemented`")
    ecr(aws, "cloudburst").log_in(find_engine())
    assert len(played.asked("login")) == 1, "it was tried, and no error came of it"


def test_without_credentials_the_mend_is_said(aws, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(ImageError, match=r"without credentials.*aws sso login.*--no-push"):
        ecr(aws, "cloudburst").uri()


def test_without_a_region_the_mend_is_said(aws, monkeypatch, tmp_path):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(SettingsError, match=r"Name the region \(region='us-east-1'"):
        Ecr("cloudburst", None, None)


def test_what_a_policy_does_not_allow_is_named():
    from botocore.stub import Stubber

    mine = Ecr("mine", "us-east-1", "http://127.0.0.1:9")
    with Stubber(mine._client) as answers:
        answers.add_client_error("describe_repositories", "AccessDeniedException", "no")
        with pytest.raises(ImageError, match=r"may not use ecr:DescribeRepositories on 'mine'"):
            mine.uri()
        answers.add_client_error("create_repository", "LimitExceededException", "too many")
        with pytest.raises(ImageError, match=r"ecr:CreateRepository on 'mine' \(LimitExceededException: too many\)"):
            mine.make()


def test_an_address_of_ecr_is_asked_in_its_own_region_and_account(aws):
    address = "123456789012.dkr.ecr.us-east-1.amazonaws.com/cloudburst"
    assert registry_of(address, "eu-west-1", aws.settings["endpoint_url"], None).uri() == address


# ---------------------------------------------------------------- other registries


def elsewhere(address="ghcr.io/team/worker"):
    return registry_of(address, None, None, find_engine())


def test_another_registry_is_asked_through_the_engine(played):
    played.answers("manifest inspect", json.dumps({"Descriptor": {"digest": DIGEST}}))
    assert isinstance(elsewhere(), Elsewhere)
    assert (elsewhere().uri(), elsewhere().make()) == ("ghcr.io/team/worker",) * 2
    assert elsewhere().digest("1") == DIGEST
    assert played.asked("manifest")[0][0] == ["manifest", "inspect", "--verbose", "ghcr.io/team/worker:1"]


def test_a_registry_on_this_machine_needs_no_certificate(played):
    played.answers("manifest inspect", json.dumps([{"Descriptor": {"digest": DIGEST}}]))
    assert elsewhere("localhost:5000/worker").digest("1") == ""  # an image for more than one platform
    assert "--insecure" in played.asked("manifest")[0][0]


@pytest.mark.parametrize("said", ["no such manifest: ghcr.io/team/worker:1", "manifest unknown", "name unknown"])
def test_what_is_not_there_is_not_there(played, said):
    played.refuses("manifest inspect", said)
    assert elsewhere().digest("1") is None


def test_a_registry_that_refuses_is_named_with_the_mend(played):
    played.refuses("manifest inspect", "unauthorized: authentication required")
    with pytest.raises(ImageError, match=r"ghcr\.io/team/worker:1 could not be looked for.*docker login ghcr\.io"):
        elsewhere().digest("1")


def test_without_an_engine_another_registry_cannot_be_asked():
    with pytest.raises(ImageError, match="neither is installed"):
        registry_of("ghcr.io/team/worker", None, None, None)
