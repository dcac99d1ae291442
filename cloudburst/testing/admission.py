"""Who may do what: keys, signatures, expiry, and policies where they are enforced."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloudburst.testing import faults
from cloudburst.testing.account import Account
from cloudburst.testing.answers import QUERY_SERVICES, Answer, Refusal
from cloudburst.testing.identities import Identities, Identity
from cloudburst.testing.operations import Request
from cloudburst.testing.permissions import deleted_keys, needs, policies_of
from cloudburst.testing.policies import allows
from cloudburst.testing.script import Script

_S3_WORDS = {
    "UnrecognizedClientException": "InvalidAccessKeyId",
    "SignatureDoesNotMatch": "SignatureDoesNotMatch",
    "ExpiredTokenException": "ExpiredToken",
    "AccessDeniedException": "AccessDenied",
}
_QUERY_WORDS = _S3_WORDS | {"UnrecognizedClientException": "InvalidClientTokenId"}
_JSON_WORDS = {"SignatureDoesNotMatch": "InvalidSignatureException"}


class Admission:
    """Refuses requests that AWS would refuse for who signed them.

    Parameters
    ----------
    enforced : bool
        Whether keys, signatures and policies are looked at; expired credentials are refused in any case.
    """

    def __init__(self, account: Account, identities: Identities, script: Script, *, enforced: bool) -> None:
        self._account = account
        self._identities = identities
        self._script = script
        self._is_enforced = enforced

    def __call__(self, request: Request) -> Answer | None:
        """Refuse a request, or let it pass; a DeleteObjects may be refused in part."""
        if not request.key_id:
            return None
        identity = self._identities.find(request.key_id)
        if self._identities.is_expired(identity):
            self._script.met(faults.EXPIRED)
            raise _refusal(request, "ExpiredTokenException", faults.EXPIRED.reason)
        if not self._is_enforced:
            return None
        if identity is None:
            reason = "The security token included in the request is invalid."
            raise _refusal(request, "UnrecognizedClientException", reason)
        if not _is_signed_by(request, identity):
            reason = "The request signature we calculated does not match the signature you provided."
            raise _refusal(request, "SignatureDoesNotMatch", reason)
        return self._permitted(request, identity)

    def _permitted(self, request: Request, identity: Identity) -> Answer | None:
        policies = policies_of(self._account, identity.name, is_role=bool(identity.token))
        for need in needs(request, self._account):
            if not allows(policies, need):
                if request.operation == "DeleteObjects":
                    return self._deleted_in_part(request, policies)
                raise _refusal(
                    request,
                    "AccessDeniedException",
                    f"User: {identity.arn} is not authorized to perform: {need.action} on resource: "
                    f"{need.resources[-1]} because no identity-based policy allows the {need.action} action",
                )
        return None

    def _deleted_in_part(self, request: Request, policies: list[Any]) -> Answer:
        bucket, _ = request.bucket_and_key
        told = []
        allowed = {need.resources[0]: allows(policies, need) for need in needs(request, self._account)}
        for key in deleted_keys(request.body):
            name = f"<Key>{quote(key, safe='/')}</Key>"
            if allowed[f"arn:aws:s3:::{bucket}/{key}"]:
                self._account.s3.delete_object(bucket, key)
                told.append(f"<Deleted>{name}</Deleted>")
            else:
                told.append(f"<Error>{name}<Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
        body = f'<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{"".join(told)}</DeleteResult>'
        return Answer(200, "application/xml", body.encode())


def _refusal(request: Request, code: str, reason: str) -> Refusal:
    if request.service == "s3":
        return Refusal(_S3_WORDS[code], reason, 400 if code == "ExpiredTokenException" else 403)
    if request.service in QUERY_SERVICES:
        return Refusal(_QUERY_WORDS[code], reason, 403)
    return Refusal(_JSON_WORDS.get(code, code), reason)


def _is_signed_by(request: Request, identity: Identity) -> bool:
    environ = request.environ
    authorization: str = environ.get("HTTP_AUTHORIZATION", "")
    if not authorization:
        return True  # a presigned address: what signed it is not calculated again
    fields = dict(field.strip().split("=", 1) for field in authorization.partition(" ")[2].split(","))
    signed = {name: _header(environ, name) for name in fields.get("SignedHeaders", "").split(";")}
    if signed.get("x-amz-security-token", "") != identity.token:
        return False
    is_s3 = request.scope == "s3"
    address = f"http://{environ.get('HTTP_HOST')}{environ.get('REQUEST_URI', request.path)}"
    body = b"" if is_s3 else request.body
    again = AWSRequest(method=request.method, url=address, data=body, headers=signed)
    again.context["timestamp"] = signed.get("x-amz-date", "")
    keys = Credentials(identity.key_id, identity.secret, identity.token or None)
    auth = (S3SigV4Auth if is_s3 else SigV4Auth)(keys, request.scope, request.region)
    text = auth.string_to_sign(again, auth.canonical_request(again))
    return bool(auth.signature(text, again) == fields.get("Signature"))


def _header(environ: dict[str, Any], name: str) -> str:
    word = name.upper().replace("-", "_")
    return str(environ.get(word if word in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{word}", ""))
