"""The bucket."""

from __future__ import annotations

import boto3
import pytest

from cloudburst.doctor import storage
from cloudburst.errors import AccessDenied, StoreError
from cloudburst.testing import FakeAWS
from tests.doctor.cases import case_of, only


def test_a_bucket_that_does_all_is_well_and_is_left_as_it_was(aws):
    mark, said = only(storage.bucket, case_of(aws))
    assert mark == "well"
    assert said.startswith("s3://cloudburst-fake/pipelines can be listed, read and written")
    assert boto3.client("s3").list_objects_v2(Bucket="cloudburst-fake")["KeyCount"] == 0


def test_a_bucket_that_is_not_there_is_named(aws):
    with pytest.raises(StoreError, match="There is no bucket nobodys-bucket"):
        list(storage.bucket(case_of(aws, storage_bucket="nobodys-bucket")))


def test_a_permission_that_is_missing_is_named():
    lists = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [lists]}
    with FakeAWS(iam=True, caller_policy=policy) as aws, pytest.raises(AccessDenied, match="s3:PutObject"):
        list(storage.bucket(case_of(aws)))
