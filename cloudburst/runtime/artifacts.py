"""Values in and out of a store: small ones inside the record, others under a key, lists for a fan in parts."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, KeysView, Sequence, ValuesView

from cloudburst.errors import ArgumentError
from cloudburst.runtime import codecs
from cloudburst.runtime.protocols import Store
from cloudburst.runtime.task import Artifact

SMALL = 32 * 1024
"""Bytes up to which an encoded value rides in the record."""

PARTS = "parts"
"""Codec name of a list that lies as one artifact an item."""

_LISTS = (list, tuple, range, set, frozenset, KeysView, ValuesView, ItemsView)


def write(
    value: object, store: Store, key: str, *, parts: bool = False, among: Sequence[str] = codecs.LOCAL
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
    among : sequence of str, default codecs.LOCAL
        Codecs to choose from, in order: ``codecs.SHARED`` for a store that others read too.

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
    name, buffers = codecs.encode(value, among)
    nbytes = sum(map(len, buffers))
    if nbytes <= SMALL:
        return Artifact(name, b"".join(buffers), nbytes)
    store.put(key, buffers)
    return Artifact(name, key, nbytes)


def read(artifact: Artifact, store: Store, columns: Sequence[str] | None = None) -> object:
    """The value of an artifact: equal to what was written, writable, and nobody else's.

    Parameters
    ----------
    artifact : Artifact
        What :func:`write` gave.
    store : Store
        Where it was written to.
    columns : sequence of str, optional
        Read only these columns of a frame.

    Returns
    -------
    object
        A list where it lies in parts.

    Raises
    ------
    NotFound
        If the store has it no more.
    CodecError
        If it cannot be read.
    """
    body = artifact.body
    if isinstance(body, tuple):
        return [read(part, store, columns) for part in body]
    return codecs.decode(artifact.codec, store.get(body) if isinstance(body, str) else memoryview(body), columns)


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
