"""Keys, signatures and policies, where they are enforced."""

from __future__ import annotations

import json
import os
import sys
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.exceptions import ClientError

from cloudburst.testing import FakeAWS
from tests.testing.fargate import FAMILY, order, register, run, stopped

CALLER = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            "Resource": "arn:aws:s3:::${bucket}/${prefix}/*",
        },
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": "arn:aws:s3:::${bucket}",
            "Condition": {"StringLike": {"s3:prefix": "${prefix}/*"}},
        },
        {
            "Effect": "Allow",
            "Action": "ecs:RunTask",
            "Resource": "arn:aws:ecs:${region}:${account}:task-definition/worker:*",
            "Condition": {"ArnEquals": {"ecs:cluster": "arn:aws:ecs:${region}:${account}:cluster/${cluster}"}},
        },
        {
            "Effect": "Allow",
            "Action": ["ecs:DescribeTasks", "ecs:StopTask"],
            "Resource": "arn:aws:ecs:${region}:${account}:task/${cluster}/*",
        },
        {"Effect": "Allow", "Action": "ecs:RegisterTaskDefinition", "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": ["${execution_role}", "${task_role}"],
            "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        },
        {
            "Effect": "Allow",
            "Action": "logs:GetLogEvents",
            "Resource": "arn:aws:logs:${region}:${account}:log-group:${log_group}:*",
        },
    ],
}
TASK = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::${bucket}/${prefix}/*"},
}
TRIES = """
import json, os, sys
from urllib.request import Request, urlopen
import boto3
bucket, keys = sys.argv[1], sys.argv[2:]
for key in keys:
    try:
        boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=b"1")
        print("wrote", key, flush=True)
    except Exception as error:
        print(type(error).__name__, str(error), flush=True)
"""


@pytest.fixture(scope="module")
def aws():
    program = [sys.executable, "-c", TRIES]
    with FakeAWS(time_scale=0.01, iam=True, caller_policy=CALLER, task_policy=TASK, _program=program) as aws:
        register(aws)
        yield aws


def refused(call, **asked):
    with pytest.raises(ClientError) as error:
        call(**asked)
    return error.value.response["Error"]["Code"]


def key(aws, name):
    return {"Bucket": aws.settings["storage_bucket"], "Key": f"{aws.settings['storage_prefix']}/{name}"}


def test_what_is_allowed_passes_with_its_signature(aws):
    s3 = boto3.client("s3")
    s3.put_object(**key(aws, "a b/ü+c"), Body=b"1")
    assert s3.get_object(**key(aws, "a b/ü+c"))["Body"].read() == b"1"
    prefix = f"{aws.settings['storage_prefix']}/a"
    assert s3.list_objects_v2(Bucket=aws.settings["storage_bucket"], Prefix=prefix)["KeyCount"] == 1


def test_other_keys_buckets_and_prefixes_are_refused(aws):
    s3, bucket = boto3.client("s3"), aws.settings["storage_bucket"]
    assert refused(s3.put_object, Bucket=bucket, Key="other/a", Body=b"1") == "AccessDenied"
    assert refused(s3.list_objects_v2, Bucket=bucket, Prefix="other/") == "AccessDenied"
    assert refused(s3.list_objects_v2, Bucket=bucket) == "AccessDenied"
    assert refused(s3.create_bucket, Bucket="another") == "AccessDenied"


def test_a_missing_key_reads_as_forbidden_to_who_may_not_list_it(aws):
    assert refused(boto3.client("s3").get_object, **key(aws, "missing")) == "AccessDenied"
    assert refused(boto3.client("s3").head_object, **key(aws, "missing")) == "403"


def test_only_the_keys_that_are_allowed_are_deleted(aws):
    s3, bucket = boto3.client("s3"), aws.settings["storage_bucket"]
    mine = key(aws, "mine")["Key"]
    s3.put_object(Bucket=bucket, Key=mine, Body=b"1")
    told = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": mine}, {"Key": "other/a"}]})
    assert [one["Key"] for one in told["Deleted"]] == [mine]
    assert [(one["Key"], one["Code"]) for one in told["Errors"]] == [("other/a", "AccessDenied")]


def test_a_wrong_secret_and_a_wrong_key_are_refused(aws):
    keys = {"aws_access_key_id": os.environ["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": "wrong"}
    assert refused(boto3.client("s3", **keys).get_object, **key(aws, "a")) == "SignatureDoesNotMatch"
    assert refused(boto3.client("ecs", **keys).list_clusters) == "InvalidSignatureException"
    keys["aws_access_key_id"] = "AKIA0000"
    assert refused(boto3.client("s3", **keys).get_object, **key(aws, "a")) == "InvalidAccessKeyId"
    assert refused(boto3.client("ecs", **keys).list_clusters) == "UnrecognizedClientException"
    assert refused(boto3.client("iam", **keys).list_roles) == "InvalidClientTokenId"


def test_ecs_is_allowed_by_definition_cluster_and_role(aws):
    ecs = boto3.client("ecs")
    assert refused(ecs.list_tasks, cluster=aws.settings["compute_cluster"]) == "AccessDeniedException"
    assert refused(ecs.run_task, **order(aws, cluster="other")) == "AccessDeniedException"
    tags = [{"key": "a", "value": "b"}]
    assert refused(ecs.run_task, **order(aws, tags=tags)) == "AccessDeniedException"  # it takes ecs:TagResource
    other = {"taskRoleArn": "arn:aws:iam::123456789012:role/admin"}
    with pytest.raises(ClientError, match=r"iam:PassRole on resource: arn:aws:iam::123456789012:role/admin"):
        ecs.run_task(**order(aws, overrides=other))


def test_a_task_has_its_roles_permissions_and_no_more(aws):
    mine = key(aws, "from-a-task")["Key"]
    (task,) = run(aws, command=[aws.settings["storage_bucket"], mine, "other/b"])
    stopped(aws, task)
    printed = aws.logs(task["taskArn"])
    assert f"wrote {mine}" in printed
    assert "AccessDenied" in printed.splitlines()[1]
    assert aws.worker_calls["PutObject"] == 2
    name = task["taskArn"].rpartition("/")[2]
    told = boto3.client("logs").get_log_events(
        logGroupName=aws.settings["log_group"], logStreamName=f"cb/worker/{name}"
    )
    assert len(told["events"]) == 2


def test_policies_that_are_changed_hold_from_then_on(aws):
    policy = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}})
    aws._account.iam.put_user_policy("caller", "denied", policy)
    try:
        assert refused(boto3.client("s3").put_object, **key(aws, "a"), Body=b"1") == "AccessDenied"
    finally:
        aws._account.iam.delete_user_policy("caller", "denied")
    boto3.client("s3").put_object(**key(aws, "a"), Body=b"1")


def test_a_definition_takes_the_right_to_pass_its_roles(aws):
    asked = {
        "family": FAMILY,
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "taskRoleArn": "arn:aws:iam::123456789012:role/admin",
        "containerDefinitions": [{"name": "worker", "image": "python"}],
    }
    assert refused(boto3.client("ecs").register_task_definition, **asked) == "AccessDeniedException"


def test_credentials_are_given_to_their_task_alone(aws):
    from urllib.error import HTTPError

    (task,) = run(aws, command=[aws.settings["storage_bucket"]])
    stopped(aws, task)
    url = f"{aws.settings['endpoint_url']}/v2/credentials/{task['taskArn'].rpartition('/')[2]}"
    with pytest.raises(HTTPError, match="401"):
        urlopen(Request(url, headers={"Authorization": "guessed"}))


def test_keys_of_the_kms_are_needed_for_what_they_encrypt(aws):
    encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "1234"}
    with pytest.raises(ClientError, match="kms:GenerateDataKey"):
        boto3.client("s3").put_object(**key(aws, "secret"), Body=b"1", **encrypted)
