"""The settings of pipelines on AWS, checked before anything is started. What only AWS can tell is asked later."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from cloudburst.errors import ResourceError, SettingsError, StoreError
from cloudburst.resources import Size, parse_size

Architecture = Literal["X86_64", "ARM64"]

AUTO = "auto"
"""The image that is made of the environment at hand."""
DEFAULT_CPU, DEFAULT_MEMORY = 2048, 8192
MAX_WORKERS = 100
LINGER_S = 10.0
"""Long enough for the next task to come, which takes a second or two."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._/-]{0,199}")
_CLUSTER = re.compile(r"[A-Za-z0-9_-]{1,255}|arn:aws[\w-]*:ecs:[a-z0-9-]+:\d+:cluster/[A-Za-z0-9_-]{1,255}")
_ROLE = re.compile(r"arn:aws[\w-]*:iam::\d+:role/[\w+=,.@/-]{1,512}")
_SUBNET = re.compile(r"subnet-[a-z0-9]+")
_GROUP = re.compile(r"sg-[a-z0-9]+")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_LOG_GROUP = re.compile(r"[A-Za-z0-9._/#-]{1,512}")
_TAG_NAME = re.compile(r"[\w .:/=+@-]{1,128}")
_TAG = re.compile(r"[\w .:/=+@-]{0,256}")
_MOST_TAGS = 40


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """How pipelines run on AWS. The names are those of ``cb.init_aws``, where each is described."""

    storage_bucket: str
    compute_cluster: str
    compute_subnets: tuple[str, ...]
    compute_image: str
    compute_execution_role: str
    compute_task_role: str
    region: str
    compute_assign_public_ip: bool = False
    compute_security_groups: tuple[str, ...] = ()
    storage_prefix: str = ""
    storage_kms_key: str | None = None
    spot: bool = False
    architecture: Architecture = "X86_64"
    max_workers: int = MAX_WORKERS
    linger_s: float = LINGER_S
    keep_warm_s: float | None = None
    log_group: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    endpoint_url: str | None = None
    default_size: Size = Size(DEFAULT_CPU, DEFAULT_MEMORY)


def aws_settings(**given: Any) -> AwsSettings:
    """Check settings.

    Parameters
    ----------
    **given
        As ``cb.init_aws`` takes them.

    Raises
    ------
    SettingsError
        Naming the setting, what is wrong, and what would be right.
    """
    _need_boto3()
    spot, public = _flag("spot", given["spot"]), _flag("compute_assign_public_ip", given["compute_assign_public_ip"])
    linger_s, keep_warm_s = _waits(given["linger"], given["keep_warm"])
    return AwsSettings(
        storage_bucket=_bucket(given["storage_bucket"]),
        compute_cluster=_text("compute_cluster", given["compute_cluster"], _CLUSTER, "the cluster's name or ARN"),
        compute_subnets=_several("compute_subnets", given["compute_subnets"], _SUBNET, "subnet-0abc", least=1, most=16),
        compute_image=_image(given["compute_image"]),
        compute_execution_role=_role("compute_execution_role", given["compute_execution_role"]),
        compute_task_role=_role("compute_task_role", given["compute_task_role"]),
        region=_region(given["region"]),
        compute_assign_public_ip=public,
        compute_security_groups=_several(
            "compute_security_groups", given["compute_security_groups"] or (), _GROUP, "sg-0abc", least=0, most=5
        ),
        storage_prefix=_prefix(given["storage_prefix"]),
        storage_kms_key=_kms_key(given["storage_kms_key"]),
        spot=spot,
        architecture=_architecture(given["architecture"]),
        max_workers=_count("max_workers", given["max_workers"]),
        linger_s=linger_s,
        keep_warm_s=keep_warm_s,
        log_group=_optional("log_group", given["log_group"], _LOG_GROUP, "the name of a CloudWatch log group"),
        tags=_tags(given["tags"]),
        endpoint_url=_endpoint(given["endpoint_url"]),
        default_size=_default_size(given["default_cpu"], given["default_memory"])._replace(spot=spot or None),
    )


def _need_boto3() -> None:
    from importlib.util import find_spec

    if find_spec("boto3") is None:
        raise SettingsError("cb.init_aws(...) needs boto3, which is not installed: pip install 'cloudburst[aws]'.")


def _wrong(name: str, value: object, right: str) -> SettingsError:
    return SettingsError(f"{name}={value!r} cannot be: it is {right}.")


