"""Which permissions a request needs on AWS: the table of actions and resources of the services that pipelines use."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from cloudburst.testing.account import ID, Account
from cloudburst.testing.operations import Request
from cloudburst.testing.policies import Need

_OF_OBJECTS = {
    "HeadObject": "GetObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
    "CopyObject": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "ListParts": "ListMultipartUploadParts",
}
_OF_BUCKETS = {
    "ListObjectsV2": "ListBucket",
    "ListObjects": "ListBucket",
    "HeadBucket": "ListBucket",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
}
_ACTIONS = {"monitoring": "cloudwatch"}
"""What policies call services that sign under another name."""
_KEY = re.compile(rb"<Key>(.*?)</Key>", re.DOTALL)


def needs(request: Request, account: Account) -> list[Need]:
    """All that a request needs; nothing for what everybody may."""
    of = _SERVICES.get(request.service)
    if of is not None:
        return of(request, account)
    service = _ACTIONS.get(request.service, request.service)
    return [Need(f"{service}:{request.operation}")] if service != "sts" else []


def _s3(request: Request, account: Account) -> list[Need]:
    bucket, key = request.bucket_and_key
    arn, operation = f"arn:aws:s3:::{bucket}", request.operation
    if operation == "DeleteObjects":
        return [Need("s3:DeleteObject", (f"{arn}/{one}",)) for one in deleted_keys(request.body)]
    if not key:
        context = {f"s3:{name}": values[0] for name, values in request.query.items()}
        return [Need(f"s3:{_OF_BUCKETS.get(operation, operation)}", (arn if bucket else "*",), context)]
    needed = [Need(f"s3:{_OF_OBJECTS.get(operation, operation)}", (f"{arn}/{key}",))]
    if operation in {"GetObject", "HeadObject"}:
        needed += _reading(account, bucket, key)
    if operation in {"CopyObject", "UploadPartCopy"}:
        source = unquote(request.environ["HTTP_X_AMZ_COPY_SOURCE"]).lstrip("/").partition("?")[0]
        of, _, copied = source.partition("/")
        needed += [Need("s3:GetObject", (f"arn:aws:s3:::{of}/{copied}",)), *_reading(account, of, copied)]
    if operation in {"PutObject", "CopyObject", "CreateMultipartUpload"}:
        encryption = request.environ.get("HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION")
        if encryption == "aws:kms":
            key_id = request.environ.get("HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION_AWS_KMS_KEY_ID", "")
            needed.append(Need("kms:GenerateDataKey", (_kms_arn(account, key_id),)))
            if operation == "CreateMultipartUpload":
                needed.append(Need("kms:Decrypt", (_kms_arn(account, key_id),)))
    return needed


def policies_of(account: Account, name: str, *, is_role: bool) -> list[Any]:
    """The policies of a user or a role: its own, and those attached to it. ``LookupError`` if there is none."""
    iam = account.iam
    owner = iam.get_role(name) if is_role else iam.users[name]
    own = [json.loads(one) if isinstance(one, str) else one for one in owner.policies.values()]
    attached = [
        json.loads(version.document)
        for managed in owner.managed_policies.values()
        for version in managed.versions
        if version.is_default
    ]
    return own + attached


def _reading(account: Account, bucket: str, key: str) -> list[Need]:
    """What it takes besides to read an object."""
    there = bucket in account.s3.buckets and account.s3.buckets[bucket].keys.get(key)
    if not there:  # AWS tells that a key is missing only to those who may list
        return [Need("s3:ListBucket", (f"arn:aws:s3:::{bucket}",))]
    return [Need("kms:Decrypt", (_kms_arn(account, there.kms_key_id or ""),))] if there.encryption == "aws:kms" else []


def deleted_keys(body: bytes) -> list[str]:
    """The keys that a DeleteObjects names."""
    from xml.sax.saxutils import unescape

    return [unescape(key.decode()) for key in _KEY.findall(body)]


def _kms_arn(account: Account, key: str) -> str:
    return key if key.startswith("arn:") else f"arn:aws:kms:{account.region}:{ID}:key/{key}"


def _ecs(request: Request, account: Account) -> list[Need]:
    asked, operation, place = request.parameters, request.operation, f"arn:aws:ecs:{account.region}:{ID}"
    cluster = str(asked.get("cluster") or "default").rpartition("/")[2]
    context = {"ecs:cluster": f"{place}:cluster/{cluster}"}
    action = f"ecs:{operation}"
    match operation:
        case "RunTask":
            definition = _definition(account, str(asked.get("taskDefinition", "")))
            arn = definition.arn if definition else f"{place}:task-definition/{asked.get('taskDefinition')}"
            tasks = f"{place}:task/{cluster}/*"
            return [
                Need(action, (arn,), context),
                *_tagging(asked, operation, tasks),
                *_passing(asked.get("overrides") or {}, definition),
            ]
        case "RegisterTaskDefinition":
            arn = f"{place}:task-definition/{asked.get('family')}:*"
            return [Need(action, ("*", arn)), *_tagging(asked, operation, arn), *_passing(asked, None)]
        case "DescribeTasks" | "StopTask":
            wanted = asked.get("tasks") or [asked.get("task", "")]
            return [Need(action, (f"{place}:task/{cluster}/{str(one).rpartition('/')[2]}",), context) for one in wanted]
        case "ListTasks":
            return [Need(action, ("*", f"{place}:container-instance/{cluster}/*"), context)]
        case "DescribeClusters":
            return [
                Need(action, (f"{place}:cluster/{str(one).rpartition('/')[2]}",))
                for one in asked.get("clusters") or ["default"]
            ]
        case "PutClusterCapacityProviders":
            return [Need(action, (context["ecs:cluster"],))]
    return [Need(action)]


def _tagging(asked: Mapping[str, Any], operation: str, arn: str) -> list[Need]:
    if not asked.get("tags"):
        return []
    tags = {f"aws:requesttag/{tag['key'].lower()}": str(tag.get("value", "")) for tag in asked["tags"]}
    return [Need("ecs:TagResource", (arn,), {"ecs:createaction": operation, **tags})]


def _passing(given: Mapping[str, Any], definition: Any) -> list[Need]:
    roles = [
        given.get(f"{kind}RoleArn") or getattr(definition, f"{kind}_role_arn", None) for kind in ("execution", "task")
    ]
    context = {"iam:passedtoservice": "ecs-tasks.amazonaws.com"}
    return [Need("iam:PassRole", (role,), context) for role in roles if role]


def _definition(account: Account, name: str) -> Any:
    family, _, revision = name.rpartition("/")[2].partition(":")
    known = account.ecs.task_definitions.get(family, {})
    return known.get(int(revision) if revision.isdigit() else max(known, default=0))


def _logs(request: Request, account: Account) -> list[Need]:
    asked = request.parameters
    group, stream = str(asked.get("logGroupName", "")), str(asked.get("logStreamName", ""))
    arn = f"arn:aws:logs:{account.region}:{ID}:log-group:{group}"
    return [Need(f"logs:{request.operation}", (f"{arn}:log-stream:{stream}",))]


def _ecr(request: Request, account: Account) -> list[Need]:
    action, asked = f"ecr:{request.operation}", request.parameters
    if request.operation == "GetAuthorizationToken":
        return [Need(action)]
    names = asked.get("repositoryNames") or [asked.get("repositoryName", "*")]
    return [Need(action, (f"arn:aws:ecr:{account.region}:{ID}:repository/{name}",)) for name in names]


def _secretsmanager(request: Request, account: Account) -> list[Need]:
    name = str(request.parameters.get("SecretId", "*"))
    arn = name if name.startswith("arn:") else f"arn:aws:secretsmanager:{account.region}:{ID}:secret:{name}-AbCdEf"
    return [Need(f"secretsmanager:{request.operation}", (arn,))]


def _ssm(request: Request, account: Account) -> list[Need]:
    names = request.parameters.get("Names") or [request.parameters.get("Name", "*")]
    place = f"arn:aws:ssm:{account.region}:{ID}:parameter/"
    return [
        Need(f"ssm:{request.operation}", (name if name.startswith("arn:") else place + name.lstrip("/"),))
        for name in names
    ]


def _iam(request: Request, _: Account) -> list[Need]:
    if request.operation == "SimulatePrincipalPolicy":
        return [Need("iam:SimulatePrincipalPolicy", (str(request.parameters.get("PolicySourceArn", "*")),))]
    role = request.parameters.get("RoleName")
    return [Need(f"iam:{request.operation}", (f"arn:aws:iam::{ID}:role/{role}",) if role else ("*",))]


_SERVICES: dict[str, Callable[[Request, Account], list[Need]]] = {
    "s3": _s3,
    "ecs": _ecs,
    "logs": _logs,
    "ecr": _ecr,
    "secretsmanager": _secretsmanager,
    "ssm": _ssm,
    "iam": _iam,
}
