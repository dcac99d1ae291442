"""What runs leave in the store for later ones: persisted and cached values, and what a failed run had finished.

In a bucket, what a run wrote goes with the run sooner or later. A value that later programs are to find is copied to a
place of its own there, named by what is in it, before anything is written that names it.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from cloudburst.errors import NotFound, StoreError
from cloudburst.runtime.envelope import derive, seal, unseal
from cloudburst.runtime.layout import value_key
from cloudburst.runtime.protocols import Store
from cloudburst.runtime.task import Artifact

VERSION = 1

_THREADS = 16
_FEW = 3
_SHA256 = 32
_FRESH_S = 86400.0
"""A value that was copied so long ago is copied again: somebody may be about to remove what is old."""

_A = TypeVar("_A")
_B = TypeVar("_B")


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

    def add(self, digest: bytes, artifact: Artifact) -> None:
        """Remember an artifact for as long as this process lives."""
        with self._lock:
            self._known[digest] = artifact
            self._keys.update(keys_of(artifact))

    def keep(self, those: Mapping[bytes, Artifact]) -> dict[bytes, Artifact]:
        """Remember artifacts also for later programs, where the store outlives this one; where they lie then."""
        if not self._durable:
            for digest, artifact in those.items():
                self.add(digest, artifact)
            return dict(those)
        moves: dict[str, str] = {}
        lasting = {digest: self._moved(artifact, moves) for digest, artifact in those.items()}
        self._each(self._copy, moves.items())
        for digest, artifact in lasting.items():
            self.add(digest, artifact)
        self._each(self._record, lasting.items())
        return lasting

    def among(self, digests: Iterable[bytes], lasting: Iterable[bytes] = ()) -> dict[bytes, Artifact]:
        """Those of some digests whose values are there; ``lasting`` ones are looked for in the store too."""
        with self._lock:
            found = {digest: self._known[digest] for digest in digests if digest in self._known} if self._known else {}
        if self._durable:
            sought = [digest for digest in dict.fromkeys(lasting) if digest not in found]
            recorded = zip(sought, self._each(self._recorded, sought), strict=True)
            found |= {digest: artifact for digest, artifact in recorded if artifact is not None}
        there = self._each(self._is_there, found.values())
        return {digest: found[digest] for digest, is_there in zip(list(found), there, strict=True) if is_there}

    def holds(self, key: str) -> bool:
        """Whether an object of the store belongs to something kept."""
        with self._lock:
            return key in self._keys

    def _each(self, ask: Callable[[_A], _B], those: Iterable[_A]) -> list[_B]:
        """What the store says of each; where an answer takes its time, of several at once."""
        asked = list(those)
        if not self._store.is_shared or len(asked) < _FEW:
            return [ask(one) for one in asked]
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="cloudburst-kept") as threads:
            return list(threads.map(ask, asked))

    def _moved(self, artifact: Artifact, moves: dict[str, str]) -> Artifact:
        """The artifact where it outlives its run; ``moves`` is told which keys are to be copied for that, and whence.

        Only what has a checksum has such a place: in a directory of one's own nothing goes by itself.
        """
        body = artifact.body
        if isinstance(body, tuple):
            return artifact._replace(body=tuple([self._moved(part, moves) for part in body]))
        if isinstance(body, bytes) or artifact.checksum is None or not self._store.is_shared:
            return artifact
        key = value_key(artifact.checksum[:_SHA256].hex())
        if key != body:
            moves[key] = body
        return artifact._replace(body=key)

    def _copy(self, move: tuple[str, str]) -> None:
        to, key = move
        try:
            if self._store.age_s(to) < _FRESH_S:
                return  # the same value, kept by another expression
        except NotFound:
            pass
        self._store.copy(key, to)

    def _record(self, one: tuple[bytes, Artifact]) -> None:
        digest, artifact = one
        record = json.dumps({"v": VERSION, "artifact": _written(artifact)}).encode()
        key = self._key(digest)
        if self._secret is not None:
            record = seal("receipt", key, record, self._secret)
        self._store.put(key, [record])  # over one that may be there, of a value that has gone since

    def _recorded(self, digest: bytes) -> Artifact | None:
        key = self._key(digest)
        try:
            written = bytes(self._store.get(key))
        except NotFound:
            return None
        body = written if self._secret is None else unseal("receipt", key, written, self._secret)
        try:
            record = json.loads(body)
            return _read(record["artifact"]) if record["v"] == VERSION else None
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{key} in {self._store.url} is no record of a kept value ({type(error).__name__}). Remove it, and the "
                "value is worked out anew."
            ) from error

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
