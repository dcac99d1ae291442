import pickle

import pytest
from botocore import exceptions as boto
from botocore.exceptions import ClientError

from cloudburst.errors import AccessDenied, NotFound, StoreError
from cloudburst.runtime.stores.s3_errors import CODES, KINDS, Doing, explained, explained_code, wrong_region

READ = Doing("read", "runs/a", "data", "us-east-1")


def said(code, message="", status=400, headers=None, doing=READ, **more):
    answer = {
        "Error": {"Code": code, "Message": message, **more},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers or {}, "RetryAttempts": 7},
    }
    return explained(ClientError(answer, "GetObject"), doing)


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("NoSuchKey", NotFound, "There is no runs/a in bucket data"),
        ("404", NotFound, "There is no runs/a in bucket data"),
        ("NoSuchBucket", StoreError, "no bucket data .*storage_bucket="),
        ("AccessDenied", AccessDenied, "read runs/a in bucket data .*s3:GetObject .*s3:ListBucket is missing"),
        ("403", AccessDenied, "s3:GetObject"),
        ("ExpiredToken", AccessDenied, "have expired .*aws sso login"),
        ("InvalidAccessKeyId", AccessDenied, "does not know these credentials .*AWS_PROFILE"),
        ("SignatureDoesNotMatch", AccessDenied, "does not know these credentials"),
        ("RequestTimeTooSkewed", StoreError, "clock is more than 15 minutes wrong"),
        ("SlowDown", StoreError, r"too busy .*\(SlowDown, 8 tries\).*max_workers="),
        ("PermanentRedirect", StoreError, "data is in another region, .* went to us-east-1: set region=that region"),
        ("KMS.DisabledException", StoreError, "KMS key of the bucket cannot be used .*storage_kms_key="),
        ("InvalidBucketName", StoreError, "storage_bucket="),
        ("EntityTooLarge", StoreError, "could not read runs/a in bucket data: EntityTooLarge"),
        ("", StoreError, "an error without a code"),
    ],
)
def test_what_s3_says_is_told_with_the_mend(code, kind, words):
    error = said(code)
    assert type(error) is kind
    with pytest.raises(kind, match=words):
        raise error


def test_an_unknown_code_of_a_broken_server_is_that_it_is_busy():
    assert "too busy" in str(said("Weird", status=599))
    assert "too busy" not in str(said("NotImplemented", status=501))


@pytest.mark.parametrize(
    ("headers", "more"), [({"x-amz-bucket-region": "eu-west-1"}, {}), ({}, {"Region": "eu-west-1"})]
)
def test_another_region_is_named_where_it_is_told(headers, more):
    error = said("AuthorizationHeaderMalformed", headers=headers, **more)
    assert 'data is in region eu-west-1, and the request went to us-east-1: set region="eu-west-1"' in str(error)
    assert str(wrong_region("data", "eu-west-1", "us-east-1")) == str(error)


@pytest.mark.parametrize(
    ("verb", "permission"),
    [("read", "s3:GetObject"), ("write", "s3:PutObject"), ("list", "s3:ListBucket"), ("delete", "s3:DeleteObject")],
)
def test_the_permission_that_is_missing_is_named(verb, permission):
    text = str(said("AccessDenied", doing=READ._replace(verb=verb)))
    assert f"{permission} is probably missing" in text
    assert "kms" not in text
    assert ("without which S3 does not say so" in text) is (verb == "read")


def test_the_kms_permission_is_named_where_there_is_a_key():
    assert "kms:Decrypt on the KMS key k" in str(said("AccessDenied", doing=READ._replace(kms_key="k")))
    written = str(said("AccessDenied", doing=READ._replace(verb="write", kms_key="k")))
    assert "kms:GenerateDataKey and kms:Decrypt on the KMS key k" in written
    told = "User: arn is not authorized to perform: kms:Decrypt on resource: arn"
    assert "kms:Decrypt on the KMS key of the bucket" in str(said("AccessDenied", told))


def test_what_the_server_adds_is_handed_on():
    assert "(AccessDenied: User x is not authorized)" in str(said("AccessDenied", "User x is\n not authorized."))
    assert "(AccessDenied)" in str(said("AccessDenied", "Access Denied"))
    assert "None" not in str(said("AccessDenied", None))


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (boto.NoCredentialsError(), AccessDenied, "no AWS credentials to read runs/a .*compute_task_role="),
        (boto.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), AccessDenied, "AWS_SECRET"),
        (boto.CredentialRetrievalError(provider="x", error_msg="gone"), AccessDenied, "gone"),
        (boto.ProfileNotFound(profile="mine"), AccessDenied, "mine.*AWS_PROFILE"),
        (boto.UnauthorizedSSOTokenError(), AccessDenied, "aws sso login"),
        (boto.NoRegionError(), StoreError, "set region="),
        (
            boto.EndpointConnectionError(endpoint_url="http://x"),
            StoreError,
            "cannot be reached .*http://x.*endpoint_url=",
        ),
        (boto.ReadTimeoutError(endpoint_url="http://x"), StoreError, "cannot be reached"),
        (boto.ConnectTimeoutError(endpoint_url="http://x"), StoreError, "cannot be reached"),
        (boto.ConnectionClosedError(endpoint_url="http://x"), StoreError, "cannot be reached"),
        (boto.SSLError(endpoint_url="http://x", error="cert"), StoreError, "cannot be reached .*cert"),
        (boto.ProxyConnectionError(proxy_url="http://x"), StoreError, "cannot be reached"),
        (boto.ParamValidationError(report="bad bucket"), StoreError, "bad bucket.*storage_bucket="),
        (
            boto.IncompleteReadError(actual_bytes=1, expected_bytes=2),
            StoreError,
            "could not read .*IncompleteRead",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_botocore_says_is_told_with_the_mend(error, kind, words):
    told = explained(error, READ)
    assert type(told) is kind
    with pytest.raises(kind, match=words):
        raise told
    told.__cause__ = error
    assert str(pickle.loads(pickle.dumps(told))) == str(told)


def test_what_is_none_of_theirs_is_left_alone():
    assert explained(OSError("disk"), READ) is None


def test_an_error_within_an_answer_is_told_like_any_other():
    assert type(explained_code("AccessDenied", "", READ)) is AccessDenied
    assert "Slow" in str(explained_code("SlowDown", "", READ))


def test_every_row_can_be_told():
    for code in CODES:
        assert "{" not in str(said(code))
    kinds = [getattr(boto, name) for name in KINDS]  # all of them are botocore's
    assert all(issubclass(kind, boto.BotoCoreError) for kind in kinds)


def test_a_machine_that_does_not_tell_its_credentials_may_do_so_later():
    error = explained(boto.CredentialRetrievalError(provider="container-role", error_msg="Read timeout"), READ)
    assert type(error) is StoreError
    assert "did not tell its credentials, which it takes to read runs/a" in str(error)
    assert type(explained(boto.CredentialRetrievalError(provider="sso", error_msg="no"), READ)) is AccessDenied
