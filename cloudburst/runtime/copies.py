"""A value of one's own: what an op is given when others read the same value too.

Frames are copied without their data, which pandas' copy-on-write then keeps apart. What nobody can write to is not
copied at all. Everything else goes through a pickle and back, as it would on its way to another task. Types are told by
the names of their modules, so that no library is imported for it.
"""

from __future__ import annotations

import pickle
import types
from typing import Any

_FIXED = frozenset(
    {
        type(None),
        bool,
        int,
        float,
        complex,
        str,
        bytes,
        range,
        type(...),
        type(NotImplemented),
        types.FunctionType,
        types.BuiltinFunctionType,
        types.ModuleType,
    }
)
_FIXED_MODULES = (
    "datetime",
    "decimal",
    "fractions",
    "pathlib",
    "uuid",
    "zoneinfo",
    "numpy.dtypes",
    "pandas.api.typing",
    "pandas.core.accessor",
    "pandas.core.arrays.categorical.accessor",
    "pandas.core.dtypes",
    "pandas.core.groupby",
    "pandas.core.indexes",
    "pandas.core.indexing",
    "pandas.core.resample",
    "pandas.core.strings",
    "pandas.core.window",
    "pandas._libs",
    "polars.expr",
    "polars.lazyframe",
    "pyarrow",
)
"""Modules of types that nothing can write to, or that only look at a value which nothing writes to through them."""

_WRITABLE = {
    "numpy": {"ndarray", "matrix", "recarray", "memmap", "void", "record", "object_"},
    "pandas": {"Categorical", "DataFrame", "Series"},
    "polars.dataframe.frame": {"DataFrame"},
    "polars.series.series": {"Series"},
}
"""By module: its types that can be written to, where all others cannot."""


def own_copy(value: Any) -> Any:
    """A value that can be written to without anyone else seeing it.

    Parameters
    ----------
    value : object
        Any value.

    Returns
    -------
    object
        The value itself where nothing can write to it, or where it can be copied by no means: then it is shared, as it
        would be in plain Python.

    Examples
    --------
    >>> numbers = [1, 2]
    >>> own_copy(numbers) == numbers, own_copy(numbers) is numbers, own_copy(len) is len
    (True, False, True)
    """
    if is_fixed(value):
        return value
    kind = type(value)
    library = kind.__module__.partition(".")[0]
    if library == "pandas" and kind.__name__ in ("DataFrame", "Series") and not _holds_objects(value):
        return value.copy(deep=False)
    if library == "numpy" and kind.__name__ == "ndarray" and not value.dtype.hasobject:
        return value.copy("K")
    if library == "polars" and kind.__name__ in ("DataFrame", "Series"):
        return value.clone()
    return _pickled_and_back(value)


def is_fixed(value: object) -> bool:
    """Whether nothing can write to a value, nor to anything in it."""
    todo = [value]
    while todo:
        one = todo.pop()
        kind = type(one)
        if kind in _FIXED or isinstance(one, type):
            continue
        if isinstance(one, (tuple, frozenset)) and not hasattr(one, "__dict__"):  # namedtuples too
            todo.extend(one)
        elif (parameters := kind.__dict__.get("__dataclass_params__")) is not None and parameters.frozen:
            todo.extend(getattr(one, name, None) for name in kind.__dataclass_fields__)  # type: ignore[attr-defined]
        elif not _is_of_fixed_module(kind):
            return False
    return True


def _is_of_fixed_module(kind: type) -> bool:
    module = kind.__module__
    if (written := _WRITABLE.get(module)) is not None:
        return kind.__name__ not in written
    return any(module == name or module.startswith(name + ".") for name in _FIXED_MODULES)


def _holds_objects(value: Any) -> bool:
    """Whether a frame or series has cells that are Python objects, which a copy of the frame would share."""
    dtypes = value.dtypes if value.ndim == 2 else [value.dtype]
    return any(getattr(dtype, "hasobject", False) for dtype in dtypes)


def _pickled_and_back(value: Any) -> Any:
    try:
        return pickle.loads(pickle.dumps(value, 5))
    except Exception:  # noqa: BLE001 - a class of the user's script, which plain pickle cannot name
        import cloudpickle

        try:
            return pickle.loads(cloudpickle.dumps(value, 5))
        except Exception:  # noqa: BLE001 - a connection, a lock: there can be no second one
            return value
