"""Reading S3 objects without the long way through moto: workers ask for their next letter four times a second, each.

Plain GetObject and HeadObject are answered from moto's own store, ranges without reading the whole. What is less plain
(versions, conditions, odd ranges) is moto's to answer.
"""

from __future__ import annotations

import re
from typing import Any

from cloudburst.testing.account import Account
from cloudburst.testing.answers import Answer, Refusal
from cloudburst.testing.operations import Request

_PLAIN_QUERY = {"x-id"}
_NOT_PLAIN = ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Objects:
    """Answers what is plain about objects."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def __call__(self, request: Request) -> Answer | None:
        """Give the object, say that there is none, or leave it to moto."""
        if request.service != "s3" or request.operation not in {"GetObject", "HeadObject"}:
            return None
        if set(request.query) - _PLAIN_QUERY or any(name in request.environ for name in _NOT_PLAIN):
            return None
        name, key = request.bucket_and_key
        bucket = self._account.s3.buckets.get(name)
        if bucket is None or bucket.versioning_status is not None:
            return None
        found = bucket.keys.get(key)
        if found is None:
            if request.method == "HEAD":
                return Answer(404, "application/xml", b"")
            raise Refusal("NoSuchKey", "The specified key does not exist.", 404)
        return _given(found, request)


def _given(found: Any, request: Request) -> Answer | None:
    headers = {name.lower(): str(value) for name, value in {**found.response_dict, **found.metadata}.items()}
    headers["accept-ranges"] = "bytes"
    headers.pop("content-length")
    content_type = headers.pop("content-type", "binary/octet-stream")
    asked = request.environ.get("HTTP_RANGE")
    span = _span(asked, found.size)
    if span is None:
        return None
    start, end = span
    if asked is not None:
        headers["content-range"] = f"bytes {start}-{end - 1}/{found.size}"
    if (
        end - start == found.size
        and request.environ.get("HTTP_X_AMZ_CHECKSUM_MODE") == "ENABLED"
        and found.checksum_algorithm
    ):
        if found.checksum_type == "COMPOSITE":
            return None
        headers[f"x-amz-checksum-{found.checksum_algorithm.lower()}"] = found.checksum_value
        if found.checksum_type:
            headers["x-amz-checksum-type"] = found.checksum_type
    status = 200 if asked is None else 206
    if request.method == "HEAD":
        return Answer(status, content_type, b"", headers, length=end - start)
    with found.lock:
        found._value_buffer.seek(start)
        body = found._value_buffer.read(end - start)
    return Answer(status, content_type, body, headers)


def _span(asked: str | None, size: int) -> tuple[int, int] | None:
    """First byte and end of what is wanted; nothing if that is not plain."""
    if asked is None:
        return 0, size
    read = _RANGE.fullmatch(asked)
    if read is None or not any(read.groups()):
        return None
    first, last = read.groups()
    start, end = (int(first), int(last or size) + 1) if first else (max(0, size - int(last)), size)
    return (start, min(end, size)) if start < min(end, size) else None
