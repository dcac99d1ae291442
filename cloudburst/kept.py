"""What runs leave in the store for later ones: persisted and cached values, and what a failed run had finished."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterable
from typing import Any

from cloudburst.errors import NotFound
from cloudburst.runtime.envelope import derive, seal, unseal
from cloudburst.runtime.protocols import Store
from cloudburst.runtime.task import Artifact

VERSION = 1


class Kept:
    """Artifacts by the digest of the expression whose value they hold.

    In a private store they are known for as long as this process lives. In a directory of the user's own a small record
    ``kept/<digest>`` stands for each that is to be there for later programs too. On a store that others can write to it
    is a receipt, signed with the user's own key: only by that is a result taken for one of theirs, and unpickled.
    """

    def __init__(self, store: Store, *, durable: bool, user: str = "", secret: bytes | None = None) -> None:
        self._store = store
        self._durable = durable
        self._folder = f"kept/{user}" if user else "kept"
        self._secret = None if secret is None else derive(secret, "receipt")
        self._lock = threading.Lock()
        self._known: dict[bytes, Artifact] = {}
        self._keys: set[str] = set()

    def add(self, digest: bytes, artifact: Artifact, *, lasting: bool) -> None:
        """Remember an artifact; ``lasting`` also for later programs, where the store outlives this one."""
        with self._lock:
            self._known[digest] = artifact
            self._keys.update(keys_of(artifact))
        if lasting and self._durable:
            record = json.dumps({"v": VERSION, "artifact": _written(artifact)}).encode()
            key = self._key(digest)
            if self._secret is not None:
                record = seal("receipt", key, record, self._secret)
            self._store.put(key, [record], if_absent=True)

    def among(self, digests: Iterable[bytes], lasting: Iterable[bytes] = ()) -> dict[bytes, Artifact]:
        """Those of some digests whose values are there; ``lasting`` ones are looked for in the store too."""
        with self._lock:
            found = {digest: self._known[digest] for digest in digests if digest in self._known} if self._known else {}
        if self._durable:
            for digest in lasting:
                if digest not in found and (artifact := self._recorded(digest)) is not None:
                    found[digest] = artifact
        return {digest: artifact for digest, artifact in found.items() if self._is_there(artifact)}

    def holds(self, key: str) -> bool:
        """Whether an object of the store belongs to something kept."""
        with self._lock:
            return key in self._keys

    def _recorded(self, digest: bytes) -> Artifact | None:
        key = self._key(digest)
        try:
            written = bytes(self._store.get(key))
        except NotFound:
            return None
        record = json.loads(written if self._secret is None else unseal("receipt", key, written, self._secret))
        return _read(record["artifact"]) if record.get("v") == VERSION else None

    def _key(self, digest: bytes) -> str:
        return f"{self._folder}/{digest.hex()}"

    def _is_there(self, artifact: Artifact) -> bool:
        try:
            for key in keys_of(artifact):
                self._store.size(key)
        except NotFound:
            return False
        return True


def keys_of(artifact: Artifact) -> list[str]:
    """The store's keys that an artifact names."""
    found: list[str] = []
    todo = [artifact]
    while todo:
        body = todo.pop().body
        if isinstance(body, tuple):
            todo.extend(body)
        elif isinstance(body, str):
            found.append(body)
    return found


def _written(artifact: Artifact) -> dict[str, Any]:
    body = artifact.body
    if isinstance(body, tuple):
        return {"codec": artifact.codec, "parts": [_written(part) for part in body], "nbytes": artifact.nbytes}
    if isinstance(body, str):
        told = {"codec": artifact.codec, "key": body, "nbytes": artifact.nbytes}
        return told if artifact.checksum is None else told | {"sha256": artifact.checksum.hex()}
    return {"codec": artifact.codec, "inline": base64.b64encode(body).decode(), "nbytes": artifact.nbytes}


def _read(written: dict[str, Any]) -> Artifact:
    body: Any
    if "parts" in written:
        body = tuple(_read(part) for part in written["parts"])
    elif "key" in written:
        body = written["key"]
    else:
        body = base64.b64decode(written["inline"])
    checksum = bytes.fromhex(written["sha256"]) if "sha256" in written else None
    return Artifact(written["codec"], body, written["nbytes"], checksum)
