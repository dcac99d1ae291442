"""Whose buckets are whose, and their policies: moto knows neither owners nor the conditions of a policy."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from json import loads

from cloudburst.testing.account import ID, Account
from cloudburst.testing.answers import Answer, Refusal
from cloudburst.testing.operations import Request
from cloudburst.testing.permissions import needs
from cloudburst.testing.policies import denies

_TAKEN = (
    "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
    "Please select a different name and try again."
)


class Buckets:
    """Refuses what is another account's, or against a bucket's own policy, as S3 does.

    Requests come over plain HTTP here, and stand for those that come over TLS on AWS: a policy sees them so.

    Parameters
    ----------
    account : Account
        The account that asks.
    taken : collection of str
        Buckets of other accounts.
    """

    def __init__(self, account: Account, taken: Collection[str]) -> None:
        self._account = account
        self._taken = frozenset(taken)
        self._policies: dict[str, bytes] = {}

    def __call__(self, request: Request) -> Answer | None:
        """Refuse a request, answer what is about policies, or let it pass."""
        if request.service != "s3":
            return None
        bucket, key = request.bucket_and_key
        if bucket in self._taken and request.operation == "CreateBucket":
            raise Refusal("BucketAlreadyExists", _TAKEN, 409)
        owner = request.environ.get("HTTP_X_AMZ_EXPECTED_BUCKET_OWNER", ID)
        if bucket in self._taken or (bucket and owner != ID) or self._is_denied(bucket, request):
            if request.method == "HEAD":
                return Answer(403, "application/xml", b"")
            raise Refusal("AccessDenied", "Access Denied", 403)
        if bucket in self._account.s3.buckets and not key:
            return self._about_policy(bucket, request)
        return None

    def _is_denied(self, bucket: str, request: Request) -> bool:
        policy = self._policies.get(bucket)
        if policy is None or request.operation in ("GetBucketPolicy", "DeleteBucketPolicy"):
            return False
        asked = needs(request, self._account)
        context = {"aws:securetransport": "true"}
        return any(denies([loads(policy)], replace(one, context={**one.context, **context})) for one in asked)

    def _about_policy(self, bucket: str, request: Request) -> Answer | None:
        operation = request.operation
        if operation == "PutBucketPolicy":
            self._policies[bucket] = request.body
            return Answer(204, "application/xml", b"")
        if operation == "GetBucketPolicy":
            if bucket not in self._policies:
                raise Refusal("NoSuchBucketPolicy", "The bucket policy does not exist", 404)
            return Answer(200, "application/json", self._policies[bucket])
        if operation in ("DeleteBucketPolicy", "DeleteBucket"):
            self._policies.pop(bucket, None)
            return Answer(204, "application/xml", b"") if operation == "DeleteBucketPolicy" else None
        return None
