"""Who may sign requests: the caller, and each task with the credentials of its role."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from cloudburst.testing.account import ID

Who = Literal["caller", "workers"]


@dataclass(frozen=True)
class Identity:
    """A key pair and whose it is."""

    who: Who
    key_id: str
    secret: str
    token: str
    """The session's token; empty for a user's own keys."""
    name: str
    """Of the user or of the role."""

    @property
    def arn(self) -> str:
        """As error messages name it."""
        if self.token:
            return f"arn:aws:sts::{ID}:assumed-role/{self.name}/{self.key_id[-8:]}"
        return f"arn:aws:iam::{ID}:user/{self.name}"


class Identities:
    """Every identity that was handed out."""

    def __init__(self) -> None:
        self._known: dict[str, Identity] = {}
        self._expired: set[Who] = set()
        self._lock = threading.Lock()

    def issue(self, who: Who, name: str) -> Identity:
        """Make credentials: a user's own for the caller, a session's for a role."""
        session = who == "workers"
        made = Identity(
            who,
            ("ASIA" if session else "AKIA") + secrets.token_hex(8).upper(),
            secrets.token_urlsafe(30),
            secrets.token_urlsafe(60) if session else "",
            name,
        )
        with self._lock:
            self._known[made.key_id] = made
        return made

    def find(self, key_id: str) -> Identity | None:
        """Whose key that is."""
        return self._known.get(key_id)

    def expire(self, who: Who) -> None:
        """Refuse the credentials that these have."""
        self._expired.add(who)

    def renew(self, who: Who) -> None:
        """Accept them again."""
        self._expired.discard(who)

    def is_expired(self, identity: Identity | None) -> bool:
        """Whether requests so signed are refused."""
        return identity is not None and identity.who in self._expired


def served(identity: Identity, role: str) -> dict[str, str]:
    """The credentials as the endpoint of a container gives them."""
    expiration = datetime.now(UTC) + timedelta(hours=6)
    return {
        "RoleArn": role,
        "AccessKeyId": identity.key_id,
        "SecretAccessKey": identity.secret,
        "Token": identity.token,
        "Expiration": expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