def _text(name: str, value: object, pattern: re.Pattern[str], right: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _wrong(name, value, right)
    return value


def _optional(name: str, value: object, pattern: re.Pattern[str], right: str) -> str | None:
    return None if value is None else _text(name, value, pattern, right)


def _bucket(value: object) -> str:
    if isinstance(value, str) and value.startswith(("s3://", "arn:")):
        bare = value.removeprefix("s3://").rpartition(":")[2].partition("/")[0]
        raise SettingsError(f"storage_bucket={value!r} cannot be: give the name alone, storage_bucket={bare!r}.")
    right = "the name of an S3 bucket: 3 to 63 of a-z, 0-9, '.' and '-', with a letter or digit at both ends"
    if isinstance(value, str) and ".." in value:
        raise _wrong("storage_bucket", value, right)
    return _text("storage_bucket", value, _BUCKET, right)


def _prefix(value: object) -> str:
    if value in (None, ""):
        return ""
    right = "what keys in the bucket begin with, such as 'team/cloudburst': letters, digits, '.', '_', '-' and '/'"
    bare = value.strip("/") if isinstance(value, str) else value
    text = _text("storage_prefix", bare, _PREFIX, right)
    if any(not part or part.startswith(".") for part in text.split("/")):
        raise _wrong("storage_prefix", value, f"{right}; no part of it is empty or begins with a dot")
    return text


def _several(
    name: str, value: object, pattern: re.Pattern[str], example: str, *, least: int, most: int
) -> tuple[str, ...]:
    right = f"a list of {least} to {most} ids such as {example!r}"
    if isinstance(value, str) or not isinstance(value, Sequence):
        mend = f"{name}=[{value!r}]" if isinstance(value, str) else ""
        raise _wrong(name, value, f"{right}{f': write {mend}' if mend else ''}")
    if not least <= len(value) <= most:
        raise _wrong(name, value, right)
    for one in value:
        if not isinstance(one, str) or not pattern.fullmatch(one):
            raise SettingsError(f"{name} has {one!r}, which is no id such as {example!r}.")
    return tuple(value)


def _image(value: object) -> str:
    if not isinstance(value, str) or not value or len(value) > 1024 or any(one.isspace() for one in value):
        raise _wrong("compute_image", value, "an image with its tag: 12345.dkr.ecr.us-east-1.amazonaws.com/name:tag")
    return value


def _role(name: str, value: object) -> str:
    return _text(name, value, _ROLE, "the ARN of a role: arn:aws:iam::12345:role/name")


def _region(value: object) -> str:
    if value is None:
        value = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or _region_of_profile()
    if value is None:
        raise SettingsError(
            "region is missing: neither the call, nor AWS_REGION, nor your AWS profile names one. "
            "Give it, as in cb.init_aws(region='us-east-1', ...)."
        )
    return _text("region", value, _REGION, "the name of an AWS region, such as 'us-east-1'")


def _region_of_profile() -> str | None:
    from cloudburst.runtime.stores.s3_client import configured_region

    try:
        return configured_region()
    except StoreError as error:
        raise SettingsError(f"region is missing, and your AWS profile does not tell it: {error}") from None


def _kms_key(value: object) -> str | None:
    right = "the id, ARN or alias of a KMS key"
    return _optional("storage_kms_key", value, re.compile(r"[A-Za-z0-9:/_-]{1,2048}"), right)


def _architecture(value: object) -> Architecture:
    if value not in get_args(Architecture):
        raise _wrong("architecture", value, "'X86_64' or 'ARM64', as the image was built")
    return value  # type: ignore[return-value]


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong(name, value, "True or False")
    return value


def _count(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _wrong(name, value, "how many workers there may be at once, 1 or more")
    return value


def seconds(name: str, value: object) -> float:
    """Check a number of seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise _wrong(name, value, "a number of seconds, 0 or more")
    return float(value)


def _waits(linger: object, keep_warm: object) -> tuple[float, float | None]:
    linger_s = LINGER_S if linger is None else seconds("linger", linger)
    keep_warm_s = None if keep_warm is None else seconds("keep_warm", keep_warm)
    if linger_s == 0 and keep_warm_s:
        raise SettingsError(
            f"linger={linger!r} gives every task a machine of its own, and keep_warm={keep_warm!r} keeps machines for "
            "others: leave one of them out."
        )
    return linger_s, keep_warm_s


def _tags(value: object) -> dict[str, str]:
    if value is None:
        return {}
    right = f"a dict of at most {_MOST_TAGS} texts by name"
    if not isinstance(value, Mapping) or len(value) > _MOST_TAGS:
        raise _wrong("tags", value, right)
    for name, text in value.items():
        if not (isinstance(name, str) and isinstance(text, str) and _TAG_NAME.fullmatch(name) and _TAG.fullmatch(text)):
            raise SettingsError(
                f"tags has {name!r}: {text!r}, but it is {right}: names to 128, values to 256 letters, digits, spaces "
                "and _ . : / = + - @."
            )
        if name.lower().startswith(("aws:", "cloudburst")):
            raise SettingsError(f"tags has {name!r}: names that begin with 'aws:' or 'cloudburst' are taken.")
    return dict(value)


def _endpoint(value: object) -> str | None:
    if value is None:
        return None
    right = "the address of a service that plays AWS: http://127.0.0.1:5000"
    try:
        parts = urlsplit(value) if isinstance(value, str) and len(value) <= 512 else None
    except ValueError:  # brackets that do not match
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise _wrong("endpoint_url", value, right)
    return str(value).rstrip("/")


def _default_size(cpu: object, memory: object) -> Size:
    if cpu is None or memory is None:
        raise SettingsError(
            f"default_cpu={cpu!r} and default_memory={memory!r} cannot be: both are needed for what has no size of its "
            f"own, such as default_cpu={DEFAULT_CPU}, default_memory={DEFAULT_MEMORY}."
        )
    try:
        return parse_size(cpu, memory)
    except ResourceError as error:
        raise SettingsError(f"default_cpu and default_memory: {error}") from None
