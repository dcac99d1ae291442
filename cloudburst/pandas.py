"""pandas with every function deferred: ``from cloudburst import pandas as cpd``, then ``cpd.concat([a, b])``.

Functions of pandas give Deferreds and take them, also inside lists and dicts. Its classes, constants and submodules are
pandas' own.

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
from functools import lru_cache
from types import BuiltinFunctionType, FunctionType
from typing import Any

from cloudburst.graph.semantics import IMPURE_READERS
from cloudburst.stages import DeferredFunction


@lru_cache(maxsize=None)
def _deferred(name: str) -> Any:
    plain = getattr(importlib.import_module("pandas"), name)
    if isinstance(plain, FunctionType | BuiltinFunctionType):
        return _Function(plain, None, pure=name not in IMPURE_READERS)
    return plain


class _Function(DeferredFunction[..., Any]):
    """A function of pandas; reading a URL is impure, because what it gives may change."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._pure and args and isinstance(args[0], str) and args[0].startswith(("http://", "https://", "ftp://")):
            return DeferredFunction(self.func, None, pure=False)(*args, **kwargs)
        return super().__call__(*args, **kwargs)


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    try:
        return _deferred(name)
    except AttributeError:
        raise AttributeError(f"pandas has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return [name for name in dir(importlib.import_module("pandas")) if not name.startswith("_")]
