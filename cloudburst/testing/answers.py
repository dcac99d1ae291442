"""Answers that are not moto's: successes and errors in the forms that botocore reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

_JSON = "application/x-amz-json-1.1"


class Answer(NamedTuple):
    """What goes back to the caller."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = MappingProxyType({})
    length: int | None = None
    """Of what a HEAD does not give."""

    def send(self, start_response: Any) -> Iterable[bytes]:
        """Give it as a WSGI application does."""
        length = len(self.body) if self.length is None else self.length
        headers = [("Content-Type", self.content_type), ("Content-Length", str(length)), *self.headers.items()]
        start_response(f"{self.status} {HTTPStatus(self.status).phrase}", headers)
        return [self.body]


class Refusal(Exception):
    """A request that AWS refuses: a code, a message and whatever else the error's shape holds."""

    def __init__(self, code: str, message: str, status: int = 400, **more: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.more = more

    def answer(self, service: str) -> Answer:
        """The error as that service words it."""
        if service == "s3":
            return Answer(self.status, "application/xml", _s3_error(self.code, self.message))
        if service in QUERY_SERVICES:
            return Answer(self.status, "text/xml", _query_error(self.code, self.message))
        body = {"__type": self.code, "message": self.message, **self.more}
        return Answer(self.status, _JSON, json.dumps(body).encode())


QUERY_SERVICES = {"iam", "sts", "ec2", "cloudformation"}


def json_answer(body: Any, content_type: str = _JSON) -> Answer:
    """A success with a JSON body."""
    return Answer(200, content_type, json.dumps(body).encode())


def _s3_error(code: str, message: str) -> bytes:
    text = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message><RequestId>fake</RequestId></Error>"
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + text).encode()


def _query_error(code: str, message: str) -> bytes:
    error = f"<Error><Type>Sender</Type><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    return f"<ErrorResponse>{error}<RequestId>fake</RequestId></ErrorResponse>".encode()
