"""Stores: immutable byte objects under keys, wherever those lie."""

from __future__ import annotations

from urllib.parse import urlsplit

from cloudburst.errors import StoreError
from cloudburst.runtime.protocols import Store


def open_store(url: str) -> Store:
    """The store that a url names.

    Parameters
    ----------
    url : str
        What ``Store.url`` gave, in this process or in another: ``file:///var/tmp/runs``, ``memory:3``.

    Returns
    -------
    Store

    Raises
    ------
    StoreError
        If no store has such a url, or it lives in another process's memory.
    SettingsError
        If the directory cannot be used.

    Examples
    --------
    >>> from cloudburst.runtime.stores.memory import MemoryStore
    >>> store = MemoryStore()
    >>> open_store(store.url) is store
    True
    """
    scheme = urlsplit(url).scheme
    if scheme == "file":
        from cloudburst.runtime.stores.local import LocalStore

        return LocalStore.open(url)
    if scheme == "memory":
        from cloudburst.runtime.stores.memory import MemoryStore

        return MemoryStore.open(url)
    raise StoreError(f"No store has the url {url!r}: it begins with file: or memory:.")
