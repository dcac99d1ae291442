"""What ECS answers when it starts nothing: the ``failures[]`` of an answer, and errors instead of one.

Both become a cause in the words of a launch, the setting that is to blame, AWS's own words, and the mend. An error that
says nothing of whether the call was carried out is one to ask again about, with the same token.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from cloudburst.runtime.backends.fargate.outcomes import with_evidence
from cloudburst.runtime.backends.fargate.signs import plain
from cloudburst.runtime.events import LaunchCause

NONE = ""


class Refusal(NamedTuple):
    """Why there is no machine."""

    cause: LaunchCause
    setting: str
    """Which setting to look at; empty where none is to blame."""
    detail: str
    """For people: what happened, AWS's own words, and the mend."""
    ask_again: bool = False
    """Whether the same call should be made again: throttled, or nobody knows what became of it."""
    is_unknown: bool = False
    """Whether the call may have been carried out all the same."""
    is_stale: bool = False
    """Whether the task definition that was found before is no more."""


class Row(NamedTuple):
    """One row: the error's code and words, what it means, and the mend."""

    code: str
    """A regular expression that the whole code must match."""
    words: str
    """One that its words must hold, in lower case."""
    cause: LaunchCause
    setting: str
    what: str
    mend: str = ""


_CREDENTIALS = "Log in anew (for example: aws sso login), or check AWS_PROFILE and the AWS_* variables."
_SIZES = "Ask for a smaller cpu= and memory=, or ask AWS for a higher Fargate vCPU quota."
_ANY = r".*"
_INVALID = r"InvalidParameterException|ClientException"

CAPACITY = (
    Row(_ANY, r"above your limit", "never", "cpu", "this account can never have a machine of that size", _SIZES),
    Row(
        _ANY,
        r"number of vcpus|vcpu limit|limit on the number of (?:tasks|vcpu)",
        "quota",
        NONE,
        "the account's vCPU quota is used up",
        "Set max_workers lower, or ask AWS for a higher quota (Service Quotas, AWS Fargate: L-3032A538 on demand, "
        "L-36FBB829 Spot).",
    ),
    Row(
        _ANY,
        r"capacity is unavailable|insufficient capacity|no capacity|\bresource:",
        "capacity",
        "compute_subnets",
        "AWS has no capacity for it now",
        "Give subnets in more availability zones (compute_subnets), or another kind of capacity (spot=).",
    ),
)
"""What stands in ``failures[]``, and sometimes in an error."""

ERRORS = (
    *[row._replace(code=_INVALID) for row in CAPACITY],
    Row("ClusterNotFoundException", _ANY, "setup", "compute_cluster", "there is no such cluster",
        "Check compute_cluster and region."),
    Row(r"AccessDenied\w*", r"passrole", "setup", "compute_execution_role",
        "you may not hand a role to ECS",
        "Your own credentials need iam:PassRole on compute_execution_role and compute_task_role."),
    Row(r"AccessDenied\w*|UnauthorizedOperation", _ANY, "setup", "credentials",
        "your credentials may not do this",
        "Give them the permission that is named (docs/iam/caller.json has all that are needed)."),
    Row(r"ExpiredToken\w*|RequestExpired", _ANY, "setup", "credentials", "your AWS credentials have expired",
        _CREDENTIALS),
    Row(r"UnrecognizedClient\w*|InvalidClientTokenId|InvalidSignature\w*|SignatureDoesNotMatch|AuthFailure|"
        r"MissingAuthenticationToken\w*|IncompleteSignature", _ANY, "setup", "credentials",
        "AWS does not accept your credentials", f"{_CREDENTIALS} The clock of this machine must be right, too."),
    Row(_INVALID, r"subnet", "setup", "compute_subnets", "the subnets cannot be used",
        "Check compute_subnets: they must exist in the region and lie in one VPC."),
    Row(_INVALID, r"security ?group", "setup", "compute_security_groups", "the security groups cannot be used",
        "Check compute_security_groups: they must exist and belong to the VPC of compute_subnets."),
    Row(_INVALID, r"capacity ?provider", "setup", "spot", "the cluster has no such capacity provider",
        "Associate FARGATE and FARGATE_SPOT with compute_cluster (ecs:PutClusterCapacityProviders), or set spot off."),
    Row(_INVALID, r"execution ?role", "setup", "compute_execution_role", "the execution role cannot be used",
        "Check compute_execution_role: it must exist and trust ecs-tasks.amazonaws.com."),
    Row(_INVALID, r"\brole\b|assume", "setup", "compute_task_role", "a role cannot be used",
        "Check compute_task_role and compute_execution_role: they must exist and trust ecs-tasks.amazonaws.com."),
    Row(_INVALID, r"image", "setup", "compute_image", "the image cannot be used", "Check compute_image."),
    Row(_INVALID, r"log ?group|log ?driver|log ?configuration|awslogs", "setup", "log_group",
        "the log group cannot be used", "Check log_group and region."),
    Row(r"PlatformUnknown\w*|PlatformTaskDefinitionIncompatibility\w*|UnsupportedFeature\w*", _ANY, "setup",
        "architecture", "Fargate does not have this here", "Check architecture, spot and region."),
    Row("BlockedException", _ANY, "setup", "credentials", "AWS has blocked this account", "Contact AWS Support."),
    Row(r"NoCredentials\w*|PartialCredentials\w*|CredentialRetrieval\w*|TokenRetrieval\w*|SSO\w*|UnauthorizedSSO\w*|"
        r"ProfileNotFound|InvalidConfigError|ConfigNotFound", _ANY, "setup", "credentials",
        "there are no AWS credentials to use", _CREDENTIALS),
    Row("NoRegionError", _ANY, "setup", "region", "no region is given", 'Set region="us-east-1", or AWS_REGION.'),
    Row(r"InvalidRegionError|ParamValidationError", _ANY, "setup", "region", "a setting is not well-formed",
        "Correct the one that is named."),
    Row(_INVALID, _ANY, "setup", NONE, "ECS does not accept the settings", "Check what ECS names."),
)  # fmt: skip

