"""Values in and out of a store: small ones inside the record, others under a key, lists for a fan in parts.

What goes under a key of a store that others can write to is told by its SHA-256. Nothing is unpickled from there before
that holds.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, KeysView, Sequence, ValuesView

from cloudburst.errors import ArgumentError, NotFound, Tampered
from cloudburst.runtime import codecs
from cloudburst.runtime.codecs.ranged import NotAsWritten, RangeReader
from cloudburst.runtime.layout import VALUES
from cloudburst.runtime.protocols import Buffer, Store
from cloudburst.runtime.task import Artifact

SMALL = 32 * 1024
"""Bytes up to which an encoded value rides in the record."""

_WORTH_A_THREAD = 1 << 20
"""Bytes from which the checksum is worked out beside the writing."""

_WHOLE = 32
"""Bytes of the checksum of all."""

WORTH_RANGES = 1 << 20
"""Bytes from which columns and row groups are read without the others."""

PARTS = "parts"
"""Codec name of a list that lies as one artifact an item."""

_LISTS = (list, tuple, range, set, frozenset, KeysView, ValuesView, ItemsView)


def write(
    value: object, store: Store, key: str, *, parts: bool = False, among: Sequence[str] | None = None
) -> Artifact:
    """Store a value.

    Parameters
    ----------
    value : object
        Any value.
    store : Store
        Where it goes, unless it is small.
    key : str
        The key that it gets there; items get ``<key>/<number>``.
    parts : bool, default False
        Store it as a list with one artifact an item, because a fan reads it item by item.
    among : sequence of str, optional
        Codecs to choose from, in order; by default ``codecs.SHARED`` where the store is shared, else ``codecs.LOCAL``.

    Returns
    -------
    Artifact

    Raises
    ------
    CodecError
        If the value would not come back equal.
    ArgumentError
        If ``parts`` and it is no list or the like.
    StoreError
        If the store does not take it.

    Examples
    --------
    >>> from cloudburst.runtime.stores.memory import MemoryStore
    >>> store = MemoryStore()
    >>> read(write([1, "two"], store, "a/0"), store)
    [1, 'two']
    """
    if parts:
        written = tuple(write(item, store, f"{key}/{number}", among=among) for number, item in enumerate(_items(value)))
        return Artifact(PARTS, written, sum(part.nbytes for part in written))
    name, buffers = codecs.encode(value, among or (codecs.SHARED if store.is_shared else codecs.LOCAL))
    return write_encoded(name, buffers, store, key)


def write_encoded(codec: str, buffers: Sequence[Buffer], store: Store, key: str) -> Artifact:
    """Store a value that is encoded already: the codec's name and what it gave.

    >>> from cloudburst.runtime.stores.memory import MemoryStore
    >>> write_encoded("plain", [b"[1,2]"], MemoryStore(), "a/0")
    Artifact(codec='plain', body=b'[1,2]', nbytes=5, checksum=None, groups=None)
    """
    nbytes = sum(map(len, buffers))
    if nbytes <= SMALL:
        return Artifact(codec, b"".join(buffers), nbytes)
    if not store.is_shared:
        store.put(key, buffers)
        return Artifact(codec, key, nbytes)
    told = b""
    if nbytes >= WORTH_RANGES:
        buffers, told = codecs.with_sums(codec, buffers)
        nbytes = sum(map(len, buffers))
    if nbytes < _WORTH_A_THREAD:
        store.put(key, buffers)
        return Artifact(codec, key, nbytes, _checksum(buffers) + told)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:
        checksum = thread.submit(_checksum, buffers)
        store.put(key, buffers)
        return Artifact(codec, key, nbytes, checksum.result() + told)


def read(artifact: Artifact, store: Store, columns: Sequence[str] | None = None) -> object:
    """The value of an artifact: equal to what was written, writable, and nobody else's.

    Parameters
    ----------
    artifact : Artifact
        What :func:`write` gave; with ``groups``, for a frame of which these row groups are to be read.
    store : Store
        Where it was written to.
    columns : sequence of str, optional
        Read only these columns of a pandas frame: those that it has, in its own order, with its own index and attrs.
        Any other value comes whole, a list in parts too.

    Returns
    -------
    object
        A list where it lies in parts.

    Notes
    -----
    Columns and row groups of a large Parquet artifact of a shared store are read by ranges, and each chunk is told by a
    checksum of its own. What has to be unpickled is read whole, and only once its checksum holds. What is smaller than
    1 MiB is read whole, too: a second request takes longer than such bytes do.

    Raises
    ------
    NotFound
        If the store has it no more.
    Tampered
        If what a shared store has is not what was written.
    CodecError
        If it cannot be read.
    """
    codec, body, _, _, groups = artifact
    if isinstance(body, tuple):
        return [read(part, store) for part in body]
    if isinstance(body, bytes):
        return codecs.decode(codec, memoryview(body), columns, groups)
    try:
        return _stored(artifact, body, store, columns)
    except NotFound as error:
        if not body.startswith(VALUES):
            raise
        raise NotFound(
            f"{str(error).rstrip('.')}: it was kept by persist() or a cached stage, and has been removed since. "
            "persist() it again; a cached stage that is called anew works it out."
        ) from error


def _stored(artifact: Artifact, body: str, store: Store, columns: Sequence[str] | None) -> object:
    """What lies under a key."""
    codec, _, nbytes, checksum, groups = artifact
    if (columns is not None or groups is not None) and (told := trailer_told(artifact)):
        try:
            return codecs.decode_part(codec, RangeReader(store, body, nbytes), columns, groups, told)
        except NotAsWritten:
            raise _tampered(body, store) from None
    if store.is_shared and checksum is None and codec in codecs.UNPICKLING:
        raise Tampered(
            f"{body} is not read: others can write to {store.url}, it would have to be unpickled, and nothing tells "
            "what was written there. Compute it again."
        )
    data = store.get(body)
    if checksum is not None and _checksum([data]) != checksum[:_WHOLE]:
        raise _tampered(body, store)
    return codecs.decode(codec, data, columns, groups)


def trailer_told(artifact: Artifact) -> bytes:
    """What tells the trailer of a large Parquet artifact, by which parts of it are read; empty for any other.

    >>> trailer_told(Artifact("parquet", "a/0", 99, bytes(32)))
    b''
    """
    told = (artifact.checksum or b"")[_WHOLE:]
    return told if artifact.codec in codecs.RANGED and len(told) == codecs.TOLD else b""


def _tampered(key: str, store: Store) -> Tampered:
    return Tampered(
        f"{key} is not what was written: somebody else can write to {store.url}, and has. It is not read. "
        "See who may write there, remove it, and compute it again."
    )


def _checksum(buffers: Iterable[Buffer]) -> bytes:
    from hashlib import sha256

    digest = sha256()
    for one in buffers:
        digest.update(one)
    return digest.digest()


def _items(value: object) -> Iterable[object]:
    if isinstance(value, _LISTS) or _is_column(value):
        return value  # type: ignore[return-value]
    shape = getattr(value, "shape", None)
    what = f"{type(value).__name__} of shape {shape}" if isinstance(shape, tuple) else type(value).__name__
    raise ArgumentError(f"f.map needs a list, got {what}: make a list of it, such as list(...).")


def _is_column(value: object) -> bool:
    """Whether it is an array, Series or Index of one dimension: told without importing their libraries."""
    library = type(value).__module__.partition(".")[0]
    return library in ("numpy", "pandas", "polars") and len(getattr(value, "shape", ())) == 1
