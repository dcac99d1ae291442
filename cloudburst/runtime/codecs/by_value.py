"""Pickling the project's own classes and functions by value, so that a reader need not import them.

It is cloudpickle's way, with two rules of our own. What is own is told as for captured functions (``own_modules``). And
a class that comes home stays as it is: cloudpickle knows a class again that was sent from here, which is right, and
then writes what the worker had in it over what is here, which is not: methods would lose the globals they live among.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable
from types import FunctionType
from typing import Any
from weakref import WeakSet

import cloudpickle
from cloudpickle.cloudpickle import _DYNAMIC_CLASS_TRACKER_BY_ID, _class_setstate, _dynamic_class_reduce

from cloudburst.runtime.codecs import reducers
from cloudburst.runtime.own_modules import is_own

_from_elsewhere: WeakSet[type] = WeakSet()


class ByValuePickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Sends own classes and functions whole."""

    @property
    def dispatch_table(self) -> ChainMap[type, Any]:
        return ChainMap(reducers.own(), cloudpickle.Pickler.dispatch_table)

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, type) and is_own(value.__module__):
            make, arguments, state, *_ = _dynamic_class_reduce(value)
            return arrive, (make, *arguments), state, None, None, settle
        if isinstance(value, FunctionType) and is_own(value.__module__):
            return self._dynamic_function_reduce(value)
        return super().reducer_override(value)


def arrive(make: Callable[..., type], *arguments: Any) -> type:
    """The class that was sent from here, or a bare one for :func:`settle` to fill.

    Parameters
    ----------
    make : callable
        cloudpickle's, for classes or for enumerations.
    *arguments : object
        Its arguments, of which the last but one is the number that cloudpickle knows the class by.
    """
    is_new = arguments[-2] not in _DYNAMIC_CLASS_TRACKER_BY_ID
    kind = make(*arguments)
    if is_new:
        _from_elsewhere.add(kind)
    return kind


def settle(kind: type, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Give a class from elsewhere its attributes, or the newest that it has there."""
    if kind in _from_elsewhere:
        _class_setstate(kind, state)
