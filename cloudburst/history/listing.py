"""All keys of a part of a store, and the names that come next in it, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator

from cloudburst.runtime.protocols import Store


def listed(store: Store, prefix: str) -> Iterator[str]:
    """All keys that begin with a prefix, in order.

    >>> from cloudburst.runtime.stores.memory import MemoryStore
    >>> store = MemoryStore()
    >>> [store.put(key, [b""]) for key in ("a/2", "b/1", "a/1")]
    [True, True, True]
    >>> list(listed(store, "a/"))
    ['a/1', 'a/2']
    """
    after = ""
    while page := store.list(prefix, after):
        yield from page
        after = page[-1]


def folders(store: Store, prefix: str) -> Iterator[str]:
    """The names that come next behind a prefix and have something below them; one request each.

    >>> from cloudburst.runtime.stores.memory import MemoryStore
    >>> store = MemoryStore()
    >>> [store.put(key, [b""]) for key in ("runs/x/1", "runs/x/2", "runs/y/1", "runs/z")]
    [True, True, True, True]
    >>> list(folders(store, "runs/"))
    ['x', 'y']
    """
    after = ""
    while page := store.list(prefix, after):
        last = ""
        for key in page:
            name, slash, _ = key.removeprefix(prefix).partition("/")
            if slash and name != last:
                yield name
                last = name
        # What comes after all keys of the last folder of the page: "0" is the character after "/".
        after = f"{prefix}{last}0" if page[-1].startswith(f"{prefix}{last}/") else page[-1]
