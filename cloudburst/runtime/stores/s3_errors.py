"""What S3 and botocore say, in words that name the setting and the mend: all of it in two tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from cloudburst.errors import AccessDenied, NotFound, StoreError

PERMISSIONS = {
    "read": "s3:GetObject",
    "write": "s3:PutObject",
    "copy": "s3:GetObject or s3:PutObject",
    "list": "s3:ListBucket",
    "delete": "s3:DeleteObject",
}
"""By what is done: what a policy has to allow for it."""

_KMS_PERMISSIONS = {
    "read": "kms:Decrypt",
    **dict.fromkeys(("write", "copy"), "kms:GenerateDataKey and kms:Decrypt"),
}


class Doing(NamedTuple):
    """What was asked of S3."""

    verb: str
    """``read``, ``write``, ``copy``, ``list`` or ``delete``."""
    key: str
    """The whole key in the bucket, or the prefix that is listed."""
    bucket: str
    region: str | None = None
    kms_key: str | None = None

    def __str__(self) -> str:
        return f"{self.verb} {self.key or 'all'} in bucket {self.bucket}"


class Row(NamedTuple):
    """An error of S3's and ours for it."""

    error: type[StoreError]
    text: str
    """With the names of ``_words`` in braces."""


_EXPIRED = Row(
    AccessDenied,
    "S3 did not {doing}: the credentials have expired ({code}). Get new ones where they come from (aws sso login, a "
    "new session of the assumed role) and compute again.",
)
_WRONG_CREDENTIALS = Row(
    AccessDenied,
    "S3 did not {doing}: it does not know these credentials ({code}). See which are used with "
    "`aws sts get-caller-identity`, and mend AWS_PROFILE, AWS_ACCESS_KEY_ID and the like.",
)
_DENIED = Row(
    AccessDenied,
    "S3 does not let these credentials {doing} ({code}{said}). {permission} is probably missing{missing}. Allow it in "
    "the policy of the role or user, and see that the bucket's own policy does not deny it. S3 does not tell whose "
    "credentials they are: `aws sts get-caller-identity` does.",
)
_NO_BUCKET = Row(
    StoreError, "There is no bucket {bucket} ({code}): make it, or mend storage_bucket= of the provider's settings."
)
_REGION = Row(
    StoreError,
    "The bucket {bucket} is in {region}, and the request went to {used}: set region={quoted} in the provider's "
    "settings, or name a bucket of that region with storage_bucket=.",
)
_CLOCK = Row(
    StoreError,
    "S3 did not {doing}: this machine's clock is more than 15 minutes wrong ({code}). Set it, best by a time service.",
)
_BUSY = Row(
    StoreError,
    "S3 could not {doing}: it was too busy or out of order at every try ({code}, {tries} tries{said}). Compute again "
    "in a few minutes; if it stays so, use fewer workers at a time with max_workers=.",
)
_KMS = Row(
    StoreError,
    "S3 could not {doing}: the KMS key {kms_key} cannot be used ({code}{said}). Enable it, or name one of the bucket's "
    "region with storage_kms_key=.",
)
_OTHER = Row(StoreError, "S3 could not {doing}: {code}{said}.")

CODES: Mapping[str, Row] = {
    **dict.fromkeys(("NoSuchKey", "404", "NotFound"), Row(NotFound, "There is no {key} in bucket {bucket}.")),
    "NoSuchBucket": _NO_BUCKET,
    "InvalidBucketName": _NO_BUCKET,
    **dict.fromkeys(("AccessDenied", "403", "Forbidden", "AllAccessDisabled", "AccountProblem"), _DENIED),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"), _EXPIRED),
    **dict.fromkeys(("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidClientTokenId"),
                    _WRONG_CREDENTIALS),
    **dict.fromkeys(("301", "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"),
                    _REGION),
    "RequestTimeTooSkewed": _CLOCK,
    **dict.fromkeys(("SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Throttling",
                     "ThrottlingException", "RequestLimitExceeded", "500", "502", "503", "504"), _BUSY),
}  # fmt: skip
"""By S3's error code; those of KMS begin with ``KMS.``."""

_UNREACHABLE = Row(
    StoreError,
    "S3 cannot be reached to {doing}: {said}. Look at the network, at region= and endpoint_url= of the provider's "
    "settings, and in a private subnet at its gateway endpoint for S3.",
)
_NO_CREDENTIALS = Row(
    AccessDenied,
    "There are no AWS credentials to {doing} with: {said}. Log in (aws configure, aws sso login), set AWS_PROFILE, or "
    "give the task a role with compute_task_role=.",
)

_NOT_TOLD = Row(
    StoreError,
    "The machine that this runs on did not tell its credentials, which it takes to {doing}: {said}. Run it again; if "
    "it stays so, look at compute_task_role=.",
)
OF_MACHINES = "container-role"
"""What botocore calls credentials that the machine of a container tells it."""

