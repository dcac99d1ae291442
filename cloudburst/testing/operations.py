"""Which operation of which service a request asks for, and who signed it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, unquote

_TARGETS = {
    "AmazonEC2ContainerServiceV20141113": "ecs",
    "AmazonEC2ContainerRegistry_V20150921": "ecr",
    "Logs_20140328": "logs",
    "secretsmanager": "secretsmanager",
    "AmazonSSM": "ssm",
    "AWSPriceListService": "pricing",
    "ServiceQuotasV20190624": "servicequotas",
    "GraniteServiceVersion20100801": "monitoring",
}
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")

# S3 names no operation: method and query say it. The first row whose words are all in the query is the one.
_OF_BUCKETS = {
    "GET": (("list-type", "ListObjectsV2"), ("location", "GetBucketLocation"), ("uploads", "ListMultipartUploads"),
            ("versioning", "GetBucketVersioning"), ("policy", "GetBucketPolicy"), ("encryption", "GetBucketEncryption"),
            ("lifecycle", "GetBucketLifecycleConfiguration"), ("tagging", "GetBucketTagging"), ("", "ListObjects")),
    "HEAD": (("", "HeadBucket"),),
    "PUT": (("lifecycle", "PutBucketLifecycleConfiguration"), ("policy", "PutBucketPolicy"),
            ("encryption", "PutBucketEncryption"), ("versioning", "PutBucketVersioning"), ("", "CreateBucket")),
    "POST": (("delete", "DeleteObjects"), ("", "PostObject")),
    "DELETE": (("policy", "DeleteBucketPolicy"), ("", "DeleteBucket")),
}  # fmt: skip
_OF_OBJECTS = {
    "GET": (("uploadId", "ListParts"), ("tagging", "GetObjectTagging"), ("", "GetObject")),
    "HEAD": (("", "HeadObject"),),
    "PUT": (("partNumber", "UploadPart"), ("tagging", "PutObjectTagging"), ("", "PutObject")),
    "POST": (("uploads", "CreateMultipartUpload"), ("uploadId", "CompleteMultipartUpload"), ("", "PostObject")),
    "DELETE": (("uploadId", "AbortMultipartUpload"), ("", "DeleteObject")),
}


class Request:
    """One request as it came, read only as far as somebody asks.

    Parameters
    ----------
    environ : dict
        As WSGI gives it. The body of anything but S3 is read and put back.
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        self.environ = environ
        self.method: str = environ["REQUEST_METHOD"]
        self.path: str = environ.get("PATH_INFO", "/").encode("latin-1").decode("utf-8", "replace")
        self.query: Mapping[str, list[str]] = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        signed = _CREDENTIAL.search(unquote(environ.get("HTTP_AUTHORIZATION", "") or environ.get("QUERY_STRING", "")))
        self.loses_answer = False
        self.key_id, self.region, self.scope = signed.groups() if signed else ("", "", "")

    @cached_property
    def body(self) -> bytes:
        """The whole body, which stays readable for whoever comes after."""
        length = int(self.environ.get("CONTENT_LENGTH") or 0)
        body: bytes = self.environ["wsgi.input"].read(length) if length else b""
        self.environ["wsgi.input"] = io.BytesIO(body)
        return body

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The input of the operation, for services that speak JSON or forms."""
        if "HTTP_X_AMZ_TARGET" in self.environ:
            read = json.loads(self.body or b"{}")
            return read if isinstance(read, dict) else {}
        form = parse_qs(self.body.decode("utf-8", "replace"), keep_blank_values=True) or self.query
        return {name: values[0] for name, values in form.items()}

    @cached_property
    def _named(self) -> tuple[str, str]:
        target = self.environ.get("HTTP_X_AMZ_TARGET", "")
        if target:
            prefix, _, operation = target.partition(".")
            return _TARGETS.get(prefix, prefix.lower()), operation
        if self.scope and self.scope != "s3":
            return self.scope, str(self.parameters.get("Action", self.method))
        return "s3", s3_operation(self.method, self.path, self.query, self.environ)

    @property
    def service(self) -> str:
        """``ecs``, ``s3``, ``logs``, … as in a signature's scope."""
        return self._named[0]

    @property
    def operation(self) -> str:
        """``RunTask``, ``GetObject``, … as in the API reference."""
        return self._named[1]

    @property
    def bucket_and_key(self) -> tuple[str, str]:
        """What an S3 request is about; either may be empty."""
        bucket, _, key = self.path.lstrip("/").partition("/")
        return bucket, key


def s3_operation(method: str, path: str, query: Mapping[str, Any], headers: Mapping[str, Any]) -> str:
    """Name the S3 operation that method, path and query mean.

    >>> s3_operation("GET", "/bucket", {"list-type": ["2"]}, {}), s3_operation("PUT", "/bucket/a/key", {}, {})
    ('ListObjectsV2', 'PutObject')
    """
    bucket, _, key = path.lstrip("/").partition("/")
    if not bucket:
        return "ListBuckets"
    if key and method == "PUT" and "HTTP_X_AMZ_COPY_SOURCE" in headers:
        return "UploadPartCopy" if "partNumber" in query else "CopyObject"
    for word, operation in (_OF_OBJECTS if key else _OF_BUCKETS).get(method, ()):
        if not word or word in query:
            return operation
    return method
