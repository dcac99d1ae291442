"""Messages that others could have written, made so that it shows if they did.

What a driver and its workers leave for one another in a store is a line of JSON and a body::

    {"v": 1, "kind": "letter", "mac": "5f0c…"}
    <body>

The code in ``mac`` is an HMAC with SHA-256 of the kind, the key under which the message lies, and the body. So a message
is worth nothing under another key: what was meant for another worker, or was said before, is noticed like what was
planted. Nothing of a body is looked at before its code holds.
"""

from __future__ import annotations

import hashlib
import hmac
import json
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
    head = {"v": VERSION, "kind": kind, "mac": _code(kind, address, body, secret)}
    return json.dumps(head).encode() + b"\n" + bytes(body)


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
    data = bytes(message)
    line, _, body = data.partition(b"\n")
    wrong = "it has no head"
    if len(line) <= _LONGEST_HEAD:
        try:
            head = json.loads(line)
        except ValueError:
            head = None
        if isinstance(head, dict):
            if head.get("v") != VERSION:
                wrong = f"it has version {head.get('v')!r}, and version {VERSION} is what is known here"
            elif hmac.compare_digest(str(head.get("mac")).encode(), _code(kind, address, body, secret).encode()):
                return body
            else:
                wrong = "its signature does not hold"
    raise Tampered(
        f"{address} is not what was written there: {wrong}. Nothing of it was used. Somebody else can write to this "
        "storage: look who has access to it, and use another prefix or bucket."
    )


def _code(kind: str, address: str, body: Buffer, secret: bytes) -> str:
    code = hmac.new(secret, f"{kind}\0{address}\0".encode(), hashlib.sha256)
    code.update(body)
    return code.hexdigest()
