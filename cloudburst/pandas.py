"""pandas with every function deferred: ``from cloudburst import pandas as cpd``, then ``cpd.concat([a, b])``.

Functions of pandas give Deferreds and take them, also inside lists and dicts. Its classes, constants and submodules are
pandas' own. What its readers are given as a path is read by the workers, and only as far as the pipeline uses it; they
take lists of paths, patterns, directories and places in S3 as well.

Examples
--------
>>> from cloudburst import pandas as cpd
>>> import pandas as pd
>>> a = pd.DataFrame({"x": [1, 2]})
>>> int(cpd.concat([a, a])["x"].sum().compute())
6
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from functools import cache
from types import BuiltinFunctionType, FrameType, FunctionType
from typing import Any

from cloudburst import providers
from cloudburst.calls import DeferredFunction
from cloudburst.deferred import wrap
from cloudburst.graph.nodes import Call, Policy
from cloudburst.graph.semantics import is_impure_reader
from cloudburst.sources import READERS, source_of


@cache
def _deferred(name: str) -> Any:
    plain = getattr(importlib.import_module("pandas"), name)
    return PandasFunction(plain, None, pure=True) if isinstance(plain, FunctionType | BuiltinFunctionType) else plain


class PandasFunction(DeferredFunction[..., Any]):
    """A function of pandas; a call that reads a database or a URL is its own, because what it gives may change."""

    def __init__(self, func: Any, policy: Policy | None, *, pure: bool, outputs: int | None = None) -> None:
        super().__init__(func, policy, pure=pure, outputs=outputs)
        self._impure_call = replace(self._call, pure=False)
        self._is_special = self._call.name.startswith("read_")

    def _made(self, values: Any, names: Any, args: Any, kwargs: Any, caller: FrameType) -> Any:
        if self._call.name in READERS:
            arguments = self._signature.bind(*args, **kwargs).arguments
            arguments.update(arguments.pop("kwargs", {}))
            where = providers.current().s3
            source = source_of(self._call.name, arguments, where, caller.f_code, caller.f_lasti)
            if source is not None:
                return wrap(source)
        return super()._made(values, names, args, kwargs, caller)

    def _what(self, args: Any, kwargs: Any) -> Call:
        return self._impure_call if is_impure_reader(self._call.name, args, kwargs) else self._call


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    try:
        return _deferred(name)
    except AttributeError:
        raise AttributeError(f"pandas has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return [name for name in dir(importlib.import_module("pandas")) if not name.startswith("_")]
