"""Whose buckets are whose, and what their policies say."""

import json

import boto3
import pytest
from botocore.exceptions import ClientError

from cloudburst.testing import FakeAWS


@pytest.fixture
def s3():
    with FakeAWS(taken_buckets=["theirs"]):
        yield boto3.client("s3")


def test_what_others_have_can_be_neither_read_nor_made(s3):
    for ask in (
        lambda: s3.head_bucket(Bucket="theirs"),
        lambda: s3.list_objects_v2(Bucket="theirs"),
        lambda: s3.put_object(Bucket="theirs", Key="a", Body=b""),
    ):
        with pytest.raises(ClientError, match="403|AccessDenied"):
            ask()
    with pytest.raises(ClientError, match="BucketAlreadyExists"):
        s3.create_bucket(Bucket="theirs")


def test_the_owner_that_is_expected_has_to_be_the_owner(s3):
    s3.create_bucket(Bucket="mine")
    s3.head_bucket(Bucket="mine", ExpectedBucketOwner="123456789012")
    with pytest.raises(ClientError, match="403"):
        s3.head_bucket(Bucket="mine", ExpectedBucketOwner="111111111111")


def deny(**more):
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::mine/*",
        **more,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_policy_that_wants_tls_lets_everything_pass_and_another_does_not(s3):
    s3.create_bucket(Bucket="mine")
    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket="mine")
    s3.put_bucket_policy(Bucket="mine", Policy=deny(Condition={"Bool": {"aws:SecureTransport": "false"}}))
    s3.put_object(Bucket="mine", Key="a", Body=b"1")
    s3.put_bucket_policy(Bucket="mine", Policy=deny())
    assert json.loads(s3.get_bucket_policy(Bucket="mine")["Policy"]) == json.loads(deny())
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket="mine", Key="a", Body=b"2")
    assert s3.get_object(Bucket="mine", Key="a")["Body"].read() == b"1"
    s3.delete_bucket_policy(Bucket="mine")
    s3.put_object(Bucket="mine", Key="a", Body=b"3")


def test_a_bucket_that_is_made_again_has_no_policy(s3):
    s3.create_bucket(Bucket="mine")
    s3.put_bucket_policy(Bucket="mine", Policy=deny())
    s3.delete_bucket(Bucket="mine")
    s3.create_bucket(Bucket="mine")
    s3.put_object(Bucket="mine", Key="a", Body=b"")
