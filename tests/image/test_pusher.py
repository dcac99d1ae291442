"""The least policy of those who push images: with it alone a push goes through, and what lacks is named."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError

from cloudburst.aws.policies import PUSHER, policy
from cloudburst.errors import ImageError
from cloudburst.image.ecr import Ecr
from cloudburst.runtime.backends.engine import find_engine
from cloudburst.testing import FakeAWS
from cloudburst.testing.policies import Need, allows
from tests.runtime.backends.engines import PlayedEngine

PUSH = """
    ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:InitiateLayerUpload ecr:UploadLayerPart
    ecr:CompleteLayerUpload ecr:PutImage
""".split()
"""What ECR asks of those who push, as its user guide has it; an engine asks for it, and not boto3."""


def without(*statements: str):
    read = policy(PUSHER)
    read["Statement"] = [one for one in read["Statement"] if one["Sid"] not in statements]
    return read


@pytest.fixture(autouse=True)
def engine(tmp_path, monkeypatch):
    """Docker, as far as it logs in."""
    played = PlayedEngine(tmp_path / "engine")
    monkeypatch.setenv("PATH", str(played.path))
    return find_engine()


def looked_made_and_logged_in(aws: FakeAWS, engine) -> str | None:
    """What boto3 is asked for a push, in the order of ``cloudburst image``."""
    ecr = Ecr("cloudburst", "us-east-1", aws.settings["endpoint_url"])
    before = ecr.uri()
    if before is None or ecr.digest("new") is None:
        if before is None:
            ecr.make()
        ecr.log_in(engine)
    if before is None:
        aws.push("cloudburst")
    return ecr.digest("latest")


@pytest.mark.parametrize("furnished", [True, False])
def test_with_it_alone_an_image_is_looked_for_and_pushed(furnished, engine):
    with FakeAWS(iam=True, caller_policy=policy(PUSHER), furnished=furnished) as aws:
        digest = looked_made_and_logged_in(aws, engine)
        assert digest is not None
        assert digest.startswith("sha256:")


@pytest.mark.parametrize(
    ("statement", "permission"),
    [
        ("LogInToTheRegistry", "ecr:GetAuthorizationToken"),
        ("LookForTheImage", "ecr:DescribeRepositories"),
        ("MakeTheRepository", "ecr:CreateRepository"),
    ],
)
def test_a_permission_that_is_missing_is_named_with_where_all_stand(statement, permission, engine):
    with (
        FakeAWS(iam=True, caller_policy=without(statement), furnished=False) as aws,
        pytest.raises(ImageError, match=f"may not use {permission} on 'cloudburst': .*docs/iam/pusher.json"),
    ):
        looked_made_and_logged_in(aws, engine)


def test_where_the_repository_is_there_nobody_has_to_be_allowed_to_make_it(engine):
    with FakeAWS(iam=True, caller_policy=without("MakeTheRepository")) as aws:
        assert looked_made_and_logged_in(aws, engine)


def test_it_is_for_the_one_repository_and_for_nothing_else(engine):
    with FakeAWS(iam=True, caller_policy=policy(PUSHER)) as aws:
        with pytest.raises(ImageError, match="may not use ecr:DescribeRepositories on 'another'"):
            Ecr("another", "us-east-1", aws.settings["endpoint_url"]).uri()
        with pytest.raises(ClientError, match="AccessDenied"):
            boto3.client("s3").list_objects_v2(Bucket=aws.settings["storage_bucket"])


@pytest.mark.parametrize("action", PUSH)
def test_what_the_engine_does_there_is_allowed_for_that_repository_alone(action):
    mine, another = (policy(PUSHER)["Statement"][-1]["Resource"].replace("${repository}", one) for one in "ab")
    read = policy(PUSHER)
    for statement in read["Statement"]:
        statement["Resource"] = statement["Resource"].replace("${repository}", "a")
    assert allows([read], Need(action, (mine,)))
    assert not allows([read], Need(action, (another,)))
    assert [one["Sid"] for one in read["Statement"] if action in one["Action"]] == ["PushTheImage"]
