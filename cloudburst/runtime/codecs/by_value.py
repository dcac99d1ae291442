"""Pickling the project's own classes and functions by value, so that a reader need not import them.

It is the way of captured functions (``pickler``) with the codec's own reducers before it: what is own, what travels
with it and how a class that comes home stays as it is, is told there.
"""

from __future__ import annotations

import pickle
from collections import ChainMap
from collections.abc import Callable
from typing import Any

import cloudpickle

from cloudburst.runtime.codecs import reducers
from cloudburst.runtime.pickler import Pickler, SupportsWrite
from cloudburst.runtime.reach import Memory


class ByValuePickler(Pickler):
    """Sends own classes and functions whole.

    Parameters
    ----------
    file : object with a method ``write``
        Where to.
    protocol : int
        The pickle protocol: 5.
    buffer_callback : callable, optional
        As for ``pickle.Pickler``.
    """

    def __init__(
        self,
        file: SupportsWrite,
        protocol: int = 5,  # noqa: ARG002 - there is no other; pickle's own place for it
        *,
        buffer_callback: Callable[[pickle.PickleBuffer], Any] | None = None,
    ) -> None:
        super().__init__(file, Memory(), buffer_callback=buffer_callback)
        self._reducers = reducers.own()

    @property
    def dispatch_table(self) -> ChainMap[type, Any]:
        return ChainMap(reducers.own(), cloudpickle.Pickler.dispatch_table)

    def reducer_override(self, value: Any) -> Any:
        return NotImplemented if type(value) in self._reducers else super().reducer_override(value)