_THROTTLED = r"Throttl\w*|TooManyRequests\w*|RequestLimitExceeded|SlowDown|LimitExceededException"
_UNCERTAIN = r"ServerException|ServiceUnavailable\w*|Internal\w*|RequestTimeout\w*|5\d\d"
_UNREACHED = (
    "EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError", "ConnectionError",
    "HTTPClientError", "ProxyConnectionError", "SSLError", "ResponseStreamingError",
)  # fmt: skip
_NO_DEFINITION = r"task ?definition.*(?:inactive|not found)|unable to describe task ?definition"
_REACH = "Check the network of this machine, region and endpoint_url."


def refusal_of_failure(failure: object) -> Refusal:
    """What one of the ``failures`` in an answer of RunTask means. Whatever it is, there is a refusal.

    Examples
    --------
    >>> refusal_of_failure({"reason": "Capacity is unavailable at this time."}).cause
    'capacity'
    >>> refusal_of_failure({"reason": "You’ve reached the limit on the number of vCPUs you can run"}).cause
    'quota'
    """
    fields = failure if isinstance(failure, Mapping) else {}
    said = ": ".join(str(fields[name]) for name in ("reason", "detail") if fields.get(name))
    for row in CAPACITY:
        if re.search(row.words, plain(said)):
            return Refusal(row.cause, row.setting, with_evidence(row.what, said, row.mend))
    return Refusal("passing", NONE, with_evidence("ECS would not start it", said))


def refusal_of_error(error: Exception) -> Refusal:
    """What an exception of boto3 means. Whatever it is, there is a refusal.

    Parameters
    ----------
    error : Exception
        A ``ClientError`` or a ``BotoCoreError``.

    Examples
    --------
    >>> from botocore.exceptions import ClientError
    >>> answer = {"Error": {"Code": "ClusterNotFoundException", "Message": "Cluster not found."}}
    >>> refusal = refusal_of_error(ClientError(answer, "RunTask"))
    >>> refusal.cause, refusal.setting
    ('setup', 'compute_cluster')
    """
    code, said, status = _parts(error)
    if re.fullmatch(_THROTTLED, code) or "rate exceeded" in plain(said) or "too many concurrent" in plain(said):
        return Refusal("passing", NONE, with_evidence("ECS is asked too often", said), ask_again=True)
    if re.fullmatch(_UNCERTAIN, code) or status >= 500:
        detail = with_evidence("ECS has a fault of its own", said)
        return Refusal("passing", NONE, detail, ask_again=True, is_unknown=True)
    if any(one.__name__ in _UNREACHED for one in type(error).__mro__):
        detail = with_evidence("ECS cannot be reached", str(error), _REACH)
        return Refusal("passing", "region", detail, ask_again=True, is_unknown=True)
    if re.fullmatch(_INVALID, code) and re.search(_NO_DEFINITION, plain(said)):
        return Refusal("passing", NONE, with_evidence("the task definition is no more", said), is_stale=True)
    for row in ERRORS:
        if re.fullmatch(row.code, code) and re.search(row.words, plain(said)):
            detail = with_evidence(row.what, f"{code}: {said}", row.mend)
            return Refusal(row.cause, row.setting, detail)
    return Refusal("setup", NONE, with_evidence("ECS refused", f"{code}: {said}"))


def code_of(error: Exception) -> str:
    """AWS's name for an error; of one that is no answer of AWS, its own."""
    return _parts(error)[0]


def words_of(error: Exception) -> str:
    """What an error says."""
    return _parts(error)[1]


def _parts(error: Exception) -> tuple[str, str, int]:
    """Its code, words and HTTP status; of an error that is no answer, its name."""
    answer: Any = getattr(error, "response", None)
    if not isinstance(answer, Mapping):
        return type(error).__name__, str(error), 0
    told = answer.get("Error")
    told = told if isinstance(told, Mapping) else {}
    about = answer.get("ResponseMetadata")
    status = about.get("HTTPStatusCode") if isinstance(about, Mapping) else None
    return str(told.get("Code", "")), str(told.get("Message", "")), status if isinstance(status, int) else 0