KINDS: Mapping[str, Row] = {
    **dict.fromkeys(("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound",
                     "ConfigNotFound", "InvalidConfigError", "TokenRetrievalError", "SSOError", "LoginError"),
                    _NO_CREDENTIALS),
    "NoRegionError": Row(StoreError, "No AWS region is known to {doing} in: set region= in the provider's settings, or "
                                     "AWS_DEFAULT_REGION."),
    "ParamValidationError": Row(StoreError, "S3 was not asked to {doing}: {said}. Mend storage_bucket= or "
                                            "storage_prefix= of the provider's settings."),
    "InvalidEndpointConfigurationError": _UNREACHABLE,
    "HTTPClientError": _UNREACHABLE,
    "ConnectionError": _UNREACHABLE,
}  # fmt: skip
"""By botocore's exception, or one that it is derived from."""


def code_of(error: Exception) -> str:
    """S3's own code for an error, empty where it was not S3 that spoke."""
    response: Any = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def is_not_told(error: Exception) -> bool:
    """Whether the machine that this runs on has credentials for it and did not answer: it may at the next try."""
    return getattr(error, "kwargs", {}).get("provider") == OF_MACHINES


def explained(error: Exception, doing: Doing) -> StoreError | None:
    """Our error for one of botocore's; ``None`` for whatever is none of its.

    Parameters
    ----------
    error : Exception
        As it was caught.
    doing : Doing
        What was asked.

    Returns
    -------
    StoreError or None

    Examples
    --------
    >>> from botocore.exceptions import ClientError
    >>> busy = ClientError({"Error": {"Code": "SlowDown", "Message": "Reduce your request rate"}}, "PutObject")
    >>> str(explained(busy, Doing("write", "a/0", "data")))[:65]
    'S3 could not write a/0 in bucket data: it was too busy or out of '
    """
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, ClientError):
        code = code_of(error)
        row = CODES.get(code) or (_KMS if code.startswith("KMS.") else _by_status(error) or _OTHER)
        if row is _DENIED and doing.kms_key is None and "kms:" in str(error).lower():
            doing = doing._replace(kms_key="of the bucket")
        return row.error(row.text.format_map(_words(error, code, doing)))
    if isinstance(error, BotoCoreError):
        row = next((KINDS[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in KINDS), _OTHER)
        if row is _NO_CREDENTIALS and is_not_told(error):
            row = _NOT_TOLD
        words = {"doing": doing, "code": type(error).__name__, "said": " ".join(str(error).split()).rstrip(".")}
        if row is _OTHER:
            words["said"] = f": {words['said']}"
        return row.error(row.text.format_map(words))
    return None


def explained_code(code: str, message: str, doing: Doing) -> StoreError:
    """Our error for one that stands in an answer that is none itself, as those of a bulk delete do."""
    from botocore.exceptions import ClientError

    error = explained(ClientError({"Error": {"Code": code, "Message": message}}, doing.verb), doing)
    assert error is not None
    return error


def wrong_region(bucket: str, region: str, used: str) -> StoreError:
    """The error for a bucket that is in another region than the requests go to."""
    words = {"bucket": bucket, "region": f"region {region}", "used": used, "quoted": f'"{region}"'}
    return _REGION.error(_REGION.text.format_map(words))


def _by_status(error: Any) -> Row | None:
    """The row for an answer with a code that nobody has heard of."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return _BUSY if status >= 500 and status != 501 else None


def _words(error: Any, code: str, doing: Doing) -> dict[str, object]:
    answer = error.response
    metadata = answer.get("ResponseMetadata", {})
    region = answer["Error"].get("Region") or metadata.get("HTTPHeaders", {}).get("x-amz-bucket-region")
    said = " ".join(str(answer["Error"].get("Message") or "").split()).rstrip(".")
    missing = ""
    if doing.kms_key is not None and doing.verb in _KMS_PERMISSIONS:
        missing += f", or {_KMS_PERMISSIONS[doing.verb]} on the KMS key {doing.kms_key}"
    if doing.verb == "read":
        missing += "; or there is no such object and s3:ListBucket is missing, without which S3 does not say so"
    return {
        "doing": doing,
        "key": doing.key,
        "bucket": doing.bucket,
        "kms_key": doing.kms_key or "of the bucket",
        "code": code or "an error without a code",
        "said": f": {said}" if said and said.lower() not in ("access denied", "forbidden", "not found") else "",
        "tries": metadata.get("RetryAttempts", 0) + 1,
        "permission": PERMISSIONS.get(doing.verb, "a permission"),
        "missing": missing,
        "region": f"region {region}" if region else "another region",
        "used": doing.region or "the default one",
        "quoted": f'"{region}"' if region else "that region",
    }
