"""Messages that others could have written, made so that it shows if they did.

What a driver and its workers leave for one another in a store is a line of JSON and a body::

    {"v": 1, "kind": "letter", "mac": "5f0c…"}
    <body>

The code in ``mac`` is an HMAC with SHA-256 of the kind, the key under which the message lies, and the body. So a
message is worth nothing under another key: what was meant for another worker, or was said before, is noticed like what
was planted. Nothing of a body is looked at before its code holds.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from contextlib import suppress
from typing import Literal

from cloudburst.errors import Tampered
from cloudburst.runtime.protocols import Buffer

Kind = Literal["pool", "lease", "letter", "said", "receipt", "plan", "journal"]

VERSION = 1
_LONGEST_HEAD = 256


def derive(secret: bytes, purpose: str) -> bytes:
    """A key of 16 bytes for one purpose, from which neither the secret nor another purpose's key can be told."""
    return hmac.digest(secret, purpose.encode(), "sha256")[:16]


def seal(kind: Kind, address: str, body: Buffer, secret: bytes) -> bytes:
    """The message that is to lie under an address.

    >>> message = seal("letter", "mail/w1/000001", b"hello", b"secret")
    >>> unseal("letter", "mail/w1/000001", message, b"secret")
    b'hello'
    """
    return _head(kind, address, body, secret) + b"\n" + bytes(body)


def unseal(kind: Kind, address: str, message: Buffer, secret: bytes) -> bytes:
    """The body of a message, once its code has been found to hold.

    Parameters
    ----------
    kind : Kind
        What it has to be.
    address : str
        The key under which it was found.
    message : bytes-like
        All that was found there.
    secret : bytes
        The key with which it has to be signed.

    Raises
    ------
    Tampered
        If it was not written for this place by somebody who has the key.
    """
    line, end, body = bytes(message).partition(b"\n")
    if end and hmac.compare_digest(line, _head(kind, address, body, secret)):
        return body
    raise Tampered(
        f"{address} is not what was written there: {_wrong(line)}. Nothing of it was used. Somebody else can write to "
        "this storage: look who has access to it, and use another prefix or bucket."
    )


def _head(kind: str, address: str, body: Buffer, secret: bytes) -> bytes:
    """The one line that may stand above a body."""
    code = hmac.new(secret, f"{kind}\0{address}\0".encode(), hashlib.sha256)
    code.update(body)
    return json.dumps({"v": VERSION, "kind": kind, "mac": code.hexdigest()}).encode()


def _wrong(line: bytes) -> str:
    """What is to be said of a head that is not the one."""
    head = None
    if len(line) <= _LONGEST_HEAD:
        with suppress(ValueError, RecursionError):
            head = json.loads(line)
    if not isinstance(head, dict):
        return "it has no head"
    if head.get("v") != VERSION:
        return f"it has version {head.get('v')!r:.20}, and version {VERSION} is what is known here"
    return "its signature does not hold"
