"""Stores: immutable byte objects under keys, wherever those lie."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from cloudburst.errors import StoreError
from cloudburst.runtime.protocols import Store


def open_store(url: str) -> Store:
    """The store that a url names.

    Parameters
    ----------
    url : str
        What ``Store.url`` gave, in this process or in another: ``file:///var/tmp/runs``, ``memory:3``,
        ``s3://bucket/prefix?region=us-east-1``. With ``cache=/directory`` a store of S3 keeps what it read there.

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
    if scheme == "s3":
        from cloudburst.runtime.stores.s3 import S3Store

        plain, directory = _without_cache(url)
        if directory is None:
            return S3Store.open(plain)
        from cloudburst.runtime.stores.cached import CachedStore

        return CachedStore(S3Store.open(plain), directory)
    raise StoreError(f"No store has the url {url!r}: it begins with file:, memory: or s3:.")


def with_cache(url: str, directory: str) -> str:
    """The url of the same store, keeping large objects as files of that directory once they were read or written.

    Parameters
    ----------
    url : str
        Of a store in S3; any other is given back as it is, for it is as near as a cache would be.
    directory : str
        On this machine's disk.

    Returns
    -------
    str

    Examples
    --------
    >>> with_cache("s3://bucket/prefix?region=us-east-1", "/var/tmp/kept")
    's3://bucket/prefix?region=us-east-1&cache=/var/tmp/kept'
    """
    if urlsplit(url).scheme != "s3":
        return url
    return f"{url}{'&' if '?' in url else '?'}cache={quote(directory, safe='/')}"


def _without_cache(url: str) -> tuple[str, str | None]:
    """A url without its cache, and that."""
    split = urlsplit(url)
    options = parse_qsl(split.query)
    directory = dict(options).get("cache")
    query = urlencode([option for option in options if option[0] != "cache"], safe="/:")
    return urlunsplit(split._replace(query=query)), directory
