"""Which permissions requests need: the table, service by service."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import pytest

from cloudburst.testing.account import Account
from cloudburst.testing.operations import Request, s3_operation
from cloudburst.testing.permissions import needs

ECS, ECR = "AmazonEC2ContainerServiceV20141113", "AmazonEC2ContainerRegistry_V20150921"
HERE = "us-east-1:123456789012"


@pytest.fixture
def account(monkeypatch):
    account = Account("us-east-1")
    there = SimpleNamespace(encryption="aws:kms", kms_key_id="1234")
    bucket = SimpleNamespace(keys={"there": there, "plain": SimpleNamespace(encryption=None)})
    definition = SimpleNamespace(arn="definition:7", execution_role_arn="execution", task_role_arn="task")
    account.__dict__["s3"] = SimpleNamespace(buckets={"b": bucket})
    account.__dict__["ecs"] = SimpleNamespace(task_definitions={"f": {7: definition}})
    return account


def request(service, *, target="", asked=None, method="POST", path="/", query="", body=None, **headers):
    text = json.dumps(asked or {}).encode() if body is None else body
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(text)),
        "wsgi.input": io.BytesIO(text),
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/{service}/aws4_request, x",
        **headers,
    }
    if target:
        environ["HTTP_X_AMZ_TARGET"] = target
    return Request(environ)


def needed(account, *args, **more):
    return [(need.action, need.resources[0]) for need in needs(request(*args, **more), account)]


KMS = "arn:aws:kms:us-east-1:123456789012:key/1234"


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "expected"),
    [
        ("GET", "/b/plain", "", {}, [("s3:GetObject", "b/plain")]),
        ("GET", "/b/there", "", {}, [("s3:GetObject", "b/there"), ("kms:Decrypt", KMS)]),
        ("HEAD", "/b/gone", "", {}, [("s3:GetObject", "b/gone"), ("s3:ListBucket", "b")]),
        ("GET", "/other/gone", "", {}, [("s3:GetObject", "other/gone"), ("s3:ListBucket", "other")]),
        ("PUT", "/b/k", "", {}, [("s3:PutObject", "b/k")]),
        ("PUT", "/b/k", "partNumber=1&uploadId=x", {}, [("s3:PutObject", "b/k")]),
        ("POST", "/b/k", "uploads=", {}, [("s3:PutObject", "b/k")]),
        (
            "POST",
            "/b/k",
            "uploads=",
            {
                "HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION": "aws:kms",
                "HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION_AWS_KMS_KEY_ID": KMS,
            },
            [("s3:PutObject", "b/k"), ("kms:GenerateDataKey", KMS), ("kms:Decrypt", KMS)],
        ),
        (
            "PUT",
            "/b/k",
            "",
            {"HTTP_X_AMZ_COPY_SOURCE": "b/plain"},
            [("s3:PutObject", "b/k"), ("s3:GetObject", "b/plain")],
        ),
        (
            "PUT",
            "/b/k",
            "partNumber=1&uploadId=x",
            {"HTTP_X_AMZ_COPY_SOURCE": "/b/there?versionId=1"},
            [("s3:PutObject", "b/k"), ("s3:GetObject", "b/there"), ("kms:Decrypt", KMS)],
        ),
        (
            "PUT",
            "/b/k",
            "",
            {
                "HTTP_X_AMZ_COPY_SOURCE": "b/go%6Ee",
                "HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION": "aws:kms",
                "HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION_AWS_KMS_KEY_ID": KMS,
            },
            [("s3:PutObject", "b/k"), ("s3:GetObject", "b/gone"), ("s3:ListBucket", "b"), ("kms:GenerateDataKey", KMS)],
        ),
        ("DELETE", "/b/k", "uploadId=x", {}, [("s3:AbortMultipartUpload", "b/k")]),
        ("DELETE", "/b/k", "", {}, [("s3:DeleteObject", "b/k")]),
        ("GET", "/b", "list-type=2&prefix=a/", {}, [("s3:ListBucket", "b")]),
        ("HEAD", "/b", "", {}, [("s3:ListBucket", "b")]),
        ("GET", "/", "", {}, [("s3:ListAllMyBuckets", "*")]),
    ],
)
def test_s3(account, method, path, query, headers, expected):
    arns = [(action, name if name in {"*", KMS} else f"arn:aws:s3:::{name}") for action, name in expected]
    assert needed(account, "s3", method=method, path=path, query=query, body=b"", **headers) == arns


def test_a_listing_has_its_prefix_in_the_context(account):
    (need,) = needs(request("s3", method="GET", path="/b", query="list-type=2&prefix=a/", body=b""), account)
    assert need.context["s3:prefix"] == "a/"


def test_each_deleted_key_is_needed(account):
    body = b"<Delete><Object><Key>a</Key></Object><Object><Key>b&amp;c</Key></Object></Delete>"
    assert needed(account, "s3", path="/b", query="delete=", body=body) == [
        ("s3:DeleteObject", "arn:aws:s3:::b/a"),
        ("s3:DeleteObject", "arn:aws:s3:::b/b&c"),
    ]


@pytest.mark.parametrize(
    ("operation", "asked", "expected"),
    [
        (
            "RunTask",
            {"cluster": "c", "taskDefinition": "f:7"},
            [("ecs:RunTask", "definition:7"), ("iam:PassRole", "execution"), ("iam:PassRole", "task")],
        ),
        (
            "RunTask",
            {"cluster": "c", "taskDefinition": "f", "overrides": {"taskRoleArn": "mine"}, "tags": [{"key": "a"}]},
            [
                ("ecs:RunTask", "definition:7"),
                ("ecs:TagResource", f"arn:aws:ecs:{HERE}:task/c/*"),
                ("iam:PassRole", "execution"),
                ("iam:PassRole", "mine"),
            ],
        ),
        ("RunTask", {"taskDefinition": "other"}, [("ecs:RunTask", f"arn:aws:ecs:{HERE}:task-definition/other")]),
        ("RegisterTaskDefinition", {"family": "f"}, [("ecs:RegisterTaskDefinition", "*")]),
        ("DescribeTasks", {"cluster": "c", "tasks": ["x"]}, [("ecs:DescribeTasks", f"arn:aws:ecs:{HERE}:task/c/x")]),
        ("StopTask", {"cluster": "c", "task": "a/x"}, [("ecs:StopTask", f"arn:aws:ecs:{HERE}:task/c/x")]),
        ("ListTasks", {"cluster": "c"}, [("ecs:ListTasks", "*")]),
        ("DescribeClusters", {"clusters": ["c"]}, [("ecs:DescribeClusters", f"arn:aws:ecs:{HERE}:cluster/c")]),
        (
            "PutClusterCapacityProviders",
            {"cluster": "c"},
            [("ecs:PutClusterCapacityProviders", f"arn:aws:ecs:{HERE}:cluster/c")],
        ),
        ("DescribeTaskDefinition", {"taskDefinition": "f"}, [("ecs:DescribeTaskDefinition", "*")]),
    ],
)
def test_ecs(account, operation, asked, expected):
    assert needed(account, "ecs", target=f"{ECS}.{operation}", asked=asked) == expected


@pytest.mark.parametrize(
    ("service", "target", "asked", "expected"),
    [
        (
            "logs",
            "Logs_20140328.GetLogEvents",
            {"logGroupName": "/g", "logStreamName": "s"},
            ("logs:GetLogEvents", f"arn:aws:logs:{HERE}:log-group:/g:log-stream:s"),
        ),
        (
            "logs",
            "Logs_20140328.DescribeLogGroups",
            {},
            ("logs:DescribeLogGroups", f"arn:aws:logs:{HERE}:log-group::log-stream:"),
        ),
        ("ecr", f"{ECR}.GetAuthorizationToken", {}, ("ecr:GetAuthorizationToken", "*")),
        (
            "ecr",
            f"{ECR}.BatchGetImage",
            {"repositoryName": "r"},
            ("ecr:BatchGetImage", f"arn:aws:ecr:{HERE}:repository/r"),
        ),
        (
            "secretsmanager",
            "secretsmanager.GetSecretValue",
            {"SecretId": "s"},
            ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{HERE}:secret:s-AbCdEf"),
        ),
        (
            "ssm",
            "AmazonSSM.GetParameters",
            {"Names": ["/a/b"]},
            ("ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/a/b"),
        ),
        ("events", "AWSEvents.ListRules", {}, ("awsevents:ListRules", "*")),
    ],
)
def test_other_services(account, service, target, asked, expected):
    assert needed(account, service, target=target, asked=asked) == [expected]


def test_forms_name_their_action(account):
    body = b"Action=GetRole&RoleName=r&Version=2010-05-08"
    assert needed(account, "iam", body=body) == [("iam:GetRole", "arn:aws:iam::123456789012:role/r")]
    assert needed(account, "sts", body=b"Action=GetCallerIdentity") == []


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "operation"),
    [
        ("PUT", "/b/k", {}, {"HTTP_X_AMZ_COPY_SOURCE": "x"}, "CopyObject"),
        ("PUT", "/b/k", {"partNumber": "1"}, {"HTTP_X_AMZ_COPY_SOURCE": "x"}, "UploadPartCopy"),
        ("PUT", "/b", {}, {}, "CreateBucket"),
        ("POST", "/b", {"delete": ""}, {}, "DeleteObjects"),
        ("GET", "/b", {"location": ""}, {}, "GetBucketLocation"),
        ("PATCH", "/b", {}, {}, "PATCH"),
    ],
)
def test_s3_operations_are_named(method, path, query, headers, operation):
    assert s3_operation(method, path, query, headers) == operation
